"""What validation judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.activity import Activity
from shared.domain.boot_test.machine_sizes import Sizes
from shared.domain.facts import DefinitionFacts, GalleryFacts, SourceFacts, VersionFacts
from shared.domain.image import DefinitionId, VersionNumber


@dataclass(frozen=True, slots=True)
class ValidationFacts:
    """The facts for validation. None means that the object does not exist."""

    version: VersionFacts | None
    definition: DefinitionFacts | None
    gallery: GalleryFacts | None
    source: SourceFacts | None = None
    ring_definitions: Mapping[DefinitionId, DefinitionFacts | None] = field(
        default_factory=dict[DefinitionId, DefinitionFacts | None]
    )
    """For rings in other galleries: the image definition that the version will be copied to."""
    sizes: Mapping[str, Sizes] = field(default_factory=dict[str, Sizes])
    """By region, the sizes of machines that Azure offers there."""
    sizes_unread: str | None = None
    """Why the sizes could not be read; None when they were."""
    published: frozenset[str] = frozenset()
    """Regions in which Ringmaster has published the version itself, under a former policy."""
    newest_published: VersionNumber | None = None
    """The highest number that ``latest`` can resolve to in a region of a ring in the source gallery, this version left
    out."""
    siblings: tuple[VersionFacts, ...] = ()
    """The other versions of the definition."""
    twins: Mapping[DefinitionId, VersionFacts] = field(default_factory=dict[DefinitionId, VersionFacts])
    """For rings in other galleries: the version there that has this number already."""
    galleries: int | None = None
    """How many galleries the subscription has in the region of the gallery; None where they were not counted."""
    galleries_unread: str | None = None
    """Why they could not be counted; None when nobody tried."""
    builder: str | None = None
    """Who wrote the version by the event that started its release: an application or object id."""
    activity: Activity = field(default_factory=Activity)
