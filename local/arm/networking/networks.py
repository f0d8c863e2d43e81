"""Networks as far as machines need them: virtual networks, subnets, NICs, public addresses, security groups.

Writes take effect at once: the recorded PUT of a NIC answers 201 with `provisioningState` Succeeded
(`test_create_vm_implicit_md.yaml`). Deletes answer 200.
"""

import ipaddress
from typing import Any

from local.arm.kernel.conventions import (
    body_of,
    listing,
    location_of,
    new_document,
    properties_of,
    scope_of,
    stable_guid,
    tags_of,
)
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource, Store
from local.arm.networking import load_balancers
from local.arm.networking.interfaces import NIC, complete_nic, detach_addresses, network_of, touch

routes = Routes()

VNET = "Microsoft.Network/virtualNetworks"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
PUBLIC_IP = "Microsoft.Network/publicIPAddresses"
NSG = "Microsoft.Network/networkSecurityGroups"

_SUBSCRIPTION = "/subscriptions/{sub}/providers/"
_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/"
_SUBNET = _GROUP + "Microsoft.Network/virtualNetworks/{vnet}/subnets/{name}"


def _show(store: Store) -> Any:
    def shown(resource: Resource) -> Document:
        if resource.kind.lower() != VNET.lower():
            return resource.document
        subnets = [one.document for one in store.children(resource.id, SUBNET)]
        return resource.document | {"properties": resource.properties | {"subnets": subnets}}

    return shown


def _get(request: Request) -> Reply:
    found = request.require()
    return Reply(200, _show(request.kernel.store)(found), {"ETag": found.document.get("etag", "")})


def _delete(request: Request) -> Reply:
    found = request.kernel.store.get(request.resource_id)
    if found is None:
        return Reply(204)
    _require_unused(request.kernel.store, found)
    if found.kind.lower() == NIC.lower():
        detach_addresses(request.kernel.store, found)
    for child in request.kernel.store.descendants(found.id):
        request.kernel.store.delete(child.id)
    request.kernel.store.delete(found.id)
    return Reply(200)


def _require_unused(store: Store, found: Resource) -> None:
    machine = found.properties.get("virtualMachine")
    if found.kind.lower() == NIC.lower() and machine:
        raise ArmError(
            400,
            "NicInUse",
            f"Network Interface {found.id} is used by existing resource {machine['id']}. In order to delete the "
            "network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
        )
    subnets = {one.id.lower() for one in (found, *store.descendants(found.id)) if one.kind.lower() == SUBNET.lower()}
    for nic in store.of_kind(NIC) if subnets else ():
        for config in nic.properties["ipConfigurations"]:
            if config["properties"]["subnet"]["id"].lower() in subnets:
                name = config["properties"]["subnet"]["id"].rsplit("/", 1)[1]
                raise ArmError(
                    400,
                    "InUseSubnetCannotBeDeleted",
                    f"Subnet {name} is in use by {config['id']} and cannot be deleted. In order to delete the subnet, "
                    "delete all the resources within the subnet. See aka.ms/deletesubnet.",
                )
    if found.kind.lower() == PUBLIC_IP.lower() and found.properties.get("ipConfiguration"):
        raise ArmError(
            400,
            "PublicIPAddressCannotBeDeleted",
            f"Public IP address {found.id} can not be deleted since it is still allocated to resource "
            f"{found.properties['ipConfiguration']['id']}. In order to delete the public IP, disassociate/detach the "
            "Public IP address from the resource. To learn how to do this, see aka.ms/deletepublicip.",
        )


def _put_plain(kind: str, complete: Any) -> Any:
    def put(request: Request) -> Reply:
        store, body = request.kernel.store, body_of(request)
        existing = store.get(request.resource_id)
        location = location_of(body, existing)
        document = new_document(request, kind, request.params["name"], location, tags_of(body, existing))
        document |= {key: body[key] for key in ("sku", "zones") if key in body}
        document["properties"] = dict(properties_of(body)) | {
            "provisioningState": "Succeeded",
            "resourceGuid": stable_guid(request.resource_id.lower()),
        }
        resource = Resource(document, existing.sim if existing else {})
        complete(request.kernel, resource)
        touch(store, resource)
        status = 200 if existing else 201
        return Reply(
            status, _show(store)(resource), {"ETag": document["etag"]} | _followed(request, resource, location)
        )

    return put


def _followed(request: Request, resource: Resource, location: str) -> dict[str, str]:
    """The address of a write's operation, recorded also where the write has ended when its answer leaves."""
    operation = request.begin(resource.id, seconds=0, location=location, poll_seconds=0)
    return {"Azure-AsyncOperation": operation.headers(request)["Azure-AsyncOperation"]}


def _complete_vnet(kernel: Kernel, resource: Resource) -> None:
    properties = resource.properties
    asked = [(one.get("properties") or {}).get("addressPrefix") for one in properties.get("subnets") or []]
    prefixes = [prefix for prefix in asked if prefix] or ["10.0.0.0/16"]
    space = properties.setdefault("addressSpace", {"addressPrefixes": prefixes})
    for prefix in space.get("addressPrefixes", []):
        network_of(prefix)
    properties.setdefault("enableDdosProtection", False)
    for subnet in properties.pop("subnets", None) or []:
        _put_subnet(kernel, resource.id, subnet["name"], subnet.get("properties") or {})


def _put_subnet(kernel: Kernel, vnet_id: str, name: str, properties: Document) -> Resource:
    subnet_id = f"{vnet_id}/subnets/{name}"
    existing = kernel.store.get(subnet_id)
    prefix = properties.get("addressPrefix") or (properties.get("addressPrefixes") or ["10.0.0.0/24"])[0]
    kept = {key: value for key, value in properties.items() if key in ("networkSecurityGroup", "serviceEndpoints")}
    document = {
        "name": name,
        "id": subnet_id,
        "type": SUBNET,
        "properties": {
            "provisioningState": "Succeeded",
            "addressPrefix": str(network_of(prefix)),
            "delegations": properties.get("delegations", []),
            "privateEndpointNetworkPolicies": properties.get("privateEndpointNetworkPolicies", "Disabled"),
            "privateLinkServiceNetworkPolicies": "Enabled",
            **kept,
        },
    }
    resource = Resource(document, existing.sim if existing else {})
    touch(kernel.store, resource)
    return resource


@routes.operation("PUT", _SUBNET, name="Subnets_CreateOrUpdate")
def put_subnet(request: Request) -> Reply:
    """Create or change a subnet."""
    vnet = request.require_parent()
    assert vnet is not None
    existing = request.kernel.store.get(request.resource_id)
    resource = _put_subnet(request.kernel, vnet.id, request.params["name"], properties_of(body_of(request)))
    return Reply(200 if existing else 201, resource.document, _followed(request, resource, vnet.location))


@routes.operation("GET", _SUBNET.removesuffix("/{name}"), name="Subnets_List")
def list_subnets(request: Request) -> Reply:
    """The subnets of a virtual network."""
    vnet = request.require(request.scope)
    return listing(request, request.kernel.store.children(vnet.id, SUBNET))


def _nothing_more(kernel: Kernel, resource: Resource) -> None:
    resource.properties.setdefault("securityRules", [])


def _complete_public_ip(kernel: Kernel, resource: Resource) -> None:
    number = kernel.random("public address", resource.id).randrange(1, 65000)
    resource.properties.setdefault("publicIPAddressVersion", "IPv4")
    resource.properties.setdefault("publicIPAllocationMethod", "Dynamic")
    resource.properties.setdefault("idleTimeoutInMinutes", 4)
    resource.properties.setdefault("ipTags", [])
    resource.properties["ipAddress"] = str(ipaddress.IPv4Address("20.50.0.0") + number)
    resource.document.setdefault("sku", {"name": "Basic", "tier": "Regional"})


def _lister(kind: str) -> Any:
    def listed(request: Request) -> Reply:
        store = request.kernel.store
        return listing(request, store.of_kind(kind, scope_of(request)), _show(store))

    return listed


def _register(kind: str, operations: str, complete: Any) -> None:
    one = _GROUP + kind + "/{name}"
    routes.operation("GET", one, name=f"{operations}_Get")(_get)
    routes.operation("PUT", one, name=f"{operations}_CreateOrUpdate")(_put_plain(kind, complete))
    routes.operation("DELETE", one, name=f"{operations}_Delete")(_delete)
    routes.operation("GET", _GROUP + kind, name=f"{operations}_List")(_lister(kind))
    routes.operation("GET", _SUBSCRIPTION + kind, name=f"{operations}_ListAll")(_lister(kind))

    @routes.hook(f"seed:{kind}".lower())
    def seeded(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
        complete(kernel, payload["resource"])
        touch(kernel.store, payload["resource"])


_register(VNET, "VirtualNetworks", _complete_vnet)
_register(NIC, "NetworkInterfaces", complete_nic)
_register(PUBLIC_IP, "PublicIPAddresses", _complete_public_ip)
_register(NSG, "NetworkSecurityGroups", _nothing_more)
_register(load_balancers.KIND, "LoadBalancers", load_balancers.complete)


@routes.operation("GET", _SUBNET, name="Subnets_Get")
def get_subnet(request: Request) -> Reply:
    """A subnet; without its network the network is what is not found (recorded)."""
    request.require(request.scope.rsplit("/", 1)[0])
    return _get(request)


routes.operation("DELETE", _SUBNET, name="Subnets_Delete")(_delete)


@routes.hook(f"seed:{SUBNET}".lower())
def _seed_subnet(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    resource: Resource = payload["resource"]
    made = _put_subnet(kernel, resource.id.rsplit("/", 2)[0], resource.name, resource.properties)
    resource.document = made.document
    resource.sim = made.sim
