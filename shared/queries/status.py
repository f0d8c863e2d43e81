"""The state of releases as plain data, for the command line, the pages and the HTTP API."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.codec import CodecError
from shared.domain.actions import ActionRecord
from shared.domain.ahead import standing
from shared.domain.approvals import approvals, missing_approvals
from shared.domain.hop_states import deadline_of, step_of, waits_for
from shared.domain.image import VersionId
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Gate, GateRecord, Pending, Release
from shared.ports import DeadLetter, World


async def overview(world: World) -> dict[str, Any]:
    """Return a summary of every release, newest first, and the messages that could not be processed."""
    releases = [stored.release async for stored in world.ledger.rows()]
    releases.sort(key=lambda release: release.started_at, reverse=True)
    letters = [letter async for letter in world.ledger.dead_letters()]
    return {
        "releases": [summary(release) for release in releases],
        "deadLetters": [_letter(letter) for letter in letters],
    }


async def explanation(version: VersionId, world: World) -> dict[str, Any] | None:
    """Return the details of one release: gates with evidence, actions, approvals, pending work and history.

    None when there is no release.
    """
    stored = await world.ledger.read(version)
    if stored is None:
        return None
    release = stored.release
    return {
        **summary(release),
        "incarnation": release.incarnation,
        "policy_digest": release.policy_digest,
        "builder": release.builder,
        "gates": [_gate(record) for record in release.gates],
        "validation": await _validation(release, world),
        "actions": [_action(record) for record in release.actions],
        "approvals": _approvals(release, world.policy.covering(version)),
        "history": [{"at": each.at.isoformat(), "text": each.text} for each in release.history],
    }


async def _validation(release: Release, world: World) -> dict[str, Any] | None:
    """The rules that the last validation applied, and what they found, from its evidence. None without evidence."""
    record = release.gate(Gate.VALIDATION)
    try:
        document = await world.evidence.get(record.evidence) if record is not None and record.evidence else None
    except CodecError:  # the row still tells the rest
        return None
    if document is None:
        return None
    facts: dict[str, Any] = document.get("facts") or {}
    rules: dict[str, Any] = document.get("rules") or {}
    return {
        "severities": dict(rules.get("severities") or {}),
        "findings": list(facts.get("findings") or ()),
        "activityLog": facts.get("activityLog"),
    }


def summary(release: Release) -> dict[str, Any]:
    """Return the summary of one release."""
    ended = release.updated_at if release.state.is_terminal else None
    return {
        "version_id": str(release.version),
        "name": release.version.short,
        "state": release.state.value,
        "ring": release.ring,
        "ahead": dict(standing(release)),
        "reasons": list(release.reasons),
        "warnings": list(release.warnings),
        "published": {each.ring: list(each.regions) for each in release.published},
        "waiting_for": [_waiting(branch, pending) for branch, pending in sorted(release.pending.items())],
        "stalled": dict(release.stalls),
        "drift": [each.text for each in release.drift.findings] if release.drift else [],
        "started_at": release.started_at.isoformat(),
        "updated_at": release.updated_at.isoformat(),
        "seconds": ((ended or release.updated_at) - release.started_at).total_seconds(),
        "settled": release.is_settled,
        "hold": _action(release.hold) if release.hold else None,
    }


def _waiting(branch: str, pending: Pending) -> dict[str, Any]:
    return {
        "what": branch,
        "step": step_of(pending.command.state),
        "next_look": pending.due.isoformat(),
        "deadline": _deadline(pending).isoformat(),
        "attempt": pending.command.attempt,
        "waits_for": waits_for(pending.command.state),
        "stalled": pending.stalled,
        "fault": pending.fault,
        "sent": pending.sent,
    }


def _deadline(pending: Pending) -> datetime:
    """When the current step times out; for a step without its own deadline, when its command is no longer retried."""
    return deadline_of(pending.command.state) or pending.command.not_after


def _gate(record: GateRecord) -> dict[str, Any]:
    return {
        "gate": record.gate.value,
        "ring": record.ring,
        "region": record.region,
        "answer": record.answer.value,
        "at": record.at.isoformat(),
        "reasons": list(record.reasons),
        "evidence": record.evidence,
    }


def _action(record: ActionRecord) -> dict[str, Any]:
    return {
        "action": record.action.value,
        "ring": record.ring,
        "by": {"id": record.by, "name": record.name},
        "at": record.at.isoformat(),
        "reason": record.reason,
        "evidence": record.evidence,
    }


def _approvals(release: Release, policy: DefinitionPolicy | None) -> dict[str, Any] | None:
    """The approvals of the ring that the release is in; None where the ring needs none."""
    rings = policy.rings if policy and not release.state.is_terminal else ()
    ring = next((each for each in rings if each.name == release.ring), None)
    if policy is None or ring is None or ring.approval is None:
        return None
    return {
        "ring": ring.name,
        "needed": ring.approval.count,
        "given": [_action(record) for record in approvals(release, ring)],
        "missing": missing_approvals(release, policy, ring),
    }


def _letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "queue": letter.queue,
        "reason": letter.reason,
        "at": letter.at.isoformat(),
        "release": letter.release,
    }
