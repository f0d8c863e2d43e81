"""Replication: creates the replicas of a ring, monitors each region, and repairs regions that fail.

Each hop reads the version with its replication status and decides from these facts. The state has only what Azure does
not report: how many repairs it accepted, the time of the last one, and the regions that a repair removed. After a
repair, a region that is still Failed counts as failed again only some time later. A ring in another gallery has a copy
of the version with the same number. The copy must be of the same incarnation. A ring that is filled ahead of its turn
is handled like any other; whichever ring writes first may ask for the replicas of the others, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from shared.domain.ahead import targets_asked_for
from shared.domain.facts import DefinitionFacts, ProvisioningState, VersionFacts
from shared.domain.hop_states import Replicate
from shared.domain.image import region_names
from shared.domain.lifecycle import Outcome
from shared.domain.outcomes import Decided, HopResult, Redirected, Requeue, Stalled
from shared.domain.release import Answer, Gate, Release
from shared.domain.replication import (
    Done,
    FailedElsewhere,
    FailedRegions,
    InProgress,
    Missing,
    RepairStep,
    first_targets,
    judge_replication,
    plan_repair,
    plan_targets,
    reported,
    time_left,
)
from shared.gallery.incarnation import confirm_gone, copy_mismatch, is_same
from shared.gallery.lease import definition_lease, write
from shared.gallery.rewrite import rewrite_failed
from shared.ports import Hop, Refused

POLL: Final = timedelta(seconds=45)
SOONEST: Final = timedelta(seconds=10)
LATEST: Final = timedelta(minutes=5)
"""Minimum and maximum time between checks. The interval depends on Azure's progress percentages."""
UNDER_WAY: Final = timedelta(seconds=15)
"""A write that replicates nothing, such as a publication, takes about 30 seconds."""
AFTER_WRITE: Final = timedelta(seconds=45)
NEEDS_PEOPLE: Final = timedelta(minutes=30)
PATIENCE: Final = timedelta(minutes=5)
"""How long the first accepted repair may have no visible effect. The time doubles with each repair."""
LONGEST_PATIENCE: Final = timedelta(hours=1)
_REUSED: Final = Redirected(Outcome.NUMBER_REUSED, "another version was built under the same number")


async def run(hop: Hop) -> HopResult:
    """Check the ring's replicas, and write at most once."""
    release, target = hop.release, hop.target
    facts = await hop.world.galleries.version(target, replication=True)
    state = hop.command.state if isinstance(hop.command.state, Replicate) else Replicate(since=hop.now)
    if facts is None:
        if target == release.version:
            return await confirm_gone(target, hop.world, "the version was deleted during its release")
        return await _copy(hop, state)
    if _reused(facts, release):
        return _REUSED
    if target != release.version and (mismatch := copy_mismatch(facts, release)):
        return Decided(Gate.REPLICATION, Answer.REJECT, (mismatch,), facts=_seen(facts))
    return await _follow(hop, state, facts)


async def _copy(hop: Hop, state: Replicate) -> HopResult:
    """Start the copy into the ring's gallery."""
    ring, galleries = hop.ring, hop.world.galleries
    source = await galleries.version(hop.release.version)
    if source is None:
        return await confirm_gone(hop.release.version, hop.world, "the version was deleted during its release")
    if not is_same(source, hop.release):
        return _REUSED
    if source.provisioning_state is not ProvisioningState.SUCCEEDED:
        return await _prepare_source(hop, state, source)
    definition = await galleries.definition(ring.definition)
    if definition is None:
        text = (
            f"image definition {ring.definition} of ring {ring.name} does not exist: create it, or correct the policy"
        )
        return Requeue(state, NEEDS_PEOPLE, note=text, stalled=text)
    if _comes_later(hop, source, definition):
        return _not_copied(hop, state, f"not copied yet: the source has no replica in {definition.location}")
    async with definition_lease(hop, ring.definition):
        await galleries.copy_version(
            source,
            hop.target,
            location=definition.location,
            targets=first_targets(targets_asked_for(hop.policy, ring), home=definition.location),
        )
    return Requeue(_with_progress_reset(hop, state), AFTER_WRITE, note=f"copying to {ring.definition.gallery.name}")


def _comes_later(hop: Hop, source: VersionFacts, definition: DefinitionFacts) -> bool:
    """Whether an earlier ring is still to bring the source to the home region of the copy.

    "Troubleshoot shared images in Azure" asks for the source in the location of the new version.
    """
    if hop.command.ring == hop.release.ring or definition.location in source.regions:
        return False
    earlier = itertools.takewhile(lambda each: each.name != hop.command.ring, hop.policy.rings)
    return any(
        each.definition == source.id.definition and definition.location in region_names(each.region_names)
        for each in earlier
    )


def _not_copied(hop: Hop, state: Replicate, note: str) -> Requeue:
    """Look at the source again. The first look is told: the source of a ring ahead can be updated for long."""
    told = state.looked_at is not None
    return Requeue(replace(state, looked_at=hop.now), AFTER_WRITE, note=None if told else note)


async def _prepare_source(hop: Hop, state: Replicate, source: VersionFacts) -> HopResult:
    """Azure copies only a version whose last update succeeded: wait for one under way, and repair one that failed."""
    release = hop.release
    if source.provisioning_state is not ProvisioningState.FAILED:
        note = f"not copied yet: the source is {source.provisioning_state.value}"
        if hop.is_late:
            return Stalled(f"{note}, until {hop.until}: wait until the source has succeeded, then resend")
        return _not_copied(hop, state, note)
    async with definition_lease(hop, release.version.definition):
        fresh = await hop.world.galleries.version(release.version, replication=True)
        if fresh is None or not is_same(fresh, release) or fresh.provisioning_state is not ProvisioningState.FAILED:
            return Requeue(state, AFTER_WRITE, note="the source changed before it was repaired")
        return await rewrite_failed(hop, fresh, state, effect="not copied yet")


async def _follow(hop: Hop, state: Replicate, facts: VersionFacts) -> HopResult:
    ring = hop.ring
    seen = judge_replication(facts, ring.region_names)
    busy = facts.provisioning_state.in_progress
    if busy or isinstance(seen, InProgress):
        # The write has a visible effect: a region that fails from now on has failed again.
        state = replace(state, repaired_at=None)
    wants_more = plan_targets(facts, ring.regions).changes
    if isinstance(seen, Missing) or (wants_more and not isinstance(seen, FailedRegions)):
        if busy:
            return _wait(hop, state, "another update of the version is in progress", after=UNDER_WAY)
        return await (_repair(hop, state, {}) if state.removed else _write(hop, state))
    match seen:
        case FailedRegions(details):
            return await _after_failure(hop, state, details, busy=busy)
        case FailedElsewhere():
            return await _rewrite(hop, state)
        case Done():
            rules = {"regions": list(ring.region_names)}
            return Decided(Gate.REPLICATION, Answer.PASS, facts=_seen(facts), rules=rules)
        case InProgress(progress):
            what = ", ".join(f"{region} {done} %" for region, done in progress.items())
            looked = replace(state, progress=dict(progress), looked_at=hop.now)
            return _wait(hop, looked, what, after=_until_done(hop, state, progress))


async def _after_failure(hop: Hop, state: Replicate, details: Mapping[str, str], *, busy: bool) -> HopResult:
    failed = f"failed in {', '.join(details)}"
    if busy:
        return _wait(hop, state, f"{failed}, update still in progress")
    if (left := _remaining_wait(hop, state)) > timedelta(0):
        return _wait(hop, state, f"{failed}, repair requested", after=min(left, LATEST))
    return await _repair(hop, state, details)


async def _write(hop: Hop, state: Replicate) -> HopResult:
    """Merge the ring's regions into the current target regions under the lease, and write them."""
    ring = hop.ring
    async with definition_lease(hop, ring.definition):
        fresh = await hop.world.galleries.version(hop.target)
        if fresh is None:
            return Requeue(state, timedelta(0), note="the version disappeared before the write")
        if _reused(fresh, hop.release):
            return _REUSED
        plan = plan_targets(fresh, targets_asked_for(hop.policy, ring))
        if plan.changes:
            await write(fresh, plan.targets, hop.world, excluded=plan.excluded)
    note = f"replicating to {', '.join(ring.region_names)}"
    return Requeue(_with_progress_reset(hop, state), AFTER_WRITE, note="; ".join((note, *plan.warnings)))


async def _repair(hop: Hop, state: Replicate, failed: Mapping[str, str]) -> HopResult:
    """The next repair of the failed regions (write again, remove, add again), up to the maximum number of repairs."""
    ring, repairs = hop.ring, hop.policy.replication.repairs
    attempt = state.repairs + (1 if failed else 0)
    details = tuple(f"replication to {region} failed: {words}" for region, words in failed.items())
    if attempt > repairs:
        reasons = (*details, f"it still failed after {repairs} repairs")
        return Decided(Gate.REPLICATION, Answer.REJECT, reasons, facts=dict(failed), retryable=True)
    async with definition_lease(hop, ring.definition):
        fresh = await hop.world.galleries.version(hop.target, replication=True)
        if fresh is None:
            return Requeue(state, timedelta(0), note="the version disappeared before the repair")
        if _reused(fresh, hop.release):
            return _REUSED
        if failed and not isinstance(judge_replication(fresh, ring.region_names), FailedRegions):
            return Requeue(state, AFTER_WRITE, note="another function has repaired it")
        # If a removal was refused, the same targets are written again.
        plan = plan_repair(fresh, tuple(failed), 1 if state.refused else attempt, removed=state.removed)
        try:
            await write(fresh, plan.targets, hop.world, excluded=plan.excluded)
        except Refused as refused:
            return _refused(hop, state, refused, details)
    removed = plan.removed if plan.step is RepairStep.REMOVE else ()
    asked = replace(state, repairs=attempt, repaired_at=hop.now, removed=tuple(removed), refused=0)
    note = f"repair {attempt} ({plan.step.value}): {'; '.join(details) or 'regions removed earlier'}"
    return Requeue(asked, AFTER_WRITE, note=note)


def _refused(hop: Hop, state: Replicate, refused: Refused, details: Sequence[str]) -> HopResult:
    """Retry a repair that Azure refused, with an increasing delay, and mark the branch as stalled."""
    times = state.refused + 1
    text = "; ".join((f"repair refused: {refused}", *details))
    if hop.is_late:
        return Stalled(f"{text}, {times} times until {hop.until}: correct what Azure refuses, then resend")
    pause = min(POLL * 2 ** min(times - 1, 16), NEEDS_PEOPLE)
    return Requeue(replace(state, refused=times), pause, text, stalled=text)


async def _rewrite(hop: Hop, state: Replicate) -> HopResult:
    """The ring's replicas are complete, but the version failed because of a region that another party added."""
    ring = hop.ring
    async with definition_lease(hop, ring.definition):
        fresh = await hop.world.galleries.version(hop.target, replication=True)
        if fresh is None or not isinstance(judge_replication(fresh, ring.region_names), FailedElsewhere):
            return Requeue(state, UNDER_WAY, note="the version changed before it was written again")
        if _reused(fresh, hop.release):
            return _REUSED
        return await rewrite_failed(hop, fresh, state, effect=f"{ring.name} is blocked")


def _remaining_wait(hop: Hop, state: Replicate) -> timedelta:
    """How much longer an accepted repair may have no visible effect, in Azure's time."""
    if state.repaired_at is None:
        return timedelta(0)
    given = min(PATIENCE * 2 ** (state.repairs - 1), LONGEST_PATIENCE)
    return given - (hop.now - state.repaired_at) * hop.world.pace


def _reused(facts: VersionFacts, release: Release) -> bool:
    return facts.id == release.version and not is_same(facts, release)


def _with_progress_reset(hop: Hop, state: Replicate) -> Replicate:
    """The state after a write, with all progress at 0."""
    return replace(state, progress=dict.fromkeys(hop.ring.region_names, 0), looked_at=hop.now)


def _until_done(hop: Hop, state: Replicate, progress: Mapping[str, int]) -> timedelta:
    """When to check next, from the progress since the last check."""
    if state.looked_at is None:
        return POLL
    passed = (hop.now - state.looked_at) * hop.world.pace
    left = time_left(state.progress, progress, passed)
    return POLL if left is None else min(max(left, SOONEST), LATEST)


def _wait(hop: Hop, state: Replicate, what: str, after: timedelta = POLL) -> Requeue:
    bound = hop.policy.replication.complete_within
    late = hop.now - state.since > hop.world.paced(bound)
    hours = bound.total_seconds() / 3600
    # Replication often completes after the time limit: keep checking, and mark the branch as stalled.
    return Requeue(state, after, stalled=f"not replicated within {hours:g} h: {what}" if late else None)


def _seen(facts: VersionFacts) -> dict[str, Any]:
    return {
        "version": str(facts.id),
        "publishedDate": facts.published_at.isoformat() if facts.published_at else None,
        "provisioningState": ProvisioningState(facts.provisioning_state).value,
        "regions": {region: f"{each.state.value} {each.progress} %" for region, each in reported(facts).items()},
    }
