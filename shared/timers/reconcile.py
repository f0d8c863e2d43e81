"""The timer's work: whatever a lost event, a lost message or a crash left undone, found and taken up again.

* Commands that the ledger holds and no queue seems to have are sent, by law 6 (commands recorded before sending). A
  repetition is dropped by its ``seq``.
* Versions that the galleries hold and the ledger doesn't are started; a number with another incarnation is looked at
  again, by law 1 (nothing is lost).
* What a gallery no longer has of what was published is told, and repaired where the policy says so (``drift``).
* Machines that no running test owns are deleted when tag, name and resource group prove them ours, by law 7 (nothing is
  left behind).
* Scans are requested of what is published and was not scanned for long (``rescan_request``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.facts import VersionFacts
from shared.domain.hop_states import machine_of
from shared.domain.image import DefinitionId, InvalidId, VersionId
from shared.domain.messages import Kind
from shared.domain.orders import release_tag
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Pending, State
from shared.domain.release_summary import ReleaseSummary
from shared.engine.commit import send_pending
from shared.engine.intake import request_check, start
from shared.gallery.incarnation import incarnation_of
from shared.ports import ForeignTarget, OwnMachine, PassingFault, Refused, Stored, World
from shared.timers import drift, rescan_request

log = logging.getLogger("ringmaster.reconcile")

UNSENT_GRACE: Final = timedelta(minutes=1)
OVERDUE_GRACE: Final = timedelta(minutes=25)
"""A crashed host's message is invisible for ten minutes, and may be so twice."""
SHOWN: Final = 20
"""Names of each sort in the line for the log."""
MACHINE_STEM: Final = 14
"""Characters of a machine's name that all machines of one test share; the last one counts them."""
OUTAGE: Final = timedelta(hours=24)
"""For how long after its expiry a machine is left to a test that still goes on."""
LOOKBACK: Final = timedelta(hours=24)
"""Event Grid gives up after 24 hours: what is older than that when a definition is adopted was there before us."""


@dataclass(slots=True)
class Reconciled:
    """What a run did, by short names. As text it is a line for the log, with what there was and nothing else."""

    resent: list[str] = field(default_factory=list[str])
    started: list[str] = field(default_factory=list[str])
    checked: list[str] = field(default_factory=list[str])
    deleted: list[str] = field(default_factory=list[str])
    unattributed: list[str] = field(default_factory=list[str])
    scans_requested: list[str] = field(default_factory=list[str])
    differences: list[str] = field(default_factory=list[str])
    """Where galleries and ledger disagree on what is published: for people, since only they know who was right."""
    drift: list[str] = field(default_factory=list[str])
    """Differences from what was published that are new."""
    faults: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        did = {each.name.replace("_", " "): getattr(self, each.name) for each in fields(self)}
        return "; ".join(f"{what} {_listed(names)}" for what, names in did.items() if names) or "nothing to do"


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


async def run(world: World, *, now: datetime) -> Reconciled:
    """One round. A passing fault of one part doesn't keep the others from their work; the next round tries again."""
    done = Reconciled()
    for part in (_resend, _find_missed, _sweep, _delete_expired_claims, _ask_for_scans):
        try:
            await part(world, now, done)
        except (PassingFault, Refused) as fault:
            _note(done, part.__name__.strip("_"), fault)
    return done


def _note(done: Reconciled, what: str, fault: Exception) -> None:
    done.faults.append(f"{what}: {fault}")
    log.warning("%s: %s", what, fault)


# --- commands ---------------------------------------------------------------------------------------------------------


async def _resend(world: World, now: datetime, done: Reconciled) -> None:
    async for stored in world.ledger.rows(unsettled=True):
        overdue = {key: each for key, each in stored.release.pending.items() if _is_overdue(each, now)}
        if not overdue:
            continue
        pending = {
            # Due anew, so that the next repetition waits as long again: an outage must not pile up messages.
            key: replace(each, sent=False, due=max(each.due, now)) if key in overdue else each
            for key, each in stored.release.pending.items()
        }
        sent = await send_pending(Stored(replace(stored.release, pending=pending), stored.etag), world, now=now)
        if sent:
            done.resent += [f"{stored.release.version.short} {key}" for key in overdue]


def _is_overdue(pending: Pending, now: datetime) -> bool:
    if pending.parked:
        return False
    if not pending.sent:
        return now - (pending.decided_at or pending.due) >= UNSENT_GRACE
    return now - pending.due >= OVERDUE_GRACE


# --- versions ---------------------------------------------------------------------------------------------------------


async def _find_missed(world: World, now: datetime, done: Reconciled) -> None:
    for definition in world.policy.definitions:
        try:
            await _find_missed_of(definition, world, now, done)
        except (PassingFault, Refused) as fault:
            # A gallery that can't be read, for however long, must not hide what was missed in the others.
            _note(done, f"{definition.gallery.name}/{definition.name}", fault)


async def _find_missed_of(definition: DefinitionId, world: World, now: datetime, done: Reconciled) -> None:
    adopted = await world.ledger.adopted(definition, now=now)
    rows = {each.version: each async for each in world.ledger.summaries(definition)}
    found = {facts.id: facts for facts in await world.galleries.versions(definition)}
    for facts in found.values():
        await _compare(facts, rows.get(facts.id), since=adopted - LOOKBACK, world=world, now=now, done=done)
    for version, release in rows.items():
        if version not in found and not release.state.is_terminal:
            await request_check(version, world, now=now)
            done.checked.append(version.short)
    await _find_differences(world.policy.definitions[definition], rows, tuple(found.values()), world, done, now)


async def _find_differences(
    policy: DefinitionPolicy,
    rows: Mapping[VersionId, ReleaseSummary],
    source: Sequence[VersionFacts],
    world: World,
    done: Reconciled,
    now: datetime,
) -> None:
    """Name what a ring's gallery shows to ``latest`` and the ledger does not call published, and the reverse."""
    listed: dict[DefinitionId, Sequence[VersionFacts]] = {policy.source: source}
    for ring in policy.rings:
        if ring.definition not in listed:
            listed[ring.definition] = await world.galleries.versions(ring.definition)
        for facts in listed[ring.definition]:
            release = rows.get(policy.source.version(facts.id.number))
            if release is None or not release.is_settled:
                continue
            shown = [region for region in ring.region_names if facts.visible_in(region)]
            recorded = ring.name in release.published and release.state is not State.REVOKED
            if shown and not recorded:
                done.differences.append(
                    f"{facts.id.short} is visible in {', '.join(shown)} of {ring.name}, but not published "
                    "according to the ledger"
                )
            elif recorded and len(shown) < len(ring.region_names):
                done.differences.append(
                    f"{facts.id.short} is published in {ring.name} according to the ledger, but not "
                    "visible in every region"
                )
    done.drift += await drift.run(policy, rows, listed, world, now=now)


async def _compare(
    facts: VersionFacts,
    release: ReleaseSummary | None,
    *,
    since: datetime,
    world: World,
    now: datetime,
    done: Reconciled,
) -> None:
    if release is None:
        # A version without a date is still being created.
        if (facts.published_at is None or facts.published_at >= since) and await start(facts.id, world, now=now):
            done.started.append(facts.id.short)
    elif release.ended_as_gone or (
        _is_settled_on(release) and incarnation_of(facts) not in {None, release.incarnation}
    ):
        await request_check(facts.id, world, now=now)
        done.checked.append(facts.id.short)


def _is_settled_on(release: ReleaseSummary) -> bool:
    """Whether validation has learned which incarnation is released, or has ended without."""
    return release.incarnation is not None or release.state.is_terminal


# --- machines ---------------------------------------------------------------------------------------------------------


async def _sweep(world: World, now: datetime, done: Reconciled) -> None:
    """Delete what no running test owns. What has not expired is spared while its release might still create it."""
    ours = await world.machines.ours()
    if not ours:
        return
    # The rows are read after the machines: a row names its machine before the machine is made.
    tests = await _running_tests(world)
    asked: set[str] = set()
    # Machines first: what was made with them goes with them, and can't be deleted before.
    for found in sorted(ours, key=lambda each: not _is_machine(each)):
        if any(map(found.name.startswith, asked)) or await _is_spared(found, tests, world, now, done):
            continue
        try:
            if _is_machine(found):
                await world.machines.delete(found.name)
                asked.add(f"{found.name}-")
            else:
                await world.machines.delete_part(found.resource_id)
        except (PassingFault, Refused, ForeignTarget) as fault:
            # One thing that can't be deleted now must not keep the others.
            _note(done, f"not deleted: {found.name}", fault)
        else:
            done.deleted.append(found.name)


@dataclass(frozen=True, slots=True)
class _RunningTests:
    """What the ledger says of boot tests that go on: their commands by the machine's name, and their releases' tags."""

    by_machine: Mapping[str, Sequence[Pending]]
    tags: frozenset[str]

    def owners(self, name: str) -> Sequence[Pending]:
        """The commands that know the machine, or that a disk or an interface of this name belongs to."""
        return self.by_machine.get(name[:MACHINE_STEM], ())


async def _running_tests(world: World) -> _RunningTests:
    by_machine: dict[str, list[Pending]] = {}
    tags: set[str] = set()
    async for stored in world.ledger.rows(unsettled=True):
        tags.add(release_tag(str(stored.release.version)))
        for pending in stored.release.pending.values():
            vm = machine_of(pending.command.state)
            if vm and pending.command.kind in {Kind.BOOT_TEST, Kind.CLEAN_UP}:
                by_machine.setdefault(vm[:MACHINE_STEM], []).append(pending)
    return _RunningTests(by_machine, frozenset(tags))


def _is_machine(found: OwnMachine) -> bool:
    return "/virtualmachines/" in found.resource_id.lower()


async def _delete_expired_claims(world: World, now: datetime, done: Reconciled) -> None:
    """Claims that guard against replays are of no use after their time."""
    await world.ledger.purge_claims(now=now)


async def _ask_for_scans(world: World, now: datetime, done: Reconciled) -> None:
    """What is published is to be scanned from time to time."""
    done.scans_requested += await rescan_request.run(world, now=now)


async def _is_spared(found: OwnMachine, tests: _RunningTests, world: World, now: datetime, done: Reconciled) -> bool:
    """Whether a test still needs this machine, or may be about to make it.

    A test that goes on deletes its machine itself, however late an outage made it. One that waits for people keeps its
    machine only until it expires. A machine whose tag names no release that Ringmaster knows may be another
    installation's: it is reported, and deleted when it has expired.
    """
    owners = tests.owners(found.name)
    if owners:
        waits_for_people = all(each.parked for each in owners)
        grace = timedelta(0) if waits_for_people else world.paced(OUTAGE)
        return found.expires is not None and now < found.expires + grace
    if found.release in tests.tags or await _is_known(found.release, world):
        return False
    if found.expires is not None and now >= found.expires:
        return False
    done.unattributed.append(found.name)
    return True


async def _is_known(release: str | None, world: World) -> bool:
    try:
        version = VersionId.parse(release or "")
    except InvalidId:
        return False
    return await world.ledger.read(version) is not None
