"""What the log says of a hop."""

from datetime import timedelta

import pytest

from shared.domain.hop_states import CreateMachine, DeleteMachine, NoState
from shared.domain.lifecycle import Outcome
from shared.domain.outcomes import (
    Annotated,
    Decided,
    Dropped,
    Finished,
    HopResult,
    Redirected,
    Requeue,
    Stalled,
    describe,
)
from shared.domain.release import Answer, Gate


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (
            Requeue(CreateMachine(vm="rm-1"), timedelta(seconds=20), note="creating"),
            "next step create in 20 s: creating",
        ),
        (Requeue(NoState(), timedelta(0), at_least=timedelta(seconds=1.5)), "next in 1.5 s"),
        (
            Requeue(NoState(), timedelta(seconds=5), note="throttled: wait", failed=True),
            "after a failure, next in 5 s: throttled: wait",
        ),
        (
            Requeue(NoState(), timedelta(seconds=5), note="quota", stalled="no quota for a week"),
            "next in 5 s: no quota for a week",
        ),
        (Decided(Gate.SCAN, Answer.PASS, facts={"report": "x"}), "scan passed"),
        (
            Decided(Gate.BOOT_TEST, Answer.REJECT, ("kernel panic", "no agent")),
            "boot test rejected the version: kernel panic; no agent",
        ),
        (Redirected(Outcome.SUPERSEDED, "2.0.0 is newer"), "superseded: 2.0.0 is newer"),
        (Finished(), "finished"),
        (Stalled("gave up"), "stalled: gave up"),
        (Annotated("report refused"), "recorded: report refused"),
        (Dropped("stale"), "dropped: stale"),
    ],
    ids=lambda each: each.split(":")[0] if isinstance(each, str) else type(each).__name__,
)
def test_a_step_is_told_in_one_line(step: HopResult, line: str) -> None:
    assert describe(step) == line


def test_facts_rules_and_state_stay_out_of_the_line() -> None:
    again = describe(Requeue(DeleteMachine(vm="rm-1", nonce="hidden-word"), timedelta(seconds=1)))
    decided = describe(Decided(Gate.SCAN, Answer.PASS, facts={"a": "hidden-word"}, rules={"b": "hidden-word"}))
    assert "hidden-word" not in again + decided


def test_a_long_text_of_many_lines_becomes_one_short_line() -> None:
    line = describe(Dropped("first\nsecond\r\n" + "x" * 5000))
    assert line.startswith("dropped: first second xxx")
    assert len(line) == 400
