"""Scale sets say which image their model and their instances come from."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient

RG = "boot-tests"


def body(image_id: str, capacity: int) -> Any:
    profile = {
        "storageProfile": {"imageReference": {"id": image_id}},
        "osProfile": {"computerNamePrefix": "web", "adminUsername": "azureuser", "adminPassword": "Not-used-1234"},
    }
    return {
        "location": "westeurope",
        "sku": {"name": "Standard_D2s_v5", "capacity": capacity},
        "properties": {"virtualMachineProfile": profile},
    }


async def test_instances_keep_the_version_they_were_made_from(
    compute: ComputeManagementClient, image: Callable[..., str]
) -> None:
    sets, instances = compute.virtual_machine_scale_sets, compute.virtual_machine_scale_set_vms
    await (await sets.begin_create_or_update(RG, "web", body(image(number="1.0.0"), 2))).result()
    await (await sets.begin_create_or_update(RG, "web", body(image(number="1.0.1"), 3))).result()
    found: Any = [one async for one in instances.list(RG, "web")]
    versions = [one.storage_profile.image_reference.exact_version for one in found]
    assert versions == ["1.0.0", "1.0.0", "1.0.1"]
    assert [one.latest_model_applied for one in found] == [False, False, True]
    assert [one.name async for one in sets.list_all()] == ["web"]


async def test_a_deleted_scale_set_takes_its_instances(
    compute: ComputeManagementClient, image: Callable[..., str], simulator: Any
) -> None:
    sets = compute.virtual_machine_scale_sets
    await (await sets.begin_create_or_update(RG, "web", body(image(), 2))).result()
    await (await sets.begin_delete(RG, "web")).result()
    with pytest.raises(ResourceNotFoundError):
        await sets.get(RG, "web")
    assert [one for one in simulator.store if "virtualMachineScaleSets" in one.kind] == []
