"""What an action makes of a row: the pure part of ``engine.act``, one function for each action. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from shared.domain.actions import ROLES, Action, ActionRecord, Request
from shared.domain.approvals import approvals, missing_approvals
from shared.domain.events import EMERGENCY, HELD, RESUMED
from shared.domain.hop_states import BeginRevocation, Watch
from shared.domain.lifecycle import Outcome, advance, after_bake
from shared.domain.messages import Branch, Command, Kind
from shared.domain.moment import Moment
from shared.domain.orders import PUBLISH_WITHIN, Send, announce_beside, may_leave_empty, order, order_watch
from shared.domain.outcomes import Decided
from shared.domain.policy import ApprovalRules, DefinitionPolicy, Ring
from shared.domain.release import Answer, Gate, Pending, Release, State
from shared.engine.fold import recorded, resent

RESEND_WITHIN: Final = timedelta(hours=24)
EMERGENCY_WARNING: Final = "emergency promotion: "
"""How the warning of an emergency promotion begins; it stays until somebody acknowledges it."""
_NO_RING: Final = "the release is in no ring yet"


class ActionDenied(Exception):
    """An action that is not taken. ``code`` is stable; the text says what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Forbidden(ActionDenied):
    """The actor lacks a role, or is not the one who may do this."""

    def __init__(self, text: str, code: str = "forbidden") -> None:
        super().__init__(code, text)


class Impossible(ActionDenied):
    """The action makes no sense for this release now."""

    def __init__(self, text: str, code: str = "conflict") -> None:
        super().__init__(code, text)


@dataclass(frozen=True, slots=True)
class Applied:
    """The row after an action, the facts for its evidence, and a gate's verdict where the action gives one."""

    release: Release
    record: ActionRecord
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Evidence by name, beside the action's own."""


@dataclass(frozen=True, slots=True)
class _Action:
    """What an action is applied with."""

    request: Request
    record: ActionRecord
    policy: DefinitionPolicy
    moment: Moment

    @property
    def text(self) -> str:
        """The line of the history."""
        place = f" {self.record.ring}" if self.record.ring else ""
        reason = f": {self.record.reason}" if self.record.reason else ""
        return f"{self.record.actor}: {self.record.action.value}{place}{reason}"

    def taken(self, release: Release) -> Release:
        """The row with the record and its line of history."""
        return replace(release, actions=(*release.actions, self.record)).with_history(self.moment.now, self.text)

    def announced(self, release: Release, about: str, **details: Any) -> Release:
        """The row with an order to announce the action, which is no transition."""
        by = {"id": self.record.by, "name": self.record.name}
        return announce_beside(release, about, self.moment, why=self.record.reason, details={"by": by, **details})


def check_role(request: Request, policy: DefinitionPolicy) -> None:
    """Raise Forbidden unless the actor has the role that the action needs."""
    role, actor = ROLES[request.action], request.actor
    if request.action is Action.APPROVE and _is_named_approver(request, policy):
        return
    if not policy.access.allows(actor, role):
        more = (
            " Your token lists no groups, because you are in too many: ask for a role by your own object id."
            if actor.groups_left_out
            else ""
        )
        raise Forbidden(
            f"{request.action.value} needs the role {role.value} for {policy.name}, which {actor} does not have. "
            f"An administrator grants it under access in the policy.{more}",
            "role_missing",
        )


def _is_named_approver(request: Request, policy: DefinitionPolicy) -> bool:
    rings = (each for each in policy.rings if request.ring in {None, each.name} and each.approval)
    return any(each.approval and not each.approval.approvers.isdisjoint(request.actor.ids) for each in rings)


def apply(
    release: Release, request: Request, record: ActionRecord, policy: DefinitionPolicy, moment: Moment
) -> Applied:
    """The row after an action. Raises ActionDenied; checks no role."""
    if request.incarnation is not None and request.incarnation != release.incarnation:
        raise Impossible(
            "another image was built under this version number since you looked. Look at the release again", "stale"
        )
    return _APPLY[request.action](release, _Action(request, record, policy, moment))


def _approve(release: Release, do: _Action) -> Applied:
    ring, rules = _ring_to_approve(release, do)
    actor = do.request.actor
    if rules.approvers and rules.approvers.isdisjoint(actor.ids):
        raise Forbidden(f"{ring.name} names its approvers, and {actor} is none of them", "not_an_approver")
    builders = release.builders
    if not rules.builder_may_approve and not builders.isdisjoint({*actor.ids, actor.name.lower()}):
        raise Forbidden(f"{actor} built this version, and a builder may not approve {ring.name}", "builder")
    if any(each.by == actor.id for each in approvals(release, ring)):
        raise Impossible(f"{actor} has approved {ring.name} already", "approved_already")
    do = replace(do, record=replace(do.record, ring=ring.name))
    release = do.taken(release)
    left = missing_approvals(release, do.policy, ring)
    if release.state is State.AWAITING_APPROVAL and left == 0:
        release = advance(release, Outcome.APPROVED, do.policy, do.moment)
    facts = {"needed": rules.count, "missing": left, "builder": ", ".join(sorted(builders)) or "unknown"}
    return Applied(release, do.record, facts)


def _ring_to_approve(release: Release, do: _Action) -> tuple[Ring, ApprovalRules]:
    if release.state.is_terminal or release.state is State.REVOKING:
        raise Impossible(f"the release is {release.state.value}: there is nothing to approve")
    ring = _current_ring(release, do)
    if ring.approval is None:
        raise Impossible(f"{ring.name} needs no approval", "no_approval_needed")
    if release.policy_digest != do.policy.digest:
        raise Impossible("the policy has changed, and the release is judged again first. Approve it then", "stale")
    return ring, ring.approval


def _current_ring(release: Release, do: _Action) -> Ring:
    ring = next((each for each in do.policy.rings if each.name == release.ring), None)
    if ring is None:
        raise Impossible(_NO_RING, "no_ring")
    if do.request.ring not in {None, ring.name}:
        raise Impossible(f"the release is in {ring.name}, not in {do.request.ring}", "another_ring")
    return ring


def _reject(release: Release, do: _Action) -> Applied:
    if release.state.is_terminal or release.state is State.REVOKING:
        raise Impossible(f"the release is {release.state.value}: reject ends a release that is under way. Use revoke")
    reason = f"rejected by {do.record.actor}: {do.record.reason}"
    decided = Decided(Gate.APPROVAL, Answer.REJECT, (reason,), retryable=True)
    gate, document = recorded(release, decided, release.ring, None, do.moment.now, do.record.by)
    moved = replace(do.taken(release), gates=(*release.gates, gate), reasons=(reason,))
    moved = advance(moved, Outcome.REJECTED, do.policy, do.moment, why=reason)
    return Applied(moved, do.record, documents={gate.evidence: document})


def _hold(release: Release, do: _Action) -> Applied:
    if release.state.is_terminal or release.state is State.REVOKING:
        raise Impossible(f"the release is {release.state.value}: there is nothing to hold")
    if release.hold:
        raise Impossible(f"{release.hold.actor} holds this release already", "held_already")
    return Applied(do.announced(_publish_anew(do.taken(release), do), HELD), do.record)


def _resume(release: Release, do: _Action) -> Applied:
    failed = [each.ring for each in release.health_failures if each.ring]
    accepted = [*failed, *_unknown_health(release)]
    # Whoever lifts a hold has not decided about the health: that takes another resume.
    if accepted and release.hold is None and release.state.heeds_health:
        return _accept_health(do.taken(release), do, accepted)
    if release.hold is None:
        text = " A scan holds it: it goes on when a scan passes." if release.state is State.HELD else ""
        raise Impossible(f"nobody holds this release.{text}", "not_held")
    return Applied(do.announced(_publish_anew(do.taken(release), do), RESUMED), do.record)


def _unknown_health(release: Release) -> list[str]:
    """Rings whose watch goes on after its end because their health is unknown."""
    watches = (each.command for each in release.pending.values())
    return [each.ring for each in watches if each.ring and isinstance(each.state, Watch) and each.state.unknown]


def _accept_health(release: Release, do: _Action, rings: Sequence[str]) -> Applied:
    """A person accepts that the health of rings failed, or is not known: evidence in that person's name."""
    if not do.record.reason:
        raise ActionDenied("reason_missing", f"to accept the health of {', '.join(rings)} needs a reason")
    documents: dict[str, Mapping[str, Any]] = {}
    for ring in rings:
        decided = Decided(
            Gate.HEALTH,
            Answer.PASS,
            (f"accepted by {do.record.actor}: {do.record.reason}",),
            facts={"acceptedBy": do.record.by},
        )
        gate, document = recorded(release, decided, ring, None, do.moment.now, do.record.by)
        documents[gate.evidence] = document
        release = release.with_health(ring, gate).with_pending(Branch(Kind.HEALTH, ring), None)
    return Applied(_go_on(release, do), do.record, {"accepted": list(rings)}, documents)


def _watch_again(release: Release, do: _Action) -> Applied:
    """Forget that the health of rings failed, and watch those again in which the version is published."""
    release = do.taken(release)
    failed = [each.ring for each in release.health_failures if each.ring]
    release = replace(release, seq=release.seq + 1)
    for ring in failed:
        release = order_watch(release.with_health(ring), ring, do.policy, do.moment)
    return Applied(_go_on(release, do), do.record, {"watched": failed})


def _go_on(release: Release, do: _Action) -> Release:
    """The row with a new command to bake or publish, where one waits for the health of a ring."""
    if release.state is not State.BAKING:
        return _publish_anew(release, do)
    return order(replace(release, seq=release.seq + 1), Send.BAKE, do.policy, do.moment)


def _publish_anew(release: Release, do: _Action) -> Release:
    """The row with a new command to publish, where one was decided on: one that is under way is stale by that."""
    if release.state is not State.PUBLISHING:
        return release
    return order(replace(release, seq=release.seq + 1), Send.PUBLISH, do.policy, do.moment)


def _skip_bake(release: Release, do: _Action) -> Applied:
    if release.state is not State.BAKING:
        raise Impossible(f"the release is {release.state.value}, not baking", "not_baking")
    _current_ring(release, do)
    return _baked(do.taken(release), do)


def _baked(release: Release, do: _Action) -> Applied:
    ring = do.policy.ring(release.ring or "")
    facts = {"until": do.moment.now.isoformat(), "skippedBy": do.record.by}
    decided = Decided(Gate.BAKE, Answer.PASS, (f"skipped by {do.record.actor}: {do.record.reason}",), facts=facts)
    gate, document = recorded(release, decided, ring.name, None, do.moment.now, do.record.by)
    moved = replace(release, gates=(*release.gates, gate))
    moved = advance(moved, after_bake(moved, do.policy, ring), do.policy, do.moment)
    return Applied(moved, do.record, documents={gate.evidence: document})


def _retry(release: Release, do: _Action) -> Applied:
    if release.state.heeds_health and release.health_failures:
        return _watch_again(release, do)
    if release.state is not State.REJECTED:
        raise Impossible(
            f"the release is {release.state.value}: retry is for a rejected one. See resend", "not_rejected"
        )
    failed = [
        each
        for each in release.gates
        if each.answer is Answer.REJECT
        and each.incarnation == release.incarnation
        and each.gate is not Gate.HEALTH  # which a person settles by itself, before the next publication
    ]
    against = [each for each in failed if not each.retryable]
    if against:
        words = f"{against[-1].gate.words} rejected the image itself: {'; '.join(against[-1].reasons)}"
        raise Impossible(
            f"{words}. Build another version, or use restore to judge this one from the start", "image_fault"
        )
    if not failed or release.incarnation is None or release.policy_digest != do.policy.digest:
        outcome = Outcome.RESTORE_ORDERED
    elif release.gate(Gate.VALIDATION) is None:
        outcome = Outcome.VALIDATION_RETRIED
    elif not (release.gate(Gate.BOOT_TEST) and _passed(release, Gate.SCAN)) or release.ring is None:
        outcome = Outcome.QUALIFICATION_RETRIED
    else:
        outcome = Outcome.RING_RETRIED
    kept = tuple(each for each in release.gates if each not in failed)
    moved = replace(do.taken(release), gates=kept, reasons=())
    if outcome is Outcome.RING_RETRIED:
        moved = replace(moved, ring=_ring_to_retry(release, do.policy))
    return Applied(advance(moved, outcome, do.policy, do.moment), do.record, {"retried": outcome.name.lower()})


def _ring_to_retry(release: Release, policy: DefinitionPolicy) -> str | None:
    """The first ring that is not published. A rejected version is hidden in all of them, or is being hidden now."""
    is_being_hidden = str(Branch(Kind.HIDE)) in release.pending
    unpublished = (ring.name for ring in policy.rings if is_being_hidden or not release.published_in(ring.name))
    return next(unpublished, release.ring)


def _passed(release: Release, gate: Gate) -> bool:
    found = release.gate(gate)
    return found is not None and found.answer is Answer.PASS


def _resend(release: Release, do: _Action) -> Applied:
    parked = [str(each.command.branch) for each in release.pending.values() if each.parked]
    if not parked:
        raise Impossible("no command is stalled; nothing was sent", "nothing_stalled")
    moved = resent(do.taken(release), do.moment.now, within=RESEND_WITHIN / do.moment.pace)
    return Applied(moved, do.record, {"branches": parked})


def _revoke(release: Release, do: _Action) -> Applied:
    if release.state is State.REVOKING and do.request.allow_empty and not may_leave_empty(release):
        again = _scheduled(do.taken(release), do, "")
        return Applied(order(again, Send.REVOKE, do.policy, do.moment), do.record)
    if release.state in {State.REVOKING, State.REVOKED}:
        raise Impossible(f"the version is {release.state.value} already", "revoked_already")
    at, text = do.request.at, f"revoked by {do.record.actor}: {do.record.reason}"
    moved = _scheduled(do.taken(release), do, text)
    if at is not None and at > do.moment.now:
        return Applied(moved, do.record, {"at": at.isoformat()})
    moved = advance(replace(moved, reasons=(text,)), Outcome.REVOKE_ORDERED, do.policy, do.moment, why=text)
    return Applied(moved, do.record)


def _scheduled(release: Release, do: _Action, reason: str) -> Release:
    """The row with a revocation to begin. The one that follows may leave ``latest`` empty where this one may."""
    due = do.request.at or do.moment.now
    seq = release.seq + 1
    command = Command(
        kind=Kind.REVOKE,
        release=release.version,
        seq=seq,
        not_after=due + PUBLISH_WITHIN,
        traceparent=release.traceparent,
        state=BeginRevocation(reason=reason, allow_empty=do.request.allow_empty),
    )
    pending = Pending(command, due, decided_at=do.moment.now)
    return replace(release, seq=seq).with_pending(command.branch, pending)


def _restore(release: Release, do: _Action) -> Applied:
    if release.state not in {State.REVOKED, State.REJECTED}:
        raise Impossible(f"the release is {release.state.value}: restore is for a revoked or rejected version")
    moved = do.taken(release)
    if release.state is State.REVOKED:
        moved = replace(moved, published=())  # a rejected version is visible where it could not be hidden
    return Applied(advance(moved, Outcome.RESTORE_ORDERED, do.policy, do.moment), do.record)


def _emergency(release: Release, do: _Action) -> Applied:
    if not do.policy.emergency_skips:
        raise Impossible(
            "the policy names nothing that an emergency promotion may skip (emergency.skip)", "not_allowed"
        )
    if release.state not in {State.REPLICATING, State.TESTING, State.BAKING, State.AWAITING_APPROVAL, State.PUBLISHING}:
        raise Impossible(f"the release is {release.state.value}, not in a ring", "no_ring")
    ring = _current_ring(release, do)
    do = replace(do, record=replace(do.record, ring=ring.name))
    text = f"{EMERGENCY_WARNING}{do.record.actor} ordered {ring.name}: {do.record.reason}"
    skips = sorted(each.value for each in do.policy.emergency_skips)
    moved = do.announced(replace(do.taken(release), warnings=(*release.warnings, text)), EMERGENCY, skips=skips)
    applied = Applied(moved, do.record)
    if moved.state is State.BAKING and "bake" in skips:
        applied = _baked(moved, do)
    elif moved.state is State.AWAITING_APPROVAL and missing_approvals(moved, do.policy, ring) == 0:
        applied = Applied(advance(moved, Outcome.APPROVED, do.policy, do.moment), do.record)
    elif moved.state is State.PUBLISHING or "health" in skips:
        applied = Applied(_go_on(moved, do), do.record)
    return replace(applied, facts={"skips": skips})


def _acknowledge(release: Release, do: _Action) -> Applied:
    kept = tuple(each for each in release.warnings if not each.startswith(EMERGENCY_WARNING))
    if kept == release.warnings:
        raise Impossible("there is no emergency promotion to acknowledge", "nothing_to_acknowledge")
    return Applied(replace(do.taken(release), warnings=kept), do.record)


_APPLY: Final[Mapping[Action, Callable[[Release, _Action], Applied]]] = {
    Action.APPROVE: _approve,
    Action.REJECT: _reject,
    Action.HOLD: _hold,
    Action.RESUME: _resume,
    Action.SKIP_BAKE: _skip_bake,
    Action.RETRY: _retry,
    Action.RESEND: _resend,
    Action.REVOKE: _revoke,
    Action.RESTORE: _restore,
    Action.EMERGENCY: _emergency,
    Action.ACKNOWLEDGE: _acknowledge,
}
