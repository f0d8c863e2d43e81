"""Compute galleries: image versions, their definitions and what they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from shared.domain.facts import DefinitionFacts, GalleryFacts, RegionTargetFacts, SourceFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionId


class Galleries(Protocol):
    """Compute galleries, read and written.

    Every write goes only to galleries that the policy names (``ForeignTarget`` otherwise) and carries
    ``allowDeletionOfReplicatedLocations: false``. No write waits for its long-running operation.
    """

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        """An image version, with its replication status where asked for; None when there is none."""
        ...

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        """Every version of a definition, without replication status. Empty also when the definition isn't there."""
        ...

    async def definition(self, definition: DefinitionId) -> DefinitionFacts | None:
        """An image definition, or None."""
        ...

    async def gallery(self, gallery: GalleryId) -> GalleryFacts | None:
        """A gallery, or None."""
        ...

    async def source(self, version: VersionFacts) -> SourceFacts | None:
        """What the version was made from; its kind is GONE when it is no longer there; None when it names no source."""
        ...

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        """Set the full list of target regions, and the version's own ``excludeFromLatest``.

        Raises Conflict while another write is under way, and Refused for what Azure will never accept; with status 404
        when the version isn't there.
        """
        ...

    async def copy_version(
        self, source: VersionFacts, target: VersionId, *, location: str, targets: Sequence[RegionTargetFacts]
    ) -> None:
        """Start a copy of a version into another gallery (``storageProfile.source.id``), hidden from ``latest``."""
        ...


INCARNATION_TAG: Final = "ringmaster-incarnation"
"""Tag of a copy in another gallery: the publication date of the version that it is a copy of."""
