"""What the releases of two versions of one definition mean for each other, by the policy's ``supersede``. No I/O.

It decides which of them go on. That an older version is never published after a newer one is no matter of policy: law 3
(latest never goes backwards) is held where a ring is published (``shared.domain.latest``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.domain.image import VersionId
from shared.domain.policy import Supersede
from shared.domain.release import State
from shared.domain.release_summary import ReleaseSummary

_QUALIFIED: Final = {
    State.REPLICATING,
    State.TESTING,
    State.BAKING,
    State.AWAITING_APPROVAL,
    State.PUBLISHING,
    State.RELEASED,
}
"""States of a version that has passed its scan and smoke test, and that no later scan holds back."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """A newer version has qualified, so that this release ends."""

    why: str


@dataclass(frozen=True, slots=True)
class Queued:
    """An older version is not published in all its rings yet, so that this release waits."""

    why: str


def succession(version: VersionId, rule: Supersede, others: Iterable[ReleaseSummary]) -> Succeeded | Queued | None:
    """What the other releases of its definition mean for a version that is about to be published; None for nothing."""
    match rule:
        case Supersede.BOTH:
            return None
        case Supersede.NEWEST:
            newer = [each for each in others if each.version.number > version.number and each.state in _QUALIFIED]
            newest = max(newer, key=lambda each: each.version.number, default=None)
            return newest and Succeeded(f"{newest.version.number} is newer and has passed its scan and smoke test")
        case Supersede.QUEUE:
            older = [each for each in others if each.version.number < version.number and not each.state.is_terminal]
            first = min(older, key=lambda each: each.version.number, default=None)
            return first and Queued(f"waiting for {first.version.number}, which is {_words(first.state)}, to end first")


def _words(state: State) -> str:
    return state.value.replace("_", " ")
