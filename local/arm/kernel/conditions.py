"""Conditions that a fault plan can put in force for a time: what Azure answers while something above is not as usual.

Each knows which requests it is about and words its refusal for them. Sources: ARM's common errors ("Resolve errors for
resource not found", "Resolve error for request disallowed by policy" on Microsoft Learn; the body of a policy's
refusal is quoted whole in "Enforce job execution on Hybrid Runbook Worker"), terraform-provider-azurerm#1145 and
packer#6009 for terms that nobody accepted.
"""

import json
from collections.abc import Callable
from typing import Any

from local.arm.kernel import ids
from local.arm.kernel.errors import (
    ArmError,
    group_not_found,
    parent_not_found,
    resource_not_found,
    subscription_not_found,
)
from local.arm.kernel.messages import RoutedRequest
from local.arm.kernel.store import Store

type Condition = Callable[[RoutedRequest, Store, list[str]], ArmError | None]
"""The refusal of a request, or None when it is not about the condition; the list are the tags that a policy demands."""

_VERBS = {"GET": "read", "HEAD": "read", "DELETE": "delete"}
_ORDERED = ("virtualmachines_createorupdate", "virtualmachinescalesets_createorupdate")


def _subscription(request: RoutedRequest, store: Store, tags: list[str]) -> ArmError | None:
    subscription = request.params.get("sub")
    return subscription_not_found(subscription) if subscription else None


def _group(request: RoutedRequest, store: Store, tags: list[str]) -> ArmError | None:
    group = request.params.get("rg")
    return group_not_found(group) if group else None


def _gallery(request: RoutedRequest, store: Store, tags: list[str]) -> ArmError | None:
    """A gallery that is not there: it is missed itself, or as the parent of what is asked for."""
    found = ids.parse(request.resource_id) or ids.parse(f"{request.resource_id}/any")
    if "gallery" not in request.params or found is None:
        return None
    if found.parent is not None:
        return parent_not_found(found.kind, str(found.parent), _VERBS.get(request.method, "write"))
    return resource_not_found(found.kind, found.name, found.group) if request.method in ("GET", "PATCH") else None


def _terms(request: RoutedRequest, store: Store, tags: list[str]) -> ArmError | None:
    """Nobody accepted the terms of the plan: Compute's words, and the preflight's of a template with such a machine."""
    if not isinstance(request.body, dict):
        return None
    if request.route.name.lower().startswith("deployments_"):
        resources = _inside(request.body, "properties", "template", "resources")
        plans = [one["plan"] for one in resources or () if _inside(one, "plan", "name")]
        return _not_eligible(plans[0]) if plans else None
    plan = request.body.get("plan")
    if request.route.name.lower() not in _ORDERED or not isinstance(plan, dict):
        return None
    return ArmError(
        400,
        "ResourcePurchaseValidationFailed",
        "User failed validation to purchase resources. Error message: 'You have not accepted the legal terms on this "
        f"subscription: '{request.params['sub']}' for this plan. Before the subscription can be used, you need to "
        "accept "
        "the legal terms of the image. To read and accept legal terms, use the Azure CLI commands described at "
        "https://go.microsoft.com/fwlink/?linkid=2110637 or the PowerShell commands available at "
        "https://go.microsoft.com/fwlink/?linkid=862451. Alternatively, deploying via the Azure portal provides a UI "
        f"experience for reading and accepting the legal terms. Offer details: publisher='{plan.get('publisher')}' "
        "offer "
        f"= '{plan.get('product')}', sku = '{plan.get('name')}', Correlation Id: '{request.correlation_id}'.'",
    )


def _inside(value: Any, *path: str) -> Any:
    """What stands at a path in a body that nobody has checked yet, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _not_eligible(plan: dict[str, Any]) -> ArmError:
    terms = (
        "Legal terms have not been accepted for this item on this subscription. To accept legal terms using "
        "PowerShell, "
        "please use Get-AzureRmMarketplaceTerms and Set-AzureRmMarketplaceTerms "
        "API(https://go.microsoft.com/fwlink/?linkid=862451) or deploy via the Azure portal to accept the terms"
    )
    message = (
        f"Offer with PublisherId: {plan.get('publisher')}, OfferId: {plan.get('product')} cannot be purchased due to "
        f"validation errors. See details for more information.[{json.dumps({terms: 'StoreApi'})}]"
    )
    return ArmError(
        400,
        "MarketplacePurchaseEligibilityFailed",
        "Marketplace purchase eligibilty check returned errors. See inner errors for details. ",
        details=[{"code": "BadRequest", "message": message}],
    )


_POLICY = "871b6d14-10aa-478d-b590-94f262ecfa99"
"""The built-in definition "Require a tag on resources"."""
_POLICY_NAME = "Require a tag on resources"


def _tags(request: RoutedRequest, store: Store, tags: list[str]) -> ArmError | None:
    """A policy demands tags: of every resource with a location that is written, as it would be afterwards."""
    if request.method not in ("PUT", "PATCH") or not isinstance(request.body, dict):
        return None
    found = ids.parse(request.resource_id)
    if found is None or (request.method == "PUT" and "location" not in request.body):
        return None
    present = store.get(request.resource_id)
    kept = present.document.get("tags") if present and request.method == "PATCH" else None
    given = request.body.get("tags", kept)
    named = {str(name).lower() for name in given} if isinstance(given, dict) else set()
    missing = next((tag for tag in tags if tag.lower() not in named), None)
    return _disallowed(request, found, missing) if missing else None


def _disallowed(request: RoutedRequest, found: ids.ResourceId, tag: str) -> ArmError:
    scope = f"/subscriptions/{found.subscription}"
    definition = f"/providers/Microsoft.Authorization/policyDefinitions/{_POLICY}"
    assignment = f"{scope}/providers/Microsoft.Authorization/policyAssignments/require-tag-{tag.lower()}"
    identifiers = [
        {
            "policyAssignment": {"name": _POLICY_NAME, "id": assignment},
            "policyDefinition": {"name": _POLICY_NAME, "id": definition},
        }
    ]
    expression = {
        "result": "True",
        "expressionKind": "Field",
        "expression": f"tags[{tag}]",
        "path": f"tags[{tag}]",
        "targetValue": "false",
        "operator": "Exists",
    }
    info = {
        "policyDefinitionDisplayName": _POLICY_NAME,
        "evaluationDetails": {"evaluatedExpressions": [expression]},
        "policyDefinitionId": definition,
        "policyDefinitionName": _POLICY,
        "policyDefinitionEffect": "Deny",
        "policyAssignmentId": assignment,
        "policyAssignmentName": assignment.rsplit("/", 1)[1],
        "policyAssignmentDisplayName": _POLICY_NAME,
        "policyAssignmentScope": scope,
        "policyAssignmentParameters": {"tagName": {"value": tag}},
    }
    listed = json.dumps(identifiers, separators=(",", ":"))
    return ArmError(
        403,
        "RequestDisallowedByPolicy",
        f"Resource '{found.name}' was disallowed by policy. Policy identifiers: '{listed}'.",
        target=found.name,
        extra={"additionalInfo": [{"type": "PolicyViolation", "info": info}]},
    )


def _unreadable(request: RoutedRequest, store: Store, tags: list[str]) -> ArmError | None:
    """Nobody gave the caller a role that reads here (Microsoft Learn, "Troubleshoot Azure RBAC": AuthorizationFailed).

    Resource Graph leaves out what this is about (`management/resource_graph`).
    """
    if request.method not in ("GET", "HEAD"):
        return None
    kind = "/".join(each for each in request.path.rpartition("/providers/")[2].split("/")[:2]) or "Microsoft.Resources"
    client = request.caller.object_id
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{client}' does not have authorization to perform action '{kind}/read' "
        f"over scope '{request.path.partition('/providers/')[0]}' or the scope is invalid. If access was recently "
        "granted, please refresh your credentials.",
    )


CONDITIONS: dict[str, Condition] = {
    "reading-denied": _unreadable,
    "subscription-not-found": _subscription,
    "group-not-found": _group,
    "gallery-not-found": _gallery,
    "terms-not-accepted": _terms,
    "tag-policy": _tags,
}
"""What can be in force, by the `fault` of a rule."""
