"""Azure Compute Gallery: image versions, their definitions, and their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from shared.domain.facts import DefinitionFacts, GalleryFacts, RegionTargetFacts, SourceFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionId


class Galleries(Protocol):
    """Read and write Azure Compute Galleries.

    Writes go only to galleries that the policy names; any other target raises ForeignTarget. Every write sets
    ``safetyProfile.allowDeletionOfReplicatedLocations`` to false, so that Azure rejects a list of target regions that
    leaves out a replicated region. No write waits for its long-running operation: read the version later to see the
    result. Every method may raise Throttled, Unavailable and Refused.

    Source: Azure REST API, "Gallery Image Versions - Create Or Update" and "- Update".
    """

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        """Read an image version. Returns None when it does not exist.

        ``replication`` also requests the replication state of each region (``$expand=ReplicationStatus``); without it,
        ``VersionFacts.replication`` is None.
        """
        ...

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        """List every version of an image definition. Returns an empty list when the definition does not exist.

        The list has no replication state: the REST API offers ``$expand`` only for a single version ("Gallery Image
        Versions - List By Gallery Image").
        """
        ...

    async def definition(self, definition: DefinitionId) -> DefinitionFacts | None:
        """Read an image definition. Returns None when it does not exist."""
        ...

    async def gallery(self, gallery: GalleryId) -> GalleryFacts | None:
        """Read a gallery. Returns None when it does not exist."""
        ...

    async def gallery_counts(self, subscription: str) -> Mapping[str, int]:
        """Count the galleries of a subscription by region. A process asks Azure at most once an hour.

        Raises Refused with status 403 when the app may not list them.

        Source: Azure REST API, "Galleries - List".
        """
        ...

    async def source(self, version: VersionFacts) -> SourceFacts | None:
        """Read the resource that a version was created from: a managed image, VM, disk, snapshot, VHD or another
        version.

        Returns None when the version names no source. When the source no longer exists, the result has the kind
        ``GONE``. When Ringmaster may not read it (HTTP 403), the result has the source's kind and no details.
        """
        ...

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        """Replace the list of target regions and the version's own ``excludeFromLatest`` (``excluded``).

        ``targets`` is the complete list: Azure rejects it when a replicated region is missing. The resource has no
        ETag, so a concurrent write is not detected; callers hold the definition's lease and read the version first.
        Each target has a region, a replica count, a storage account type and, where set, its own ``excludeFromLatest``,
        which takes precedence over the version's.

        Raises Conflict while another operation on the version is in progress. Raises Refused for a list that Azure
        never accepts, and with status 404 when the version does not exist.

        Source: Microsoft Learn, "Store and share images in an Azure Compute Gallery".
        """
        ...

    async def copy_version(
        self, source: VersionFacts, target: VersionId, *, location: str, targets: Sequence[RegionTargetFacts]
    ) -> None:
        """Start to copy a version into another gallery (``storageProfile.source.id``), excluded from ``latest``
        everywhere.

        ``location`` is the home region of the copy, which ``targets`` must contain. When the copy exists already,
        nothing is written. Raises Refused when a different version has the number of ``target``, or when it is a copy
        of an earlier incarnation of ``source``.
        """
        ...


INCARNATION_TAG: Final = "ringmaster-incarnation"
"""Tag of a copy in another gallery. Its value is the publication date of the version that was copied."""
