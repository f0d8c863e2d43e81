"""Commit the result of a hop: apply it to the row, write the row, send the next commands, and mark them as sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.events import EVENTS
from shared.domain.hop_states import Announce
from shared.domain.messages import Command, Kind
from shared.domain.moment import Moment
from shared.domain.outcomes import Dropped, HopResult, PublicationFound
from shared.domain.release import Pending
from shared.engine.fold import fold
from shared.ports import Conflict, PassingFault, Refused, Stored, World
from shared.stages import announce, promote

log = logging.getLogger("ringmaster.engine")

FOLDS: Final = 12
"""How many times one hop reads the row again because another branch has written it."""


async def commit(stored: Stored, command: Command, result: HopResult, world: World, *, now: datetime) -> HopResult:
    """Apply a result to the row, write it, and send its commands. Raises Conflict after ``FOLDS`` conflicts."""
    for _ in range(FOLDS):
        policy = world.policy.covering(command.release)
        folded = fold(stored.release, command, result, policy, Moment(now, world.pace))
        if folded.document is not None:
            await world.evidence.put(folded.name, folded.document)
        try:
            written = await world.ledger.replace(stored, folded.release, archive=folded.archive)
        except Conflict:
            if command.is_hint:
                raise  # The result of a hint may be outdated: the hint is handled again from the start.
            again = await world.ledger.read(command.release)
            if again is None:
                return Dropped("the release of this version no longer exists")
            if not again.release.expects(command):
                return await drop_stale(again, command, world, now)
            stored = again
            continue
        await send_pending(written, world, now=now, since=stored.release.seq)
        return result
    raise still_changing(command)


async def drop_stale(stored: Stored, command: Command, world: World, now: datetime) -> HopResult:
    """Drop a command that its row does not expect. If it has published a ring, record that in the row.

    Raises Conflict if another function has written the row.
    """
    policy = world.policy.covering(command.release)
    result = await promote.overtaken(command, stored.release, policy, world, now=now)
    if isinstance(result, PublicationFound):
        folded = fold(stored.release, command, result, policy, Moment(now, world.pace))
        await world.ledger.replace(stored, folded.release)
    return result


def still_changing(command: Command) -> Conflict:
    """The error for a row that other functions wrote before this hop on every attempt."""
    return Conflict(f"the row of {command.release.short} changed {FOLDS} times while this function tried to write it")


async def send_pending(stored: Stored, world: World, *, now: datetime, since: int = 0) -> int:
    """Send the commands that the row got after the sequence number ``since``, and mark them. Returns how many.

    Those of earlier transitions are in the hands of whoever made these. An announcement is published at once, which
    saves its message, its hop and a write of the row; the mark removes it. Where the topic does not take it, its
    command is sent. A queue that doesn't answer is no reason to fail: the row keeps the command, and the timer sends
    it.
    """
    handled: dict[str, _Handled] = {}
    waiting = [
        (key, each) for key, each in stored.release.pending.items() if not each.sent and each.command.seq > since
    ]
    # Announcements are last: a topic that takes long must not delay the release. One that failed is not asked again.
    is_answering = True
    for key, pending in sorted(waiting, key=lambda each: each[1].command.kind is Kind.ANNOUNCE):
        is_announcement = pending.command.kind is Kind.ANNOUNCE
        is_published = is_announcement and is_answering and await _is_published(pending, stored, world, now)
        is_answering = is_published if is_announcement else is_answering
        if is_published or await _is_sent(key, pending, stored, world, now):
            handled[key] = _Handled(pending.command.seq, is_published)
    if handled:
        await _mark(stored, handled, world)
    return len(handled)


@dataclass(frozen=True, slots=True)
class _Handled:
    """A command that was sent, or an announcement that was published and needs no command."""

    seq: int
    is_published: bool


async def _is_published(pending: Pending, stored: Stored, world: World, now: datetime) -> bool:
    """Whether the topic took an announcement."""
    command = pending.command
    known = isinstance(command.state, Announce) and command.state.outcome in EVENTS
    if not known or pending.due > now:
        return False  # what a newer app ordered stalls in the queue, where people see it
    try:
        await announce.run(command, stored.release, world, now)
    except (PassingFault, Refused) as fault:
        log.warning("%s %s not published; it is tried again: %s", stored.release.version.short, command.branch, fault)
        return False
    return True


async def _is_sent(key: str, pending: Pending, stored: Stored, world: World, now: datetime) -> bool:
    try:
        await world.queues.send(pending.command, delay=max(pending.due - now, timedelta(0)))
    except PassingFault as fault:
        log.warning("%s %s not sent; the reconcile timer sends it: %s", stored.release.version.short, key, fault)
        return False
    return True


async def _mark(stored: Stored, handled: Mapping[str, _Handled], world: World) -> None:
    for _ in range(FOLDS):
        pending = dict(_marked(stored.release.pending, handled))
        if pending == dict(stored.release.pending):
            return
        try:
            await world.ledger.replace(stored, replace(stored.release, pending=pending))
        except PassingFault as fault:
            if not isinstance(fault, Conflict):
                return  # sent twice at worst, and the second is dropped
            again = await world.ledger.read(stored.release.version)
            if again is None:
                return
            stored = again
        else:
            return


def _marked(pending: Mapping[str, Pending], handled: Mapping[str, _Handled]) -> Iterator[tuple[str, Pending]]:
    for key, each in pending.items():
        done = handled.get(key)
        if done is None or done.seq != each.command.seq:
            yield key, each
        elif not done.is_published:
            yield key, replace(each, sent=True)
