"""The local host answers, and gives to functions, what Microsoft's host was seen to answer and give."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.azurite import Azurite
from tests.contract.host import differences
from tests.contract.host.differences import Difference, entries
from tests.contract.host.observations import Answer, Exchange, exchanges, invocations
from tests.contract.host.probing import answers, probe, send_messages

pytestmark = pytest.mark.stack

TIMES = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\"]*")
LATEST_AFTER = 3
"""Seconds by which a message may come later than at Microsoft's host: both poll once a second."""


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the local host: its answers by question, and what it gave to functions, both also as recorded."""

    asked: list[Exchange]
    answers: dict[str, Answer]
    lines: list[dict[str, Any]]
    recorded_lines: list[dict[str, Any]]

    def differences(self) -> list[Difference]:
        """Everything that differs from the recordings."""
        found = [
            each
            for one in self.asked
            for each in differences.of_answers(
                one.question.ask, one.answer, self.answers[one.question.ask], one.left_out
            )
        ]
        ours = by_kind(self.lines)
        for kind, theirs in by_kind(self.recorded_lines).items():
            found += differences.of_invocations(kind, theirs, ours[kind])
        return found


@pytest.fixture(scope="module")
def session(azurite: Azurite, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    data = real_data / "functions-host"
    if not data.is_dir():
        pytest.skip(f"needs the recordings of Microsoft's host in {data}")
    asked = list(exchanges(data))
    recorded = invocations(data)
    wanted = Counter(line["kind"] for line in recorded)
    folder = tmp_path_factory.mktemp("probe")
    with probe((data / "probe_app").resolve(), azurite.connection_string, folder) as running:
        send_messages(azurite.connection_string)
        of_the_probe = [one for one in asked if not one.left_out]
        given = answers(running, of_the_probe)
        lines = running.until(lambda kinds: all(kinds[kind] >= number for kind, number in wanted.items()))
        given |= answers(running, asked[len(of_the_probe) :])
    return Session(asked, given, lines, recorded)


def by_kind(lines: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What was given, comparable: without moments; messages that were sent at once in order of their bodies; of timers,
    which fire as often as there is time, each thing that one was given.
    """
    kinds: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        kinds.setdefault(line["kind"], []).append(_comparable(line))
    kinds["queue"].sort(key=lambda one: one["body"])
    kinds["timer"] = [one for index, one in enumerate(kinds["timer"]) if one not in kinds["timer"][:index]]
    return kinds


def _comparable(line: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in line.items() if name not in ("at", "after")}
    if kept["kind"] == "event":
        kept["time"] = TIMES.sub("TIME", kept["time"])
        kept["data"] |= {"d": TIMES.sub("TIME", kept["data"]["d"])}
    if kept["kind"] == "queue" and len(kept["body"]) > 1000:
        kept["body"] = f"{len(kept['body'])} characters of base64"
    return kept


def moments(lines: list[dict[str, Any]], kind: str) -> list[float]:
    """When functions of a kind were run, in seconds."""
    return [line["at"] for line in lines if line["kind"] == kind]


def test_the_local_host_differs_from_microsofts_only_as_listed(session: Session) -> None:
    unlisted = [each for each in session.differences() if not any(entry.covers(each) for entry in entries())]
    assert unlisted == []


def test_every_listed_difference_occurs_and_has_a_reason(session: Session) -> None:
    found = session.differences()
    gone = [entry.text for entry in entries() if not any(entry.covers(each) for each in found)]
    assert gone == []
    assert all(entry.reason.strip() for entry in entries())


def test_a_failed_message_comes_again_when_it_did_at_microsofts_host(session: Session) -> None:
    ours = [later - earlier for earlier, later in itertools.pairwise(moments(session.lines, "queue-fail"))]
    theirs = [one["after"] for one in session.recorded_lines if one["kind"] == "queue-fail" and one["after"]]
    assert len(ours) == len(theirs)
    assert all(wanted <= round(gap, 1) <= wanted + LATEST_AFTER for gap, wanted in zip(ours, theirs, strict=True)), ours


def test_a_timer_fires_first_on_its_schedule(session: Session) -> None:
    ours = moments(session.lines, "timer")
    on_schedule = [moment for moment in ours if moment % 3 < 0.5]
    assert len(on_schedule) >= len(ours) - 1, ours  # one was asked for by hand
