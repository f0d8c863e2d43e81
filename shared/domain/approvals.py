"""What a release waits for before a ring is published, beside its proofs: people and the calendar. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shared.domain.actions import Action, ActionRecord
from shared.domain.display import count
from shared.domain.policy import DefinitionPolicy, Ring, Skippable
from shared.domain.publish_window import is_same_day, next_day, opens_at
from shared.domain.release import Release


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


def publication_wait(release: Release, policy: DefinitionPolicy, ring: Ring, now: datetime) -> Wait | None:
    """What keeps the ring from being published now, although everything is proven and approved; None for nothing."""
    hold = release.hold
    if hold is not None:
        return Wait(f"{hold.actor} holds this release since {hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}")
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
