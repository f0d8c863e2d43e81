"""What a stage can answer after one hop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from shared.domain.hop_states import HopState, step_of
from shared.domain.lifecycle import Outcome
from shared.domain.release import Answer, Gate


@dataclass(frozen=True, slots=True)
class Again:
    """The same branch goes on after a wait, with what the next hop must know.

    ``stalled`` says why people should look although the branch goes on; ``failed`` counts the hop as a failed attempt,
    so that the next fault waits longer.
    """

    state: HopState
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
class Rechecked:
    """What is published was judged again. Becomes evidence, and ``outcome``, where something follows from it.

    The release's own gates keep their verdicts.
    """

    decided: Decided
    outcome: Outcome | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A ring turned out to be published by a hop that did not come to say so. Changes nothing else."""

    ring: str


@dataclass(frozen=True, slots=True)
class Turned:
    """Something other than a gate ended or restarted the release."""

    outcome: Outcome
    why: str
    published: str | None = None
    """The ring in which the version was published all the same: whoever takes it back must know."""


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


type Step = Again | Decided | Rechecked | Recorded | Turned | Finished | Stalled | Noted | Dropped

_LONGEST_LINE: Final = 400


def describe(step: Step) -> str:
    """One line for the log: what a hop came to, without the facts, which are in the evidence."""
    line = " ".join(_described(step).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def _described(step: Step) -> str:
    match step:
        case Again():
            return _again(step)
        case Decided():
            return _with(f"Decided {step.gate} {step.answer}", "; ".join(step.reasons))
        case Rechecked(decided, outcome):
            text = "; ".join(decided.reasons) or (outcome.value if outcome else "")
            return _with(f"Rechecked {decided.answer}", text)
        case Turned(outcome, why):
            return _with(f"Turned {outcome.name.lower()}", why)
        case Finished(note):
            return _with("Finished", note)
        case Stalled(reason):
            return _with("Stalled", reason)
        case Recorded(ring):
            return _with("Recorded", ring)
        case Noted(text):
            return _with("Noted", text)
        case Dropped(why):
            return _with("Dropped", why)


def _again(step: Again) -> str:
    name = step_of(step.state)
    at = f" step={name}" if name else ""
    wait = max(step.after, step.at_least).total_seconds()
    failed = " after a failure" if step.failed else ""
    return _with(f"Again{at} in {wait:g} s{failed}", step.stalled or step.note)


def _with(what: str, why: str | None) -> str:
    return f"{what}: {why}" if why else what
