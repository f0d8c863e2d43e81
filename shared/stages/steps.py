"""What a stage can answer after one hop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared.domain.lifecycle import Outcome
from shared.domain.release import Answer, Gate


@dataclass(frozen=True, slots=True)
class Again:
    """The same branch goes on after a wait, with what the next hop must know.

    ``stalled`` says why people should look although the branch goes on; ``failed`` counts the hop as a failed attempt,
    so that the next fault waits longer.
    """

    state: Mapping[str, Any]
    after: timedelta
    note: str | None = None
    stalled: str | None = None
    at_least: timedelta = timedelta(0)
    """What a service asked for; never shortened by pace."""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """A gate answered. Becomes evidence, a line in the row, and whatever the lifecycle says follows."""

    gate: Gate
    answer: Answer
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    incarnation: str | None = None
    traits: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """Something other than a gate ended or restarted the release."""

    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The branch is done and nothing follows from it."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Stalled:
    """The branch stops until people send it again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Noted:
    """Nothing changes but the history: a hint that changed nothing, a report that was refused."""

    text: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A duplicate, a straggler or a hint without news."""

    why: str


type Step = Again | Decided | Turned | Finished | Stalled | Noted | Dropped
