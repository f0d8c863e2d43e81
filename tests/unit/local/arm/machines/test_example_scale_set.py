"""The example that updates a scale set, against the ARM simulator through Azure's SDK."""

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute.aio import ComputeManagementClient

from examples.events import NotForUs
from examples.scale_set.handler import ScaleSet, on_published
from tests.unit.examples.published import published
from tests.unit.local.arm.machines.test_machines_scale_sets import RG, body

WEB = ScaleSet("s", RG, "web")


async def created(compute: ComputeManagementClient, image_id: str) -> None:
    sets = compute.virtual_machine_scale_sets
    await (await sets.begin_create_or_update(RG, "web", body(image_id, 1))).result()


async def model(compute: ComputeManagementClient) -> str:
    found: Any = await compute.virtual_machine_scale_sets.get(RG, "web")
    return found.virtual_machine_profile.storage_profile.image_reference.id.lower()


async def test_the_model_gets_the_published_version_and_nothing_else_changes(
    compute: ComputeManagementClient, image: Callable[..., str]
) -> None:
    await created(compute, image(number="1.0.0"))
    before: Any = await compute.virtual_machine_scale_sets.get(RG, "web")
    newer = image(number="1.0.1")
    assert await on_published(published(newer), compute, WEB, ring="production") == "web has clean 1.0.1 now"
    after: Any = await compute.virtual_machine_scale_sets.get(RG, "web")
    assert (await model(compute), after.sku.capacity) == (newer.lower(), before.sku.capacity)
    system = [each.virtual_machine_profile.os_profile.computer_name_prefix for each in (before, after)]
    assert system == ["web", "web"]


async def test_an_older_event_that_comes_late_and_a_repetition_change_nothing(
    compute: ComputeManagementClient, image: Callable[..., str]
) -> None:
    older, newer = image(number="1.0.0"), image(number="1.0.1")
    await created(compute, newer)
    for each in (older, newer):
        with pytest.raises(NotForUs, match=r"has 1\.0\.1 already"):
            await on_published(published(each), compute, WEB, ring="production")
    assert await model(compute) == newer.lower()


async def test_a_ring_in_other_regions_is_not_for_this_scale_set(
    compute: ComputeManagementClient, image: Callable[..., str]
) -> None:
    await created(compute, image(number="1.0.0"))
    newer = image(number="1.0.1")
    with pytest.raises(NotForUs, match="the scale set is in westeurope"):
        await on_published(published(newer, regions=("eastus",)), compute, WEB, ring="production")


async def test_a_version_that_azure_does_not_find_is_a_fault_that_is_delivered_again(
    compute: ComputeManagementClient, image: Callable[..., str]
) -> None:
    present = image(number="1.0.0")
    await created(compute, present)
    with pytest.raises(HttpResponseError):
        await on_published(published(present.replace("1.0.0", "1.0.9")), compute, WEB, ring="production")


@pytest.mark.parametrize("event", [{"type": "Ringmaster.Release.Rejected"}, published("x"), published("x", ring="a")])
async def test_other_events_ask_nothing(compute: ComputeManagementClient, event: dict[str, Any]) -> None:
    with pytest.raises(NotForUs):
        await on_published(event, compute, WEB, ring="production")


def test_an_id_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not the resource id of a scale set"):
        ScaleSet.parse("/subscriptions/s/resourceGroups/rg")
