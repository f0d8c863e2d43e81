"""What facts, rows and commands say, read without the app's own functions.

The checks judge the app, so they share no decision with it: they read the plain data types of the domain by themselves.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from shared.domain.actions import Action
from shared.domain.facts import VersionFacts
from shared.domain.hop_states import Watch
from shared.domain.image import DefinitionId
from shared.domain.messages import Command, Kind
from shared.domain.policy import DefinitionPolicy, Ring
from shared.domain.release import Answer, Gate, Pending, Publication, Release, State

ENDED: Final = frozenset({State.RELEASED, State.REJECTED, State.SUPERSEDED, State.REVOKED})
"""States after which nothing more happens by itself."""
CARRIES_RELEASE: Final = frozenset(
    {Kind.VALIDATE, Kind.SCAN, Kind.BOOT_TEST, Kind.REPLICATE, Kind.PROMOTE, Kind.REVOKE}
)
"""Commands that carry a release on. Announcements, deletions of machines and fetches of reports do not."""


class CommandKey(NamedTuple):
    """What a command is for. A release has at most one command for each."""

    kind: Kind
    ring: str | None
    region: str | None

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


def key_of(command: Command) -> CommandKey:
    """What a command is for."""
    return CommandKey(command.kind, command.ring, command.region)


def is_hint(command: Command) -> bool:
    """Whether a command was sent by no row."""
    return command.seq == 0


def pending_like(row: Release, command: Command) -> Pending | None:
    """The command that a row waits for where this one belongs."""
    return next((each for each in row.pending.values() if key_of(each.command) == key_of(command)), None)


def waits_for_version(row: Release) -> bool:
    """Whether a rejected version stays visible until another one is published: ``latest`` would be nothing without."""
    return any(each.command.kind is Kind.HIDE and each.stalled is not None for each in row.pending.values())


def has_ended(row: Release) -> bool:
    """Whether a release has ended, with no command left to do, except to wait for another version."""
    return row.state in ENDED and (not row.pending or (len(row.pending) == 1 and waits_for_version(row)))


def waits_for_decision_on_health(row: Release) -> bool:
    """Whether the health of a ring failed, or stays unknown, and a person has to decide."""
    if row.state in ENDED - {State.RELEASED} or row.state is State.REVOKING:
        return False
    failed = any(each.gate is Gate.HEALTH and each.answer is Answer.REJECT for each in row.gates)
    watches = (each.command.state for each in row.pending.values() if each.command.kind is Kind.HEALTH)
    return failed or any(isinstance(each, Watch) and each.unknown for each in watches)


def is_held(row: Release) -> bool:
    """Whether somebody holds a release. A row forgets the actions on an image when its number is used again."""
    last = [each.action for each in row.actions if each.action in {Action.HOLD, Action.RESUME}][-1:]
    return last == [Action.HOLD]


def publication_in(row: Release, ring: str) -> Publication | None:
    """What the row says of its publication in a ring."""
    return next((each for each in row.published if each.ring == ring), None)


def regions_of(facts: VersionFacts) -> list[str]:
    """The target regions of a version."""
    return [target.region for target in facts.targets]


def is_visible(facts: VersionFacts, region: str) -> bool:
    """Whether ``latest`` may resolve to a version in a region. The region's flag goes before the version's own."""
    for target in facts.targets:
        if target.region == region:
            return not (facts.excluded if target.excluded is None else target.excluded)
    return False


def visible_regions(facts: VersionFacts | None) -> list[str]:
    """The regions in which ``latest`` may resolve to a version."""
    return [region for region in regions_of(facts) if is_visible(facts, region)] if facts else []


def publication_time(facts: VersionFacts) -> str | None:
    """When a version was published (ISO 8601). It tells images apart that bore the same number."""
    return facts.published_at.isoformat() if facts.published_at else None


def definitions_written(policy: DefinitionPolicy) -> list[DefinitionId]:
    """The image definitions that a release may write to: its rings', last ring first, and its source."""
    return list(dict.fromkeys((*(ring.definition for ring in reversed(policy.rings)), policy.source)))


def ring_named(policy: DefinitionPolicy, name: str) -> Ring:
    """A ring of a policy. Raises KeyError when there is none of that name."""
    return {ring.name: ring for ring in policy.rings}[name]


def ring_regions(ring: Ring) -> list[str]:
    """The regions of a ring."""
    return [region.name for region in ring.regions]
