"""Gathers what validation judges. Reads only; the stage and the query by hand share it.

A rule that the policy turned off costs no call. The Activity Log is evidence and not a proof: where it does not answer,
the facts say so, and nothing waits for it, unless the policy names builders and the event named none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.activity import BEFORE, KEPT, LAG, Activity, activity_of
from shared.domain.boot_test.machine_sizes import Sizes
from shared.domain.boot_test.preflight import tested_regions
from shared.domain.facts import GalleryFacts, ProvisioningState, VersionFacts
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.moment import Moment
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Release
from shared.domain.revocation import published_regions
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.limits import zone_redundant_regions
from shared.domain.validation.origin import knows_builder
from shared.domain.validation.rule import RuleSeverity
from shared.domain.validation.verdict import applied_rules
from shared.ports import PassingFault, Refused, World

_OF_SIBLINGS = ("number-order", "number-gap", "number-duplicate", "version-limit", "source-reused")
"""Rules that need the list of the definition's versions."""
_MARGIN = timedelta(hours=1)
"""Azure refuses an earlier start than the log keeps, by its own clock."""


async def gather(
    version: VersionFacts, policy: DefinitionPolicy, world: World, *, release: Release | None, now: datetime
) -> ValidationFacts:
    """Read everything that validation judges. ``release`` is the version's row, if it has one.

    Raises the passing faults of the galleries and the machines.
    """
    applied = {rule for rule, severity in applied_rules(policy.validation).items() if severity is not RuleSeverity.OFF}
    others = {ring.definition for ring in policy.rings} - {policy.source}
    regions = (*tested_regions(version, policy), *zone_redundant_regions(version, policy))
    sizes, sizes_unread = await _sizes(dict.fromkeys(regions), world)
    siblings = await _siblings(version, world) if applied.intersection(_OF_SIBLINGS) else ()
    builder = release.builder if release is not None else None
    gallery = await world.galleries.gallery(policy.source.gallery)
    galleries, galleries_unread = await _galleries(gallery, world) if "gallery-limit" in applied else (None, None)
    return ValidationFacts(
        version=version,
        definition=await world.galleries.definition(policy.source),
        gallery=gallery,
        source=await world.galleries.source(version),
        ring_definitions={each: await world.galleries.definition(each) for each in sorted(others)},
        sizes=sizes,
        sizes_unread=sizes_unread,
        published=published_regions(release, policy, policy.source) if release is not None else frozenset(),
        newest_published=_newest_published(siblings, policy),
        siblings=siblings,
        twins=await _twins(version, others, world) if "number-duplicate" in applied else {},
        galleries=galleries,
        galleries_unread=galleries_unread,
        builder=builder,
        activity=await _activity(version, world, now, needed=bool(policy.validation.builders) and builder is None),
    )


def once_provisioned(version: VersionFacts, release: Release) -> VersionFacts:
    """The version as validation sees it: one that was validated before was created successfully.

    Azure reports it as Failed while replication to a region has failed. Replication repairs that; it is no reason to
    reject the version.
    """
    if release.incarnation is None or version.provisioning_state is not ProvisioningState.FAILED:
        return version
    return replace(version, provisioning_state=ProvisioningState.SUCCEEDED)


def awaits_activity_log(facts: ValidationFacts, policy: DefinitionPolicy, moment: Moment) -> bool:
    """Whether the builder is needed and not known yet, while the Activity Log may still be late."""
    version = facts.version
    if not policy.validation.builders or knows_builder(facts) or version is None or version.published_at is None:
        return False
    return facts.activity.unread is None and not moment.has_passed(version.published_at + LAG / moment.pace)


async def _siblings(version: VersionFacts, world: World) -> tuple[VersionFacts, ...]:
    listed = await world.galleries.versions(version.id.definition)
    return tuple(each for each in listed if each.id != version.id)


def _newest_published(siblings: Iterable[VersionFacts], policy: DefinitionPolicy) -> VersionNumber | None:
    """The highest number that is visible in a region of a ring of the source gallery."""
    regions = {region for ring in policy.rings if ring.definition == policy.source for region in ring.region_names}
    return max((each.id.number for each in siblings if any(map(each.visible_in, regions))), default=None)


async def _twins(
    version: VersionFacts, others: Iterable[DefinitionId], world: World
) -> Mapping[DefinitionId, VersionFacts]:
    found = {each: await world.galleries.version(each.version(version.id.number)) for each in sorted(others)}
    return {definition: twin for definition, twin in found.items() if twin is not None}


async def _sizes(regions: Iterable[str], world: World) -> tuple[Mapping[str, Sizes], str | None]:
    """The sizes of machines by region, and why they could not be read. Without them the boot test finds out."""
    try:
        return {region: await world.machines.sizes(region) for region in regions}, None
    except Refused as refused:
        return {}, _words(refused)


async def _galleries(gallery: GalleryFacts | None, world: World) -> tuple[int | None, str | None]:
    """The number of galleries in the subscription and region of a gallery, or why it is not known."""
    if gallery is None:
        return None, None
    try:
        counts = await world.galleries.gallery_counts(gallery.id.subscription)
    except Refused as refused:
        return None, _words(refused)
    return counts.get(gallery.location, 0), None


async def _activity(version: VersionFacts, world: World, now: datetime, *, needed: bool) -> Activity:
    """Who created the version and last wrote it. Raises passing faults only where the answer is ``needed``."""
    if version.published_at is None:
        return Activity()
    begin, oldest = version.published_at - BEFORE, now - KEPT + _MARGIN
    try:
        records = await world.activity_log.writes(version.id, since=max(begin, oldest), until=now)
    except Refused as refused:
        return Activity(unread=_words(refused))
    except PassingFault as fault:
        if needed:
            raise
        return Activity(unread=str(fault)[:200])
    found = activity_of(records, version.published_at)
    return found if begin >= oldest else replace(found, created=None)  # the first write may not be kept any more


def _words(refused: Refused) -> str:
    return f"{refused.code}: {refused.message[:200]}"
