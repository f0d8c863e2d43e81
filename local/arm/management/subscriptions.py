"""Subscriptions, tenants and locations."""

from typing import Any

from local.arm.kernel import regions
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes

routes = Routes()


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
