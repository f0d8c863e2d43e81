"""What the simulation knows for certain and the app has to find out. The checks judge the app by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

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


@dataclass(slots=True)
class GroundTruth:
    """Every policy, every image and every resource of others in a run."""

    policies: dict[str, DefinitionPolicy] = field(default_factory=dict)
    """Every policy of a definition that was ever in force, by digest."""
    images: dict[tuple[VersionId, str], ImageTruth] = field(default_factory=dict)
    """Every image, by its version and the time at which it was published (ISO 8601)."""
    foreign_resources: set[str] = field(default_factory=set)
    """Resources in the test resource group that are not the app's, by id in lower case."""

    def add_policy(self, policy: Policy) -> None:
        """A policy comes into force."""
        self.policies.update({each.digest: each for each in policy.definitions.values()})

    def source_of(self, version: VersionId) -> VersionId:
        """The version that builders published: this one, or the one that it is a copy of."""
        for policy in self.policies.values():
            if policy.source != version.definition and version.definition in {each.definition for each in policy.rings}:
                return policy.source.version(version.number)
        return version

    def policies_of(self, policy: DefinitionPolicy) -> Mapping[str, DefinitionPolicy]:
        """Every policy that the same definition ever had, by digest."""
        return {digest: each for digest, each in self.policies.items() if each.source == policy.source}
