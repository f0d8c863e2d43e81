"""The possible results of a hop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from shared.domain.boot_test.identities import BootedMachine
from shared.domain.hop_states import HopState, step_of
from shared.domain.lifecycle import Outcome
from shared.domain.release import Answer, Gate


@dataclass(frozen=True, slots=True)
class Requeue:
    """The branch continues after a wait, with the state for the next hop.

    ``stalled`` says why people should look although the branch goes on; ``failed`` counts the hop as a failed attempt,
    so that the next fault waits longer.
    """

    state: HopState
    after: timedelta
    note: str | None = None
    stalled: str | None = None
    at_least: timedelta = timedelta(0)
    """Minimum wait that a service requested. The pace does not shorten it."""
    failed: bool = False
    within: timedelta | None = None
    """A new bound for the command, counted from the end of the wait; None keeps the command's own."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict of a gate. It becomes evidence, an entry of the row, and a transition of the lifecycle."""

    gate: Gate
    answer: Answer
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    rules: Mapping[str, Any] = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()
    incarnation: str | None = None
    traits: Mapping[str, str] | None = None
    retryable: bool = False
    """Whether a rejection says nothing against the image, so that an operator may retry the release."""
    machine: BootedMachine | None = None
    """The machine of a boot test that passed, to be compared with the others of the release."""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """A verdict on a later scan. It becomes evidence, and a transition if ``outcome`` is set.

    The release's own gates keep their verdicts.
    """

    decided: Decided
    outcome: Outcome | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class PublicationFound:
    """A ring was published by a hop that crashed before it recorded that. Changes nothing else."""

    ring: str


@dataclass(frozen=True, slots=True)
class Redirected:
    """Something other than a gate ended or restarted the release."""

    outcome: Outcome
    why: str
    published: str | None = None
    """The ring in which the version was published nevertheless. A revocation needs it."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The branch has ended without further commands."""

    note: str | None = None


@dataclass(frozen=True, slots=True)
class Stalled:
    """The branch stops until ``resend``, which uses ``state`` if it is set, or else the previous state."""

    reason: str
    state: HopState | None = None


@dataclass(frozen=True, slots=True)
class Annotated:
    """Only the history changes: a hint without effect, or a refused report."""

    text: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A duplicate, an outdated command, or a hint without effect."""

    why: str


type HopResult = (
    Requeue | Decided | Rechecked | PublicationFound | Redirected | Finished | Stalled | Annotated | Dropped
)

_LONGEST_LINE: Final = 400


def describe(result: HopResult) -> str:
    """A line for the log: the result of a hop, without the facts, which are in the evidence."""
    line = " ".join(_described(result).split())
    return line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"


def _described(result: HopResult) -> str:
    match result:
        case Requeue():
            return _requeued(result)
        case Decided(gate, answer, reasons):
            verdict = "passed" if answer is Answer.PASS else "rejected the version"
            return _with(f"{gate.words} {verdict}", "; ".join(reasons))
        case Rechecked(decided, outcome):
            verdict = "passed" if decided.answer is Answer.PASS else "failed"
            text = "; ".join(decided.reasons) or (outcome.value if outcome else "")
            return _with(f"a later scan {verdict}", text)
        case Redirected(outcome, why):
            return _with(outcome.value, why)
        case Finished(note):
            return _with("finished", note)
        case Stalled(reason=reason):
            return _with("stalled", reason)
        case PublicationFound(ring):
            return f"found the version published in {ring}, and recorded it"
        case Annotated(text):
            return _with("recorded", text)
        case Dropped(why):
            return _with("dropped", why)


def _requeued(result: Requeue) -> str:
    name = step_of(result.state)
    step = f" step {name}" if name else ""
    wait = max(result.after, result.at_least).total_seconds()
    after = "after a failure, " if result.failed else ""
    return _with(f"{after}next{step} in {wait:g} s", result.stalled or result.note)


def _with(what: str, why: str | None) -> str:
    return f"{what}: {why}" if why else what
