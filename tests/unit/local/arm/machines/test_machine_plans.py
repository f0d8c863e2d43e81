"""Machines of images that were bought must name their plan; Azure finds it out while it makes them."""

from typing import Any

import pytest

from local.arm import world
from tests.unit.local.arm.arm_driver import COMPUTE, VERSION, Arm
from tests.unit.local.arm.machine_driver import MACHINE, SCALE_SET, ended, image, machine, scale_set, with_network

PLAN = {"name": "rhel-9", "publisher": "redhat", "product": "rhel-byos"}
API = "2024-07-01"


@pytest.fixture
def bought(arm: Arm) -> Arm:
    """A version whose definition has a purchase plan."""
    image(with_network(arm), purchasePlan=PLAN)
    return arm


@pytest.mark.parametrize(("path", "body"), [(MACHINE, machine), (SCALE_SET, scale_set)])
def test_without_its_plan_the_operation_fails(bought: Arm, path: str, body: Any) -> None:
    error = ended(bought, bought.call("PUT", path, body(), api=API))["error"]
    assert error["code"] == "VMMarketplaceInvalidInput"
    assert f"requires Plan information in the request. VM: '{path}'." in error["message"]
    assert bought.document(path, api=API)["properties"]["provisioningState"] == "Failed"


@pytest.mark.parametrize(("path", "body"), [(MACHINE, machine), (SCALE_SET, scale_set)])
def test_with_its_plan_it_is_made(bought: Arm, path: str, body: Any) -> None:
    assert ended(bought, bought.call("PUT", path, body(plan=PLAN), api=API))["status"] == "Succeeded"
    assert bought.document(path, api=API)["plan"] == PLAN


@pytest.mark.parametrize("part", PLAN)
def test_a_plan_that_differs_in_one_part_or_in_casing_is_not_as_expected(bought: Arm, part: str) -> None:
    wrong = PLAN | {part: PLAN[part].upper()}
    error = ended(bought, bought.call("PUT", MACHINE, machine(plan=wrong), api=API))["error"]
    assert error["code"] == "VMMarketplaceInvalidInput"
    assert "is not as expected. Beware that the Plan object's properties are case-sensitive." in error["message"]


def test_a_machine_without_its_plan_has_no_disk_and_can_be_deleted(bought: Arm) -> None:
    ended(bought, bought.call("PUT", MACHINE, machine(), api=API))
    view = bought.document(MACHINE, api=API, **{"$expand": "instanceView"})["properties"]["instanceView"]
    assert [one["code"] for one in view["statuses"]] == ["ProvisioningState/failed/VMMarketplaceInvalidInput"]
    assert bought.call("GET", f"{COMPUTE}/disks").body["value"] == []
    assert bought.call("DELETE", MACHINE, api=API).status == 202
    bought.advance(3600)
    assert bought.error("GET", MACHINE, api=API)["code"] == "ResourceNotFound"


def test_a_plan_that_nobody_asked_for_is_refused(arm: Arm) -> None:
    image(with_network(arm))
    error = ended(arm, arm.call("PUT", MACHINE, machine(plan=PLAN, disk={"name": "os"}), api=API))["error"]
    assert error["code"] == "VMMarketplaceInvalidInput"
    assert "does not need Plan information" in error["message"]
    assert "OS disk name is 'os'" in error["message"]


def test_what_is_captured_of_a_bought_machine_keeps_its_plan(bought: Arm) -> None:
    ended(bought, bought.call("PUT", MACHINE, machine(plan=PLAN), api=API))
    bought.call("POST", f"{MACHINE}/deallocate", api=API)
    bought.advance(600)
    bought.call("POST", f"{MACHINE}/generalize", api=API)
    captured = f"{COMPUTE}/images/captured"
    made = {"location": "westeurope", "properties": {"sourceVirtualMachine": {"id": MACHINE}}}
    ended(bought, bought.call("PUT", captured, made, api=API))
    body = machine(storage={"imageReference": {"id": captured}})
    error = ended(bought, bought.call("PUT", f"{COMPUTE}/virtualMachines/other", body, api=API))["error"]
    assert error["code"] == "VMMarketplaceInvalidInput"


def test_the_plan_of_a_scale_set_is_asked_for_by_a_new_image_too(bought: Arm) -> None:
    ended(bought, bought.call("PUT", SCALE_SET, scale_set(plan=PLAN), api=API))
    later = VERSION.replace("1.0.0", "1.0.1")
    profile = {"targetRegions": [{"name": "westeurope"}]}

    one = {"id": later, "location": "westeurope", "properties": {"publishingProfile": profile}}
    world.seed(bought.kernel, {"resources": [one]})
    body = scale_set(storageProfile={"imageReference": {"id": later}})
    assert ended(bought, bought.call("PUT", SCALE_SET, body, api=API))["status"] == "Succeeded"
