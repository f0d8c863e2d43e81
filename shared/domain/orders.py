"""The commands that a transition adds to the row. They are sent after the row is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from shared.domain.ahead import baked_at, is_filling, rings_to_fill, untested
from shared.domain.events import STALLED, UNSTALLED
from shared.domain.hop_states import (
    Announce,
    AwaitApproval,
    AwaitScan,
    Bake,
    CreateMachine,
    DeleteMachine,
    Exclude,
    HopState,
    ListUsers,
    NoState,
    Publish,
    RevocationState,
    Watch,
    carried,
    machine_of,
)
from shared.domain.image import VersionId
from shared.domain.limits import MAX_TAG_VALUE
from shared.domain.messages import Branch, Command, Kind
from shared.domain.moment import Moment
from shared.domain.policy import Ahead, ApprovalRules, DefinitionPolicy, Ring
from shared.domain.release import Pending, Release, State

MARGIN: Final = timedelta(hours=24)
"""How long after its own time limit a command is retried during an outage before it stalls."""
ANNOUNCE_WITHIN: Final = timedelta(days=3)
PUBLISH_WITHIN: Final = timedelta(hours=8)
LIST_USERS_WITHIN: Final = timedelta(hours=12)
"""How long the users of a revoked version are looked for. What was not read by then is marked."""
MACHINE_PREFIX: Final = "rm-"
"""Prefix of the names of all resources of boot tests."""
MAX_MACHINE_NAME: Final = 15
"""Characters of a computer name on Windows ("Naming rules and restrictions for Azure resources": virtual machines)."""
AT_ONCE: Final = timedelta(0)
LONGEST_WHY: Final = 500
"""Characters of the reason in an announcement, and in a line of the history. The evidence has all of it."""
LONGEST_STALL: Final = 1000
"""Characters of the reason of a stall in an announcement."""
COPY_HEAD_START: Final = timedelta(seconds=10)
"""Azure copies a version whose last update succeeded. Copies that are asked for at once begin before that update."""
JUDGE_AGAIN_AFTER: Final = timedelta(seconds=10)
"""While a policy is rolled out, two instances begin a release anew by turns. This keeps them from a hot loop."""


class Send(StrEnum):
    """What a transition sends. One name may stand for several commands, one for each region."""

    VALIDATE = "validate"
    SCAN = "scan"
    SMOKE_TEST = "smoke test"
    REPLICATE = "replicate"
    FILL_AHEAD = "replicate rings ahead"
    BOOT_TESTS = "boot test in each region"
    BAKE = "bake"
    AWAIT_APPROVAL = "await approval"
    PUBLISH = "publish"
    WATCH = "watch health"
    ANNOUNCE = "announce"
    CLEAN_UP = "delete test machines"
    REVOKE = "revoke"
    HIDE = "hide"
    LIST_USERS = "list users"


class RingNeeded(LookupError):
    """The policy has no ring with this name. This is a programming error."""


@dataclass(frozen=True, slots=True)
class _Order:
    """A command to send: its branch and state, its delay, and its time limit after the delay."""

    branch: Branch
    state: HopState
    within: timedelta
    wait: timedelta = AT_ONCE


def order(
    release: Release, send: Send, policy: DefinitionPolicy, moment: Moment, *, ring: str | None = None
) -> Release:
    """The row with the commands that a transition sends, for a ring ahead if one is named. Raises RingNeeded.

    What is under way is not sent again; nor is a boot test that has passed.
    """
    # The last ring of a release that ended long ago may be none of the policy's any more.
    found = next((each for each in policy.rings if each.name == (ring or release.ring)), None)
    for each in _orders(release, send, policy, found, moment):
        release = _ordered(release, each, moment)
    return release


def order_announcement(
    release: Release, about: str, moment: Moment, *, why: str = "", details: Mapping[str, Any] | None = None
) -> Release:
    """The row with an order to announce something that happened with the row's last sequence number.

    Two announcements of one release may be on their way at once, so each is a branch of its own. Its name becomes the
    id of the event: the same transition has the same one, and no other event of the version ever has it.
    """
    branch = Branch(Kind.ANNOUNCE, release.ring, f"{release.seq}-{about}")
    state = Announce(about, moment.now, release.state.value, why[:LONGEST_WHY], details or {})
    return _ordered(release, _Order(branch, state, ANNOUNCE_WITHIN), moment)


def announce_beside(
    release: Release, about: str, moment: Moment, *, why: str = "", details: Mapping[str, Any] | None = None
) -> Release:
    """The same for something that is no transition: it gets a sequence number of its own."""
    return order_announcement(replace(release, seq=release.seq + 1), about, moment, why=why, details=details)


def announce_stalls(before: Release, after: Release, moment: Moment) -> Release:
    """The row after a write, with an order to announce that the release needs attention from now on, or no longer."""
    was, now = attention(before), attention(after)
    if bool(was) == bool(now):
        return after
    about, stalls = (STALLED, now) if now else (UNSTALLED, was)
    shown = {branch: reason[:LONGEST_STALL] for branch, reason in stalls.items()}
    return announce_beside(after, about, moment, why="; ".join(stalls.values()), details={"stalls": shown})


def stalled(release: Release, command: Command, reason: str, now: datetime) -> Release:
    """The row with this command stalled until ``resend``."""
    parked = Pending(command, now, sent=True, decided_at=now, stalled=reason, parked=True)
    return release.with_pending(command.branch, parked).with_history(now, f"{command.branch} stalled: {reason}")


def order_repair(release: Release, ring: str, moment: Moment, *, blocked: str | None = None) -> Release:
    """The row of an ended release with an order to replicate a published ring again, after which it is published.

    ``blocked`` is why the order stalls at once: people must send it.
    """
    branch, seq = Branch(Kind.REPLICATE, ring), release.seq + 1
    moved = _ordered(replace(release, seq=seq), _Order(branch, NoState(), PUBLISH_WITHIN), moment)
    return moved if blocked is None else stalled(moved, moved.pending[str(branch)].command, blocked, moment.now)


def order_republication(release: Release, ring: str, moment: Moment) -> Release:
    """The row of an ended release whose repaired ring is to be published again."""
    order = _Order(Branch(Kind.PROMOTE, ring), Publish(), PUBLISH_WITHIN)
    return _ordered(replace(release, seq=release.seq + 1), order, moment)


def attention(release: Release) -> Mapping[str, str]:
    """Branches that people must look at, with the reason.

    Announcements are left out: one that the topic refuses could not be announced either.
    """
    announcing = {branch for branch, each in release.pending.items() if each.command.kind is Kind.ANNOUNCE}
    return {branch: reason for branch, reason in release.stalls.items() if branch not in announcing}


def order_watch(release: Release, ring: str, policy: DefinitionPolicy, moment: Moment) -> Release:
    """The row with an order to watch the health of a published ring, if the policy wants that."""
    for each in _watches(release, ring, policy, moment):
        release = _ordered(release, each, moment)
    return release


def order_clean_up(release: Release, moment: Moment) -> Release:
    """The row in which every running boot test is an order to delete its machine, and every other gate has ended.

    The order is a branch of its own, named by the machine, so that a new test of the same place can start beside it.
    """
    kept: dict[str, Pending] = {}
    for key, pending in release.pending.items():
        command = pending.command
        if not command.kind.is_gate:
            kept[key] = pending
        elif command.kind is Kind.BOOT_TEST and (vm := machine_of(command.state)):
            clean_up = Command(
                kind=Kind.CLEAN_UP,
                release=release.version,
                seq=release.seq,
                not_after=moment.now + MARGIN,
                ring=command.ring,
                region=vm,
                traceparent=release.traceparent,
                state=carried(DeleteMachine, command.state, vm=vm),
            )
            kept[str(clean_up.branch)] = Pending(clean_up, moment.now, decided_at=moment.now)
    return replace(release, pending=kept)


def release_tag(version: str) -> str:
    """A tag's value that names a version, such as a machine's release: its id, or its digest where the id is too long.

    An id can have 318 characters, a tag's value 256. What is cut off could not be attributed any more.
    """
    if len(version) <= MAX_TAG_VALUE:
        return version
    return f"sha256:{hashlib.sha256(version.encode()).hexdigest()}"


def machine_name(release: VersionId, seq: int, ring: str | None, region: str | None) -> str:
    """The name of a boot-test machine: one for each command that asks for a test, known before anything is made.

    It has as many characters as Windows allows.
    """
    text = f"{release}|{seq}|{ring}|{region}"
    return MACHINE_PREFIX + hashlib.sha256(text.encode()).hexdigest()[: MAX_MACHINE_NAME - len(MACHINE_PREFIX)]


def _ordered(release: Release, order: _Order, moment: Moment) -> Release:
    due = moment.now + order.wait
    command = Command(
        kind=order.branch.kind,
        release=release.version,
        seq=release.seq,
        not_after=due + (order.within + MARGIN) / moment.pace,
        ring=order.branch.ring,
        region=order.branch.region,
        traceparent=release.traceparent,
        state=order.state,
    )
    return release.with_pending(order.branch, Pending(command, due, decided_at=moment.now))


def _orders(
    release: Release, send: Send, policy: DefinitionPolicy, ring: Ring | None, moment: Moment
) -> Iterator[_Order]:
    match send:
        case Send.CLEAN_UP | Send.ANNOUNCE:
            return  # need no policy; see order_clean_up and order_announcement
        case Send.VALIDATE:
            wait = AT_ONCE if release.seq == 1 else JUDGE_AGAIN_AFTER / moment.pace
            yield _Order(Branch(Kind.VALIDATE), NoState(), policy.validation.ready_within, wait)
        case Send.SCAN:
            within = policy.scan.hold_for if release.state is State.HELD else policy.scan.deadline
            yield _Order(Branch(Kind.SCAN), AwaitScan(moment.after(within)), within)
        case Send.SMOKE_TEST:
            yield _boot_test(release, policy)
        case Send.FILL_AHEAD:
            yield from (_replication(policy, each, moment) for each in rings_to_fill(release, policy, moment))
        case Send.WATCH:
            published = ring if release.state is State.RELEASED else policy.ring_before(release.ring or "")
            if published is not None:
                yield from _watches(release, published.name, policy, moment)
        case Send.REVOKE:
            yield _Order(Branch(Kind.REVOKE), Exclude(allow_empty=may_leave_empty(release)), PUBLISH_WITHIN)
        case Send.HIDE:
            yield _Order(Branch(Kind.HIDE), Exclude(), PUBLISH_WITHIN)
        case Send.LIST_USERS:
            yield _Order(Branch(Kind.IN_USE), ListUsers(), LIST_USERS_WITHIN)
        case _:
            yield from _ring_orders(release, send, policy, ring, moment)


def _ring_orders(
    release: Release, send: Send, policy: DefinitionPolicy, ring: Ring | None, moment: Moment
) -> Iterator[_Order]:
    match send, ring:
        case Send.REPLICATE, Ring():
            if not is_filling(release, ring):
                yield _replication(policy, ring, moment)
        case Send.BOOT_TESTS, Ring():
            yield from (_boot_test(release, policy, ring.name, region) for region in untested(release, ring))
        case Send.BAKE, Ring():
            wait = max(AT_ONCE, baked_at(release, policy, ring, moment) - moment.now)
            yield _Order(Branch(Kind.PROMOTE, ring.name), Bake(), AT_ONCE, wait)
        case Send.AWAIT_APPROVAL, Ring(approval=ApprovalRules(within=within)):
            yield _Order(Branch(Kind.PROMOTE, ring.name), AwaitApproval(moment.after(within)), within)
        case Send.PUBLISH, Ring():
            yield _Order(Branch(Kind.PROMOTE, ring.name), Publish(), PUBLISH_WITHIN)
        case _:
            raise RingNeeded(f"{release.version.short}: {send!r} needs a ring")


def _watches(release: Release, name: str, policy: DefinitionPolicy, moment: Moment) -> Iterator[_Order]:
    ring = next((each for each in policy.rings if each.name == name), None)
    if ring is None or ring.health is None or release.published_in(name) is None:
        return
    until = moment.after(ring.health.watch_for)
    following = policy.ring_after(ring.name)
    if following is not None:
        until = max(until, baked_at(release, policy, following, moment))
    wait = min(ring.health.every / moment.pace, until - moment.now)
    yield _Order(Branch(Kind.HEALTH, ring.name), Watch(until=until), AT_ONCE, wait)


def _boot_test(
    release: Release, policy: DefinitionPolicy, ring: str | None = None, region: str | None = None
) -> _Order:
    state = CreateMachine(vm=machine_name(release.version, release.seq, ring, region))
    return _Order(Branch(Kind.BOOT_TEST, ring, region), state, policy.boot.longest)


def _replication(policy: DefinitionPolicy, ring: Ring, moment: Moment) -> _Order:
    is_copied = any(each.definition != policy.source for each in policy.rings)
    waits_for_copies = policy.ahead is Ahead.ALL and is_copied and ring.definition == policy.source
    wait = COPY_HEAD_START / moment.pace if waits_for_copies else AT_ONCE
    return _Order(Branch(Kind.REPLICATE, ring.name), NoState(), policy.replication.complete_within, wait)


def may_leave_empty(release: Release) -> bool:
    """Whether the revocation that was ordered for this time may leave ``latest`` empty."""
    ordered = release.pending.get(str(Branch(Kind.REVOKE)))
    return (
        ordered is not None and isinstance(ordered.command.state, RevocationState) and ordered.command.state.allow_empty
    )
