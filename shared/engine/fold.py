"""Apply the result of a hop to a row: returns the new row and its evidence. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.boot_test import twins
from shared.domain.evidence_names import evidence_folder
from shared.domain.health_rules import OnBreach
from shared.domain.lifecycle import (
    Outcome,
    advance,
    after_bake,
    after_gate,
    after_gate_ahead,
    after_publication,
    after_replication,
)
from shared.domain.messages import Command, Kind
from shared.domain.moment import Moment
from shared.domain.orders import LONGEST_WHY, announce_stalls, stalled
from shared.domain.outcomes import (
    Annotated,
    Decided,
    Dropped,
    Finished,
    HopResult,
    PublicationFound,
    Rechecked,
    Redirected,
    Requeue,
    Stalled,
)
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import (
    Answer,
    Gate,
    GateRecord,
    Pending,
    Publication,
    Release,
    State,
    health_warning,
)
from shared.domain.revocation import hidden_for_health
from shared.engine.repair import is_repair, repair_ended, repaired

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=15)
SINCE: Final = "since it was published: "
"""Prefix of the warning of a later scan. The warning of the next scan replaces it."""


def backoff(attempt: int) -> timedelta:
    """How long to wait before the next attempt: 5 seconds, doubled with each attempt, at most 15 minutes."""
    return min(FIRST_WAIT * 2 ** min(attempt, 16), LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Folded:
    """A row to write, the evidence to write first, and the row of a previous incarnation to archive."""

    release: Release
    name: str = ""
    document: Mapping[str, Any] | None = None
    archive: Release | None = None


def fold(
    release: Release, command: Command, result: HopResult, policy: DefinitionPolicy | None, moment: Moment
) -> Folded:
    """The row after a hop. The row must expect the command, or the command must be a hint."""
    folded = _fold(release, command, result, policy, moment)
    return replace(folded, release=announce_stalls(release, folded.release, moment))


def _fold(
    release: Release, command: Command, result: HopResult, policy: DefinitionPolicy | None, moment: Moment
) -> Folded:
    now = moment.now
    match result:
        case Requeue():
            return Folded(_requeued(release, command, result, moment))
        case Decided() if is_repair(release, command):
            record, document = recorded(release, result, command.ring, command.region, now)
            moved = repaired(release, command, result, record, moment)
            return Folded(moved, record.evidence, document)
        case Redirected(outcome, why) if is_repair(release, command) and outcome is not Outcome.NUMBER_REUSED:
            return Folded(repair_ended(release, command, why, moment))
        case Decided():
            return _decided(release, command, result, _needed(policy), moment)
        case Rechecked():
            return _rechecked(release, result, _needed(policy), moment)
        case Redirected(outcome, why, ring):
            archive = release if outcome is Outcome.NUMBER_REUSED else None
            if ring is not None and policy is not None:
                release = _with_publication(release, policy, ring, now)
            moved = advance(release, outcome, policy, moment, why=why)
            if outcome is not Outcome.EXPOSED:  # which ends nothing: why it ended before still holds
                moved = replace(moved, reasons=_ended(moved, (why,)))
            return Folded(moved, archive=archive)
        case Finished(note):
            done = release.with_pending(command.branch, None)
            return Folded(done.with_history(now, note) if note else done)
        case Stalled(reason, state):
            parked = command if state is None else replace(command, state=state)
            return Folded(stalled(release, parked, reason, now))
        case Annotated(text):
            return Folded(release.with_history(now, text))
        case PublicationFound(ring):
            text = f"{ring} is published: the function that published it ended before it recorded the result"
            return Folded(_with_publication(release, _needed(policy), ring, now).with_history(now, text))
        case Dropped():
            return Folded(release)


def _needed(policy: DefinitionPolicy | None) -> DefinitionPolicy:
    assert policy is not None, "a gate is asked, and a ring is named, only under a policy"
    return policy


def resent(release: Release, now: datetime, *, within: timedelta) -> Release:
    """The row with every stalled command to be sent again, with a new deadline."""
    seq = release.seq + 1
    pending = {
        key: Pending(replace(each.command, seq=seq, attempt=0, not_after=now + within), now, decided_at=now)
        if each.parked
        else each
        for key, each in release.pending.items()
    }
    return replace(release, seq=seq, pending=pending).with_history(now, "stalled commands sent again")


def _requeued(release: Release, command: Command, result: Requeue, moment: Moment) -> Release:
    now = moment.now
    due = now + max(result.after / moment.pace, result.at_least)
    seq = release.seq + 1
    attempt = command.attempt + 1 if result.failed else 0
    not_after = command.not_after if result.within is None else due + result.within
    following = replace(command, seq=seq, attempt=attempt, state=result.state, not_after=not_after)
    fault = result.note if result.failed else None
    pending = Pending(following, due, decided_at=now, stalled=result.stalled, fault=fault)
    moved = replace(release, seq=seq).with_pending(command.branch, pending)
    before = release.pending.get(str(command.branch))
    is_news = result.note and (before is None or result.note not in {before.fault, before.stalled})
    if is_news:
        return moved.with_history(now, f"{command.branch}: {result.note}")
    return replace(moved, updated_at=now)


def _decided(release: Release, command: Command, result: Decided, policy: DefinitionPolicy, moment: Moment) -> Folded:
    if result.incarnation is not None:
        release = replace(release, incarnation=result.incarnation)
    if result.traits is not None:
        release = replace(release, traits=dict(result.traits))
    if result.gate is Gate.HEALTH:
        return _watched(release, command, result, policy, moment)
    ring = command.ring if result.gate is not Gate.VALIDATION else None
    result = twins.compared(release, result, twins.place_in(ring, command.region), policy.boot)
    record, document = recorded(release, result, ring, command.region, moment.now)
    release = replace(
        release.with_pending(command.branch, None),
        gates=(*release.gates, record),
        warnings=tuple(dict.fromkeys((*release.warnings, *result.warnings))),
    )
    if result.gate is Gate.PUBLICATION and result.answer is Answer.PASS:
        release = _with_publication(release, policy, command.ring or "", moment.now)
    if result.gate is Gate.HIDING:
        return Folded(_hidden(release, result, policy, moment), record.evidence, document)
    if result.gate is Gate.IN_USE:
        told = "; ".join(result.reasons)[:LONGEST_WHY]
        listed = advance(release, Outcome.USERS_LISTED, policy, moment, why=told)
        return Folded(listed, record.evidence, document)
    reasons, ahead = result.reasons, _ring_ahead(release, command)
    if ahead:
        reasons = tuple(f"{ahead}, filled ahead: {each}" for each in reasons)
    outcome = _outcome(release, result, policy, command)
    why = "; ".join(reasons)[:LONGEST_WHY] or ahead or ""
    moved = advance(release, outcome, policy, moment, why=why, ring=ahead, facts=result.facts)
    return Folded(replace(moved, reasons=_ended(moved, reasons)), record.evidence, document)


def _ring_ahead(release: Release, command: Command) -> str | None:
    """The ring of a command that is ahead of its turn; None for any other command."""
    fills = command.kind in {Kind.REPLICATE, Kind.BOOT_TEST} and command.ring is not None
    return command.ring if fills and command.ring != release.ring else None


def _watched(release: Release, command: Command, result: Decided, policy: DefinitionPolicy, moment: Moment) -> Folded:
    """The row after a verdict on the health of a published ring. Only a failure moves the release."""
    ring = policy.ring(command.ring or "")
    # Judged by the current policy, which may differ from the one under which the release ended.
    record, document = recorded(replace(release, policy_digest=policy.digest), result, ring.name, None, moment.now)
    release = release.with_pending(command.branch, None).with_health(ring.name, record)
    why = "; ".join(result.reasons)[:LONGEST_WHY]
    if result.answer is not Answer.PASS:
        release = replace(release, warnings=(*release.warnings, f"{health_warning(ring.name)}{why}"))
    if result.answer is not Answer.REJECT or not release.state.heeds_health:
        text = f"the health of {ring.name}: {result.answer.value}{f': {why}' if why else ''}"
        return Folded(release.with_history(moment.now, text), record.evidence, document)
    outcome = Outcome.HEALTH_FAILED
    if ring.health is not None and ring.health.on_breach is OnBreach.HIDE:
        outcome = Outcome.HEALTH_HIDES
        if release.state not in {State.VALIDATING, State.QUALIFYING}:
            release = replace(release, ring=ring.name)
    moved = advance(release, outcome, policy, moment, why=f"{ring.name}: {why}")
    return Folded(moved, record.evidence, document)


def _hidden(release: Release, result: Decided, policy: DefinitionPolicy, moment: Moment) -> Release:
    """The row of a hidden version. A rejected one is published only where the policy does not reach any more."""
    if release.state is State.REJECTED:
        names = {ring.name for ring in policy.rings}
    else:
        names = hidden_for_health(release, policy)
    if names:
        release = replace(release, published=tuple(each for each in release.published if each.ring not in names))
    return advance(release, Outcome.HIDDEN, policy, moment, facts=result.facts)


def _rechecked(release: Release, result: Rechecked, policy: DefinitionPolicy, moment: Moment) -> Folded:
    decided = result.decided
    # Evaluated with the current policy, which may differ from the one under which the release ended.
    record, document = recorded(replace(release, policy_digest=policy.digest), decided, None, None, moment.now)
    release = replace(
        release,
        gates=(*(each for each in release.gates if each.gate is not decided.gate), record),
        warnings=(
            *(each for each in release.warnings if not each.startswith(SINCE)),
            *((f"{SINCE}{result.warning}",) if result.warning else ()),
        ),
        scan_failed_at=moment.now if decided.answer is Answer.REJECT else release.scan_failed_at,
    )
    if result.outcome is None:
        moved = release.with_history(moment.now, f"a later scan was evaluated: {decided.answer}")
    else:
        moved = advance(release, result.outcome, policy, moment, why=result.warning[:LONGEST_WHY])
    return Folded(moved, record.evidence, document)


def recorded(
    release: Release, decided: Decided, ring: str | None, region: str | None, now: datetime, by: str = "ringmaster"
) -> tuple[GateRecord, Mapping[str, Any]]:
    """A verdict as an entry of the row, and as an evidence document. ``by`` is who decided."""
    document = {
        "schema": 1,
        "version": str(release.version),
        "incarnation": release.incarnation,
        "policyDigest": release.policy_digest,
        "gate": decided.gate.value,
        "ring": ring,
        "region": region,
        "answer": decided.answer.value,
        "reasons": list(decided.reasons),
        "warnings": list(decided.warnings),
        "facts": decided.facts,
        "rules": decided.rules,
        "at": now.isoformat(),
        "by": by,
    }
    record = GateRecord(
        gate=decided.gate,
        answer=decided.answer,
        at=now,
        incarnation=release.incarnation or "",
        policy_digest=release.policy_digest,
        evidence=_evidence_name(release, document),
        reasons=decided.reasons,
        ring=ring,
        region=region,
        retryable=decided.retryable,
        machine=decided.machine,
    )
    return record, document


def _outcome(release: Release, result: Decided, policy: DefinitionPolicy, command: Command) -> Outcome:
    if result.answer is Answer.REJECT:
        return Outcome.REJECTED
    if (ahead := _ring_ahead(release, command)) is not None:
        return after_gate_ahead(result.gate, policy.ring(ahead))
    match result.gate:
        case Gate.VALIDATION:
            return Outcome.VALIDATED
        case Gate.SCAN if release.state is State.HELD:
            return Outcome.HOLD_LIFTED
        case Gate.SCAN if command.ring is not None:
            return Outcome.RING_SCANNED
        case Gate.REVOCATION:
            return Outcome.REVOKED
        case Gate.RESCAN:
            raise AssertionError("a verdict on a published version must be a Rechecked")
        case Gate.HIDING | Gate.IN_USE | Gate.HEALTH:
            raise AssertionError(f"{result.gate.words} does not decide on a release here")
        case Gate.SCAN | Gate.BOOT_TEST:
            return after_gate(release)
        case Gate.REPLICATION:
            return after_replication(policy.ring(release.ring or ""))
        case Gate.BAKE:
            return after_bake(release, policy, policy.ring(release.ring or ""))
        case Gate.APPROVAL:
            raise AssertionError("people approve, and no hop does: see engine.act")
        case Gate.PUBLICATION:
            return after_publication(policy.ring(release.ring or ""), policy)


def _ended(release: Release, reasons: tuple[str, ...]) -> tuple[str, ...]:
    return reasons if release.state.is_terminal else release.reasons


def _with_publication(release: Release, policy: DefinitionPolicy, ring: str, now: datetime) -> Release:
    publication = Publication(ring, policy.ring(ring).region_names, now)
    others = tuple(each for each in release.published if each.ring != ring)
    return replace(release, published=(*others, publication))


def _evidence_name(release: Release, document: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:16]
    place = "-".join(document[part] for part in ("gate", "ring", "region") if document[part])
    return f"{evidence_folder(release.version, release.incarnation)}/{place}-{digest}.json"
