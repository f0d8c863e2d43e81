"""Azure's own clients' recorded sessions, sent again to the simulator, are answered as Azure answered them then."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

import pytest

from local.arm.kernel.messages import Reply
from tests.contract.arm.comparison import Difference, compare, general, leaves
from tests.contract.arm.coverage import FILE as TABLE
from tests.contract.arm.coverage import table
from tests.contract.arm.differences import entries
from tests.contract.arm.playing import Played, differences, play_all

LEAST_COMPARED = 2000
"""Recorded exchanges that have a counterpart in the simulator; fewer means that replaying has stopped to work."""


@pytest.fixture(scope="module")
def played(real_data: Path) -> tuple[Played, ...]:
    recordings = real_data / "arm" / "recordings"
    if not recordings.is_dir():
        pytest.skip(f"needs recorded ARM traffic in {recordings}")
    return play_all(recordings)


@pytest.fixture(scope="module")
def met(played: tuple[Played, ...]) -> list[tuple[str, Difference]]:
    return differences(played)


def test_every_answer_is_the_recorded_one_but_for_the_known_differences(met: list[tuple[str, Difference]]) -> None:
    listed = entries()
    unknown = Counter(
        (found.operation, found.aspect, found.where, found.detail, session)
        for session, found in met
        if not any(one.covers(session, found) for one in listed)
    )
    assert unknown == Counter()


def test_every_known_difference_has_a_reason_and_still_occurs(met: list[tuple[str, Difference]]) -> None:
    listed = entries()
    assert [one.text for one in listed if len(one.reason) <= 20] == []
    gone = [one.text for one in listed if not any(one.covers(session, found) for session, found in met)]
    assert gone == []


def test_most_of_what_was_recorded_is_compared(played: tuple[Played, ...]) -> None:
    assert sum(len(one.replayed) for one in played) >= LEAST_COMPARED


def test_the_table_of_what_is_replayed_is_current(played: tuple[Played, ...]) -> None:
    assert TABLE.read_text(encoding="utf-8") == table(played)


@pytest.mark.parametrize(
    ("spoil", "aspect"),
    [
        (lambda reply: setattr(reply, "status", 202), "status"),
        (lambda reply: reply.headers.pop("Azure-AsyncOperation"), "header"),
        (lambda reply: reply.headers.update({"Location": "https://somewhere"}), "header"),
        (lambda reply: reply.body["properties"].pop("provisioningState"), "absent"),
        (lambda reply: reply.body["properties"].update({"invented": 1}), "extra"),
        (lambda reply: reply.body["properties"].update({"provisioningState": "Succeeded"}), "value"),
        (lambda reply: reply.body.update({"id": reply.body["id"].lower()}), "value"),
        (lambda reply: reply.body.update({"location": "East US 2"}), "value"),
        (lambda reply: reply.body["properties"].update({"publishingProfile": "text"}), "absent"),
    ],
)
def test_a_spoiled_answer_is_noticed(played: tuple[Played, ...], spoil, aspect: str) -> None:
    each = next(
        each
        for one in played
        for each in one.replayed
        if each.operation == "GalleryImageVersions_CreateOrUpdate" and each.reply.status == 201
    )
    reply = Reply(each.reply.status, copy.deepcopy(each.reply.body), dict(each.reply.headers))
    before = Counter(compare(each.operation, each.exchange, reply, _everything(reply)))
    spoil(reply)
    after = Counter(compare(each.operation, each.exchange, reply, _everything(each.reply)))
    assert aspect in {found.aspect for found in after - before}


def _everything(reply: Reply) -> frozenset[str]:
    return frozenset(general(path) for path, _ in leaves(reply.body))
