"""The state transitions of a release.

Two rules:

1. Every change of a release's state is a row of ``TABLE``: (state, outcome) -> (state, what is sent). An outcome that
   has no row in a state is a programming error and raises ``NoSuchTransition``; nothing falls through.
2. ``advance`` is the only way from one state to another. It counts ``seq`` up, replaces the commands of the branches
   that the row names, and keeps all others. What it returns is written with one conditional write; only then is
   anything sent.

Rings ahead of their turn are branches beside the state, which names the ring whose turn it is. Their verdicts change no
state. When a ring comes whose verdicts are there already, ``advance`` takes the rows that they lead to at once.

The diagram in ``docs/lifecycle.md`` is drawn from this table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from shared.domain.ahead import KEPT, has_passed, is_filling, replicas_kept
from shared.domain.approvals import missing_approvals, missing_health
from shared.domain.event_details import details_of
from shared.domain.events import EVENTS, RING_PUBLISHED, STARTED
from shared.domain.image import VersionId
from shared.domain.messages import Kind
from shared.domain.moment import Moment
from shared.domain.orders import Send, order, order_announcement, order_clean_up
from shared.domain.policy import DefinitionPolicy, EventDetail, Ring, VisibleBeforeProof
from shared.domain.release import Gate, Publication, Release, State


class Outcome(StrEnum):
    """The outcome of a stage, or of the join of several stages."""

    VALIDATED = "validated"
    GATE_PASSED = "gate passed, others still open"
    QUALIFIED = "scan and smoke test passed"
    REPLICATED = "replicated"
    REPLICATED_UNTESTED = "replicated, ring asks for no boot test"
    RING_TESTED = "every region of the ring tested"
    AHEAD_REPLICATED = "ring ahead replicated"
    AHEAD_PASSED = "gate of a ring ahead passed"
    BAKED = "baked"
    APPROVAL_WANTED = "approval wanted"
    APPROVED = "approved"
    APPROVAL_OVERDUE = "approval overdue"
    RING_PUBLISHED = "ring published"
    LAST_RING_PUBLISHED = "last ring published"
    RING_SCANNED = "ring's own scan rules passed"
    ALERTED = "a later scan failed"
    HELD_BACK = "a later scan failed, further rings held"
    HEALTH_WANTED = "health of the ring before not watched"
    HEALTH_FAILED = "health of a ring failed, further rings wait"
    HEALTH_HIDES = "health of a ring failed, hidden there"
    HOLD_LIFTED = "a scan passed, no longer held"
    REVOKE_ORDERED = "revocation ordered"
    REVOKED = "revoked"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    VERSION_GONE = "version deleted"
    VERSION_RETURNED = "version found again"
    NUMBER_REUSED = "number reused"
    EXPOSED = "visible without proof"
    HIDDEN = "hidden from latest"
    USERS_LISTED = "users listed"
    POLICY_CHANGED = "policy changed"
    VALIDATION_RETRIED = "validation retried"
    QUALIFICATION_RETRIED = "scan and smoke test retried"
    RING_RETRIED = "ring retried"
    RESTORE_ORDERED = "restore ordered"


@dataclass(frozen=True, slots=True)
class Next:
    """The right-hand side of a row."""

    state: State
    sends: tuple[Send, ...] = ()
    next_ring: bool = False


S, O = State, Outcome  # noqa: E741 - the table reads better narrow
_ENDED: Final = (Send.CLEAN_UP, Send.ANNOUNCE)
_UNPROVEN: Final = (*_ENDED, Send.HIDE)
_RESTART: Final = Next(S.VALIDATING, (Send.CLEAN_UP, Send.VALIDATE))
_IN_A_RING: Final = (S.REPLICATING, S.TESTING, S.BAKING, S.AWAITING_APPROVAL, S.PUBLISHING)
_OPEN: Final = (S.VALIDATING, S.QUALIFYING, *_IN_A_RING, S.HELD)
_STANDING: Final = (S.RELEASED, S.REJECTED, S.SUPERSEDED)
"""Ended, and perhaps published in some ring."""

TABLE: Final[Mapping[tuple[State, Outcome], Next]] = {
    (S.VALIDATING, O.VALIDATED): Next(S.QUALIFYING, (Send.SCAN, Send.SMOKE_TEST)),
    (S.QUALIFYING, O.GATE_PASSED): Next(S.QUALIFYING),
    (S.QUALIFYING, O.QUALIFIED): Next(S.REPLICATING, (Send.REPLICATE, Send.FILL_AHEAD), next_ring=True),
    (S.REPLICATING, O.REPLICATED): Next(S.TESTING, (Send.BOOT_TESTS, Send.FILL_AHEAD)),
    (S.REPLICATING, O.REPLICATED_UNTESTED): Next(S.BAKING, (Send.BAKE, Send.FILL_AHEAD)),
    (S.TESTING, O.GATE_PASSED): Next(S.TESTING),
    (S.TESTING, O.RING_TESTED): Next(S.BAKING, (Send.BAKE,)),
    # Rings that are filled ahead of their turn.
    **{(state, O.AHEAD_REPLICATED): Next(state, (Send.BOOT_TESTS,)) for state in _IN_A_RING},
    **{(state, O.AHEAD_PASSED): Next(state) for state in _IN_A_RING},
    (S.BAKING, O.BAKED): Next(S.PUBLISHING, (Send.PUBLISH,)),
    # An approval can be withdrawn by new evidence until the moment of publication.
    **{
        (state, O.APPROVAL_WANTED): Next(S.AWAITING_APPROVAL, (Send.ANNOUNCE, Send.AWAIT_APPROVAL, Send.FILL_AHEAD))
        for state in (S.BAKING, S.PUBLISHING)
    },
    (S.AWAITING_APPROVAL, O.APPROVAL_OVERDUE): Next(S.AWAITING_APPROVAL, (Send.ANNOUNCE, Send.AWAIT_APPROVAL)),
    (S.AWAITING_APPROVAL, O.APPROVED): Next(S.PUBLISHING, (Send.PUBLISH,)),
    (S.PUBLISHING, O.RING_PUBLISHED): Next(
        S.REPLICATING, (Send.ANNOUNCE, Send.WATCH, Send.REPLICATE, Send.FILL_AHEAD), next_ring=True
    ),
    (S.PUBLISHING, O.LAST_RING_PUBLISHED): Next(S.RELEASED, (Send.ANNOUNCE, Send.WATCH)),
    (S.PUBLISHING, O.RING_SCANNED): Next(S.PUBLISHING, (Send.PUBLISH,)),
    # The health of published rings. No ring is published while a failure is not accepted (``publication_wait``).
    (S.PUBLISHING, O.HEALTH_WANTED): Next(S.PUBLISHING, (Send.WATCH, Send.PUBLISH)),
    **{(state, O.HEALTH_FAILED): Next(state, (Send.ANNOUNCE,)) for state in (*_OPEN, S.RELEASED)},
    **{
        (state, O.HEALTH_HIDES): Next(S.PUBLISHING, (Send.CLEAN_UP, Send.ANNOUNCE, Send.HIDE, Send.PUBLISH))
        for state in (*_IN_A_RING, S.RELEASED)
    },
    **{
        (state, O.HEALTH_HIDES): Next(state, (Send.ANNOUNCE, Send.HIDE))
        for state in (S.VALIDATING, S.QUALIFYING, S.HELD)
    },
    # Later scans of published versions.
    **{
        (state, O.ALERTED): Next(state, (Send.ANNOUNCE,))
        for state in (S.VALIDATING, S.QUALIFYING, *_IN_A_RING, *_STANDING)
    },
    **{(state, O.HELD_BACK): Next(S.HELD, (*_ENDED, Send.SCAN)) for state in _IN_A_RING},
    (S.HELD, O.HOLD_LIFTED): Next(S.REPLICATING, (Send.ANNOUNCE, Send.REPLICATE, Send.FILL_AHEAD)),
    **{
        (state, O.REVOKE_ORDERED): Next(S.REVOKING, (*_ENDED, Send.REVOKE))
        for state in (S.VALIDATING, S.QUALIFYING, *_IN_A_RING, S.HELD, *_STANDING)
    },
    (S.REVOKING, O.REVOKED): Next(S.REVOKED, (Send.ANNOUNCE, Send.LIST_USERS)),
    **{(state, O.REJECTED): Next(S.REJECTED, _UNPROVEN) for state in _OPEN},
    **{(state, O.SUPERSEDED): Next(S.SUPERSEDED, _UNPROVEN) for state in _OPEN},
    **{(state, O.VERSION_GONE): Next(S.REJECTED, _ENDED) for state in _OPEN},
    **{(state, O.POLICY_CHANGED): _RESTART for state in _OPEN},
    # A deleted version can be restored, and a gallery can be found again.
    (S.REJECTED, O.VERSION_RETURNED): _RESTART,
    # What people order after a rejection that is not about the image, or after a revocation.
    (S.REJECTED, O.VALIDATION_RETRIED): Next(S.VALIDATING, (Send.CLEAN_UP, Send.VALIDATE)),
    (S.REJECTED, O.QUALIFICATION_RETRIED): Next(S.QUALIFYING, (Send.CLEAN_UP, Send.SCAN, Send.SMOKE_TEST)),
    (S.REJECTED, O.RING_RETRIED): Next(S.REPLICATING, (Send.CLEAN_UP, Send.REPLICATE, Send.FILL_AHEAD)),
    **{(state, O.RESTORE_ORDERED): _RESTART for state in (S.REJECTED, S.REVOKED)},
    # A version number can be reused at any time, also long after its release.
    **{(state, O.NUMBER_REUSED): Next(S.VALIDATING, (*_RESTART.sends, Send.HIDE)) for state in State},
    # Versions that builders or operators made visible without proof.
    (S.VALIDATING, O.EXPOSED): Next(S.VALIDATING, (Send.VALIDATE, Send.HIDE)),
    **{(state, O.EXPOSED): Next(state, (Send.HIDE,)) for state in (S.REJECTED, S.SUPERSEDED, S.REVOKED)},
    **{(state, O.HIDDEN): Next(state) for state in State},
    # A version can be restored, or its number reused, while the users of the revoked one are being listed.
    **{(state, O.USERS_LISTED): Next(state) for state in State},
}


_ENDED_UNPUBLISHED: Final = {S.REJECTED, S.SUPERSEDED, S.REVOKING}
_FORGETTING: Final = {O.NUMBER_REUSED, O.POLICY_CHANGED, O.VERSION_RETURNED, O.RESTORE_ORDERED}
"""Restarts from the beginning: no earlier verdict counts."""


_OF_THE_IMAGE: Final = {Kind.REVOKE, Kind.IN_USE, Kind.HEALTH}


class NoSuchTransition(LookupError):
    """The outcome is not possible in this state. This is a programming error."""


def first(
    version: VersionId,
    policy: DefinitionPolicy,
    moment: Moment,
    traceparent: str | None,
    *,
    builder: str | None = None,
) -> Release:
    """A new release: the row that is inserted for a new version that the policy covers."""
    now = moment.now
    release = Release(version, State.VALIDATING, 1, policy.digest, now, now, traceparent=traceparent, builder=builder)
    if policy.events is EventDetail.ALL:
        release = order_announcement(release, STARTED, moment, details={"builder": builder})
    return order(release, Send.VALIDATE, policy, moment).with_history(now, "started")


def unreleased(version: VersionId, policy: DefinitionPolicy, now: datetime) -> Release:
    """The row of a version that never had a release, to be revoked."""
    begun = Release(version, State.VALIDATING, 0, policy.digest, now, now)
    return begun.with_history(now, "started to be revoked")


def advance(
    release: Release,
    outcome: Outcome,
    policy: DefinitionPolicy | None,
    moment: Moment,
    *,
    why: str = "",
    ring: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Release:
    """The release after an outcome, with its new pending commands.

    ``policy`` may be None only where a release ends: the policy may no longer cover it. ``ring`` is the ring ahead that
    the outcome is about, and ``facts`` are those of the verdict, for the event. Raises NoSuchTransition.
    """
    step = _Step(outcome, why, ring, facts or {})
    moved = _moved(replace(release, seq=release.seq + 1), step, policy, moment)
    while policy is not None and (at_hand := _at_hand(moved, policy)) is not None:
        moved = _moved(moved, _Step(at_hand, "ahead of its turn"), policy, moment)
    return moved


@dataclass(frozen=True, slots=True)
class _Step:
    """An outcome, and what its history, its commands and its event say beside it."""

    outcome: Outcome
    why: str = ""
    ring: str | None = None
    """The ring ahead that the outcome is about."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _moved(release: Release, step: _Step, policy: DefinitionPolicy | None, moment: Moment) -> Release:
    outcome, why = step.outcome, step.why
    follows = TABLE.get((release.state, outcome))
    if follows is None:
        raise NoSuchTransition(f"{release.version.short}: {outcome!r} cannot follow in state {release.state}")
    moved = replace(release, state=follows.state)
    if outcome is Outcome.QUALIFIED:
        moved = replace(moved, qualified_at=moment.now)
    if policy is not None:
        moved = replace(moved, warnings=tuple(_warnings(release, follows.state, policy)))
    if Send.CLEAN_UP in follows.sends:
        moved = order_clean_up(moved, moment)
    if Send.ANNOUNCE in follows.sends or (policy and policy.events is EventDetail.ALL):
        moved = _announced(moved, step, policy, moment)
    if policy is not None:
        moved = _advanced(moved, outcome, follows, policy, moment, step.ring)
    elif not follows.state.is_terminal:
        raise NoSuchTransition(
            f"{release.version.short}: {outcome!r} requires a policy, and no policy covers the version"
        )
    return moved.with_history(moment.now, f"{outcome.value}{': ' + why if why else ''}")


def _announced(release: Release, step: _Step, policy: DefinitionPolicy | None, moment: Moment) -> Release:
    """The row with an order to announce an outcome, which is about the ring ahead where it names one."""
    about = replace(release, ring=step.ring or release.ring)
    for name in announced(step.outcome):
        details = details_of(name, about, policy, moment, step.facts)
        about = order_announcement(about, name, moment, why=step.why, details=details)
    return replace(about, ring=release.ring)


def announced(outcome: Outcome) -> tuple[str, ...]:
    """What is announced of an outcome. The last ring is published like any other, and ends the release."""
    about = outcome.name.lower()
    if outcome is Outcome.LAST_RING_PUBLISHED:
        return (RING_PUBLISHED, about)
    return (about,) if about in EVENTS else ()


def _warnings(release: Release, state: State, policy: DefinitionPolicy) -> Iterator[str]:
    """The warnings in the state that follows: of replicas that were made ahead, when they are left behind."""
    begins_anew = not (state.is_terminal or state is State.REVOKING)
    yield from (each for each in release.warnings if not (begins_anew and each.startswith(KEPT)))
    if state in _ENDED_UNPUBLISHED and release.state in _OPEN:
        yield from replicas_kept(release, policy)


def _advanced(
    release: Release, outcome: Outcome, follows: Next, policy: DefinitionPolicy, moment: Moment, ring: str | None
) -> Release:
    if follows.next_ring:
        after = policy.ring_after(release.ring)
        release = replace(release, ring=after.name if after else None)
    # A write of its own for the former bearer of the number may show the new one, whatever the policy says of others.
    own_write = outcome is Outcome.NUMBER_REUSED and release.ring is not None
    is_ordered = own_write or outcome is Outcome.HEALTH_HIDES
    hides = is_ordered or policy.validation.visible_before_proof is VisibleBeforeProof.HIDE
    if outcome in _FORGETTING:
        release = _reset(release, outcome, policy)
    for send in follows.sends:
        if send is Send.HIDE and not hides:
            continue
        if send is Send.REPLICATE and follows.next_ring and has_passed(release, Gate.REPLICATION, release.ring):
            continue
        release = order(release, send, policy, moment, ring=ring)
    return release


def _at_hand(release: Release, policy: DefinitionPolicy) -> Outcome | None:
    """What follows from verdicts that the ring got before it was its turn; None if it waits for a command."""
    if release.state not in {State.REPLICATING, State.TESTING} or release.policy_digest != policy.digest:
        return None
    ring = policy.ring(release.ring or "")
    if release.state is State.REPLICATING:
        waits = is_filling(release, ring) or not has_passed(release, Gate.REPLICATION, ring.name)
        return None if waits else after_replication(ring)
    lacks = any(not has_passed(release, Gate.BOOT_TEST, ring.name, region) for region in ring.region_names)
    return None if lacks or _is_tested(release, ring.name) else Outcome.RING_TESTED


def _is_tested(release: Release, ring: str | None) -> bool:
    """Whether a boot test of a ring is under way."""
    commands = (pending.command for pending in release.pending.values())
    return any(command.kind is Kind.BOOT_TEST and command.ring == ring for command in commands)


def after_gate(release: Release) -> Outcome:
    """The outcome when a side-by-side gate passed: the join of whatever runs beside it.

    ``release`` must already be without the branch that passed.
    """
    if release.state is State.QUALIFYING:
        open_gates = any(pending.command.kind.is_gate for pending in release.pending.values())
        return Outcome.GATE_PASSED if open_gates else Outcome.QUALIFIED
    return Outcome.GATE_PASSED if _is_tested(release, release.ring) else Outcome.RING_TESTED


def after_gate_ahead(gate: Gate, ring: Ring) -> Outcome:
    """The outcome when a gate of a ring ahead has passed."""
    begins_tests = gate is Gate.REPLICATION and ring.boot_test
    return Outcome.AHEAD_REPLICATED if begins_tests else Outcome.AHEAD_PASSED


def after_replication(ring: Ring) -> Outcome:
    """The outcome when a ring is replicated."""
    return Outcome.REPLICATED if ring.boot_test else Outcome.REPLICATED_UNTESTED


def after_bake(release: Release, policy: DefinitionPolicy, ring: Ring) -> Outcome:
    """The outcome when a ring has baked: approvals may have been given before."""
    return Outcome.APPROVAL_WANTED if missing_approvals(release, policy, ring) else Outcome.BAKED


def after_publication(ring: Ring, policy: DefinitionPolicy) -> Outcome:
    """The outcome when a ring is published."""
    return Outcome.RING_PUBLISHED if policy.ring_after(ring.name) else Outcome.LAST_RING_PUBLISHED


def missing_proof(release: Release, policy: DefinitionPolicy, ring: Ring) -> tuple[str, ...]:
    """Gates that lack a passing verdict, with evidence, of this incarnation under this policy.

    Law 2 (nothing promoted without proof) depends on this.
    """
    own = [(Gate.SCAN, ring.name, None)] if ring.scan is not None else []
    wanted: list[tuple[Gate, str | None, str | None]] = [
        *own,
        (Gate.VALIDATION, None, None),
        (Gate.SCAN, None, None),
        (Gate.BOOT_TEST, None, None),
        (Gate.REPLICATION, ring.name, None),
    ]
    if ring.boot_test:
        wanted += [(Gate.BOOT_TEST, ring.name, region) for region in ring.region_names]
    if release.incarnation is None or release.policy_digest != policy.digest:
        return tuple("/".join(part for part in place if part) for place in wanted)
    lacking = tuple("/".join(part for part in place if part) for place in wanted if not has_passed(release, *place))
    before = missing_health(release, policy, ring)
    if before is not None:
        lacking = (*lacking, f"{Gate.HEALTH}/{before.name}")
    return (*lacking, *((f"{Gate.APPROVAL}/{ring.name}",) if missing_approvals(release, policy, ring) else ()))


def _reset(release: Release, outcome: Outcome, policy: DefinitionPolicy) -> Release:
    """Reset a release for a restart: verdicts of another incarnation or policy are no evidence."""
    is_same = outcome is not Outcome.NUMBER_REUSED
    kept: tuple[Publication, ...] = release.published if is_same else ()
    incarnation = release.incarnation if is_same else None
    if not is_same:
        # What is watched, a revocation that was ordered for later, and the list of its users were of the former image.
        others = {key: each for key, each in release.pending.items() if each.command.kind not in _OF_THE_IMAGE}
        release = replace(release, pending=others)
    return replace(
        release,
        ring=None,
        traits={},
        policy_digest=policy.digest,
        incarnation=incarnation,
        published=kept,
        # Only a person settles a failed health, whatever the policy became.
        gates=release.health_failures if is_same and outcome is not Outcome.RESTORE_ORDERED else (),
        reasons=(),
        warnings=(),
        drift=None,
        qualified_at=None,
        actions=release.actions if is_same else (),
        builder=release.builder if is_same else None,
        scan_failed_at=release.scan_failed_at if is_same else None,
    )
