"""What a policy says of rules of validation: waivers, and the keys that some rules need."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.domain.image import VersionNumber
    from shared.domain.policy import Pattern


@dataclass(frozen=True, slots=True)
class Waiver:
    """Allows the findings of a rule until an expiry date. An expired waiver has no effect."""

    rule: str
    owner: str
    reason: str
    expires: datetime
    versions: tuple[VersionNumber, ...] = ()
    """The versions that it holds for; empty for all."""

    def covers(self, rule: str, number: VersionNumber) -> bool:
        """Whether the waiver is about a finding of this rule on the version with this number."""
        return rule == self.rule and (not self.versions or number in self.versions)


class NumberFormat(StrEnum):
    """How builders count."""

    SEMVER = "semver"
    CALENDAR = "calendar"
    PATTERN = "pattern"


class NumberOrder(StrEnum):
    """Whether a version must have the highest number of its definition."""

    ANY = "any"
    ASCENDING = "ascending"


@dataclass(frozen=True, slots=True)
class NumberRules:
    """The format and order of version numbers."""

    format: NumberFormat = NumberFormat.SEMVER
    pattern: Pattern | None = None
    """For the whole number; with ``NumberFormat.PATTERN`` alone."""
    order: NumberOrder = NumberOrder.ANY


@dataclass(frozen=True, slots=True)
class EndOfLifeRules:
    """Whether a version needs an end of life, and how far away it must be."""

    required: bool = True
    at_least: timedelta = timedelta(0)


class OwnerKind(StrEnum):
    """How an owner is named."""

    EMAIL = "email"
    ENTRA_ID = "entraId"


@dataclass(frozen=True, slots=True)
class OwnerRules:
    """The tag that names an owner, and how. Either kind will do where both are given."""

    tag: str = "owner"
    kinds: tuple[OwnerKind, ...] = (OwnerKind.EMAIL, OwnerKind.ENTRA_ID)
