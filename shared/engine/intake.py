"""Intake of events about image versions, and of versions whose event was lost.

An event is a hint that a version was written. It starts a release if the policy covers the version and the ledger has
no row of it. Otherwise, validation checks whether the version number was reused. The first row is written with a
conditional insert, so that only one of two events for a version starts a release.
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
    """Handle an event about a written version. Returns what was done, for the log and the response."""
    if world.policy.covering(event.version) is None:
        return f"ignored: the policy does not cover {event.version.short}"
    stored = await world.ledger.read(event.version)
    if stored is None and await start(event.version, world, now=now, traceparent=traceparent, builder=event.writer):
        return f"started: {event.version.short}"
    if stored is not None and event.writer in world.own_writers:
        return f"ignored: Ringmaster's own write to {event.version.short}"
    if stored is not None and stored.release.incarnation is None and not stored.release.state.is_terminal:
        return f"ignored: {event.version.short} is being validated"
    await request_check(event.version, world, now=now)
    return f"check requested: {event.version.short} already has a release"


async def start(
    version: VersionId, world: World, *, now: datetime, traceparent: str | None = None, builder: str | None = None
) -> bool:
    """Start the release of a covered version. Returns False if it already has one.

    ``builder`` is the application or object id that wrote the version, if the event has it.
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


async def request_check(version: VersionId, world: World, *, now: datetime) -> None:
    """Request that validation checks whether a version is still the one that was released."""
    await world.queues.send(Command(Kind.VALIDATE, version, seq=0, not_after=now + HINT_LIFE))
