"""After the tests: how many inputs each entrance was given, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fuzz import budget

_KEY = "fuzzed"


@pytest.fixture(autouse=True)
def spending(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Count what this test spends, wherever it runs: properties reach the process that reports."""
    budget.spent = spent = budget.Spent()
    yield
    record_property(_KEY, (spent.inputs, spent.size, spent.seconds, spent.worst))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each entrance, where more than the fixed budget was asked for.

    ``s`` is the time of the whole test, ``CPU s`` what the product took of it, ``worst`` its dearest input.
    """
    if budget.GIVEN is None:
        return
    stats = terminalreporter.stats.values()
    reports = [each for found in stats for each in found if isinstance(each, pytest.TestReport)]
    calls = {each.nodeid: each for each in reports if each.when == "call"}
    terminalreporter.section("inputs for each entrance")
    terminalreporter.write_line(f"{'inputs':>8} {'bytes':>12} {'s':>8} {'CPU s':>8} {'worst ms':>9}  entrance")
    for report in sorted((each for each in reports if each.when == "teardown"), key=lambda each: each.nodeid):
        told: Any = dict(report.user_properties).get(_KEY, (0, 0, 0.0, 0.0))
        inputs, size, seconds, worst = told
        call = calls.get(report.nodeid)
        if inputs and call is not None:
            numbers = f"{inputs:>8} {size:>12} {call.duration:>8.1f} {seconds:>8.1f} {worst * 1000:>9.1f}"
            terminalreporter.write_line(f"{numbers}  {report.nodeid.removeprefix('tests/fuzz/')} {call.outcome}")
