"""Subscriptions, tenants, locations and resource providers."""

from typing import Any

from local.arm.kernel import ids, regions
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes

routes = Routes()

_PROVIDERS: dict[str, dict[str, list[str]]] = {
    "Microsoft.Compute": {
        "galleries": ["2026-03-03", "2025-03-03", "2024-03-03", "2023-07-03", "2022-03-03", "2021-10-01"],
        "galleries/images": ["2026-03-03", "2025-03-03", "2024-03-03", "2023-07-03", "2022-03-03", "2021-10-01"],
        "galleries/images/versions": ["2026-03-03", "2025-03-03", "2024-03-03", "2023-07-03", "2022-03-03"],
        "images": ["2026-04-01", "2025-04-01", "2024-11-01", "2024-07-01", "2023-03-01", "2022-11-01"],
        "virtualMachines": ["2026-04-01", "2025-04-01", "2024-11-01", "2024-07-01", "2023-03-01", "2022-11-01"],
        "virtualMachineScaleSets": ["2026-04-01", "2025-04-01", "2024-11-01", "2024-07-01"],
        "disks": ["2026-03-02", "2025-01-02", "2024-03-02", "2023-04-02", "2022-03-02"],
        "snapshots": ["2026-03-02", "2025-01-02", "2024-03-02", "2023-04-02", "2022-03-02"],
    },
    "Microsoft.Network": {
        "virtualNetworks": ["2024-07-01", "2024-05-01", "2022-11-01", "2022-01-01"],
        "networkInterfaces": ["2024-07-01", "2024-05-01", "2022-11-01", "2022-01-01"],
        "publicIPAddresses": ["2024-07-01", "2024-05-01", "2022-11-01", "2022-01-01"],
        "networkSecurityGroups": ["2024-07-01", "2024-05-01", "2022-11-01", "2022-01-01"],
        "loadBalancers": ["2024-07-01", "2024-05-01", "2022-11-01", "2022-01-01"],
    },
    "Microsoft.Storage": {"storageAccounts": ["2024-01-01", "2023-05-01", "2022-09-01", "2021-09-01"]},
    "Microsoft.Resources": {"resourceGroups": ["2024-11-01", "2022-09-01", "2021-04-01"]},
}


def _subscription(request: Request, stored: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{stored['id']}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": stored["id"],
        "tenantId": request.kernel.tokens.tenant_id,
        "displayName": stored["name"],
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


@routes.operation("GET", "/subscriptions", name="Subscriptions_List")
def list_subscriptions(request: Request) -> Reply:
    """All subscriptions; the simulator hides none from anybody."""
    found = [_subscription(request, one) for _, one in request.kernel.store.table("subscription").items()]
    return Reply(200, {"value": found, "count": {"type": "Total", "value": len(found)}})


@routes.operation("GET", "/subscriptions/{sub}", name="Subscriptions_Get")
def get_subscription(request: Request) -> Reply:
    """One subscription; the kernel has checked that it exists."""
    stored = request.kernel.store.table("subscription")[f"/subscriptions/{request.params['sub']}".lower()]
    return Reply(200, _subscription(request, stored))


@routes.operation("GET", "/tenants", name="Tenants_List")
def list_tenants(request: Request) -> Reply:
    """The one tenant."""
    tenant = request.kernel.tokens.tenant_id
    return Reply(200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Local"}]})


@routes.operation("GET", "/subscriptions/{sub}/locations", name="Subscriptions_ListLocations")
def list_locations(request: Request) -> Reply:
    """All regions."""
    subscription = request.params["sub"]
    return Reply(200, {"value": [_location(subscription, name) for name in regions.DISPLAY]})


def _location(subscription: str, name: str) -> dict[str, Any]:
    location: dict[str, Any] = {
        "id": f"/subscriptions/{subscription}/locations/{name}",
        "name": name,
        "type": "Region",
        "displayName": regions.display(name),
        "regionalDisplayName": regions.display(name),
        "metadata": {"regionType": "Physical", "regionCategory": "Recommended", "pairedRegion": []},
    }
    if name not in regions.NO_ZONES:
        zones = [{"logicalZone": str(one), "physicalZone": f"{name}-az{one}"} for one in (1, 2, 3)]
        location["availabilityZoneMappings"] = zones
    return location


def _provider(request: Request, namespace: str) -> dict[str, Any]:
    kinds = [
        {
            "resourceType": kind,
            "locations": list(regions.DISPLAY.values()),
            "apiVersions": versions,
            "capabilities": "SupportsTags, SupportsLocation",
        }
        for kind, versions in _PROVIDERS[namespace].items()
    ]
    return {
        "id": f"/subscriptions/{request.params['sub']}/providers/{namespace}",
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": kinds,
        "registrationState": "Registered",
    }


@routes.operation("GET", "/subscriptions/{sub}/providers", name="Providers_List")
def list_providers(request: Request) -> Reply:
    """The providers that the simulator plays."""
    return Reply(200, {"value": [_provider(request, namespace) for namespace in _PROVIDERS]})


@routes.operation("GET", "/subscriptions/{sub}/providers/{namespace}", name="Providers_Get")
def get_provider(request: Request) -> Reply:
    """One provider."""
    return Reply(200, _provider(request, _namespace(request)))


@routes.operation("POST", "/subscriptions/{sub}/providers/{namespace}/register", name="Providers_Register")
def register_provider(request: Request) -> Reply:
    """Providers are registered always."""
    request.silent = True
    return Reply(200, _provider(request, _namespace(request)))


def _namespace(request: Request) -> str:
    given = request.params["namespace"]
    for known in _PROVIDERS:
        if known.lower() == given.lower():
            return known
    raise ArmError(404, "InvalidResourceNamespace", f"The resource namespace '{given}' is invalid.")


@routes.operation("GET", "/subscriptions/{sub}/resources", name="Resources_List")
def list_resources(request: Request) -> Reply:
    """All top-level resources, with the commonest filters: `resourceType eq`, `resourceGroup eq`, `name eq`, tags."""
    return paged(request, _generic(request, f"/subscriptions/{request.params['sub']}"))


@routes.operation("GET", "/subscriptions/{sub}/resourceGroups/{rg}/resources", name="Resources_ListByResourceGroup")
def list_group_resources(request: Request) -> Reply:
    """All top-level resources of a group."""
    return paged(request, _generic(request, ids.group_id(request.params["sub"], request.params["rg"])))


def _generic(request: Request, scope: str) -> list[dict[str, Any]]:
    clauses = _filter(request.query.get("$filter", ""))
    prefix = scope.lower() + "/"
    found = []
    for one in request.kernel.store:
        parsed = ids.parse(one.id)
        if parsed is None or not one.id.lower().startswith(prefix) or not _wanted(one.document, parsed, clauses):
            continue
        shown = ("id", "name", "type", "location", "tags", "sku", "zones", "managedBy")
        found.append({key: one.document[key] for key in shown if key in one.document})
    return sorted(found, key=lambda one: one["id"].lower())


def _filter(text: str) -> dict[str, str]:
    clauses: dict[str, str] = {}
    for clause in filter(None, (part.strip() for part in text.replace(" AND ", " and ").split(" and "))):
        field, _, value = clause.partition(" eq ")
        if not value.startswith("'") or field.lower() not in (
            "resourcetype",
            "resourcegroup",
            "name",
            "tagname",
            "tagvalue",
        ):
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string."
            )
        clauses[field.lower()] = value.strip("'")
    return clauses


def _wanted(document: dict[str, Any], parsed: ids.ResourceId, clauses: dict[str, str]) -> bool:
    tags = {key.lower(): value for key, value in (document.get("tags") or {}).items()}
    tag = clauses.get("tagname", "").lower()
    if tag and (tag not in tags or clauses.get("tagvalue", tags[tag]) != tags[tag]):
        return False
    if "resourcetype" not in clauses and "name" not in clauses and len(parsed.names) > 1:
        return False
    facts = {"resourcetype": parsed.kind, "resourcegroup": parsed.group, "name": parsed.name}
    return all(facts[key].lower() == value.lower() for key, value in clauses.items() if key in facts)
