"""Generated documents say what the code says, and stand in the repository as generated."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.docs.__main__ import DOCUMENTS, FOLDER, differences, main, write
from local.docs.lifecycle_reference import MEANINGS, ORDERS, page
from shared.domain.lifecycle import TABLE, Next, Outcome, Send
from shared.domain.release import State


def test_every_document_in_the_repository_is_current():
    assert differences(FOLDER) == []


def test_check_of_a_changed_document_shows_the_difference_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write(tmp_path)
    changed = (tmp_path / "lifecycle.md").read_text().replace("| validating | validated |", "| validating | imagined |")
    (tmp_path / "lifecycle.md").write_text(changed)
    (tmp_path / "cli.md").unlink()
    assert main(["--check"], tmp_path) == 1
    said = capsys.readouterr().err
    assert "-| validating | imagined |" in said
    assert "+| validating | validated |" in said
    assert "docs/cli.md is missing" in said


def test_check_writes_nothing(tmp_path: Path):
    assert main(["--check"], tmp_path / "empty") == 1
    assert not (tmp_path / "empty").exists()


def test_writing_makes_the_check_pass_and_a_second_time_writes_nothing(tmp_path: Path):
    assert set(write(tmp_path)) == set(DOCUMENTS)
    assert main(["--check"], tmp_path) == 0
    assert write(tmp_path) == []


@pytest.mark.parametrize("make", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_is_the_same_every_time(make: Callable[[], str]):
    assert make() == make()


def test_every_transition_has_its_line_in_the_table():
    lines = page(TABLE).splitlines()
    for (state, outcome), after in TABLE.items():
        (line,) = [each for each in lines if each.startswith(f"| {state.value} | {outcome.value} |")]
        assert after.state.value in line
        assert all(send.value in line for send in after.sends)


def test_the_diagram_draws_every_transition_and_no_other():
    drawn: set[tuple[State, str, State]] = set()
    kinds = {
        "underway": [state for state in State if not state.is_terminal],
        "ended": [state for state in State if state.is_terminal],
    }
    for source, target, label in re.findall(r"^    (\w+) --> (\w+): (.+)$", page(TABLE), re.MULTILINE):
        for state in kinds.get(source) or [State(source)]:
            drawn |= {(state, outcome, State(target)) for outcome in label.split(" / ")}
    assert drawn == {(state, _label(outcome, after), after.state) for (state, outcome), after in TABLE.items()}


def _label(outcome: Outcome, after: Next) -> str:
    return (outcome.value + (" (next ring)" if after.next_ring else "")).replace(",", " –")


def test_a_row_that_only_some_states_have_is_drawn_from_each_of_them():
    table = {
        (State.VALIDATING, Outcome.REJECTED): Next(State.REJECTED),
        (State.BAKING, Outcome.REJECTED): Next(State.REJECTED),
    }
    text = page(table)
    assert "validating --> rejected" in text
    assert "baking --> rejected" in text
    assert "underway --> " not in text


def test_every_state_and_command_is_explained():
    assert set(MEANINGS) == set(State)
    assert set(ORDERS) == set(Send)


def test_the_command_line_reference_names_every_command_with_its_usage():
    text = DOCUMENTS["cli.md"]()
    for usage in (
        "ringmaster status [--json]",
        "ringmaster explain VERSION [--json]",
        "ringmaster resend VERSION [--reason] [--yes] [--json]",
        "ringmaster approve VERSION [--ring] [--reason] [--yes] [--json]",
        "ringmaster revoke VERSION [--reason] [--at] [--allow-empty] [--dry-run] [--yes] [--json]",
        "ringmaster promote VERSION --reason --emergency [--ring] [--yes] [--json]",
        "ringmaster policy check FILE",
    ):
        assert f"```\n{usage}\n```" in text
