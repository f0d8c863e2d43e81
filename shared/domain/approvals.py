"""What a release waits for before a ring is published, beside its proofs: people and the calendar. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.actions import Action, ActionRecord
from shared.domain.display import count
from shared.domain.health_rules import OnUnknown
from shared.domain.hop_states import Watch
from shared.domain.messages import Branch, Kind
from shared.domain.policy import DefinitionPolicy, Ring, Skippable
from shared.domain.publish_window import is_same_day, next_day, opens_at
from shared.domain.release import Answer, Gate, Release


@dataclass(frozen=True, slots=True)
class Wait:
    """What keeps a ring from being published now. ``until`` is None where only people end it."""

    why: str
    until: datetime | None = None


def approvals(release: Release, ring: Ring) -> tuple[ActionRecord, ...]:
    """The approvals of a ring that count: one for each person, for this incarnation under this policy.

    A later scan that fails withdraws those that were given before it.
    """
    since = release.scan_failed_at
    counted: dict[str, ActionRecord] = {}
    for each in release.taken(Action.APPROVE):
        is_valid = each.policy_digest == release.policy_digest and (since is None or each.at > since)
        if each.ring == ring.name and is_valid:
            counted.setdefault(each.by, each)
    return tuple(counted.values())


def missing_approvals(release: Release, policy: DefinitionPolicy, ring: Ring) -> int:
    """How many approvals the ring still needs."""
    if ring.approval is None or is_skipped(release, policy, Skippable.APPROVAL, ring):
        return 0
    return max(0, ring.approval.count - len(approvals(release, ring)))


def is_skipped(release: Release, policy: DefinitionPolicy, condition: Skippable, ring: Ring) -> bool:
    """Whether an emergency promotion of this incarnation into this ring skips the condition, and the policy lets it."""
    if condition not in policy.emergency_skips:
        return False
    ordered = release.taken(Action.EMERGENCY)
    return any(each.ring == ring.name and each.policy_digest == release.policy_digest for each in ordered)


def missing_health(release: Release, policy: DefinitionPolicy, ring: Ring) -> Ring | None:
    """The ring before, if its health is watched and there is no verdict since its publication that lets this ring go.

    A verdict of *unknown* does where the policy says so.
    """
    before = policy.ring_before(ring.name)
    if before is None or before.health is None or is_skipped(release, policy, Skippable.HEALTH, ring):
        return None
    record, publication = release.gate(Gate.HEALTH, before.name), release.published_in(before.name)
    accepted = {Answer.PASS}
    if before.health.on_unknown is OnUnknown.PROCEED:
        accepted.add(Answer.UNKNOWN)
    is_proven = record is not None and bool(record.evidence) and record.answer in accepted
    is_current = record is not None and publication is not None and record.at >= publication.at
    return None if is_proven and is_current else before


def health_wait(release: Release, policy: DefinitionPolicy, ring: Ring) -> Wait | None:
    """What the health of published rings has against the publication of a ring; None for nothing.

    ``until`` is when it is looked at again.
    """
    if is_skipped(release, policy, Skippable.HEALTH, ring):
        return None
    for failed in release.health_failures:
        why = "; ".join(failed.reasons)
        text = f"the health of {failed.ring} failed at {failed.at:%Y-%m-%d %H:%M} UTC: {why}"
        return Wait(f"{text}. Resume the release to accept this, retry it to watch again, or reject it")
    before = missing_health(release, policy, ring)
    pending = release.pending.get(str(Branch(Kind.HEALTH, before.name))) if before else None
    if before is None or pending is None:
        return None
    state = pending.command.state
    unknown = state.unknown if isinstance(state, Watch) else ""
    if unknown:
        return Wait(f"the health of {before.name} is unknown: {unknown}. Resume the release to accept this")
    return Wait(pending.stalled or f"waiting for the health of {before.name}", pending.due)


def publication_wait(release: Release, policy: DefinitionPolicy, ring: Ring, now: datetime) -> Wait | None:
    """What keeps the ring from being published now, although everything is proven and approved; None for nothing."""
    hold = release.hold
    if hold is not None:
        return Wait(f"{hold.actor} holds this release since {hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}")
    health = health_wait(release, policy, ring)
    if health is not None:
        return health
    if is_skipped(release, policy, Skippable.WINDOW, ring):
        return None
    at, why = opens_at(ring.windows, policy.freezes, now)
    if at is None:
        return Wait(f"{ring.name} has no publish window within a year; correct its windows in the policy")
    if at > now:
        return Wait(f"waiting for {why}", at)
    return _day_wait(release, policy, ring, now)


def _day_wait(release: Release, policy: DefinitionPolicy, ring: Ring, now: datetime) -> Wait | None:
    """A further ring waits for the next day when as many were published today as may be."""
    limit = policy.max_rings_per_day
    if limit is None or release.published_in(ring.name):
        return None
    today = [each.ring for each in release.published if is_same_day(each.at, now, limit.zone)]
    if len(today) < limit.rings:
        return None
    text = f"{', '.join(today)} {'was' if len(today) == 1 else 'were'} published today, and the policy allows"
    return Wait(f"{text} {count(limit.rings, 'ring')} a day ({limit.zone})", next_day(now, limit.zone))
