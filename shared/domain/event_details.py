"""What an event says beside the release itself: fields of its type alone, as they were when it happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.domain.actions import Action
from shared.domain.approvals import approvals, missing_approvals
from shared.domain.events import EVENTS, ApprovalWanted, Approved, InRegions, Ordered, Published, Revoked
from shared.domain.moment import Moment
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Release

_ORDERS: Mapping[str, Action] = {
    "revoke_ordered": Action.REVOKE,
    "restore_ordered": Action.RESTORE,
    "validation_retried": Action.RETRY,
    "qualification_retried": Action.RETRY,
    "ring_retried": Action.RETRY,
}


def details_of(
    about: str, release: Release, policy: DefinitionPolicy | None, moment: Moment, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The details as plain JSON values, by the name of the event's field. ``facts`` are those of the verdict."""
    event, ring = EVENTS[about], _ring(release, policy)
    details: dict[str, Any] = {}
    if ring is not None and policy is not None:
        if issubclass(event, InRegions):
            details["regions"] = list(ring.region_names)
        if issubclass(event, Published):
            details["image"] = str(ring.definition.version(release.version.number))
            details["latest"] = facts.get("predicted", {})
        if issubclass(event, ApprovalWanted):
            details |= _wanted(release, policy, ring, moment)
        if issubclass(event, Approved):
            details["approvals"] = [{"id": each.by, "name": each.name} for each in approvals(release, ring)]
    if issubclass(event, Revoked):
        details["latest"] = facts.get("latest", {})
    if issubclass(event, Ordered) and about in _ORDERS:
        details |= _ordered(release, _ORDERS[about], moment)
    return details


def _ring(release: Release, policy: DefinitionPolicy | None) -> Ring | None:
    return next((each for each in policy.rings if each.name == release.ring), None) if policy else None


def _wanted(release: Release, policy: DefinitionPolicy, ring: Ring, moment: Moment) -> dict[str, Any]:
    rules = ring.approval
    if rules is None:
        return {}
    return {
        "needed": rules.count,
        "missing": missing_approvals(release, policy, ring),
        "approvers": sorted(rules.approvers),
        "deadline": moment.after(rules.within).isoformat(),
    }


def _ordered(release: Release, action: Action, moment: Moment) -> dict[str, Any]:
    """Who ordered a transition: the action was recorded with the same write, or a scan ordered it."""
    last = next((each for each in reversed(release.actions) if each.action is action), None)
    if last is None or last.at != moment.now:
        return {}
    return {"by": {"id": last.by, "name": last.name}, "why": last.reason}
