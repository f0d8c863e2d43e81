"""Which mutants are tested, and what is said of those that survive."""

import pytest

from local.mutation.__main__ import report, sample, verdicts

MUTANTS = {f"shared.domain.latest.x_{number}__mutmut_1": None for number in range(100)}


def test_a_sample_is_the_same_for_the_same_seed_and_grows_with_its_size() -> None:
    assert sample(MUTANTS, 10, 1) == sample(dict(reversed(MUTANTS.items())), 10, 1)
    assert sample(MUTANTS, 10, 1) < sample(MUTANTS, 20, 1)
    assert sample(MUTANTS, 10, 1) != sample(MUTANTS, 10, 2)


def test_every_survivor_has_a_verdict() -> None:
    assert all(verdict.startswith(("test added: tests/", "equivalent: ")) for verdict in verdicts().values())


@pytest.mark.parametrize(
    ("codes", "known", "exit_code", "says"),
    [
        ({"a": 1, "b": 3, "c": -24}, {}, 0, "3 of 3 mutants killed, 1 of them by a time-out"),
        ({"a": 1, "b": 0}, {}, 1, "survived, without a verdict: b"),
        ({"a": 1, "b": 33}, {}, 1, "survived, without a verdict: b"),
        ({"a": 1, "b": 0}, {"b": "equivalent: x"}, 0, "1 of 1 survivors are equivalent"),
        ({"a": 1, "b": None}, {}, 1, "1 mutants are not tested yet"),
    ],
)
def test_the_command_fails_while_a_survivor_is_unread_or_a_mutant_untested(
    codes: dict[str, int | None], known: dict[str, str], exit_code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(codes, known) == exit_code
    assert says in capsys.readouterr().out
