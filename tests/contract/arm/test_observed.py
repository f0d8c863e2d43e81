"""The simulator answers the app's requests in ways that were observed at Azure: status, state, headers, sequences."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.arm.kernel.messages import Incoming, Outcome
from tests.contract.arm.exchanges import Recorder, a_release, operation_polls

HEADERS = frozenset({"azure-asyncoperation", "location"})
"""Those that clients follow. ``Retry-After`` and ``Azure-AsyncNotification`` came and went in the recordings."""
type Answer = tuple[int, str | None, frozenset[str], bool]


@pytest.fixture(scope="module")
def recorded() -> Recorder:
    return asyncio.run(a_release())


@pytest.fixture(scope="module")
def observed(real_data: Path) -> dict[str, set[Answer]]:
    contract = json.loads((real_data / "arm" / "observed-contract.json").read_text(encoding="utf-8"))
    return {
        kind: {
            (each["status"], each["provisioningState"], frozenset(each["lro_headers"]) & HEADERS, each["has_body"])
            for each in answers
        }
        for kind, answers in contract.items()
    }


def kind_of(incoming: Incoming) -> str:
    """``PUT Microsoft.Compute/galleries/{}/images/{}``, as the observations name it."""
    parts = re.split("/providers/", incoming.path, flags=re.IGNORECASE)[-1].split("/")
    parts[0] = parts[0].replace("microsoft.compute", "Microsoft.Compute")  # paths come in any casing
    names = [part if index == 0 or index % 2 else "{}" for index, part in enumerate(parts)]
    return f"{incoming.method} {'/'.join(names)}"


def answer_of(outcome: Outcome) -> Answer:
    body: Any = outcome.reply.body
    properties = body.get("properties", {}) if isinstance(body, dict) else {}
    headers = frozenset(name.lower() for name in outcome.reply.headers) & HEADERS
    return outcome.reply.status, properties.get("provisioningState"), headers, body is not None


def changes(recorded: Recorder) -> Iterator[tuple[str, Answer]]:
    for incoming, outcome in recorded.exchanges:
        if incoming.method in {"PUT", "PATCH", "DELETE"} and outcome.reply.status < 300:
            yield kind_of(incoming), answer_of(outcome)


def test_the_observations_cover_every_change_that_the_app_makes(
    recorded: Recorder, observed: dict[str, set[Answer]]
) -> None:
    kinds = {kind for kind, _ in changes(recorded)}
    assert len(kinds) >= 8
    assert kinds <= set(observed)


def test_every_accepted_change_is_answered_as_azure_was_seen_to_answer(
    recorded: Recorder, observed: dict[str, set[Answer]]
) -> None:
    odd = [(kind, answer) for kind, answer in changes(recorded) if answer not in observed[kind]]
    assert odd == []


def test_every_successful_look_has_a_body_and_nothing_to_follow(
    recorded: Recorder, observed: dict[str, set[Answer]]
) -> None:
    for incoming, outcome in recorded.exchanges:
        kind, answer = kind_of(incoming), answer_of(outcome)
        if incoming.method == "GET" and outcome.reply.status == 200 and kind in observed:
            seen = {(status, headers, body) for status, _, headers, body in observed[kind]}
            assert (answer[0], answer[2], answer[3]) in seen, kind


async def test_operations_are_polled_through_the_states_and_fields_that_azure_shows(real_data: Path) -> None:
    fields, states = recorded_polls(real_data / "arm" / "lro-traces.jsonl")
    async for name, polls in operation_polls():
        assert [status for status, _ in polls] == [200] * len(polls), name
        assert {str(body["status"]) for _, body in polls} <= states, name
        assert [str(body["status"]) for _, body in polls][-1] == "Succeeded", name
        assert "InProgress" in [str(body["status"]) for _, body in polls], name
        assert all(set(body) <= fields for _, body in polls), (name, polls)


def recorded_polls(file: Path) -> tuple[set[str], set[str]]:
    """Fields and states of the operations that were polled at Azure."""
    fields: set[str] = set()
    states: set[str] = set()
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            for poll in json.loads(line)["polls"]:
                body = poll.get("body")
                if isinstance(body, dict) and "status" in body and "startTime" in body:
                    fields |= set(body)
                    states.add(body["status"])
    return fields, states
