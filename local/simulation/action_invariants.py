"""What must hold of the actions of people: attributed, authorised, taken once, and obeyed where a ring is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from local.simulation.calls import Invocation
from local.simulation.check_context import CheckContext
from local.simulation.laws import Law
from local.simulation.observations import is_held
from shared.domain.access import Actor, Role
from shared.domain.actions import Action, ActionRecord
from shared.domain.image import VersionId
from shared.domain.policy import DefinitionPolicy, Ring, Skippable
from shared.domain.release import Answer, Gate, Release

SKEW: Final = timedelta(seconds=90)
"""How far the clocks of two instances may be apart."""
ROLES: Final[Mapping[Action, Role]] = {
    **dict.fromkeys((Action.APPROVE, Action.REJECT), Role.APPROVER),
    **dict.fromkeys((Action.SKIP_BAKE, Action.RESTORE, Action.EMERGENCY), Role.ADMIN),
    **dict.fromkeys(
        (Action.HOLD, Action.RESUME, Action.RETRY, Action.RESEND, Action.REVOKE, Action.ACKNOWLEDGE), Role.OPERATOR
    ),
}
"""The role that an action needs, as ``docs/policy.md`` says."""


class ActionInvariants:
    """Checks every action in a row, and what a ring's publication owes to people and to the calendar."""

    def __init__(self, context: CheckContext) -> None:
        """Begin with rows in which nobody has acted."""
        self._context = context
        self._failed_at: dict[tuple[VersionId, str | None], datetime] = {}
        """When the last later scan of an image failed, by the clock that recorded it."""

    def row_written(self, invocation: Invocation, before: Release | None, row: Release) -> None:
        """A row was written."""
        for gate in row.gates:
            if gate.gate is Gate.RESCAN and gate.answer is Answer.REJECT:
                image = (row.version, gate.incarnation)
                self._failed_at[image] = max(gate.at, self._failed_at.get(image, gate.at))
        known = before.actions if before else ()
        if row.actions == known:
            return
        for record in row.actions:
            if record not in known:
                self._check_record(invocation, row, record)
        keys = [(record.by, record.key) for record in row.actions]
        for by, key in {each for each in keys if keys.count(each) > 1}:
            self._broken(invocation, f"{by} ordered {key} of {row.version.short} once, and it was done twice")

    def unmet(self, row: Release, policy: DefinitionPolicy, ring: Ring, started_at: datetime) -> Iterator[str]:
        """What people or the calendar have against the publication of a ring."""
        if is_held(row):
            yield "a release that nobody holds"
        wanted = ring.approval.count if ring.approval else 0
        if wanted and not _is_skipped(row, policy, ring, Skippable.APPROVAL):
            given = self._approvers(row, ring)
            if len(given) < wanted:
                yield f"{wanted} approvals, of which it has {len(given)}"
        moments = (started_at - SKEW / 2, started_at, started_at + SKEW / 2)
        is_open = any(_is_open(policy, ring, moment) for moment in moments)
        if not is_open and not _is_skipped(row, policy, ring, Skippable.WINDOW):
            yield "an open window"

    def _approvers(self, row: Release, ring: Ring) -> set[str]:
        """Who approved this very image under this policy, after the last scan that failed."""
        failed_at = self._failed_at.get((row.version, row.incarnation))
        approved = (each for each in row.actions if each.action is Action.APPROVE and each.ring == ring.name)
        return {
            each.by
            for each in approved
            if (each.incarnation, each.policy_digest) == (row.incarnation, row.policy_digest)
            and each.by != row.builder
            and (failed_at is None or each.at > failed_at - SKEW)
        }

    def _check_record(self, invocation: Invocation, row: Release, record: ActionRecord) -> None:
        ordered = self._context.truth.orders.get((row.version, record.by, record.key))
        if ordered is None or (ordered.action, ordered.reason) != (record.action, record.reason):
            self._broken(invocation, f"nobody ordered {record.action} of {row.version.short} as {record.key}")
            return
        evidence = self._context.proof.evidence(record.evidence)
        if evidence is None:
            self._broken(invocation, f"{record.action} of {row.version.short} has no evidence: {record.evidence}")
            return
        said = evidence.document
        told = (said["version"], said["action"], said["by"]["id"], said["key"], said["reason"], said["incarnation"])
        wanted = (str(row.version), record.action, record.by, record.key, record.reason, record.incarnation)
        if told != wanted:
            self._broken(invocation, f"the evidence {record.evidence} says something else than the row: {told}")
        policies = (each for each in self._context.truth.policies.values() if each.source == row.version.definition)
        if not any(_has_role(each, ordered.by, record) for each in policies):
            self._broken(invocation, f"{record.by} ordered {record.action} of {row.version.short} without the role")

    def _broken(self, invocation: Invocation, text: str) -> None:
        self._context.broken(Law.ATTRIBUTION, text, invocation)


def _has_role(policy: DefinitionPolicy, actor: Actor, record: ActionRecord) -> bool:
    if record.action is Action.APPROVE:
        named = [ring.approval.approvers for ring in policy.rings if ring.approval and ring.name == record.ring]
        if any(each for each in named):
            return any(actor.ids & each for each in named)
    holders = policy.access.holders
    return any(actor.ids & holders.get(role, frozenset()) for role in (ROLES[record.action], Role.ADMIN))


def _is_skipped(row: Release, policy: DefinitionPolicy, ring: Ring, condition: Skippable) -> bool:
    emergencies = (each for each in row.actions if each.action is Action.EMERGENCY and each.ring == ring.name)
    return condition in policy.emergency_skips and any(
        (each.incarnation, each.policy_digest) == (row.incarnation, row.policy_digest) for each in emergencies
    )


def _is_open(policy: DefinitionPolicy, ring: Ring, moment: datetime) -> bool:
    """Whether a ring may be published at a moment. The windows of a scenario are in UTC, and end before midnight."""
    if any(each.begins <= moment < each.ends for each in policy.freezes):
        return False
    windows = ring.windows
    return not windows or any(
        moment.weekday() in each.days and each.opens <= moment.time() < each.closes for each in windows
    )
