"""Network interfaces (NICs): their properties, their addresses, and the etags of everything in networks."""

import ipaddress
from typing import Any

from local.arm.kernel.conventions import referenced, stable_guid
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.store import Document, Resource, Store

NIC = "Microsoft.Network/networkInterfaces"


def etag(resource: Resource) -> str:
    """The network provider's weak etag, new after every write."""
    return f'W/"{stable_guid(resource.id.lower(), str(resource.sim.get("revision", 0)))}"'


def touch(store: Store, resource: Resource) -> None:
    """Store a changed resource under a new etag."""
    resource.sim["revision"] = resource.sim.get("revision", 0) + 1
    resource.document["etag"] = etag(resource)
    for configuration in resource.properties.get("ipConfigurations") or ():
        configuration["etag"] = resource.document["etag"]
    store.put(resource)


def network_of(prefix: Any) -> ipaddress.IPv4Network:
    """The network that a prefix names, or ARM's 400."""
    try:
        return ipaddress.IPv4Network(prefix)
    except ValueError as fault:
        raise ArmError(
            400, "InvalidCIDRNotation", f"The address prefix {prefix} has an invalid CIDR notation."
        ) from fault


def complete_nic(kernel: Kernel, resource: Resource) -> None:
    """Complete a NIC that is written; it keeps its machine and its MAC."""
    before = kernel.store.get(resource.id)
    keep = before.properties if before else {}
    configurations = resource.properties.get("ipConfigurations")
    if not configurations:
        raise ArmError(
            400,
            "NetworkInterfaceMustHaveAtLeastOneIpConfiguration",
            f"Network interface {resource.id} must have at least one IP configuration.",
        )
    resource.document["properties"] |= nic_properties(kernel, resource.id, resource.location, resource.properties)
    for key in ("virtualMachine", "macAddress"):
        if key in keep:
            resource.properties[key] = keep[key]
    resource.document["kind"] = "Regular"


def nic_properties(kernel: Kernel, nic_id: str, location: str, given: Document) -> Document:
    """A NIC's properties with everything that the network provider adds: addresses, MAC, etags."""
    store = kernel.store
    configurations = [
        _ip_configuration(kernel, nic_id, location, one, is_only=len(given["ipConfigurations"]) == 1)
        for one in given["ipConfigurations"]
    ]
    mac = f"{kernel.random('mac', nic_id).randrange(2**24):06X}"
    properties = {
        "provisioningState": "Succeeded",
        "resourceGuid": stable_guid(nic_id.lower()),
        "ipConfigurations": configurations,
        "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
        "macAddress": f"60-45-BD-{mac[:2]}-{mac[2:4]}-{mac[4:]}",
        "enableAcceleratedNetworking": bool(given.get("enableAcceleratedNetworking", False)),
        "vnetEncryptionSupported": False,
        "enableIPForwarding": bool(given.get("enableIPForwarding", False)),
        "primary": True,
        "hostedWorkloads": [],
        "tapConfigurations": [],
        "nicType": "Standard",
        "allowPort25Out": True,
    }
    group = given.get("networkSecurityGroup")
    if group:
        properties["networkSecurityGroup"] = {"id": referenced(store, group["id"], nic_id, location).id}
    return properties


def _ip_configuration(kernel: Kernel, nic_id: str, location: str, given: Document, *, is_only: bool) -> Document:
    store, name, asked = kernel.store, given.get("name", "ipconfig1"), given.get("properties") or {}
    config_id = f"{nic_id}/ipConfigurations/{name}"
    subnet_id = (asked.get("subnet") or {}).get("id")
    if not subnet_id:
        raise ArmError(400, "SubnetNotSpecified", f"Subnet is not specified for IP configuration {config_id}.")
    vnet = referenced(store, subnet_id.rsplit("/", 2)[0], nic_id, location)
    subnet = referenced(store, subnet_id, nic_id, None)
    properties: Document = {
        "provisioningState": "Succeeded",
        "privateIPAddress": asked.get("privateIPAddress") or free_address(store, subnet, nic_id),
        "privateIPAllocationMethod": asked.get("privateIPAllocationMethod", "Dynamic"),
        "subnet": {"id": subnet.id},
        "primary": bool(asked.get("primary", is_only)),
        "privateIPAddressVersion": "IPv4",
    }
    public = (asked.get("publicIPAddress") or {}).get("id")
    if public:
        address = referenced(store, public, nic_id, vnet.location)
        address.properties["ipConfiguration"] = {"id": config_id}
        touch(store, address)
        properties["publicIPAddress"] = {"id": address.id}
    kind = "Microsoft.Network/networkInterfaces/ipConfigurations"
    return {"name": name, "id": config_id, "type": kind, "properties": properties}


def free_address(store: Store, subnet: Resource, nic_id: str) -> str:
    """The lowest free address of a subnet; Azure keeps its first four and its last. A NIC keeps the one it has."""
    wanted, taken = subnet.id.lower(), set()
    for nic in store.of_kind(NIC):
        for config in nic.properties["ipConfigurations"]:
            if config["properties"]["subnet"]["id"].lower() != wanted:
                continue
            if nic.id.lower() == nic_id.lower():
                return config["properties"]["privateIPAddress"]
            taken.add(config["properties"]["privateIPAddress"])
    network = network_of(subnet.properties["addressPrefix"])
    for number in range(4, network.num_addresses - 1):
        if str(network[number]) not in taken:
            return str(network[number])
    raise ArmError(
        400,
        "SubnetIsFull",
        f"Subnet {subnet.name} with address prefix {network} does not have enough capacity for 1 IP addresses.",
    )


def detach_addresses(store: Store, nic: Resource) -> None:
    """Free the public addresses of a NIC that goes away."""
    for config in nic.properties["ipConfigurations"]:
        public = config["properties"].get("publicIPAddress")
        address = store.get(public["id"]) if public else None
        if address is not None:
            address.properties.pop("ipConfiguration", None)
            touch(store, address)
