"""Load balancers and what is nested in them; no traffic is balanced here.

Nested things are parts of the load balancer's document, with ids of their own; some of them are written one by one as
well (`az vmss create` writes its NAT rule so).
"""

from typing import Any

from local.arm.kernel.conventions import body_of, listing, properties_of
from local.arm.kernel.errors import resource_not_found
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource
from local.arm.networking.interfaces import touch

routes = Routes()

KIND = "Microsoft.Network/loadBalancers"
_WRITTEN = ("inboundNatRules", "backendAddressPools")
_NESTED = (
    "frontendIPConfigurations",
    "loadBalancingRules",
    "probes",
    "inboundNatPools",
    "outboundRules",
    *_WRITTEN,
)
_ONE = "/subscriptions/{sub}/resourceGroups/{rg}/providers/" + KIND + "/{balancer}"


def complete(kernel: Kernel, resource: Resource) -> None:
    """Give everything that is nested its id, type and state."""
    for part in _NESTED:
        found = [_completed(resource, part, one) for one in resource.properties.get(part) or []]
        resource.properties[part] = found
    resource.document.setdefault("sku", {"name": "Basic", "tier": "Regional"})


def _completed(resource: Resource, part: str, given: Document) -> Document:
    defaults = {"protocol": "Tcp", "idleTimeoutInMinutes": 4} if part == "inboundNatRules" else {}
    return given | {
        "id": f"{resource.id}/{part}/{given['name']}",
        "type": f"{KIND}/{part}",
        "properties": defaults | (given.get("properties") or {}) | {"provisioningState": "Succeeded"},
    }


def _balancer(request: Request) -> Resource:
    found = request.require_parent()
    assert found is not None
    return found


def _find(balancer: Resource, part: str, name: str) -> Document | None:
    return next((one for one in balancer.properties.get(part) or [] if one["name"].lower() == name.lower()), None)


def _register(part: str) -> None:
    one, operations = f"{_ONE}/{part}/{{name}}", f"LoadBalancer{part[0].upper()}{part[1:]}"

    def get(request: Request) -> Reply:
        balancer, name = _balancer(request), request.params["name"]
        found = _find(balancer, part, name)
        if found is None:
            raise resource_not_found(f"{KIND}/{part}", f"{balancer.name}/{name}", request.params["rg"])
        return Reply(200, found)

    def list_all(request: Request) -> Reply:
        balancer = request.require(request.scope)
        made = [Resource(one) for one in balancer.properties.get(part) or []]
        return listing(request, made)

    def put(request: Request) -> Reply:
        balancer, name = _balancer(request), request.params["name"]
        before = _find(balancer, part, name)
        made = _completed(balancer, part, {"name": name, "properties": properties_of(body_of(request))})
        rest = [one for one in balancer.properties.get(part) or [] if one is not before]
        _keep(request, balancer, part, [*rest, made])
        return Reply(200 if before else 201, made)

    def delete(request: Request) -> Reply:
        balancer = request.kernel.store.get(request.scope.rsplit("/", 1)[0])
        before = _find(balancer, part, request.params["name"]) if balancer else None
        if balancer is None or before is None:
            return Reply(204)
        _keep(request, balancer, part, [one for one in balancer.properties[part] if one is not before])
        return Reply(200)

    routes.operation("GET", one, name=f"{operations}_Get")(get)
    routes.operation("GET", f"{_ONE}/{part}", name=f"{operations}_List")(list_all)
    if part in _WRITTEN:
        routes.operation("PUT", one, name=f"{operations}_CreateOrUpdate")(put)
        routes.operation("DELETE", one, name=f"{operations}_Delete")(delete)


def _keep(request: Request, balancer: Resource, part: str, found: list[Any]) -> None:
    balancer.properties[part] = found
    touch(request.kernel.store, balancer)


for _part in _NESTED:
    _register(_part)
