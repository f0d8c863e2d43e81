"""The consumer: one event in, at most one write of the scale set's model.

It pins the exact version. So the scale set scales out with what the ring has proven, also while a newer version is
being rolled out, and the change is visible in the Activity Log. How instances follow the model is up to the scale set's
upgrade policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from examples.events import NotForUs, Publication, is_newer

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient


@dataclass(frozen=True, slots=True)
class ScaleSet:
    """The scale set that follows a ring."""

    subscription: str
    resource_group: str
    name: str

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Read a resource id. Raises ValueError."""
        parts = resource_id.strip("/").split("/")
        if len(parts) != 8 or parts[6].lower() != "virtualmachinescalesets":
            raise ValueError(f"{resource_id!r} is not the resource id of a scale set")
        return cls(parts[1], parts[3], parts[7])


async def on_published(
    event: Mapping[str, Any], compute: ComputeManagementClient, scale_set: ScaleSet, *, ring: str
) -> str:
    """Point the model at the published version. Returns what was done.

    Raises NotForUs, and the SDK's HttpResponseError: Event Grid then delivers the event again. A repetition, and an
    event that comes late, change nothing.
    """
    published = Publication.of(event, ring=ring)
    where = scale_set.resource_group, scale_set.name
    model: Any = await compute.virtual_machine_scale_sets.get(*where)
    if model.location.replace(" ", "").lower() not in published.regions:
        raise NotForUs(f"the scale set is in {model.location}, where {published.ring} is not published")
    now: str = model.virtual_machine_profile.storage_profile.image_reference.id or ""
    if not is_newer(published.image, now):
        raise NotForUs(f"the scale set has {now.rpartition('/')[2]} already")
    change: Any = {
        "properties": {"virtualMachineProfile": {"storageProfile": {"imageReference": {"id": published.image}}}}
    }
    poller = await compute.virtual_machine_scale_sets.begin_update(*where, change)
    await poller.result()
    return f"{scale_set.name} has {published.definition} {published.number} now"
