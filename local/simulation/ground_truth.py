"""What the simulation knows for certain and the app has to find out. The checks judge the app by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from local.simulation.observations import publication_time
from shared.domain.access import Actor
from shared.domain.actions import Action
from shared.domain.facts import VersionFacts
from shared.domain.image import VersionId
from shared.domain.policy import DefinitionPolicy, Policy


@dataclass(slots=True)
class ImageTruth:
    """What is true of one image that bears, or bore, a version number."""

    boots: bool
    published_at: datetime
    has_clean_scan: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the image deserves to be released."""
        return self.boots and self.has_clean_scan


@dataclass(frozen=True, slots=True)
class ActionOrder:
    """What somebody ordered, and who it was."""

    action: Action
    by: Actor
    reason: str
    allow_empty: bool = False
    """Whether a revocation may leave a region without any version."""


@dataclass(slots=True)
class GroundTruth:
    """Every policy, every image and every resource of others in a run."""

    policies: dict[str, DefinitionPolicy] = field(default_factory=dict)
    """Every policy of a definition that was ever in force, by digest."""
    images: dict[tuple[VersionId, str], ImageTruth] = field(default_factory=dict)
    """Every image, by its version and the time at which it was published (ISO 8601)."""
    foreign_resources: set[str] = field(default_factory=set)
    """Resources in the test resource group that are not the app's, by id in lower case."""
    orders: dict[tuple[VersionId, str, str], ActionOrder] = field(default_factory=dict)
    """What people ordered, by version, actor and idempotency key."""
    _originals: dict[tuple[VersionId, str | None], str | None] = field(default_factory=dict)

    def add_policy(self, policy: Policy) -> None:
        """A policy comes into force."""
        self.policies.update({each.digest: each for each in policy.definitions.values()})

    def add_order(self, version: VersionId, key: str, order: ActionOrder) -> None:
        """Somebody orders something. The same request again is the same order."""
        self.orders.setdefault((version, order.by.id, key), order)

    def add_copy(self, copy: VersionFacts, original: VersionFacts | None) -> None:
        """The cloud made a copy of an original, or of nothing when that was deleted at that moment."""
        self._originals[copy.id, publication_time(copy)] = publication_time(original) if original else None

    def source_of(self, version: VersionId) -> VersionId:
        """The version that builders published: this one, or the one that it is a copy of."""
        for policy in self.policies.values():
            if policy.source != version.definition and version.definition in {each.definition for each in policy.rings}:
                return policy.source.version(version.number)
        return version

    def original_of(self, facts: VersionFacts) -> str | None:
        """When the image was published that a version is, or is a copy of (ISO 8601). It tells images apart."""
        published = publication_time(facts)
        return published if self.source_of(facts.id) == facts.id else self._originals.get((facts.id, published))

    def image_of(self, facts: VersionFacts) -> ImageTruth | None:
        """The image that a version is, or is a copy of."""
        return self.images.get((self.source_of(facts.id), self.original_of(facts) or ""))
