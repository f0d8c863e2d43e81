"""Incarnations of a version number: a version can be deleted, and its number used again.

Azure sets ``publishedDate`` when a version is created and keeps it through updates; it is the incarnation's name. A
copy in another gallery has a date of its own and carries its original's in a tag.
"""

from __future__ import annotations

from shared.domain.facts import VersionFacts
from shared.domain.image import InvalidId, VersionId
from shared.domain.lifecycle import Outcome
from shared.domain.outcomes import Redirected
from shared.domain.release import Release
from shared.ports import INCARNATION_TAG, Conflict, World


def incarnation_of(facts: VersionFacts) -> str | None:
    """The incarnation's name, or None while Azure returns no date."""
    return facts.published_at.isoformat() if facts.published_at else None


async def confirm_gone(version: VersionId, world: World, why: str) -> Redirected:
    """End a release whose version does not exist, if its image definition can be read and does not list the version.

    One 404 is not believed: it ends a release. ARM answers 404 as well for a subscription, a resource group or a
    gallery that it does not find, and then says nothing of the version. Raises Conflict while the definition's list
    still holds the version, and while the definition itself is not found.
    """
    if await world.galleries.definition(version.definition) is None:
        raise Conflict(
            f"neither {version.short} nor its image definition exists: check the gallery, its resource group and its "
            "subscription"
        )
    if any(each.id == version for each in await world.galleries.versions(version.definition)):
        raise Conflict(f"the gallery lists {version.short}, but returns 404 for it")
    return Redirected(Outcome.VERSION_GONE, why)


def is_same(facts: VersionFacts, release: Release) -> bool:
    """Whether these facts describe the incarnation that is being released."""
    return incarnation_of(facts) == release.incarnation


def copy_mismatch(facts: VersionFacts, release: Release) -> str | None:
    """Why this version in another gallery is not a copy of the version that is being released; None if it is."""
    try:
        source = VersionId.parse(facts.source_id or "")
    except InvalidId:
        source = None
    if source != release.version:
        return f"{facts.id.short} already exists and was created from {facts.source_id or 'another source'}"
    copied = facts.tags.get(INCARNATION_TAG)
    if copied != release.incarnation:
        day = copied or "an unknown date"
        return f"{facts.id.short} is a copy of {release.version.short} as of {day}: delete it"
    return None
