"""Intake: what becomes of an event, and of a version that no event told of.

An event is a hint that something was written. It starts a release when the policy covers the version and the ledger
knows nothing of it; otherwise it makes validation look again whether the number got another bearer. The first row is
written with a conditional insert, so that of two events for one version only one starts anything.
"""

from __future__ import annotations

from datetime import datetime

from shared.domain.image import VersionId
from shared.domain.lifecycle import first
from shared.domain.messages import HINT_LIFE, Command, Kind, VersionWritten
from shared.domain.moment import Moment
from shared.engine.commit import send_pending
from shared.ports import Conflict, World


async def version_written(event: VersionWritten, world: World, *, now: datetime, traceparent: str | None = None) -> str:
    """Take note of a written version. Returns what became of the event, for the log and the answer."""
    if world.policy.covering(event.version) is None:
        return f"ignored: the policy does not cover {event.version.short}"
    stored = await world.ledger.read(event.version)
    if stored is None and await start(event.version, world, now=now, traceparent=traceparent, builder=event.writer):
        return f"started: {event.version.short}"
    if stored is not None and event.writer in world.own_writers:
        return f"ignored: Ringmaster's own write to {event.version.short}"
    if stored is not None and stored.release.incarnation is None and not stored.release.state.is_terminal:
        return f"ignored: {event.version.short} is being validated"
    await look_again(event.version, world, now=now)
    return f"check requested: {event.version.short} already has a release"


async def start(
    version: VersionId, world: World, *, now: datetime, traceparent: str | None = None, builder: str | None = None
) -> bool:
    """Start the release of a covered version. False when there is one already.

    ``builder`` is the application or object id of who wrote the version, where an event told.
    """
    policy = world.policy.covering(version)
    if policy is None:
        return False
    try:
        stored = await world.ledger.insert(
            first(version, policy, Moment(now, world.pace), traceparent, builder=builder)
        )
    except Conflict:
        return False
    await send_pending(stored, world, now=now)
    return True


async def look_again(version: VersionId, world: World, *, now: datetime) -> None:
    """Have validation see whether a version is still the one that was released."""
    await world.queues.send(Command(Kind.VALIDATE, version, seq=0, not_after=now + HINT_LIFE))
