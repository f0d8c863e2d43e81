"""Target regions: what to write so that a ring has its replicas, how far they are, and how to repair those that failed.

Rules:

1. ``targetRegions`` is the full desired list and has no ETag, so a plan keeps every entry that is there, in its place,
   with its storage type, its flag and the properties that Ringmaster doesn't know. Replica counts only rise. Only a
   repair takes an entry out, and puts it back.
2. A region that is added is hidden from ``latest`` by a flag of its own; adding one publishes nothing.
3. Only ``replicationStatus.summary[].state == Completed`` proves a replica. ``provisioningState`` Succeeded doesn't
   (Azure/AgentBaker#8373), and neither does a missing status. Complete replicas of a version whose last update failed
   are not enough: whether anything resolves to it before another update succeeds is documented nowhere. A region that
   isn't wanted may be the reason; it is named, and never taken out.
4. A failed region is first written again; when it fails again it is taken out and added back, as the service's own
   message advises (Azure/azure-cli#15539). Never taken out: the home region, a region with a complete replica, and a
   region where ``latest`` may resolve to the version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from shared.domain.facts import ProvisioningState, RegionReplication, RegionState, RegionTargetFacts, VersionFacts
from shared.domain.image import region_name, region_names
from shared.domain.policy import RegionTarget

_NO_DETAILS: Final = "Azure gives no details"


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """The write that gives a version its target regions: the full list, and the version's own flag as it is."""

    targets: tuple[RegionTargetFacts, ...]
    excluded: bool
    changes: bool
    """Whether anything needs to be written."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """Every region has a complete replica."""


@dataclass(frozen=True, slots=True)
class InProgress:
    """Replication is under way. ``progress`` is in per cent, by open region; one not reported yet stands at 0."""

    progress: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FailedRegions:
    """Failed regions, with Azure's message for each."""

    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FailedElsewhere:
    """Every region has a complete replica, but the version's last update failed for others, with words for each."""

    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Missing:
    """Regions that are not target regions of the version."""

    regions: tuple[str, ...]


class RepairStep(StrEnum):
    """What a repair does with the failed regions."""

    RETRY = "retry"
    REMOVE = "remove"
    ADD_BACK = "add back"


@dataclass(frozen=True, slots=True)
class Repair:
    """The write that repairs failed regions: the full list of targets and the version's own flag."""

    targets: tuple[RegionTargetFacts, ...]
    excluded: bool
    step: RepairStep
    removed: tuple[RegionTargetFacts, ...] = ()
    """Entries that a removal removed. They are needed to add them back unchanged."""


def plan_targets(version: VersionFacts, wanted: Sequence[RegionTarget], *, hidden: bool = True) -> TargetPlan:
    """The version's targets with the wanted regions among them.

    Regions that are new get an explicit ``excluded`` equal to ``hidden``. Since the version's own flag stays what it
    is, an entry that relies on it keeps its meaning and is left alone.
    """
    targets = {target.region: target for target in version.targets}
    warnings: list[str] = []
    for want in wanted:
        region = region_name(want.name)
        present = targets.get(region)
        if present is None:
            targets[region] = RegionTargetFacts(region, want.replicas, want.storage, excluded=hidden)
            continue
        if present.storage.lower() != want.storage.lower():
            warnings.append(
                f"{version.id.short} in {region} is stored as {present.storage}, not {want.storage}: "
                "Azure does not change the storage type of a replica"
            )
        if want.replicas > present.replicas:
            targets[region] = replace(present, replicas=want.replicas)
    planned = tuple(targets.values())
    return TargetPlan(planned, version.excluded, planned != version.targets, tuple(dict.fromkeys(warnings)))


def first_targets(wanted: Sequence[RegionTarget], *, home: str) -> tuple[RegionTargetFacts, ...]:
    """The targets of a copy that doesn't exist yet: all hidden, with the home region, which Azure demands."""
    targets: dict[str, RegionTargetFacts] = {}
    for want in (*wanted, RegionTarget(home)):
        region = region_name(want.name)
        present = targets.get(region)
        if present is None:
            targets[region] = RegionTargetFacts(region, want.replicas, want.storage, excluded=True)
        elif want.replicas > present.replicas:
            targets[region] = replace(present, replicas=want.replicas)
    return tuple(targets.values())


def judge_replication(
    facts: VersionFacts, regions: Sequence[str]
) -> Done | InProgress | FailedRegions | FailedElsewhere | Missing:
    """How far the replicas in these regions are. ``facts`` should carry replication; without it nothing is done."""
    wanted = region_names(regions)
    if absent := tuple(region for region in wanted if region not in facts.regions):
        return Missing(absent)
    regions_reported = reported(facts)
    status = {region: regions_reported.get(region, RegionReplication(RegionState.UNKNOWN)) for region in wanted}
    if failed := _failed(facts, status):
        return FailedRegions(failed)
    progress = {region: each.progress for region, each in status.items() if each.state is not RegionState.COMPLETED}
    if progress:
        return InProgress(progress)
    if facts.provisioning_state is ProvisioningState.FAILED:
        if others := failing(facts):
            return FailedElsewhere(others)
        return FailedRegions(dict.fromkeys(wanted, "the replica is complete, but the version's last update failed"))
    return Done()


def reported(facts: VersionFacts) -> Mapping[str, RegionReplication]:
    """Every region whose replication Azure reports; none where the version was read without."""
    return facts.replication.regions if facts.replication else {}


def failing(facts: VersionFacts) -> Mapping[str, str]:
    """Every region, wanted or not, whose replication failed, with the service's words; needs replication facts."""
    failed = {region: each for region, each in reported(facts).items() if each.state is RegionState.FAILED}
    return {region: each.details or _NO_DETAILS for region, each in failed.items()}


def time_left(before: Mapping[str, int], after: Mapping[str, int], passed: timedelta) -> timedelta | None:
    """Estimated remaining time of the regions in progress, from the progress between two checks; None if unknown.

    Both are percentages by region, ``passed`` is the time between the looks. Regions that haven't begun say nothing.
    """
    moved = {region: percent - before.get(region, percent) for region, percent in after.items()}
    left = [passed * (100 - after[region]) / step for region, step in moved.items() if step > 0]
    return max(left, default=None)


def plan_repair(
    facts: VersionFacts, failed: Sequence[str], attempt: int, *, removed: Sequence[RegionTargetFacts] = ()
) -> Repair:
    """The next repair of failed regions. ``attempt`` counts from 1; ``removed`` is what an earlier repair took out.

    What was taken out is added back before anything else is tried. Raises ValueError for a failed region of which
    neither ``facts`` nor ``removed`` knows how it was.
    """
    names = region_names(failed)
    absent = tuple(entry for entry in removed if entry.region not in facts.regions)
    known = {*facts.regions, *(entry.region for entry in absent)}
    if unknown := [region for region in names if region not in known]:
        raise ValueError(
            f"{facts.id.short}: the state of its replica is unknown in {', '.join(unknown)}; plan its targets"
        )
    if absent:
        return Repair((*facts.targets, *absent), facts.excluded, RepairStep.ADD_BACK)
    out = tuple(target for target in facts.targets if target.region in names and _removable(facts, target))
    if attempt <= 1 or not out:
        return Repair(facts.targets, facts.excluded, RepairStep.RETRY)
    left = tuple(target for target in facts.targets if target not in out)
    return Repair(left, facts.excluded, RepairStep.REMOVE, out)


def _failed(facts: VersionFacts, status: Mapping[str, RegionReplication]) -> dict[str, str]:
    failed = {region: words for region, each in status.items() if (words := _failure(facts, each)) is not None}
    # A complete replica is only to blame where no other explains the state of the version.
    broken = {region: words for region, words in failed.items() if status[region].state != RegionState.COMPLETED}
    return broken or failed


def _failure(facts: VersionFacts, status: RegionReplication) -> str | None:
    if status.state is RegionState.FAILED:
        return status.details or _NO_DETAILS
    # A failed operation leaves regions without progress.
    if status.state is RegionState.UNKNOWN and facts.provisioning_state is ProvisioningState.FAILED:
        return status.details or "the version's provisioning failed before replication to this region started"
    return None


def _removable(facts: VersionFacts, target: RegionTargetFacts) -> bool:
    if target.region == region_name(facts.location) or facts.visible_in(target.region):
        return False
    status = reported(facts).get(target.region)
    return status is not None and status.state is not RegionState.COMPLETED
