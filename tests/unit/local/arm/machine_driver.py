"""Machines and scale sets on a simulator without sockets."""

from typing import Any

from local.arm import world
from local.arm.kernel.messages import Reply
from tests.unit.local.arm.arm_driver import COMPUTE, DEFINITION, GROUP, VERSION, Arm

NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net"
SUBNET = f"{NETWORK}/subnets/tests"
MACHINE = f"{COMPUTE}/virtualMachines/probe"
SCALE_SET = f"{COMPUTE}/virtualMachineScaleSets/fleet"
SYSTEM = {"computerName": "probe", "adminUsername": "azureuser", "adminPassword": "Not-used-1234"}


def with_network(arm: Arm) -> Arm:
    """The simulator with a network in West Europe."""
    subnet = {"name": "tests", "properties": {"addressPrefix": "10.0.0.0/24"}}
    one = {"id": NETWORK, "location": "westeurope", "properties": {"subnets": [subnet]}}
    world.seed(arm.kernel, {"resources": [one]})
    return arm


def image(arm: Arm, **facts: Any) -> str:
    """A gallery version whose definition has these properties, replicated in West Europe; its id."""
    for resource_id, properties in (
        (DEFINITION.rsplit("/images/", 1)[0], {}),
        (DEFINITION, {"hyperVGeneration": "V2"} | facts),
        (VERSION, {"publishingProfile": {"targetRegions": [{"name": "westeurope"}]}}),
    ):
        one = {"id": resource_id, "location": "westeurope", "properties": properties}
        world.seed(arm.kernel, {"resources": [one]})
    return VERSION


def security(value: str) -> list[dict[str, str]]:
    """The `features` of a definition with this SecurityType."""
    return [{"name": "SecurityType", "value": value}]


def machine(**more: Any) -> dict[str, Any]:
    """The body of a machine of `VERSION`; `more` are its `size` and `plan`, what `storage` profile and system `disk`
    have, and other properties.
    """
    disk, storage, plan = more.pop("disk", {}), more.pop("storage", {}), more.pop("plan", None)
    size = more.pop("size", "Standard_D2s_v5")
    address = {"name": "ip", "properties": {"subnet": {"id": SUBNET}}}
    nic = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}
    properties = {
        "hardwareProfile": {"vmSize": size},
        "storageProfile": {
            "imageReference": {"id": VERSION},
            "osDisk": {"createOption": "FromImage", **disk},
            **storage,
        },
        "networkProfile": {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [nic]},
        "osProfile": SYSTEM,
    }
    return {"location": "westeurope", "properties": properties | more, **({"plan": plan} if plan else {})}


def scale_set(**more: Any) -> dict[str, Any]:
    """The body of a scale set of `VERSION`; `more` are its `size`, `capacity` and `plan`, and parts of its model."""
    size, capacity, plan = more.pop("size", "Standard_D2s_v5"), more.pop("capacity", 1), more.pop("plan", None)
    system = {key: value for key, value in SYSTEM.items() if key != "computerName"} | {"computerNamePrefix": "f"}
    model = {"storageProfile": {"imageReference": {"id": VERSION}}, "osProfile": system}
    return {
        "location": "westeurope",
        "sku": {"name": size, "capacity": capacity},
        "properties": {"virtualMachineProfile": model | more, "upgradePolicy": {"mode": "Manual"}},
        **({"plan": plan} if plan else {}),
    }


def ended(arm: Arm, reply: Reply) -> dict[str, Any]:
    """What the operation that a reply began says an hour later."""
    assert reply.status in (200, 201), reply.body
    arm.advance(3600)
    return arm.operation(reply)
