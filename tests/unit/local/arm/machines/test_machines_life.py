"""A machine from its creation to its deletion, through Azure's own SDK."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient

RG = "boot-tests"
type Bodies = Callable[..., dict[str, Any]]
type Images = Callable[..., str]


async def until(read: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool], seconds: float = 20) -> Any:
    """What `read` answers once it is as `wanted`; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not wanted(found := await read()):  # noqa: ASYNC110 - polling is what clients of ARM do
            await asyncio.sleep(0.03)
        return found


def codes(view: Any) -> list[str]:
    return [one.code for one in view.statuses]


async def create(compute: ComputeManagementClient, body: dict[str, Any], name: str = "probe-1") -> Any:
    return await (await compute.virtual_machines.begin_create_or_update(RG, name, body)).result()  # type: ignore[arg-type]


async def view(compute: ComputeManagementClient, name: str = "probe-1") -> Any:
    return await compute.virtual_machines.instance_view(RG, name)


async def failure(work: Awaitable[Any]) -> HttpResponseError:
    with pytest.raises(HttpResponseError) as caught:
        await work
    return caught.value


async def test_a_new_machine_answers_201_creating_and_ends_succeeded(
    http: Callable[..., Any], compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    path = f"/subscriptions/{compute._config.subscription_id}/resourceGroups/{RG}/providers/Microsoft.Compute"
    address = f"{path}/virtualMachines/probe-1?api-version=2025-04-01"
    status, headers, body = await http("PUT", address, json=model(image()))
    assert status == 201
    assert b'"provisioningState": "Creating"' in body
    assert "/providers/Microsoft.Compute/locations/westeurope/operations/" in headers["Azure-AsyncOperation"]
    assert headers["Azure-AsyncNotification"] == "Enabled"
    assert "Location" not in headers
    made = await until(
        lambda: compute.virtual_machines.get(RG, "probe-1"), lambda vm: vm.provisioning_state != "Creating"
    )
    assert made.provisioning_state == "Succeeded"
    assert made.storage_profile.image_reference.exact_version == "1.0.0"
    assert made.storage_profile.os_disk.managed_disk.id
    assert made.os_profile.admin_password is None


async def test_the_agent_becomes_ready_after_provisioning(
    compute: ComputeManagementClient, image: Images, model: Bodies, watch: Any
) -> None:
    watch.hold()

    async def later() -> Any:
        watch.advance(0.01)  # twelve seconds of the machine
        return await view(compute)

    await compute.virtual_machines.begin_create_or_update(RG, "probe-1", model(image("slow")), polling=False)  # type: ignore[arg-type]
    await until(later, lambda one: "ProvisioningState/creating/OSProvisioningInprogress" in codes(one))
    early = await until(later, lambda one: "ProvisioningState/succeeded" in codes(one))
    assert codes(early) == ["ProvisioningState/succeeded", "PowerState/running"]
    assert early.vm_agent.vm_agent_version == "Unknown"
    assert early.vm_agent.statuses[0].message == "VM status blob is found but not yet populated."
    late = await until(later, lambda one: one.vm_agent.statuses[0].display_status == "Ready")
    assert late.vm_agent.statuses[0].code == "ProvisioningState/succeeded"
    assert late.computer_name == "probe-1"


async def test_deletion_takes_disks_and_nics_with_delete_option(
    compute: ComputeManagementClient, image: Images, model: Bodies, simulator: Any
) -> None:
    await create(
        compute,
        model(
            image(data=[{"lun": 0, "sizeInGB": 8}]),
            storageProfile={
                "imageReference": {"id": image(data=[{"lun": 0, "sizeInGB": 8}])},
                "osDisk": {"createOption": "FromImage", "deleteOption": "Delete"},
                "dataDisks": [{"lun": 0, "createOption": "FromImage", "deleteOption": "Delete"}],
            },
        ),
    )
    assert len(left(simulator)) == 4
    await (await compute.virtual_machines.begin_delete(RG, "probe-1", force_deletion=True)).result()
    assert left(simulator) == []


async def test_deletion_leaves_disks_and_nics_without_it(
    compute: ComputeManagementClient, image: Images, model: Bodies, simulator: Any
) -> None:
    await create(compute, model(image(), option="Detach"))
    await (await compute.virtual_machines.begin_delete(RG, "probe-1")).result()
    assert [one.kind for one in left(simulator)] == ["Microsoft.Compute/disks", "Microsoft.Network/networkInterfaces"]
    (disk,) = [one async for one in compute.disks.list_by_resource_group(RG)]
    assert (disk.disk_state, disk.managed_by, disk.tags) == ("Unattached", None, {"purpose": "boot-test"})
    await (await compute.disks.begin_delete(RG, str(disk.name))).result()
    assert [one async for one in compute.disks.list_by_resource_group(RG)] == []


def left(simulator: Any) -> list[Any]:
    kinds = ("microsoft.compute/virtualmachines", "microsoft.compute/disks", "microsoft.network/networkinterfaces")
    simulator.kernel.settle()
    return sorted((one for one in simulator.store if one.kind.lower() in kinds), key=lambda one: one.kind)


async def test_a_machine_deleted_while_created_leaves_nothing(
    compute: ComputeManagementClient, image: Images, model: Bodies, simulator: Any
) -> None:
    await compute.virtual_machines.begin_create_or_update(RG, "probe-1", model(image("slow")), polling=False)  # type: ignore[arg-type]
    await (await compute.virtual_machines.begin_delete(RG, "probe-1", force_deletion=True)).result()
    await asyncio.sleep(0.4)
    assert left(simulator) == []


async def test_a_missing_machine_is_not_found_and_its_deletion_is_204(
    http: Callable[..., Any], compute: ComputeManagementClient
) -> None:
    refused = await failure(compute.virtual_machines.get(RG, "nobody"))
    assert isinstance(refused, ResourceNotFoundError)
    assert refused.error is not None
    assert refused.error.code == "ResourceNotFound"
    assert "The Resource 'Microsoft.Compute/virtualMachines/nobody' under resource group" in str(refused)
    path = f"/subscriptions/{compute._config.subscription_id}/resourceGroups/{RG}/providers/Microsoft.Compute"
    status, _, _ = await http("DELETE", f"{path}/virtualMachines/nobody?api-version=2025-04-01")
    assert status == 204


@pytest.mark.parametrize(
    ("character", "text"),
    [
        ("never-generalized", "However, the VM guest agent was detected running."),
        ("panics-at-boot", "The VM may still finish provisioning successfully."),
        ("emergency-mode", "The VM may still finish provisioning successfully."),
    ],
)
async def test_a_bad_image_ends_with_os_provisioning_timed_out(
    character: str, text: str, compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    refused = await failure(create(compute, model(image(character))))
    assert refused.error is not None
    assert refused.error.code == "OSProvisioningTimedOut"
    assert text in str(refused.message)
    seen = await view(compute)
    assert codes(seen) == ["ProvisioningState/failed/OSProvisioningTimedOut", "PowerState/running"]
    assert text in seen.statuses[0].message


async def test_allocation_fails_once_and_then_succeeds(
    compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    body = model(image("allocation-fails-once"))
    refused = await failure(create(compute, body))
    assert refused.error is not None
    assert refused.error.code == "AllocationFailed"
    assert codes(await view(compute)) == ["ProvisioningState/failed/AllocationFailed"]
    assert (await create(compute, body)).provisioning_state == "Succeeded"


async def test_a_region_without_replica_is_gallery_image_not_found(
    compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    refused = await failure(create(compute, model(image(), region="northeurope")))
    assert (refused.status_code, refused.error and refused.error.code) == (404, "GalleryImageNotFound")
    assert "is not available in northeurope region" in str(refused)


@pytest.mark.parametrize(
    ("facts", "change", "status", "code", "text"),
    [
        ({}, {"osProfile": None}, 400, "InvalidParameter", "Required parameter 'osProfile' is missing (null)."),
        ({"osState": "Specialized"}, {}, 400, "InvalidParameter", "Parameter 'osProfile' is not allowed."),
        ({"architecture": "Arm64"}, {}, 400, "BadRequest", "only supports a CPU Architecture of 'x64'"),
        (
            {"hyperVGeneration": "V1"},
            {"hardwareProfile": {"vmSize": "Standard_D2s_v6"}},
            400,
            "BadRequest",
            "Generation '1'",
        ),
        ({}, {"hardwareProfile": {"vmSize": "Standard_Nope"}}, 400, "InvalidParameter", "The value Standard_Nope"),
        (
            {},
            {"networkProfile": {"networkInterfaces": [{"id": "/subscriptions/x/nic"}]}},
            400,
            "InvalidResourceReference",
            "not found",
        ),
    ],
)
async def test_a_wrong_request_is_refused_as_arm_does_and_leaves_nothing(
    facts: dict[str, Any],
    change: dict[str, Any],
    status: int,
    code: str,
    text: str,
    compute: ComputeManagementClient,
    image: Images,
    model: Bodies,
    simulator: Any,
) -> None:
    refused = await failure(create(compute, model(image(**facts), **change)))
    assert (refused.status_code, refused.error and refused.error.code) == (status, code)
    assert text in str(refused)
    assert left(simulator) == []


async def test_a_subnet_of_another_region_is_refused(
    compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    body = model(image(regions=("westeurope", "northeurope")), region="northeurope")
    body["location"] = "westeurope"
    refused = await failure(create(compute, body))
    assert (refused.status_code, refused.error and refused.error.code) == (400, "InvalidResourceReference")


async def test_the_image_of_a_machine_cannot_change(
    compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    await create(compute, model(image()))
    refused = await failure(create(compute, model(image(number="1.0.1"))))
    assert isinstance(refused, ResourceExistsError)
    assert refused.error is not None
    assert refused.error.code == "PropertyChangeNotAllowed"


async def test_asking_twice_for_the_same_machine_makes_one(
    compute: ComputeManagementClient, image: Images, model: Bodies, simulator: Any
) -> None:
    body = model(image())
    await compute.virtual_machines.begin_create_or_update(RG, "probe-1", body, polling=False)  # type: ignore[arg-type]
    again = await create(compute, body)
    assert again.provisioning_state == "Succeeded"
    assert len(left(simulator)) == 3


async def test_a_stopped_machine_can_be_generalized_and_then_not_started(
    compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    await create(compute, model(image()))
    assert (await failure(compute.virtual_machines.generalize(RG, "probe-1"))).status_code == 409
    await (await compute.virtual_machines.begin_deallocate(RG, "probe-1")).result()
    await compute.virtual_machines.generalize(RG, "probe-1")
    assert codes(await view(compute))[1:] == ["OSState/generalized", "PowerState/deallocated"]
    refused = await failure(compute.virtual_machines.begin_start(RG, "probe-1"))
    assert "since the VM is generalized" in str(refused)


async def test_a_restarted_machine_reports_anew_and_its_console_goes_on(
    compute: ComputeManagementClient, image: Images, model: Bodies, http: Callable[..., Any]
) -> None:
    await create(compute, model(image()))
    await until(lambda: view(compute), lambda one: one.vm_agent.statuses[0].display_status == "Ready")
    await (await compute.virtual_machines.begin_restart(RG, "probe-1")).result()
    await until(lambda: view(compute), lambda one: one.vm_agent.statuses[0].display_status == "Ready")
    data = await compute.virtual_machines.retrieve_boot_diagnostics_data(RG, "probe-1")
    _, _, log = await http("GET", data.serial_console_log_blob_uri)
    assert log.count(b"Linux version") == 2


async def test_machines_are_listed_by_group_and_by_subscription(
    compute: ComputeManagementClient, image: Images, model: Bodies
) -> None:
    await create(compute, model(image()))
    assert [one.name async for one in compute.virtual_machines.list(RG)] == ["probe-1"]
    assert [one.name async for one in compute.virtual_machines.list_all()] == ["probe-1"]
