"""Template deployments, as far as `az vm create` and its like use them.

Resources are written in the order of `dependsOn`, each by the request that a client would send. Of template
expressions, `parameters`, `variables`, `resourceId` and `concat` with literal arguments are known; others are refused
by name.
"""

import json
import re
import uuid
from typing import Any

from local.arm.kernel.clock import iso_z
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

KIND = "Microsoft.Resources/deployments"
_LIST = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Resources/deployments"
_ONE = _LIST + "/{deployment}"
_STEP_SECONDS = 5.0
_OWN_KEYS = {"name", "type", "apiVersion", "dependsOn", "comments", "condition", "copy"}
_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"\s*('(?:[^']|'')*'|\w+\((?:[^()']|'[^']*')*\))\s*(?:,|$)")


@routes.operation("PUT", _ONE, name="Deployments_CreateOrUpdate")
def put(request: Request) -> Reply:
    """201 Accepted; the template is read whole before anything is made."""
    properties = request.body.get("properties") if isinstance(request.body, dict) else None
    template = properties.get("template") if isinstance(properties, dict) else None
    if not isinstance(template, dict) or not isinstance(properties, dict):
        raise _invalid("The template is missing; linked templates are not known here.")
    resources = _read(request, template, properties.get("parameters") or {})
    deployment = Resource(
        {
            "id": request.resource_id,
            "name": request.params["deployment"],
            "type": KIND,
            "properties": {
                "mode": properties.get("mode", "Incremental"),
                "provisioningState": "Accepted",
                "timestamp": iso_z(request.now),
                "correlationId": request.correlation_id,
                "outputs": {},
            },
        },
        {
            "resources": resources,
            "base_url": request.base_url,
            "app_id": request.caller.app_id,
            "key": uuid.uuid4().hex,
        },
    )
    request.kernel.store.put(deployment)
    request.kernel.schedule.at(request.now, "deployment.step", {"id": deployment.id, "key": deployment.sim["key"]})
    status = (
        f"{request.base_url}{deployment.id}/operationStatuses/{deployment.sim['key']}?api-version={request.api_version}"
    )
    return Reply(201, deployment.document, {"Azure-AsyncOperation": status, "Retry-After": _retry(request)})


def _retry(request: Request) -> str:
    return str(request.kernel.clock.retry_after(_STEP_SECONDS))


@routes.operation("POST", _ONE + "/validate", name="Deployments_Validate")
def validate(request: Request) -> Reply:
    """200 for a template that can be read."""
    request.silent = True
    properties = (request.body or {}).get("properties") or {}
    _read(request, properties.get("template") or {}, properties.get("parameters") or {})
    return Reply(200, {"properties": {"provisioningState": "Succeeded"}})


@routes.operation("GET", _ONE, name="Deployments_Get")
def get(request: Request) -> Reply:
    """One deployment."""
    return Reply(200, request.require().document)


@routes.operation("GET", _LIST, name="Deployments_ListByResourceGroup")
def list_in_group(request: Request) -> Reply:
    """The deployments of a resource group."""
    scope = request.resource_id.split("/providers/")[0]
    return Reply(200, {"value": [one.document for one in request.kernel.store.children(scope, KIND)]})


@routes.operation("GET", _ONE + "/operationStatuses/{key}", name="Deployments_OperationStatus")
def status(request: Request) -> Reply:
    """`{"status": "Accepted" | "Running" | "Succeeded" | "Failed"}`, with the error of a failure (recorded)."""
    deployment = request.require(request.resource_id.rsplit("/operationStatuses/", 1)[0])
    properties = deployment.properties
    body = {"status": properties["provisioningState"]}
    if "error" in properties:
        body["error"] = properties["error"]
    ended = body["status"] in ("Succeeded", "Failed")
    return Reply(200, body, {} if ended else {"Retry-After": _retry(request)})


def _invalid(message: str) -> ArmError:
    return ArmError(400, "InvalidTemplate", f"Deployment template validation failed: '{message}'")


def _read(request: Request, template: dict[str, Any], given: dict[str, Any]) -> list[dict[str, Any]]:
    defaults = {name: one.get("defaultValue") for name, one in template.get("parameters", {}).items()}
    values = defaults | {name: one.get("value") for name, one in given.items()}
    scope = _Scope(request.resource_id.split("/providers/")[0], values, template.get("variables") or {})
    return [_resource(scope, one) for one in template.get("resources", [])]


class _Scope:
    """Evaluates template expressions."""

    def __init__(self, group: str, parameters: dict[str, Any], variables: dict[str, Any]) -> None:
        self.group = group
        self._known = {"parameters": parameters, "variables": variables}

    def value(self, given: Any) -> Any:
        """`given` with every expression in it replaced by its value."""
        if isinstance(given, dict):
            return {key: self.value(part) for key, part in given.items()}
        if isinstance(given, list):
            return [self.value(part) for part in given]
        if isinstance(given, str) and given.startswith("[") and given.endswith("]") and not given.startswith("[["):
            return self._expression(given[1:-1].strip())
        return given

    def _expression(self, text: str) -> Any:
        if text.startswith("'"):
            return text[1:-1].replace("''", "'")
        call = _CALL.fullmatch(text)
        if call is None:
            raise _invalid(f"The template language expression '{text}' is not known to the simulator.")
        function, arguments = call.group(1), [self._expression(one) for one in _ARGUMENT.findall(call.group(2))]
        if function in self._known:
            if arguments[0] not in self._known[function]:
                raise _invalid(f"The template {function[:-1]} '{arguments[0]}' is not found.")
            return self.value(self._known[function][arguments[0]])
        if function == "concat":
            return "".join(map(str, arguments))
        if function == "resourceId":
            return resource_id(self.group, arguments[0], "/".join(arguments[1:]))
        raise _invalid(f"The template function '{function}' is not known to the simulator.")


def resource_id(group: str, kind: str, name: str) -> str:
    """The id of a resource with a (nested) type and name in a group."""
    provider, *types = kind.split("/")
    names = name.split("/")
    if len(types) != len(names):
        raise _invalid(f"The template resource '{name}' for type '{kind}' has incorrect segment lengths.")
    tail = "/".join(f"{one}/{other}" for one, other in zip(types, names, strict=True))
    return f"{group}/providers/{provider}/{tail}"


def _resource(scope: _Scope, given: dict[str, Any]) -> dict[str, Any]:
    for key in ("name", "type", "apiVersion"):
        if not given.get(key):
            raise _invalid(f"The template resource has no '{key}'.")
    made = scope.value(given)
    needs = [one if one.startswith("/") else _depended(scope.group, one) for one in made.get("dependsOn", [])]
    body = {key: value for key, value in made.items() if key not in _OWN_KEYS}
    where = resource_id(scope.group, made["type"], made["name"])
    return {"id": where, "api": made["apiVersion"], "needs": needs, "body": body, "sent": False}


def _depended(group: str, text: str) -> str:
    parts = text.split("/")
    return f"{group}/providers/{text}" if len(parts) % 2 else f"{group}/providers/none/{text}"


@routes.hook("deployment.step")
def _step(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """Send what has all that it needs; look again in a while until all is there or one failed."""
    deployment = kernel.store.get(payload["id"])
    if deployment is None or deployment.sim["key"] != payload["key"]:
        return
    resources, properties = deployment.sim["resources"], deployment.properties
    states = {one["id"].lower(): _state(kernel, one) for one in resources}
    errors = [one["error"] for one in resources if "error" in one]
    for one in resources:
        ready = all(states.get(need.lower(), "Succeeded") == "Succeeded" for need in one["needs"])
        if not errors and not one["sent"] and ready and (refused := _send(kernel, deployment, one)):
            errors.append(refused)
    if errors or "Failed" in states.values():
        properties |= {"provisioningState": "Failed", "error": _failure(kernel, resources, errors)}
    elif all(state == "Succeeded" for state in states.values()):
        properties["provisioningState"] = "Succeeded"
        properties["outputResources"] = [{"id": one["id"]} for one in resources]
    else:
        properties["provisioningState"] = "Running"
        kernel.schedule.at(at + kernel.clock.scaled(_STEP_SECONDS), "deployment.step", payload)
    kernel.store.put(deployment)


def _state(kernel: Kernel, one: dict[str, Any]) -> str:
    found = kernel.store.get(one["id"])
    if not one["sent"] or found is None:
        return "Waiting" if not one["sent"] else "Succeeded"
    return found.properties.get("provisioningState", "Succeeded")


def _send(kernel: Kernel, deployment: Resource, one: dict[str, Any]) -> dict[str, Any] | None:
    """Write one resource; answers the error when it is refused."""
    one["sent"] = True
    reply = kernel.on_behalf(
        deployment.sim["app_id"],
        "PUT",
        one["id"],
        api_version=one["api"],
        body=json.dumps(one["body"]),
        base_url=deployment.sim["base_url"],
    )
    if reply.status < 400:
        return None
    one["error"] = reply.body["error"]
    return one["error"]


def _failure(kernel: Kernel, resources: list[dict[str, Any]], errors: list[dict[str, Any]]) -> dict[str, Any]:
    """`DeploymentFailed` with what was refused, or with what was accepted and ended Failed (azure-cli#29203)."""
    failed = [
        {
            "code": "ResourceDeploymentFailure",
            "target": one["id"],
            "message": "The resource write operation failed to complete successfully, because it reached terminal "
            "provisioning state 'Failed'.",
            "details": _last_error(kernel, one["id"]),
        }
        for one in resources
        if one["sent"] and _state(kernel, one) == "Failed"
    ]
    return {
        "code": "DeploymentFailed",
        "message": "At least one resource deployment operation failed. Please list deployment operations for details. "
        "Please see https://aka.ms/arm-deployment-operations for usage details.",
        "details": errors or failed,
    }


def _last_error(kernel: Kernel, resource_id: str) -> list[dict[str, Any]]:
    """Why the last operation on a resource has failed."""
    stored = [one for _, one in kernel.store.table("operation").items() if one.get("error")]
    return [one["error"] for one in stored if one["resource_id"].lower() == resource_id.lower()][-1:]
