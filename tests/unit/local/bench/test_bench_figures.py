"""What a figure says of itself."""

import pytest

from local.bench.figures import Figure, Relation, rounded


@pytest.mark.parametrize(
    ("value", "relation", "bound", "holds"),
    [(1.05, "<=", 1.05, True), (1.06, "<=", 1.05, False), (2.0, "<", 2.0, False), (500, ">=", 500, True)],
)
def test_a_figure_holds_exactly_within_its_bound(value: float, relation: Relation, bound: float, holds: bool) -> None:
    assert Figure(value, relation, bound, "ratio").holds is holds


def test_a_figure_within_its_bound_does_not_hold_when_what_else_is_asked_for_does_not() -> None:
    assert not Figure(1.0, "<=", 1.5, "ratio", within=False).holds


def test_the_document_names_bound_and_parts() -> None:
    document = Figure(1.23456, "<=", 1.5, "ratio", parts={"a": 0.123456}).document()
    assert (document["value"], document["bound"], document["parts"]) == (1.2346, "<= 1.5", {"a": 0.1235})


def test_rounding_reaches_into_lists_and_keeps_whole_numbers() -> None:
    assert rounded({"a": [1, 0.00001, "text"]}) == {"a": [1, 0.0, "text"]}
