"""Handle one command: read the row, drop a stale command, run the stage, write the result, send the next commands.

The order is always the same, and the laws depend on it:

1. The row is read; a command that the row doesn't expect is a duplicate or arrived too late and is dropped
   by law 5 (repeated messages change nothing).
2. The stage talks to the world and answers with a result; it writes nothing to the ledger.
3. The result is folded into the row and written with one conditional write, outgoing commands included, by law 6
   (commands recorded before sending). Whoever finds that the row has changed meanwhile reads it again and folds again,
   as long as the command is still expected.
4. Only then is anything sent, and afterwards marked as sent. A crash in between costs time, not the release: the
   reconcile timer sends what is not marked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.hop_states import RevokeDescendants, UnreadableState
from shared.domain.lifecycle import Outcome
from shared.domain.messages import Branch, Command, Kind
from shared.domain.moment import Moment
from shared.domain.outcomes import Dropped, Finished, HopResult, Redirected, Requeue, Stalled
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Release, State
from shared.engine import descendants
from shared.engine.commit import commit, drop_stale
from shared.engine.fold import backoff
from shared.ports import Hop, PassingFault, World
from shared.stages import (
    announce,
    boot_test,
    fetch_report,
    health,
    in_use,
    promote,
    replicate,
    revoke,
    scan,
    validate,
)

type Stage = Callable[[Hop], Awaitable[HopResult]]

STAGES: Final[dict[Kind, Stage]] = {
    Kind.VALIDATE: validate.run,
    Kind.SCAN: scan.run,
    Kind.BOOT_TEST: boot_test.run,
    Kind.REPLICATE: replicate.run,
    Kind.PROMOTE: promote.run,
    Kind.REVOKE: revoke.run,
    Kind.HIDE: revoke.run,
    Kind.HEALTH: health.run,
    Kind.IN_USE: in_use.run,
}
HINTED: Final = frozenset({Branch(Kind.VALIDATE), Branch(Kind.SCAN)})
"""Branches that can get hints, which are commands without a row. All other commands are recorded in a row."""
_BEING_REVOKED: Final = Dropped("the version is being revoked, so this hint is not needed")


async def handle(command: Command, world: World, *, now: datetime) -> HopResult:
    """Handle one command. Returns the result, for the log.

    After a transient fault of a port, the same command is sent again later. Unexpected errors are raised.
    """
    try:
        if command.kind is Kind.FETCH_REPORT:
            return await fetch_report.run(command, world, now)
        return await _handle(command, world, now)
    except PassingFault as fault:
        # The ledger itself did not answer, or others kept writing the row: nothing was written, so the command stays
        # as it is.
        if command.is_hint and Moment(now, world.pace).has_passed(command.not_after):
            return Dropped(f"the hint has expired; reconciliation finds the change: {fault}")
        wait = max(world.paced(backoff(command.attempt)), fault.retry_after or timedelta(0))
        await world.queues.send(replace(command, attempt=command.attempt + 1), delay=wait)
        return Dropped(f"sent again in {wait}: {fault}")


async def _handle(command: Command, world: World, now: datetime) -> HopResult:
    stored = await world.ledger.read(command.release)
    if stored is None:
        return Dropped("no release of this version exists")
    release = stored.release
    if command.is_hint and command.branch not in HINTED:
        return Dropped("this command requires a release, and no release sent it")
    if not command.is_hint and not release.expects(command):
        return await drop_stale(stored, command, world, now)
    command = release.as_decided(command)
    result = await _ask(command, release, world, now)
    if isinstance(result, Dropped):
        return result
    return await commit(stored, command, result, world, now=now)


async def _ask(command: Command, release: Release, world: World, now: datetime) -> HopResult:
    if isinstance(command.state, UnreadableState):
        return _unreadable(command, command.state)
    policy = world.policy.covering(command.release)
    try:
        if command.kind is Kind.ANNOUNCE:
            return await announce.run(command, release, world, now)
        if command.kind is Kind.CLEAN_UP:
            return await boot_test.clean_up(command, world, now)
        if policy is None:
            return _not_covered(command, release)
        hop = Hop(command, release, policy, world, now)
        if isinstance(command.state, RevokeDescendants):
            return await descendants.revoke_next(hop, command.state)
        return _before_stage(command, release, policy) or await STAGES[command.kind](hop)
    except PassingFault as fault:
        return _after_fault(command, release, fault, Moment(now, world.pace))


def _unreadable(command: Command, state: UnreadableState) -> HopResult:
    """The result for a state that cannot be read: another version of the app, or a person, wrote it."""
    if command.is_hint:
        return Dropped(f"the hint cannot be read: {state.reason}")
    return Stalled(f"its state cannot be read: {state.reason}; correct it in the ledger, then resend")


def _not_covered(command: Command, release: Release) -> HopResult:
    if command.kind is Kind.REVOKE:
        return revoke.NOT_COVERED
    if command.kind is Kind.HIDE:
        return Finished("not hidden: the policy no longer covers this definition")
    if command.kind is Kind.HEALTH and release.state.is_terminal:
        return Finished("health not watched any more: the policy no longer covers this definition")
    if command.kind is Kind.IN_USE:
        return Finished("users not listed: the policy no longer covers this definition")
    if release.state is State.REVOKING:
        return _BEING_REVOKED
    if release.state.is_terminal:
        return Dropped("the release has ended, and the policy no longer covers its definition")
    return Redirected(Outcome.SUPERSEDED, "the policy no longer covers this definition")


def _before_stage(command: Command, release: Release, policy: DefinitionPolicy) -> HopResult | None:
    """The result if no stage is called; None if one is."""
    if command.kind in {Kind.REVOKE, Kind.IN_USE}:
        return None
    if command.kind is Kind.HIDE:
        return Finished() if release.state is State.REVOKING else None
    if release.state is State.REVOKING:
        return _BEING_REVOKED
    if release.policy_digest != policy.digest and not release.state.is_terminal:
        return Redirected(
            Outcome.POLICY_CHANGED, "the policy has changed; the version is validated again under the current policy"
        )
    return None


def _after_fault(command: Command, release: Release, fault: PassingFault, moment: Moment) -> HopResult:
    what = f"{type(fault).__name__.lower()}: {fault}"
    if command.is_hint:
        # A hint has no row. Reconciliation finds the change that it was about.
        raise fault
    before = release.pending.get(str(command.branch))
    told = before.stalled if before else None  # the previous reason still applies
    if moment.has_passed(command.not_after):
        since = f"; previous reason: {told}" if told else ""
        return Stalled(f"failed {command.attempt} times; last error: {what}{since}")
    asked = fault.retry_after or timedelta(0)
    return Requeue(command.state, backoff(command.attempt), note=what, stalled=told, at_least=asked, failed=True)
