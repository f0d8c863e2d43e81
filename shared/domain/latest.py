"""``latest``: what ARM resolves in each region, before and after a write that touches it.

Rules:

1. ``latest`` in a region is the highest number among the versions that target the region, are provisioned
   (``Succeeded``, or ``Updating`` what was once provisioned) and aren't excluded there. The region's own
   ``excludeFromLatest`` overrides the version's (Compute Gallery documentation). Where replication facts are attached,
   the version must be replicated there as well: ARM answers 404 for a region that isn't, whatever the state says.
2. Publishing clears the flag in exactly the wanted regions. Every other region keeps the value in effect there, made
   explicit, so that the version's own flag has no say in it; nothing is dropped and nothing changes its place.
3. A plan under which ``latest`` went backwards or empty anywhere, or under which a wanted region would still not
   resolve to the version, is not a plan but a refusal with reasons.

Plans are predictions over the facts given. This module doesn't know how old these are; read back after a write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.domain.facts import ProvisioningState, RegionState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId, VersionNumber, region_name, region_names

RESOLVABLE: Final = {ProvisioningState.SUCCEEDED, ProvisioningState.UPDATING}


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """The write that publishes a version: the full list of targets and the version's own flag.

    ``before`` and ``after`` say what ``latest`` is in every region of the definition; None where there is none.
    Nothing needs to be written when ``changes`` is False.
    """

    targets: tuple[RegionTargetFacts, ...]
    excluded: bool
    changes: bool
    before: Mapping[str, VersionNumber | None]
    after: Mapping[str, VersionNumber | None]


@dataclass(frozen=True, slots=True)
class NewerPublished:
    """A newer version is already ``latest`` in a region of the ring, so the publication would have no effect there."""

    by: VersionNumber
    region: str


@dataclass(frozen=True, slots=True)
class PublicationBlocked:
    """Why a publication is not possible."""

    reasons: tuple[str, ...]


def latest_in(versions: Sequence[VersionFacts], region: str) -> VersionNumber | None:
    """The version that ARM deploys in a region if no version is specified, or None."""
    place = region_name(region)
    return max((version.id.number for version in versions if _resolves(version, place)), default=None)


def plan_publication(
    versions: Sequence[VersionFacts], version: VersionFacts, regions: Sequence[str]
) -> PublishPlan | NewerPublished | PublicationBlocked:
    """How to make a version ``latest`` in exactly these regions, given every version of its definition.

    ``version`` replaces its own entry in ``versions``: its facts may be newer, and carry replication.
    """
    wanted = region_names(regions)
    if absent := [region for region in wanted if region not in version.regions]:
        return PublicationBlocked(tuple(f"{version.id.short} has no replica in {region}" for region in absent))
    now = (*(each for each in versions if each.id != version.id), version)
    before = _everywhere(now)
    if overtaken := _overtaken(version, wanted, before):
        return overtaken
    published = _published(version, wanted)
    after = _everywhere(tuple(published if each is version else each for each in now))
    if reasons := _harm(version, wanted, before, after):
        return PublicationBlocked(reasons)
    changes = published.excluded != version.excluded or any(
        published.visible_in(region) != version.visible_in(region) for region in version.regions
    )
    return PublishPlan(published.targets, published.excluded, changes, before, after)


def hidden_in(version: VersionFacts, regions: Sequence[str]) -> tuple[RegionTargetFacts, ...]:
    """The version's targets with it hidden from ``latest`` in these regions, too; to be written with its own flag set.

    Where it is visible otherwise, it stays so.
    """
    places = frozenset(map(region_name, regions))
    return tuple(
        replace(target, excluded=target.region in places or not version.visible_in(target.region))
        for target in version.targets
    )


def check_publication(versions: Sequence[VersionFacts], version: VersionId, regions: Sequence[str]) -> tuple[str, ...]:
    """Why the read-back of a publication does not agree (yet); empty if it agrees."""
    found = next((each for each in versions if each.id == version), None)
    if found is None:
        return (f"{version.short} no longer exists",)
    reasons: list[str] = []
    for region in map(region_name, regions):
        if region not in found.regions:
            reasons.append(f"{version.short} has no replica in {region}")
        elif not found.visible_in(region):
            reasons.append(f"{version.short} is still excluded from latest in {region}")
        elif (latest := latest_in(versions, region)) != version.number:
            reasons.append(f"latest in {region} is {latest or 'nothing'}, not {version.number}")
    return tuple(reasons)


def _resolves(version: VersionFacts, region: str) -> bool:
    if version.provisioning_state not in RESOLVABLE or not version.visible_in(region):
        return False
    if version.replication is None:
        return True
    status = version.replication.regions.get(region)
    return status is not None and status.state is RegionState.COMPLETED


def _everywhere(versions: Sequence[VersionFacts]) -> dict[str, VersionNumber | None]:
    regions = dict.fromkeys(region for version in versions for region in version.regions)
    return {region: latest_in(versions, region) for region in regions}


def _overtaken(
    version: VersionFacts, wanted: Sequence[str], before: Mapping[str, VersionNumber | None]
) -> NewerPublished | None:
    for region in wanted:
        latest = before[region]
        if latest is not None and latest > version.id.number:
            return NewerPublished(latest, region)
    return None


def _published(version: VersionFacts, wanted: Sequence[str]) -> VersionFacts:
    targets = tuple(
        replace(target, excluded=target.region not in wanted and not version.visible_in(target.region))
        for target in version.targets
    )
    # Consumers that read the version's own flag alone (azurerm's data source does) must not see a version that is
    # hidden somewhere as visible, nor one that is visible everywhere as hidden.
    visible_everywhere = not any(target.excluded for target in targets)
    return replace(version, targets=targets, excluded=False if visible_everywhere else version.excluded)


def _harm(
    version: VersionFacts,
    wanted: Sequence[str],
    before: Mapping[str, VersionNumber | None],
    after: Mapping[str, VersionNumber | None],
) -> tuple[str, ...]:
    reasons: list[str] = []
    for region, now in before.items():
        then = after[region]
        if now is not None and (then is None or then < now):
            reasons.append(f"latest in {region} would change from {now} to {then or 'nothing'}")
        elif region in wanted and then != version.id.number:
            reasons.append(f"{version.id.short} cannot be latest in {region}: {_obstacle(version, region)}")
    return tuple(reasons)


def _obstacle(version: VersionFacts, region: str) -> str:
    if version.provisioning_state not in RESOLVABLE:
        return f"its provisioning state is {version.provisioning_state}"
    status = version.replication.regions.get(region) if version.replication else None
    return f"replication there is {status.state if status else 'not reported'}, not {RegionState.COMPLETED}"
