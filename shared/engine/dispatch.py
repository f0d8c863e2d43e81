"""One command, one hop: read the row, drop what is stale, run the stage, write the answer, send what follows.

The order is always the same, and it is what the laws stand on:

1. The row is read; a command that the row doesn't expect is a duplicate or a straggler and is dropped (law 5).
2. The stage talks to the world and answers with a step; it writes nothing to the ledger.
3. The step is folded into the row and written with one conditional write, outgoing commands included (law 6). Whoever
   finds that the row has changed meanwhile reads it again and folds again, as long as the command is still expected.
4. Only then is anything sent, and afterwards marked as sent. A crash in between costs time, not the release: the
   reconcile timer sends what is not marked.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.lifecycle import Outcome
from shared.domain.messages import Branch, Command, Kind
from shared.domain.outcomes import Again, Dropped, Recorded, Stalled, Step, Turned
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Pending, Release, State
from shared.engine.fold import backoff, fold
from shared.ports import Conflict, PassingFault, Stored, World
from shared.stages import announce, boot_test, fetch_report, promote, replicate, revoke, scan, validate

log = logging.getLogger("ringmaster.driver")

type Stage = Callable[[Command, Release, DefinitionPolicy, World, datetime], Awaitable[Step]]

STAGES: Final[dict[Kind, Stage]] = {
    Kind.VALIDATE: validate.run,
    Kind.SCAN: scan.run,
    Kind.BOOT_TEST: boot_test.run,
    Kind.REPLICATE: replicate.run,
    Kind.PROMOTE: promote.run,
}
HINTED: Final = frozenset({Branch(Kind.VALIDATE), Branch(Kind.SCAN)})
"""What may be asked for without a row behind it: to look again. Everything else carries what its row decided on."""
FOLDS: Final = 12
"""How often one hop reads the row again because another branch wrote it first."""


async def handle(command: Command, world: World, *, now: datetime) -> Step:
    """Do one hop. Returns the step that was applied, for the log.

    Passing faults of any port become a later repetition of the same command. Everything unforeseen escapes.
    """
    try:
        if command.kind is Kind.FETCH_REPORT:
            return await fetch_report.run(command, world, now)
        return await _hop(command, world, now)
    except PassingFault as fault:
        # The ledger itself did not answer, or never stood still: nothing was written, so the command stays as it is.
        if command.is_hint and now > command.not_after:
            return Dropped(f"a hint that got old, and reconciliation finds what it hinted at: {fault}")
        wait = max(world.paced(backoff(command.attempt)), fault.retry_after or timedelta(0))
        await world.queues.send(replace(command, attempt=command.attempt + 1), delay=wait)
        return Dropped(f"sent again in {wait}: {fault}")


async def _hop(command: Command, world: World, now: datetime) -> Step:
    stored = await world.ledger.read(command.release)
    if stored is None:
        return Dropped("no release of this version")
    release = stored.release
    if command.is_hint and command.branch not in HINTED:
        return Dropped("nobody hints at this: only a release asks for it")
    if not command.is_hint and not release.expects(command):
        return await _straggle(stored, command, world, now)
    command = release.own(command)
    step = await _ask(command, release, world, now)
    if isinstance(step, Dropped):
        return step
    return await commit(stored, command, step, world, now=now)


async def _straggle(stored: Stored, command: Command, world: World, now: datetime) -> Step:
    """Drop a command that its row expects no more. What it may have published meanwhile, the row must know of.

    Raises Conflict when the row was written by another in between.
    """
    policy = world.policy.covering(command.release)
    step = await promote.straggled(command, stored.release, policy, world, now)
    if isinstance(step, Recorded):
        folded = fold(stored.release, command, step, policy, now=now, pace=world.pace)
        await world.ledger.replace(stored, folded.release)
    return step


async def _ask(command: Command, release: Release, world: World, now: datetime) -> Step:
    policy = world.policy.covering(command.release)
    try:
        if command.kind is Kind.ANNOUNCE:
            return await announce.run(command, release, world, now)
        if command.kind is Kind.CLEAN_UP:
            return await boot_test.clean_up(command, world, now)
        if command.kind is Kind.REVOKE:
            return await revoke.run(command, release, policy, world, now)
        if release.state is State.REVOKING:
            return Dropped("a hint, and the version is being revoked")
        if policy is None and release.state.is_terminal:
            return Dropped("the release has ended, and the policy covers its definition no more")
        if policy is None:
            return Turned(Outcome.SUPERSEDED, "the policy covers this definition no more")
        if release.policy_digest != policy.digest and not release.state.is_terminal:
            return Turned(Outcome.POLICY_CHANGED, "judged again under the policy as it is now")
        return await STAGES[command.kind](command, release, policy, world, now)
    except PassingFault as fault:
        return _after_fault(command, release, fault, now)


def _after_fault(command: Command, release: Release, fault: PassingFault, now: datetime) -> Step:
    what = f"{type(fault).__name__.lower()}: {fault}"
    if command.is_hint:
        # No row stands behind a hint; reconciliation finds again what it hinted at.
        raise fault
    before = release.pending.get(str(command.branch))
    told = before.stalled if before else None  # what people were told still holds
    if now > command.not_after:
        since = f"; before that: {told}" if told else ""
        return Stalled(f"gave up after {command.attempt} attempts, the last one {what}{since}")
    asked = fault.retry_after or timedelta(0)
    return Again(command.state, backoff(command.attempt), note=what, stalled=told, at_least=asked, failed=True)


async def commit(stored: Stored, command: Command, step: Step, world: World, *, now: datetime) -> Step:
    """Fold a step into the row, write it, send what it sends. Raises Conflict when the row never stands still."""
    for _ in range(FOLDS):
        policy = world.policy.covering(command.release)
        folded = fold(stored.release, command, step, policy, now=now, pace=world.pace)
        if folded.document is not None:
            await world.evidence.put(folded.name, folded.document)
        try:
            written = await world.ledger.replace(stored, folded.release, archive=folded.archive)
        except Conflict:
            if command.is_hint:
                raise  # what a hint found may hold no more: it asks again from the start
            again = await world.ledger.read(command.release)
            if again is None:
                return Dropped("no release of this version any more")
            if not again.release.expects(command):
                return await _straggle(again, command, world, now)
            stored = again
            continue
        await send_pending(written, world, now=now)
        return step
    raise Conflict(f"the row of {command.release.short} never stood still")


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
            log.warning("not sent yet, left to the timer: %s %s: %s", stored.release.version.short, key, fault)
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
