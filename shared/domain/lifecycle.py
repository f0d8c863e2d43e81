"""THE table: what follows from what in the life of a release.

Two rules:

1. Every change of a release's state is a row of ``TABLE``: (state, outcome) -> (state, what is sent). An outcome that
   has no row in a state is a programming error and raises ``NoSuchTransition``; nothing falls through.
2. ``advance`` is the only way from one state to another. It counts ``seq`` up, replaces the commands of the branches
   that the row names, and keeps all others. What it returns is written with one conditional write; only then is
   anything sent.

The diagram in ``docs/lifecycle.md`` is drawn from this table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.domain.hop_states import (
    Announce,
    AwaitScan,
    Bake,
    CreateMachine,
    DeleteMachine,
    Exclude,
    HopState,
    NoState,
    Publish,
    carried,
    machine_of,
)
from shared.domain.image import VersionId
from shared.domain.messages import Branch, Command, Kind
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Gate, Pending, Publication, Release, State

MARGIN: Final = timedelta(hours=24)
"""How much longer than its own bound a command may be retried through an outage before people are asked to look."""
ANNOUNCE_WITHIN: Final = timedelta(days=3)
MACHINE_PREFIX: Final = "rm-"
"""How the name of everything that a boot test makes begins."""


class Outcome(StrEnum):
    """What a stage, or the join of several, concluded."""

    VALIDATED = "validated"
    GATE_PASSED = "gate passed, others still open"
    QUALIFIED = "scan and smoke test passed"
    REPLICATED = "replicated"
    REPLICATED_UNTESTED = "replicated, ring asks for no boot test"
    RING_TESTED = "every region of the ring tested"
    BAKED = "baked"
    RING_PUBLISHED = "ring published"
    LAST_RING_PUBLISHED = "last ring published"
    RING_SCANNED = "ring's own scan rules passed"
    ALERTED = "a later scan failed"
    HELD_BACK = "a later scan failed, further rings held"
    HOLD_LIFTED = "a scan passed, no longer held"
    REVOKE_ORDERED = "revocation ordered"
    REVOKED = "revoked"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    VERSION_GONE = "version deleted"
    NUMBER_REUSED = "number reused"
    POLICY_CHANGED = "policy changed"


class Send(StrEnum):
    """What a transition sends. One name may stand for several commands, one for each region."""

    VALIDATE = "validate"
    SCAN = "scan"
    SMOKE_TEST = "smoke test"
    REPLICATE = "replicate"
    BOOT_TESTS = "boot test in each region"
    BAKE = "bake"
    PUBLISH = "publish"
    ANNOUNCE = "announce"
    CLEAN_UP = "delete what runs"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Next:
    """The right-hand side of a row."""

    state: State
    sends: tuple[Send, ...] = ()
    next_ring: bool = False


S, O = State, Outcome  # noqa: E741 - the table reads better narrow
_ENDED: Final = (Send.CLEAN_UP, Send.ANNOUNCE)
_RESTART: Final = Next(S.VALIDATING, (Send.CLEAN_UP, Send.VALIDATE))
_IN_A_RING: Final = (S.REPLICATING, S.TESTING, S.BAKING, S.PUBLISHING)
_OPEN: Final = (S.VALIDATING, S.QUALIFYING, *_IN_A_RING, S.HELD)
_STANDING: Final = (S.RELEASED, S.REJECTED, S.SUPERSEDED)
"""Ended, and perhaps published in some ring."""

TABLE: Final[Mapping[tuple[State, Outcome], Next]] = {
    (S.VALIDATING, O.VALIDATED): Next(S.QUALIFYING, (Send.SCAN, Send.SMOKE_TEST)),
    (S.QUALIFYING, O.GATE_PASSED): Next(S.QUALIFYING),
    (S.QUALIFYING, O.QUALIFIED): Next(S.REPLICATING, (Send.REPLICATE,), next_ring=True),
    (S.REPLICATING, O.REPLICATED): Next(S.TESTING, (Send.BOOT_TESTS,)),
    (S.REPLICATING, O.REPLICATED_UNTESTED): Next(S.BAKING, (Send.BAKE,)),
    (S.TESTING, O.GATE_PASSED): Next(S.TESTING),
    (S.TESTING, O.RING_TESTED): Next(S.BAKING, (Send.BAKE,)),
    (S.BAKING, O.BAKED): Next(S.PUBLISHING, (Send.PUBLISH,)),
    (S.PUBLISHING, O.RING_PUBLISHED): Next(S.REPLICATING, (Send.ANNOUNCE, Send.REPLICATE), next_ring=True),
    (S.PUBLISHING, O.LAST_RING_PUBLISHED): Next(S.RELEASED, (Send.ANNOUNCE,)),
    (S.PUBLISHING, O.RING_SCANNED): Next(S.PUBLISHING, (Send.PUBLISH,)),
    # The day after: a later scan of what is published already.
    **{(state, O.ALERTED): Next(state, (Send.ANNOUNCE,)) for state in (S.QUALIFYING, *_IN_A_RING, *_STANDING)},
    **{(state, O.HELD_BACK): Next(S.HELD, (*_ENDED, Send.SCAN)) for state in _IN_A_RING},
    (S.HELD, O.HOLD_LIFTED): Next(S.REPLICATING, (Send.ANNOUNCE, Send.REPLICATE)),
    **{
        (state, O.REVOKE_ORDERED): Next(S.REVOKING, (*_ENDED, Send.REVOKE))
        for state in (S.QUALIFYING, *_IN_A_RING, S.HELD, *_STANDING)
    },
    (S.REVOKING, O.REVOKED): Next(S.REVOKED, (Send.ANNOUNCE,)),
    **{(state, O.REJECTED): Next(S.REJECTED, _ENDED) for state in _OPEN},
    **{(state, O.SUPERSEDED): Next(S.SUPERSEDED, _ENDED) for state in _OPEN},
    **{(state, O.VERSION_GONE): Next(S.REJECTED, _ENDED) for state in _OPEN},
    **{(state, O.POLICY_CHANGED): _RESTART for state in _OPEN},
    # A number can be used again at any time, also long after its first bearer was released.
    **{(state, O.NUMBER_REUSED): _RESTART for state in State},
}


class NoSuchTransition(LookupError):
    """An outcome that cannot follow in this state: a fault of the program, never of the world."""


def first(version: VersionId, policy: DefinitionPolicy, now: datetime, pace: float, traceparent: str | None) -> Release:
    """A new release: the row that is inserted when a covered version is first heard of."""
    release = Release(version, State.VALIDATING, 1, policy.digest, now, now, traceparent=traceparent)
    release = _sent(release, _commands(release, Send.VALIDATE, policy, now, pace), now, pace)
    return release.told(now, "started")


def advance(
    release: Release,
    outcome: Outcome,
    policy: DefinitionPolicy | None,
    now: datetime,
    *,
    pace: float = 1.0,
    why: str = "",
) -> Release:
    """The release after an outcome, with its new pending commands.

    ``pace`` divides every wait (1 in production). ``policy`` may be None only where a release ends: the policy may have
    ceased to cover it. Raises NoSuchTransition.
    """
    follows = TABLE.get((release.state, outcome))
    if follows is None:
        raise NoSuchTransition(f"{release.version.short}: {outcome!r} cannot follow in state {release.state}")
    moved = replace(release, seq=release.seq + 1, state=follows.state)
    if outcome is Outcome.QUALIFIED:
        moved = replace(moved, qualified_at=now)
    if Send.CLEAN_UP in follows.sends:
        moved = _cleaned_up(moved, now)
    if Send.ANNOUNCE in follows.sends:
        moved = _sent(moved, [_announcement(moved, outcome)], now, pace)
    if policy is not None:
        moved = _moved_on(moved, outcome, follows, policy, now, pace)
    elif not follows.state.is_terminal:
        raise NoSuchTransition(f"{release.version.short}: {outcome!r} needs a policy, and none covers it")
    return moved.told(now, f"{outcome.value}{': ' + why if why else ''}")


def _moved_on(
    release: Release, outcome: Outcome, follows: Next, policy: DefinitionPolicy, now: datetime, pace: float
) -> Release:
    if follows.next_ring:
        after = policy.ring_after(release.ring)
        release = replace(release, ring=after.name if after else None)
    if outcome in {Outcome.NUMBER_REUSED, Outcome.POLICY_CHANGED}:
        release = _forgotten(release, outcome, policy)
    for send in follows.sends:
        release = _sent(release, _commands(release, send, policy, now, pace), now, pace)
    return release


def after_gate(release: Release) -> Outcome:
    """The outcome when a side-by-side gate passed: the join of whatever runs beside it.

    ``release`` must already be without the branch that passed.
    """
    if any(pending.command.kind.is_gate for pending in release.pending.values()):
        return Outcome.GATE_PASSED
    return Outcome.QUALIFIED if release.state is State.QUALIFYING else Outcome.RING_TESTED


def after_replication(ring: Ring) -> Outcome:
    """The outcome when a ring is replicated."""
    return Outcome.REPLICATED if ring.boot_test else Outcome.REPLICATED_UNTESTED


def after_publication(ring: Ring, policy: DefinitionPolicy) -> Outcome:
    """The outcome when a ring is published."""
    return Outcome.RING_PUBLISHED if policy.ring_after(ring.name) else Outcome.LAST_RING_PUBLISHED


def missing_proof(release: Release, policy: DefinitionPolicy, ring: Ring) -> tuple[str, ...]:
    """Gates that lack a passing verdict, with evidence, of this incarnation under this policy (law 2)."""
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
    return tuple("/".join(part for part in place if part) for place in wanted if not _proven(release, *place))


def _proven(release: Release, gate: Gate, ring: str | None, region: str | None) -> bool:
    record = release.gate(gate, ring, region)
    return record is not None and record.answer == "pass" and bool(record.evidence)


def machine_name(release: VersionId, seq: int, ring: str | None, region: str | None) -> str:
    """The name of a boot-test machine: one for each command that asks for a test, known before anything is made.

    15 characters, the most that Windows allows for a computer name.
    """
    text = f"{release}|{seq}|{ring}|{region}"
    return MACHINE_PREFIX + hashlib.sha256(text.encode()).hexdigest()[: 15 - len(MACHINE_PREFIX)]


def _forgotten(release: Release, outcome: Outcome, policy: DefinitionPolicy) -> Release:
    """What a restart forgets: verdicts of another incarnation, or of another policy, prove nothing."""
    kept: tuple[Publication, ...] = release.published if outcome is Outcome.POLICY_CHANGED else ()
    incarnation = release.incarnation if outcome is Outcome.POLICY_CHANGED else None
    return replace(
        release,
        ring=None,
        traits={},
        policy_digest=policy.digest,
        incarnation=incarnation,
        published=kept,
        gates=(),
        reasons=(),
        warnings=(),
        qualified_at=None,
    )


def _sent(release: Release, planned: Iterable[_Planned], now: datetime, pace: float) -> Release:
    for branch, state, wait, within in planned:
        command = Command(
            kind=branch.kind,
            release=release.version,
            seq=release.seq,
            not_after=now + wait + (within + MARGIN) / pace,
            ring=branch.ring,
            region=branch.region,
            traceparent=release.traceparent,
            state=state,
        )
        release = release.with_pending(branch, Pending(command, now + wait, decided_at=now))
    return release


type _Planned = tuple[Branch, HopState, timedelta, timedelta]


def _commands(release: Release, send: Send, policy: DefinitionPolicy, now: datetime, pace: float) -> Iterator[_Planned]:
    at_once = timedelta(0)
    # The last ring of a release that ended long ago may be none of the policy's any more.
    ring = next((each for each in policy.rings if each.name == release.ring), None)
    boot_within = policy.boot.ready_within + policy.boot.probe_within
    match send, ring:
        case ((Send.CLEAN_UP | Send.ANNOUNCE), _):
            return  # need no policy; see advance
        case Send.VALIDATE, _:
            yield Branch(Kind.VALIDATE), NoState(), at_once, policy.validation.ready_within
        case Send.SCAN, _:
            within = policy.scan.hold_for if release.state is State.HELD else policy.scan.deadline
            deadline = now + within / pace
            yield Branch(Kind.SCAN), AwaitScan(deadline), at_once, within
        case Send.SMOKE_TEST, _:
            name = machine_name(release.version, release.seq, None, None)
            yield Branch(Kind.BOOT_TEST), CreateMachine(vm=name), at_once, boot_within
        case Send.REPLICATE, Ring():
            yield Branch(Kind.REPLICATE, ring.name), NoState(), at_once, policy.replication.complete_within
        case Send.BOOT_TESTS, Ring():
            for region in ring.region_names:
                name = machine_name(release.version, release.seq, ring.name, region)
                yield Branch(Kind.BOOT_TEST, ring.name, region), CreateMachine(vm=name), at_once, boot_within
        case Send.BAKE, Ring():
            wait = max(at_once, _baked_at(release, policy, ring, now, pace) - now)
            yield Branch(Kind.PROMOTE, ring.name), Bake(), wait, at_once
        case Send.PUBLISH, Ring():
            yield Branch(Kind.PROMOTE, ring.name), Publish(), at_once, timedelta(hours=8)
        case Send.REVOKE, _:
            yield Branch(Kind.REVOKE), Exclude(), at_once, timedelta(hours=8)
        case _:
            raise NoSuchTransition(f"{release.version.short}: {send!r} needs a ring")


def _announcement(release: Release, outcome: Outcome) -> _Planned:
    # Two announcements of one release may be on their way at once, so each is a branch of its own.
    branch = Branch(Kind.ANNOUNCE, release.ring, str(release.seq))
    return branch, Announce(outcome.name.lower()), timedelta(0), ANNOUNCE_WITHIN


def _baked_at(release: Release, policy: DefinitionPolicy, ring: Ring, now: datetime, pace: float) -> datetime:
    names = [each.name for each in policy.rings]
    index = names.index(ring.name)
    before = release.published_in(names[index - 1]) if index else None
    since = before.at if before else release.qualified_at or now
    return since + ring.bake / pace


def _cleaned_up(release: Release, now: datetime) -> Release:
    """Every running boot test becomes an order to delete its machine; every other branch ends.

    The order is a branch of its own, named by the machine, so that a new test of the same place can start beside it.
    """
    kept: dict[str, Pending] = {}
    for key, pending in release.pending.items():
        command = pending.command
        if not command.kind.is_gate:
            kept[key] = pending
        elif command.kind is Kind.BOOT_TEST and (vm := machine_of(command.state)):
            order = Command(
                kind=Kind.CLEAN_UP,
                release=release.version,
                seq=release.seq,
                not_after=now + MARGIN,
                ring=command.ring,
                region=vm,
                traceparent=release.traceparent,
                state=carried(DeleteMachine, command.state, vm=vm),
            )
            kept[str(order.branch)] = Pending(order, now, decided_at=now)
    return replace(release, pending=kept)
