"""Rules for gallery writes: where the app may write, and what a copy is a copy of."""

from __future__ import annotations

from typing import Final

from shared.domain.facts import VersionFacts
from shared.domain.image import InvalidId, VersionId
from shared.domain.orders import release_tag
from shared.ports import INCARNATION_TAG, ForeignTarget, Refused

SOURCE_TAG: Final = "ringmaster-source"
"""Tag of a copy in another gallery: the id of the copied version, or its digest where the id is too long for a tag."""


def copy_tags(source: VersionFacts) -> dict[str, str]:
    """The tags that identify the copied version and its incarnation."""
    tags = {SOURCE_TAG: release_tag(str(source.id))}
    if source.published_at is not None:
        tags[INCARNATION_TAG] = source.published_at.isoformat()
    return tags


def check_allowed(version: VersionId, allowed: frozenset[str]) -> None:
    """Raise ForeignTarget for a version in a gallery that the policy does not name: law 9 (no unauthorised access)."""
    if str(version.definition.gallery) not in allowed:
        raise ForeignTarget(
            f"{version.short} is in gallery {version.definition.gallery}, which the policy does not name"
        )


def check_same_copy(present: VersionFacts, source: VersionFacts) -> None:
    """Raise Refused unless the existing version is a copy of this incarnation of ``source``."""
    try:
        made_from = VersionId.parse(present.source_id or "")
    except InvalidId:
        made_from = None
    if made_from != source.id:
        raise Refused(
            "CopyOfAnotherVersion",
            f"{present.id.short} exists and was created from {present.source_id or 'an unknown source'}",
            409,
        )
    wanted = copy_tags(source).get(INCARNATION_TAG)
    if present.tags.get(INCARNATION_TAG) != wanted:
        was = present.tags.get(INCARNATION_TAG, "an unknown date")
        raise Refused("CopyOfFormerVersion", f"{present.id.short} is a copy of {source.id.short} as of {was}", 409)
