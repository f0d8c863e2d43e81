"""What the log says of a hop."""

from datetime import timedelta

import pytest

from shared.domain.hop_states import CreateMachine, DeleteMachine, NoState
from shared.domain.lifecycle import Outcome
from shared.domain.outcomes import Again, Decided, Dropped, Finished, Noted, Stalled, Step, Turned, describe
from shared.domain.release import Answer, Gate


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (
            Again(CreateMachine(vm="rm-1"), timedelta(seconds=20), note="creating"),
            "Again step=create in 20 s: creating",
        ),
        (Again(NoState(), timedelta(0), at_least=timedelta(seconds=1.5)), "Again in 1.5 s"),
        (
            Again(NoState(), timedelta(seconds=5), note="throttled: wait", failed=True),
            "Again in 5 s after a failure: throttled: wait",
        ),
        (
            Again(NoState(), timedelta(seconds=5), note="quota", stalled="no quota for a week"),
            "Again in 5 s: no quota for a week",
        ),
        (Decided(Gate.SCAN, Answer.PASS, facts={"report": "x"}), "Decided scan pass"),
        (
            Decided(Gate.BOOT_TEST, Answer.REJECT, ("kernel panic", "no agent")),
            "Decided boot_test reject: kernel panic; no agent",
        ),
        (Turned(Outcome.SUPERSEDED, "2.0.0 is newer"), "Turned superseded: 2.0.0 is newer"),
        (Finished(), "Finished"),
        (Stalled("gave up"), "Stalled: gave up"),
        (Noted("report refused"), "Noted: report refused"),
        (Dropped("stale"), "Dropped: stale"),
    ],
    ids=lambda each: each.split(":")[0] if isinstance(each, str) else type(each).__name__,
)
def test_a_step_is_told_in_one_line(step: Step, line: str) -> None:
    assert describe(step) == line


def test_facts_rules_and_state_stay_out_of_the_line() -> None:
    again = describe(Again(DeleteMachine(vm="rm-1", nonce="hidden-word"), timedelta(seconds=1)))
    decided = describe(Decided(Gate.SCAN, Answer.PASS, facts={"a": "hidden-word"}, rules={"b": "hidden-word"}))
    assert "hidden-word" not in again + decided


def test_a_long_text_of_many_lines_becomes_one_short_line() -> None:
    line = describe(Dropped("first\nsecond\r\n" + "x" * 5000))
    assert line.startswith("Dropped: first second xxx")
    assert len(line) == 400
