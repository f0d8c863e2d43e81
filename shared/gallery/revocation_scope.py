"""The definitions of a revocation, and the regions where ``latest`` would be empty. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Release
from shared.domain.revocation import plan_revocation
from shared.gallery.incarnation import copy_mismatch, is_same
from shared.ports import World


def definitions_of(policy: DefinitionPolicy) -> tuple[DefinitionId, ...]:
    """All image definitions in which Ringmaster may have published a version, and its source definition."""
    return tuple(dict.fromkeys((*(ring.definition for ring in reversed(policy.rings)), policy.source)))


async def regions_left_empty(release: Release, policy: DefinitionPolicy, world: World) -> tuple[str, ...]:
    """Regions, with their gallery, in which ``latest`` would be empty after a revocation. Reads only."""
    found: list[str] = []
    for definition in definitions_of(policy):
        versions = await world.galleries.versions(definition)
        version = released_version(versions, definition, release)
        if version is not None:
            found += [f"{region} of {definition.gallery.name}" for region in plan_revocation(versions, version).emptied]
    return tuple(found)


def released_version(
    versions: Sequence[VersionFacts], definition: DefinitionId, release: Release
) -> VersionFacts | None:
    """The released version, or its copy; None if it does not exist, or if another image has its number.

    Of a release that has judged no image yet, it is whichever has the number.
    """
    target = definition.version(release.version.number)
    found = next((each for each in versions if each.id == target), None)
    if found is None:
        return None
    if found.id == release.version:
        return found if release.incarnation is None or is_same(found, release) else None
    return found if copy_mismatch(found, release) is None else None
