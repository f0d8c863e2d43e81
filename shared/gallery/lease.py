"""One writer per image definition: the lease under which target regions are read, merged and written.

``targetRegions`` has no ETag: two read-modify-writes side by side drop each other's regions (Azure/AgentBaker#8823,
#9067). The lease spans one hop: read, plan, write. It is longer than a function may run, so that a writer that lost it
is dead. It belongs to one hop and not to a release: of two copies of one message only one writes. After a crash it
expires about when the host's own lease on the message does, so that waiting for it costs nothing.
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
"""Twice ``functionTimeout`` in host.json; divided by pace, as every wait is."""
SHORTEST_LEASE: Final = timedelta(seconds=30)
"""However fast the pace: a hop itself takes real time."""
READ_BACK: Final = timedelta(seconds=10)
"""How long after a write, and between two looks, the version is read back."""
WRITE_AGAIN_AFTER: Final = 30
"""Read-backs, five minutes of them, before what was written is taken for lost and written again."""


@asynccontextmanager
async def definition_lease(hop: Hop, definition: DefinitionId) -> AsyncGenerator[None]:
    """Be the only hop that writes to this definition. Raises Conflict while another is."""
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

    Raises Conflict also when it was deleted since: the next hop looks again, and finds out what that means.
    """
    try:
        await world.galleries.write_targets(version, targets, excluded=excluded)
    except Refused as refused:
        if refused.status != 404:
            raise
        raise Conflict(
            f"{version.id.short} existed when it was read, but the write to it was refused: {refused}"
        ) from refused
