"""Replication: give a ring its replicas, follow each region, repair those that fail.

Every hop reads the version with its replication status and decides from that alone; the state holds only what Azure
can't tell: how many repairs it accepted and when the last one was, and what a repair took out. A repair is given time
before a region that still reads Failed counts as failed again. A ring in another gallery is a copy of the version under
the same number; the copy must be of this very incarnation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId
from shared.domain.lifecycle import Outcome
from shared.domain.messages import Command
from shared.domain.outcomes import Again, Decided, Stalled, Step, Turned
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Answer, Gate, Release
from shared.domain.replication import (
    Done,
    FailedElsewhere,
    FailedRegions,
    Going,
    Missing,
    RepairStep,
    first_targets,
    judge_replication,
    plan_repair,
    plan_targets,
    time_left,
)
from shared.gallery.incarnation import copy_mismatch, gone, is_same
from shared.gallery.lease import only_writer, write
from shared.gallery.rewrite import written_again
from shared.ports import Refused, World

POLL: Final = timedelta(seconds=45)
SOONEST: Final = timedelta(seconds=10)
LATEST: Final = timedelta(minutes=5)
"""Between these two, the next look comes when the regions should be done by Azure's own percentages."""
UNDER_WAY: Final = timedelta(seconds=15)
"""A write that replicates nothing, as publishing is one, takes about half a minute."""
AFTER_WRITE: Final = timedelta(seconds=45)
NEEDS_PEOPLE: Final = timedelta(minutes=30)
PATIENCE: Final = timedelta(minutes=5)
"""How long the first accepted repair may show nothing; each further one twice as long."""
LONGEST_PATIENCE: Final = timedelta(hours=1)


async def run(command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime) -> Step:
    """One look at a ring's replicas, and at most one write."""
    ring = policy.ring(command.ring or "")
    target = ring.definition.version(release.version.number)
    facts = await world.galleries.version(target, replication=True)
    if facts is None:
        if target == release.version:
            return await gone(target, world, "the version was deleted while it was released")
        return await _copy(command, release, ring, target, world, now)
    if _reused(facts, release):
        return Turned(Outcome.NUMBER_REUSED, "another version was built under the same number")
    if target != release.version and (mismatch := copy_mismatch(facts, release)):
        return Decided(Gate.REPLICATION, Answer.REJECT, (mismatch,), facts=_seen(facts))
    return await _follow(command, release, policy, ring, facts, world, now)


async def _copy(command: Command, release: Release, ring: Ring, target: VersionId, world: World, now: datetime) -> Step:
    """Start the copy into the ring's gallery."""
    source = await world.galleries.version(release.version)
    if source is None:
        return await gone(release.version, world, "the version was deleted while it was released")
    if not is_same(source, release):
        return Turned(Outcome.NUMBER_REUSED, "another version was built under the same number")
    if source.provisioning_state is not ProvisioningState.SUCCEEDED:
        return await _sound_source(source, command, release, world, now)
    definition = await world.galleries.definition(ring.definition)
    if definition is None:
        text = (
            f"image definition {ring.definition} of ring {ring.name} does not exist: create it, or correct the policy"
        )
        return Again(command.state, NEEDS_PEOPLE, note=text, stalled=text)
    async with only_writer(world, ring.definition, release.version, now):
        await world.galleries.copy_version(
            source, target, location=definition.location, targets=first_targets(ring.regions, home=definition.location)
        )
    return Again(
        _from_zero(_begun(command, now), ring, now), AFTER_WRITE, note=f"copying to {ring.definition.gallery.name}"
    )


async def _sound_source(source: VersionFacts, command: Command, release: Release, world: World, now: datetime) -> Step:
    """Azure copies only a version whose last update succeeded: wait for one under way, and repair one that failed."""
    state = _begun(command, now)
    if source.provisioning_state is not ProvisioningState.FAILED:
        note = f"not copied yet: the source is {source.provisioning_state.value}"
        return _until_deadline(state, AFTER_WRITE, command, now, note)
    async with only_writer(world, release.version.definition, release.version, now):
        fresh = await world.galleries.version(release.version, replication=True)
        if fresh is None or not is_same(fresh, release) or fresh.provisioning_state is not ProvisioningState.FAILED:
            return Again(state, AFTER_WRITE, note="the source changed before it was repaired")
        return await written_again(fresh, command, state, world, now, hinders="not copied yet")


def _until_deadline(state: Mapping[str, Any], after: timedelta, command: Command, now: datetime, note: str) -> Step:
    """Look again later, until the command's deadline is over; then people must."""
    if now > command.not_after:
        return Stalled(f"{note}, until {command.not_after:%Y-%m-%d %H:%M} UTC: send it again when that is mended")
    return Again(state, after, note=note)


async def _follow(
    command: Command,
    release: Release,
    policy: DefinitionPolicy,
    ring: Ring,
    facts: VersionFacts,
    world: World,
    now: datetime,
) -> Step:
    state = _begun(command, now)
    seen = judge_replication(facts, ring.region_names)
    busy = facts.provisioning_state.in_progress
    if busy or isinstance(seen, Going):
        state.pop("repairedAt", None)  # what was asked for shows: a region that fails from now on failed again
    wants_more = plan_targets(facts, ring.regions).changes
    if isinstance(seen, Missing) or (wants_more and not isinstance(seen, FailedRegions)):
        if busy:
            return _wait(state, policy, world, now, "another update of the version is under way", after=UNDER_WAY)
        if _removed(state):
            return await _repair(command, release, policy, ring, (), state, world, now)
        return await _write(release, ring, state, world, now)
    if isinstance(seen, FailedRegions):
        failed = f"failed in {', '.join(seen.details)}"
        if busy:
            return _wait(state, policy, world, now, f"{failed}, update still under way")
        if (left := _patience(state, world, now)) > timedelta(0):
            return _wait(state, policy, world, now, f"{failed}, repair asked for", after=min(left, LATEST))
        return await _repair(command, release, policy, ring, tuple(seen.details.items()), state, world, now)
    if isinstance(seen, FailedElsewhere):
        return await _mend(command, release, ring, state, world, now)
    if isinstance(seen, Done):
        return Decided(Gate.REPLICATION, Answer.PASS, facts=_seen(facts), rules={"regions": list(ring.region_names)})
    what = ", ".join(f"{region} {done} %" for region, done in seen.progress.items())
    looked = {**state, "progress": dict(seen.progress), "lookedAt": now.isoformat()}
    return _wait(looked, policy, world, now, what, after=_until_done(state, seen.progress, world, now))


async def _write(release: Release, ring: Ring, state: Mapping[str, Any], world: World, now: datetime) -> Step:
    """Merge the ring's regions into what is there now, under the lease, and write."""
    target = ring.definition.version(release.version.number)
    async with only_writer(world, ring.definition, release.version, now):
        fresh = await world.galleries.version(target)
        if fresh is None:
            return Again(state, timedelta(0), note="the version vanished before the write")
        if _reused(fresh, release):
            return Turned(Outcome.NUMBER_REUSED, "another version was built under the same number")
        plan = plan_targets(fresh, ring.regions)
        if plan.changes:
            await write(fresh, plan.targets, world, excluded=plan.excluded)
    note = f"replicating to {', '.join(ring.region_names)}"
    return Again(_from_zero(state, ring, now), AFTER_WRITE, note="; ".join((note, *plan.warnings)))


async def _repair(
    command: Command,
    release: Release,
    policy: DefinitionPolicy,
    ring: Ring,
    failed: Sequence[tuple[str, str]],
    state: Mapping[str, Any],
    world: World,
    now: datetime,
) -> Step:
    """Write again, take out, add back: the next repair of the failed regions, unless enough were accepted."""
    attempt = int(state.get("repairs", 0)) + (1 if failed else 0)
    details = tuple(f"replication to {region} failed: {words}" for region, words in failed)
    if attempt > policy.replication.repairs:
        return Decided(
            Gate.REPLICATION,
            Answer.REJECT,
            (*details, f"{policy.replication.repairs} repairs did not help"),
            facts=dict(failed),
        )
    target = ring.definition.version(release.version.number)
    async with only_writer(world, ring.definition, release.version, now):
        fresh = await world.galleries.version(target, replication=True)
        if fresh is None:
            return Again(state, timedelta(0), note="the version vanished before the repair")
        if _reused(fresh, release):
            return Turned(Outcome.NUMBER_REUSED, "another version was built under the same number")
        if failed and not isinstance(judge_replication(fresh, ring.region_names), FailedRegions):
            return Again(state, AFTER_WRITE, note="repaired by another hop meanwhile")
        return await _ask_for_repair(
            command, fresh, [region for region, _ in failed], attempt, details, state, world, now
        )


async def _ask_for_repair(
    command: Command,
    version: VersionFacts,
    failed: Sequence[str],
    attempt: int,
    details: Sequence[str],
    state: Mapping[str, Any],
    world: World,
    now: datetime,
) -> Step:
    # Where a removal was refused, the same targets are written again instead.
    plan = plan_repair(version, failed, 1 if "refused" in state else attempt, removed=_removed(state))
    try:
        await write(version, plan.targets, world, excluded=plan.excluded)
    except Refused as refused:
        return _refused(command, state, refused, details, now)
    taken = [asdict(entry) for entry in plan.removed] if plan.step is RepairStep.REMOVE else []
    note = f"repair {attempt} ({plan.step.value}): {'; '.join(details) or 'regions taken out before'}"
    asked = {**state, "repairs": attempt, "repairedAt": now.isoformat(), "removed": taken}
    asked.pop("refused", None)
    return Again(asked, AFTER_WRITE, note=note)


def _refused(
    command: Command, state: Mapping[str, Any], refused: Refused, details: Sequence[str], now: datetime
) -> Step:
    """A repair that Azure did not take is none: it is asked for again, ever more rarely, and people are told."""
    times = int(state.get("refused", 0)) + 1
    text = "; ".join((f"repair refused: {refused}", *details))
    if now > command.not_after:
        return Stalled(f"{text}, {times} times until {command.not_after:%Y-%m-%d %H:%M} UTC: mend it, then send again")
    return Again({**state, "refused": times}, min(POLL * 2 ** min(times - 1, 16), NEEDS_PEOPLE), text, stalled=text)


async def _mend(
    command: Command, release: Release, ring: Ring, state: Mapping[str, Any], world: World, now: datetime
) -> Step:
    """The ring's replicas are complete, and the version failed because of a region of somebody else's."""
    target = ring.definition.version(release.version.number)
    async with only_writer(world, ring.definition, release.version, now):
        fresh = await world.galleries.version(target, replication=True)
        if fresh is None or not isinstance(judge_replication(fresh, ring.region_names), FailedElsewhere):
            return Again(state, UNDER_WAY, note="the version changed before it was written again")
        if _reused(fresh, release):
            return Turned(Outcome.NUMBER_REUSED, "another version was built under the same number")
        return await written_again(fresh, command, state, world, now, hinders=f"{ring.name} can't go on")


def _patience(state: Mapping[str, Any], world: World, now: datetime) -> timedelta:
    """How much longer an accepted repair may show nothing, in Azure's time."""
    if "repairedAt" not in state:
        return timedelta(0)
    given = min(PATIENCE * 2 ** (int(state["repairs"]) - 1), LONGEST_PATIENCE)
    return given - (now - datetime.fromisoformat(state["repairedAt"])) * world.pace


def _reused(facts: VersionFacts, release: Release) -> bool:
    return facts.id == release.version and not is_same(facts, release)


def _from_zero(state: Mapping[str, Any], ring: Ring, now: datetime) -> dict[str, Any]:
    """The state after a write, from which the first look can tell how fast the regions go."""
    return {**state, "progress": dict.fromkeys(ring.region_names, 0), "lookedAt": now.isoformat()}


def _until_done(state: Mapping[str, Any], progress: Mapping[str, int], world: World, now: datetime) -> timedelta:
    """When to look next, by how far the regions came since the last look."""
    if "lookedAt" not in state:
        return POLL
    passed = (now - datetime.fromisoformat(state["lookedAt"])) * world.pace
    left = time_left(state["progress"], progress, passed)
    return POLL if left is None else min(max(left, SOONEST), LATEST)


def _wait(
    state: Mapping[str, Any], policy: DefinitionPolicy, world: World, now: datetime, what: str, after: timedelta = POLL
) -> Again:
    since = datetime.fromisoformat(state["since"])
    late = now - since > world.paced(policy.replication.complete_within)
    hours = policy.replication.complete_within.total_seconds() / 3600
    # Azure often completes long after everybody gave up: it is followed on, and people are told.
    return Again(state, after, stalled=f"not replicated within {hours:g} h: {what}" if late else None)


def _begun(command: Command, now: datetime) -> dict[str, Any]:
    return {**command.state, "since": command.state.get("since", now.isoformat())}


def _removed(state: Mapping[str, Any]) -> tuple[RegionTargetFacts, ...]:
    return tuple(RegionTargetFacts(**entry) for entry in state.get("removed", ()))


def _seen(facts: VersionFacts) -> dict[str, Any]:
    regions = facts.replication.regions if facts.replication else {}
    return {
        "version": str(facts.id),
        "publishedDate": facts.published_at.isoformat() if facts.published_at else None,
        "provisioningState": ProvisioningState(facts.provisioning_state).value,
        "regions": {region: f"{each.state.value} {each.progress} %" for region, each in regions.items()},
    }
