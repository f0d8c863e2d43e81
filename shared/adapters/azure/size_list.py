"""Sizes of machines by region, from the list of resource SKUs.

One list names every size of a region with its capabilities, which rarely change. A process reads it once an hour.

Source: "Resource Skus - List" in Azure's REST API reference, whose only filter is ``location eq``. It needs the action
``Microsoft.Compute/skus/read`` in the subscription.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_fields import part, parts, text, texts
from shared.domain.boot_test.machine_sizes import SizeFacts, Sizes

if TYPE_CHECKING:
    from shared.adapters.azure.arm import Arm

_API: Final = "2021-07-01"
KEPT_FOR: Final = timedelta(hours=1)


class SizeList:
    """The sizes that a subscription sees."""

    def __init__(self, arm: Arm, subscription: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``monotonic`` returns seconds, and decides when a list is read again."""
        self._arm = arm
        self._path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/skus"
        self._monotonic = monotonic
        self._read: dict[str, tuple[float, Sizes]] = {}
        self._lock = asyncio.Lock()

    async def of(self, region: str) -> Sizes:
        """The sizes of a region by lower-case name. Raises Throttled, Unavailable and Refused."""
        async with self._lock:  # many hops ask for the same region at the same time
            known = self._read.get(region)
            if known is not None and self._monotonic() < known[0]:
                return known[1]
            sizes = await self._list(region)
            self._read[region] = (self._monotonic() + KEPT_FOR.total_seconds(), sizes)
            return sizes

    async def _list(self, region: str) -> Sizes:
        found: dict[str, SizeFacts] = {}
        what = f"list the VM sizes in {region}"
        async for sku in self._arm.pages(self._path, _API, what, where=f"location eq '{region}'"):
            if text(sku.get("resourceType")).lower() == "virtualmachines" and text(sku.get("name")):
                size = read_size(sku)
                found[size.name.lower()] = size
        return found


def read_size(sku: Mapping[str, Any]) -> SizeFacts:
    """Convert one SKU of a region."""
    given = {text(each.get("name")).lower(): text(each.get("value")) for each in parts(sku, "capabilities")}
    restrictions = parts(sku, "restrictions")
    barred = {zone for each in restrictions for zone in texts(part(each, "restrictionInfo").get("zones"))}
    zones = {zone for each in parts(sku, "locationInfo") for zone in texts(each.get("zones"))}
    reasons = [text(each.get("reasonCode")) for each in restrictions if text(each.get("type")).lower() == "location"]
    return SizeFacts(
        name=text(sku.get("name")),
        architecture=given.get("cpuarchitecturetype") or "x64",
        generations=_list(given.get("hypervgenerations")) or ("V1", "V2"),
        trusted_launch=given.get("trustedlaunchdisabled", "").lower() != "true",
        confidential=given.get("confidentialcomputingtype") or None,
        controllers=_list(given.get("diskcontrollertypes")) or ("SCSI",),
        premium=given.get("premiumio", "").lower() == "true",
        max_data_disks=_whole(given.get("maxdatadiskcount")),
        cores=_whole(given.get("vcpus")),
        memory_gb=_decimal(given.get("memorygb")),
        zones=tuple(sorted(zones - barred)),
        restricted=(reasons[0] or "restricted") if reasons else None,
    )


def _list(value: str | None) -> tuple[str, ...]:
    return tuple(each.strip() for each in (value or "").split(",") if each.strip())


def _whole(value: str | None) -> int | None:
    number = _decimal(value)
    return None if number is None else int(number)


def _decimal(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None
