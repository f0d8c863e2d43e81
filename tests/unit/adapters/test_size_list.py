"""The list of resource SKUs: what it says of a size, and how often it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.adapters.azure.size_list import KEPT_FOR, SizeList, read_size
from shared.domain.boot_test.machine_sizes import SizeFacts
from shared.ports import Unavailable
from tests.fuzz.arm_wire import Answer, arm

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"


def sku(*restrictions: dict[str, Any], name: str = "Standard_DC2es_v6", **capabilities: str) -> dict[str, Any]:
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "locationInfo": [{"location": "westeurope", "zones": ["3", "1", "2"]}],
        "capabilities": [{"name": each, "value": value} for each, value in capabilities.items()],
        "restrictions": list(restrictions),
    }


def test_a_size_is_read() -> None:
    found = read_size(
        sku(
            HyperVGenerations="V2",
            CpuArchitectureType="x64",
            ConfidentialComputingType="TDX",
            TrustedLaunchDisabled="True",
            DiskControllerTypes="SCSI, NVMe",
            PremiumIO="True",
            MaxDataDiskCount="8",
            vCPUs="2",
            MemoryGB="3.5",
        )
    )
    assert found == SizeFacts(
        name="Standard_DC2es_v6",
        generations=("V2",),
        trusted_launch=False,
        confidential="TDX",
        controllers=("SCSI", "NVMe"),
        max_data_disks=8,
        cores=2,
        memory_gb=3.5,
        zones=("1", "2", "3"),
    )


def test_what_is_not_said_has_its_default() -> None:
    found = read_size({"name": "x", "capabilities": [5, {"name": "vCPUs", "value": "many"}], "restrictions": "none"})
    assert found == SizeFacts(name="x", premium=False)


def test_restrictions_are_of_the_region_or_of_zones() -> None:
    zone = {"type": "Zone", "reasonCode": "QuotaId", "restrictionInfo": {"zones": ["1", "3"]}}
    found = read_size(sku(zone))
    assert (found.zones, found.restricted) == (("2",), None)
    found = read_size(sku({"type": "Location", "reasonCode": "NotAvailableForSubscription"}))
    assert found.restricted == "NotAvailableForSubscription"


def answer(*names: str) -> Answer:
    other = {"resourceType": "disks", "name": "Premium_LRS"}
    return Answer(200, json.dumps({"value": [other, *(sku(name=name) for name in names)]}).encode(), {})


async def test_a_region_is_listed_once_an_hour() -> None:
    seconds = 0.0
    # Each region, and each hour, has the next answer.
    wire = arm([answer("Standard_A"), answer("Standard_B"), answer("Standard_C")])
    sizes = SizeList(wire, SUBSCRIPTION, lambda: seconds)
    for _ in range(3):
        assert set(await sizes.of("westeurope")) == {"standard_a"}
    assert set(await sizes.of("eastus")) == {"standard_b"}
    seconds = KEPT_FOR.total_seconds()
    assert set(await sizes.of("westeurope")) == {"standard_c"}


async def test_a_list_that_cannot_be_read_is_not_kept() -> None:
    sizes = SizeList(arm([Answer(200, b'{"value": 5}', {}), answer("Standard_A")]), SUBSCRIPTION)
    with pytest.raises(Unavailable):
        await sizes.of("westeurope")
    assert set(await sizes.of("westeurope")) == {"standard_a"}
