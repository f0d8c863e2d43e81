"""The machine of a boot test, as the platform is asked for it: made by the ring's own image definition.

Sizes that cannot boot the image are left out, as far as Azure describes them. Where Azure may not be asked for its
sizes, the policy's are tried as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.domain.boot_test.machine_sizes import (
    Placement,
    SizeFacts,
    Sizes,
    controller,
    disk_type,
    placements,
    security_type,
)
from shared.domain.hop_states import CreateMachine
from shared.domain.image_traits import DiskKeys, ImageTraits, read
from shared.ports import Hop, MachineSpec, Refused, World

EXPIRY_MARGIN: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for now. ``is_last`` says that every size and zone before it had no capacity or quota."""

    spec: MachineSpec
    placement: Placement
    is_last: bool


def traits_for(hop: Hop) -> ImageTraits:
    """The traits by which the test's machine is made and judged."""
    return read(hop.release.traits, hop.command.ring)


async def choose(hop: Hop, state: CreateMachine, region: str) -> Choice:
    """The next size and zone to try, and the machine that is asked for. Raises what ``Machines.sizes`` may raise."""
    traits, sizes = traits_for(hop), await known_sizes(hop.world, region)
    options = placements(hop.policy.boot.sizes_in(region), sizes, traits)
    index = state.placement % len(options)
    placement = options[index]
    spec = _spec(hop, state, region, placement, sizes.get(placement.size.lower()))
    return Choice(spec, placement, index == len(options) - 1)


async def known_sizes(world: World, region: str) -> Sizes:
    """The sizes of a region; none where the app's identity may not list them."""
    try:
        return await world.machines.sizes(region)
    except Refused:
        return {}


def _spec(hop: Hop, state: CreateMachine, region: str, placement: Placement, size: SizeFacts | None) -> MachineSpec:
    traits, boot = traits_for(hop), hop.policy.boot
    bounds = boot.ready_within + boot.probe_within + EXPIRY_MARGIN
    return MachineSpec(
        name=state.vm,
        region=region,
        image=hop.release.version if hop.command.ring is None else hop.target,
        os_type=traits.os_type,
        os_state=traits.os_state,
        architecture=traits.architecture,
        vm_size=placement.size,
        release=f"{hop.release.version}",
        expires=hop.now + hop.world.paced(bounds),
        security=security_type(traits, size),
        keys=_keys(hop, traits, region),
        controller=controller(traits, size),
        disk_type=disk_type(traits, size) or MachineSpec.disk_type,
        zone=placement.zone,
        tags=boot.tags,
        plan=traits.plan,
        data_disks=traits.data_disks,
        data_disk_luns=traits.data_disk_luns,
    )


def _keys(hop: Hop, traits: ImageTraits, region: str) -> DiskKeys:
    """The disk encryption sets of the machine: the policy's, or the version's where the machine may use them.

    A disk and its disk encryption set are in one subscription and region ("Server-side encryption of Azure Disk
    Storage" on Microsoft Learn). The version's sets are in the gallery's subscription.
    """
    version = traits.keys.get(region, DiskKeys())
    subscription = f"/subscriptions/{hop.world.policy.test.subscription}/".lower()

    def usable(found: str | None) -> str | None:
        return found if found and found.lower().startswith(subscription) else None

    policy = hop.policy.boot.disk_encryption_set_in(region)
    luns = traits.data_disk_luns or tuple(range(traits.data_disks))
    data = {lun: found for lun in luns if (found := policy or usable(version.data_disks.get(lun)))}
    return DiskKeys(policy or usable(version.os_disk), data, version.confidential, usable(version.confidential_set))
