"""Commit the result of a hop: apply it to the row, write the row, send the next commands, and mark them as sent."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.messages import Command
from shared.domain.moment import Moment
from shared.domain.outcomes import Dropped, HopResult, PublicationFound
from shared.domain.release import Pending
from shared.engine.fold import fold
from shared.ports import Conflict, PassingFault, Stored, World
from shared.stages import promote

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
        await send_pending(written, world, now=now)
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


async def send_pending(stored: Stored, world: World, *, now: datetime, older: bool = False) -> int:
    """Send the commands of the row's last transition, then mark them as sent. Returns how many were sent.

    Those of earlier transitions are in the hands of whoever made these, unless ``older`` asks for them too. A queue
    that doesn't answer is no reason to fail: the row keeps the command, and the timer sends it.
    """
    sent: set[tuple[str, int]] = set()
    for key, pending in stored.release.pending.items():
        if pending.sent or not (older or pending.command.seq == stored.release.seq):
            continue
        try:
            await world.queues.send(pending.command, delay=max(pending.due - now, timedelta(0)))
        except PassingFault as fault:
            log.warning("%s %s not sent; the reconcile timer sends it: %s", stored.release.version.short, key, fault)
            continue
        sent.add((key, pending.command.seq))
    if sent:
        await _mark_sent(stored, sent, world)
    return len(sent)


async def _mark_sent(stored: Stored, sent: set[tuple[str, int]], world: World) -> None:
    for _ in range(FOLDS):
        pending = {key: _marked(key, each, sent) for key, each in stored.release.pending.items()}
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


def _marked(key: str, pending: Pending, sent: set[tuple[str, int]]) -> Pending:
    return replace(pending, sent=True) if (key, pending.command.seq) in sent else pending
