"""Flexible scale sets: instances are machines of the group."""

from typing import Any

import pytest

from local.arm import world
from local.arm.kernel.messages import Reply
from tests.unit.local.arm.arm_driver import COMPUTE, VERSION, Arm
from tests.unit.local.arm.machine_driver import (
    MACHINE,
    SCALE_SET,
    SUBNET,
    image,
    machine,
    scale_set,
    with_network,
)

MACHINES = f"{COMPUTE}/virtualMachines"


@pytest.fixture
def arm(arm: Arm) -> Arm:
    image(with_network(arm))
    return arm


def flexible(capacity: int = 2, image_id: str = VERSION, **more: Any) -> dict[str, Any]:
    address = {"name": "ip", "properties": {"subnet": {"id": SUBNET}}}
    nic = {"name": "nic", "properties": {"primary": True, "ipConfigurations": [address]}}
    network = {"networkApiVersion": "2022-11-01", "networkInterfaceConfigurations": [nic]}
    body = scale_set(capacity=capacity, networkProfile=network, storageProfile={"imageReference": {"id": image_id}})
    del body["properties"]["upgradePolicy"]
    body["properties"] |= {"orchestrationMode": "flexible"} | more
    return body


def grown(arm: Arm, reply: Reply) -> dict[str, Any]:
    """What the operation says when the machines have been asked for and made."""
    assert reply.status in (200, 201), reply.body
    for seconds in (5, 300, 10):
        arm.advance(seconds)
    return arm.operation(reply)


def machines(arm: Arm) -> list[dict[str, Any]]:
    return arm.document(MACHINES)["value"]


def test_instances_are_machines_that_name_their_set(arm: Arm) -> None:
    reply = arm.call("PUT", SCALE_SET, flexible())
    assert reply.body["properties"]["orchestrationMode"] == "Flexible"
    assert not {"upgradePolicy", "overprovision"} & set(reply.body["properties"])
    assert (reply.body["properties"]["singlePlacementGroup"], reply.body["properties"]["platformFaultDomainCount"]) == (
        False,
        1,
    )
    assert grown(arm, reply)["status"] == "Succeeded"
    found = machines(arm)
    assert len(found) == 2
    for one in found:
        assert one["name"].startswith("fleet_")
        assert one["properties"]["virtualMachineScaleSet"] == {"id": SCALE_SET}
        assert one["properties"]["provisioningState"] == "Succeeded"
        assert one["properties"]["storageProfile"]["imageReference"]["exactVersion"] == "1.0.0"
        assert one["properties"]["osProfile"]["computerName"].startswith("f")
    assert len(arm.document(f"{COMPUTE}/disks")["value"]) == 2


def test_the_set_lists_its_machines_as_instances(arm: Arm) -> None:
    grown(arm, arm.call("PUT", SCALE_SET, flexible()))
    arm.call("PUT", MACHINE, machine())
    listed = arm.document(f"{SCALE_SET}/virtualMachines")["value"]
    assert [one["instanceId"] for one in listed] == [one["name"] for one in machines(arm) if one["name"] != "probe"]
    one = arm.document(f"{SCALE_SET}/virtualMachines/{listed[0]['instanceId']}")
    assert one["id"].startswith(f"{SCALE_SET}/virtualMachines/fleet_")
    view = arm.document(f"{SCALE_SET}/instanceView")["virtualMachine"]["statusesSummary"]
    assert view == [{"code": "ProvisioningState/succeeded", "count": 2}]
    query = {"$filter": f"'virtualMachineScaleSet/id' eq '{SCALE_SET}'"}
    assert len(arm.document(MACHINES, **query)["value"]) == 2
    assert arm.error("GET", MACHINES, **{"$filter": "name eq 'x'"})["status"] == 400


def test_capacity_adds_and_deletes_and_a_new_model_is_for_new_machines(arm: Arm) -> None:
    grown(arm, arm.call("PUT", SCALE_SET, flexible(1)))
    later = VERSION.replace("1.0.0", "1.0.1")
    profile = {"publishingProfile": {"targetRegions": [{"name": "westeurope"}]}}
    world.seed(arm.kernel, {"resources": [{"id": later, "location": "westeurope", "properties": profile}]})
    grown(arm, arm.call("PUT", SCALE_SET, flexible(2, later)))
    versions = [one["properties"]["storageProfile"]["imageReference"]["exactVersion"] for one in machines(arm)]
    assert sorted(versions) == ["1.0.0", "1.0.1"]
    grown(arm, arm.call("PATCH", SCALE_SET, {"sku": {"name": "Standard_D2s_v5", "capacity": 1}}))
    assert len(machines(arm)) == 1
    assert len(arm.document(f"{COMPUTE}/disks")["value"]) == 1


def test_a_deleted_set_takes_its_machines_and_leaves_others(arm: Arm) -> None:
    grown(arm, arm.call("PUT", SCALE_SET, flexible()))
    arm.call("PUT", MACHINE, machine())
    arm.advance(3600)
    arm.call("DELETE", SCALE_SET)
    arm.advance(3600)
    assert [one["name"] for one in machines(arm)] == ["probe"]


def test_a_machine_may_join_a_flexible_set_and_no_other(arm: Arm) -> None:
    bare = {"location": "westeurope", "properties": {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1}}
    assert grown(arm, arm.call("PUT", SCALE_SET, bare))["status"] == "Succeeded"
    body = machine(virtualMachineScaleSet={"id": SCALE_SET})
    assert grown(arm, arm.call("PUT", MACHINE, body))["status"] == "Succeeded"
    assert arm.document(MACHINE)["properties"]["virtualMachineScaleSet"] == {"id": SCALE_SET}
    uniform = f"{SCALE_SET}-uniform"
    grown(arm, arm.call("PUT", uniform, scale_set()))
    joining = machine(virtualMachineScaleSet={"id": uniform})
    assert arm.error("PUT", f"{MACHINE}2", joining)["code"] == "InvalidParameter"
    nowhere = machine(virtualMachineScaleSet={"id": f"{SCALE_SET}-none"})
    assert arm.error("PUT", f"{MACHINE}2", nowhere)["code"] == "InvalidResourceReference"


def test_a_refused_machine_fails_the_set(arm: Arm) -> None:
    body = flexible()
    nics = body["properties"]["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"]
    nics[0]["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"] = f"{SUBNET}-none"
    found = grown(arm, arm.call("PUT", SCALE_SET, body))
    assert (found["status"], found["error"]["code"]) == ("Failed", "InvalidResourceReference")
    assert arm.document(SCALE_SET)["properties"]["provisioningState"] == "Failed"


def test_the_operation_runs_until_the_machines_are_made(arm: Arm) -> None:
    reply = arm.call("PUT", SCALE_SET, flexible())
    arm.advance(5)
    arm.advance(10)
    assert arm.operation(reply)["status"] == "InProgress"


def test_a_machine_that_is_not_provisioned_fails_the_set(arm: Arm) -> None:
    found = arm.store.get(VERSION)
    assert found is not None
    found.sim["character"] = "panics-at-boot"
    reply = arm.call("PUT", SCALE_SET, flexible(1))
    grown(arm, reply)
    arm.advance(1200)
    arm.advance(10)
    assert arm.operation(reply)["error"]["code"] == "OSProvisioningTimedOut"


def test_what_flexible_sets_have_not_is_refused(arm: Arm) -> None:
    assert arm.error("PUT", SCALE_SET, flexible(singlePlacementGroup=True))["target"] == "singlePlacementGroup"
    body = flexible()
    del body["properties"]["virtualMachineProfile"]["networkProfile"]["networkApiVersion"]
    assert "networkApiVersion" in arm.error("PUT", SCALE_SET, body)["message"]
    assert arm.error("PUT", SCALE_SET, flexible(orchestrationMode="Loose"))["target"] == "orchestrationMode"


def test_the_orchestration_mode_does_not_change(arm: Arm) -> None:
    grown(arm, arm.call("PUT", SCALE_SET, scale_set()))
    assert arm.error("PUT", SCALE_SET, flexible())["code"] == "PropertyChangeNotAllowed"
    assert arm.document(SCALE_SET)["properties"]["orchestrationMode"] == "Uniform"
    assert arm.document(f"{SCALE_SET}/virtualMachines")["value"][0]["instanceId"] == "0"
    assert machines(arm) == []
