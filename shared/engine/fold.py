"""Fold one step into a row: what the row is afterwards, and the evidence that goes with it. No I/O."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.evidence_names import evidence_folder
from shared.domain.lifecycle import (
    Outcome,
    advance,
    after_gate,
    after_publication,
    after_replication,
)
from shared.domain.messages import Command
from shared.domain.outcomes import Again, Decided, Dropped, Finished, Noted, Rechecked, Recorded, Stalled, Step, Turned
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Answer, Gate, GateRecord, Pending, Publication, Release, State

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=15)
SINCE: Final = "since it was published: "
"""How the warning of a later scan begins; the next scan puts its own in its place."""


def backoff(attempt: int) -> timedelta:
    """How long to wait before the next attempt: doubling from five seconds, at most a quarter of an hour."""
    return min(FIRST_WAIT * 2 ** min(attempt, 16), LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class Folded:
    """A row to write, the evidence to write before it, and a former bearer of the number to archive with it."""

    release: Release
    name: str = ""
    document: Mapping[str, Any] | None = None
    archive: Release | None = None


def fold(
    release: Release, command: Command, step: Step, policy: DefinitionPolicy | None, *, now: datetime, pace: float
) -> Folded:
    """The row after a step. The row must expect the command, or the command be a hint."""
    match step:
        case Again():
            return Folded(_again(release, command, step, now, pace))
        case Decided():
            assert policy is not None, "a gate is only asked about under a policy"
            return _decided(release, command, step, policy, now, pace)
        case Rechecked():
            assert policy is not None, "what is published is only judged again under a policy"
            return _rechecked(release, step, policy, now, pace)
        case Turned(outcome, why, ring):
            archive = release if outcome is Outcome.NUMBER_REUSED else None
            if ring is not None and policy is not None:
                release = _with_publication(release, policy, ring, now)
            moved = advance(release, outcome, policy, now, pace=pace, why=why)
            return Folded(replace(moved, reasons=_ended(moved, (why,))), archive=archive)
        case Finished(note):
            done = release.with_pending(command.branch, None)
            return Folded(done.told(now, note) if note else done)
        case Stalled(reason):
            return Folded(stalled(release, command, reason, now))
        case Noted(text):
            return Folded(release.told(now, text))
        case Recorded(ring):
            assert policy is not None, "only a policy names rings"
            text = f"{ring} is published: its hop did not come to say so"
            return Folded(_with_publication(release, policy, ring, now).told(now, text))
        case Dropped():
            return Folded(release)


def stalled(release: Release, command: Command, reason: str, now: datetime) -> Release:
    """The row with this command set aside until people send it again."""
    aside = Pending(command, now, sent=True, decided_at=now, stalled=reason, aside=True)
    return release.with_pending(command.branch, aside).told(now, f"{command.branch} stalled: {reason}")


def resent(release: Release, now: datetime, *, within: timedelta) -> Release:
    """The row with every stalled command sent again, with a new deadline."""
    seq = release.seq + 1
    pending = {
        key: Pending(replace(each.command, seq=seq, attempt=0, not_after=now + within), now, decided_at=now)
        if each.aside
        else each
        for key, each in release.pending.items()
    }
    return replace(release, seq=seq, pending=pending).told(now, "sent again what had stalled")


def _again(release: Release, command: Command, step: Again, now: datetime, pace: float) -> Release:
    due = now + max(step.after / pace, step.at_least)
    seq = release.seq + 1
    attempt = command.attempt + 1 if step.failed else 0
    following = replace(command, seq=seq, attempt=attempt, state=step.state)
    pending = Pending(following, due, decided_at=now, stalled=step.stalled, fault=step.note if step.failed else None)
    moved = replace(release, seq=seq).with_pending(command.branch, pending)
    before = release.pending.get(str(command.branch))
    is_news = step.note and (before is None or step.note not in {before.fault, before.stalled})
    return moved.told(now, f"{command.branch}: {step.note}") if is_news else replace(moved, updated_at=now)


def _decided(
    release: Release, command: Command, step: Decided, policy: DefinitionPolicy, now: datetime, pace: float
) -> Folded:
    if step.incarnation is not None:
        release = replace(release, incarnation=step.incarnation)
    if step.traits is not None:
        release = replace(release, traits=dict(step.traits))
    ring = command.ring if step.gate is not Gate.VALIDATION else None
    document = _evidence(release, step, ring, command.region, now)
    name = _evidence_name(release, step, ring, command.region, document)
    record = GateRecord(
        gate=step.gate,
        answer=step.answer,
        at=now,
        incarnation=release.incarnation or "",
        policy_digest=release.policy_digest,
        evidence=name,
        reasons=step.reasons,
        ring=ring,
        region=command.region,
    )
    release = replace(
        release.with_pending(command.branch, None),
        gates=(*release.gates, record),
        warnings=tuple(dict.fromkeys((*release.warnings, *step.warnings))),
    )
    if step.gate is Gate.PUBLICATION and step.answer is Answer.PASS:
        release = _with_publication(release, policy, command.ring or "", now)
    moved = advance(
        release,
        _outcome(release, step, policy, command.ring),
        policy,
        now,
        pace=pace,
        why="; ".join(step.reasons)[:500],
    )
    return Folded(replace(moved, reasons=_ended(moved, step.reasons)), name, document)


def _rechecked(release: Release, step: Rechecked, policy: DefinitionPolicy, now: datetime, pace: float) -> Folded:
    decided = step.decided
    # Judged by the policy as it is now, which may be another than the one that a release ended under.
    judged = replace(release, policy_digest=policy.digest)
    document = _evidence(judged, decided, None, None, now)
    name = _evidence_name(release, decided, None, None, document)
    record = GateRecord(
        gate=decided.gate,
        answer=decided.answer,
        at=now,
        incarnation=release.incarnation or "",
        policy_digest=policy.digest,
        evidence=name,
        reasons=decided.reasons,
    )
    release = replace(
        release,
        gates=(*(each for each in release.gates if each.gate is not decided.gate), record),
        warnings=(
            *(each for each in release.warnings if not each.startswith(SINCE)),
            *((f"{SINCE}{step.warning}",) if step.warning else ()),
        ),
    )
    if step.outcome is None:
        return Folded(release.told(now, f"scanned again: {decided.answer}"), name, document)
    return Folded(advance(release, step.outcome, policy, now, pace=pace, why=step.warning[:500]), name, document)


def _outcome(release: Release, step: Decided, policy: DefinitionPolicy, ring: str | None) -> Outcome:
    if step.answer is Answer.REJECT:
        return Outcome.REJECTED
    match step.gate:
        case Gate.VALIDATION:
            return Outcome.VALIDATED
        case Gate.SCAN if release.state is State.HELD:
            return Outcome.HOLD_LIFTED
        case Gate.SCAN if ring is not None:
            return Outcome.RING_SCANNED
        case Gate.REVOCATION:
            return Outcome.REVOKED
        case Gate.RESCAN:
            raise AssertionError("what is published is judged again by Rechecked")
        case Gate.SCAN | Gate.BOOT_TEST:
            return after_gate(release)
        case Gate.REPLICATION:
            return after_replication(policy.ring(release.ring or ""))
        case Gate.BAKE:
            return Outcome.BAKED
        case Gate.PUBLICATION:
            return after_publication(policy.ring(release.ring or ""), policy)


def _ended(release: Release, reasons: tuple[str, ...]) -> tuple[str, ...]:
    return reasons if release.state.is_terminal else release.reasons


def _with_publication(release: Release, policy: DefinitionPolicy, ring: str, now: datetime) -> Release:
    publication = Publication(ring, policy.ring(ring).region_names, now)
    others = tuple(each for each in release.published if each.ring != ring)
    return replace(release, published=(*others, publication))


def _evidence(release: Release, step: Decided, ring: str | None, region: str | None, now: datetime) -> dict[str, Any]:
    return {
        "schema": 1,
        "version": str(release.version),
        "incarnation": release.incarnation,
        "policyDigest": release.policy_digest,
        "gate": step.gate.value,
        "ring": ring,
        "region": region,
        "answer": step.answer.value,
        "reasons": list(step.reasons),
        "warnings": list(step.warnings),
        "facts": step.facts,
        "rules": step.rules,
        "at": now.isoformat(),
        "by": "ringmaster",
    }


def _evidence_name(
    release: Release, step: Decided, ring: str | None, region: str | None, document: Mapping[str, Any]
) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True, default=str).encode()).hexdigest()[:16]
    place = "-".join(part for part in (step.gate.value, ring, region) if part)
    return f"{evidence_folder(release.version, release.incarnation)}/{place}-{digest}.json"
