"""What facts and rows say, read without the app's own functions.

The checks judge the app, so they share no decision with it. What a decision would need of the plain data types of the
domain is read here once more.
"""

from __future__ import annotations

from typing import Final

from shared.domain.facts import VersionFacts
from shared.domain.image import DefinitionId
from shared.domain.messages import Kind
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Publication, Release, State

ENDED: Final = frozenset({State.RELEASED, State.REJECTED, State.SUPERSEDED, State.REVOKED})
"""States after which nothing more happens by itself."""
CARRIES_RELEASE: Final = frozenset(
    {Kind.VALIDATE, Kind.SCAN, Kind.BOOT_TEST, Kind.REPLICATE, Kind.PROMOTE, Kind.REVOKE}
)
"""Commands that carry a release on. Announcements, deletions and fetches of reports do not."""


def is_visible(facts: VersionFacts, region: str) -> bool:
    """Whether ``latest`` may resolve to a version in a region. The region's flag goes before the version's own."""
    for target in facts.targets:
        if target.region == region:
            return not (facts.excluded if target.excluded is None else target.excluded)
    return False


def regions_of(facts: VersionFacts) -> list[str]:
    """The target regions of a version."""
    return [target.region for target in facts.targets]


def visible_regions(facts: VersionFacts) -> list[str]:
    """The regions in which ``latest`` may resolve to a version."""
    return [region for region in regions_of(facts) if is_visible(facts, region)]


def publication_time(facts: VersionFacts) -> str | None:
    """When a version was published (ISO 8601). It tells images apart that bore the same number."""
    return facts.published_at.isoformat() if facts.published_at else None


def definitions_written(policy: DefinitionPolicy) -> list[DefinitionId]:
    """The image definitions that a release may write to: its rings', last ring first, and its source."""
    return list(dict.fromkeys((*(ring.definition for ring in reversed(policy.rings)), policy.source)))


def ring_named(policy: DefinitionPolicy, name: str) -> Ring:
    """A ring of a policy. Raises KeyError when there is none of that name."""
    return {ring.name: ring for ring in policy.rings}[name]


def publication_in(row: Release, ring: str) -> Publication | None:
    """What the row says of its publication in a ring."""
    return next((each for each in row.published if each.ring == ring), None)


def has_ended(row: Release) -> bool:
    """Whether a release has ended, with no command left to do."""
    return row.state in ENDED and not row.pending
