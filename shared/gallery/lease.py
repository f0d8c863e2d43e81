"""One writer per image definition: the lease under which target regions are read, merged and written.

``targetRegions`` has no ETag: two concurrent read-modify-writes drop each other's regions (Azure/AgentBaker#8823,
#9067). The lease covers one hop: read, plan, write. It is longer than the maximum run time of a function, so a writer
that lost its lease has ended. It belongs to a hop and not to a release: of two copies of a message, only one writes.
After a crash, it expires at about the same time as the host's lease on the message, so it causes no extra delay.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from shared.domain.facts import RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId
from shared.ports import Conflict, Hop, Refused, World

LEASE: Final = timedelta(minutes=10)
"""Twice ``functionTimeout`` in host.json. It is divided by the pace, like all waits."""
SHORTEST_LEASE: Final = timedelta(seconds=30)
"""Minimum at any pace, because a hop takes real time."""
READ_BACK: Final = timedelta(seconds=10)
"""Time between a write and its read-back, and between read-backs."""
WRITE_AGAIN_AFTER: Final = 30
"""Number of read-backs (five minutes) after which the write counts as lost and is repeated."""


@asynccontextmanager
async def definition_lease(hop: Hop, definition: DefinitionId) -> AsyncGenerator[None]:
    """Hold the lease of this definition: no other hop writes to it. Raises Conflict if another hop holds it."""
    world, now = hop.world, hop.now
    holder = f"{hop.release.version}#{world.nonce()}"
    if not await world.ledger.acquire_lease(
        definition, holder, until=now + max(world.paced(LEASE), SHORTEST_LEASE), now=now
    ):
        raise Conflict(f"another release is writing to {definition.name} in {definition.gallery.name}")
    try:
        yield
    finally:
        await world.ledger.release_lease(definition, holder)


async def write(version: VersionFacts, targets: Sequence[RegionTargetFacts], world: World, *, excluded: bool) -> None:
    """Write the target regions of a version that was read under the lease.

    Raises Conflict also if the version was deleted after it was read. The next hop handles that.
    """
    try:
        await world.galleries.write_targets(version, targets, excluded=excluded)
    except Refused as refused:
        if refused.status != 404:
            raise
        raise Conflict(
            f"{version.id.short} existed when it was read, but the write to it was refused: {refused}"
        ) from refused
