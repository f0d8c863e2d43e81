"""What becomes of messages that were given up, whatever stands in them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.codec import encode_command
from shared.codec.hop_states import read_state
from shared.domain.hop_states import UnreadableState
from shared.domain.messages import Command, Kind
from shared.domain.release import Pending
from shared.engine.poison import note_failure, on_poison
from tests.flow.rehearsal import SMALL, Rehearsal

URL = "https://reports.example.com/r.json?sig=hidden"
ORDER = {"format": "trivy", "url": URL, "sha256": "0" * 64, "sender": "ci"}


def bury(play: Rehearsal, body: bytes) -> str:
    return play.do(lambda world, now: on_poison("image-scan", body, world, now=now))


def order(play: Rehearsal, **changes: Any) -> bytes:
    version = play.publish(scan=None)
    command = Command(
        Kind.FETCH_REPORT,
        version,
        seq=0,
        not_after=play.scheduler.now,
        state=read_state(Kind.FETCH_REPORT, {**ORDER, **changes}),
    )
    return encode_command(command)


@pytest.mark.parametrize(
    "changes", [{"format": True}, {"format": "a/b"}, {"url": None}, {"sha256": "0"}, {"sender": 1}]
)
def test_an_order_that_orders_nothing_becomes_a_letter(changes: dict[str, Any]) -> None:
    play = Rehearsal(SMALL)
    assert "kept as a dead letter" in bury(play, order(play, **changes))
    (letter,) = play.letters()
    assert "command to download a report" in letter.reason


@pytest.mark.parametrize("wrap", [bytes, base64.b64encode, lambda body: body.replace(b"?", b"\\u003f")])
def test_a_letter_shows_no_query_of_an_address(wrap: Any) -> None:
    play = Rehearsal(SMALL)
    newer = json.dumps({**json.loads(order(play)), "v": 99}).encode()
    bury(play, wrap(newer))
    (letter,) = play.letters()
    assert "https://reports.example.com/r.json?…" in letter.body
    assert "hidden" not in letter.body
    assert '"v": 99' in letter.body


def test_a_letter_shows_what_is_no_message_as_it_came() -> None:
    play = Rehearsal(SMALL)
    bury(play, b"aGVsbG8=")
    assert play.letters()[0].body == "aGVsbG8="


def test_a_stalled_release_keeps_its_own_command_and_not_the_messages() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=12)
    waiting = next(iter(play.release(version).pending.values())).command
    bury(play, encode_command(replace(waiting, state=UnreadableState({"deadline": [], "more": 1}))))
    (stalled,) = play.release(version).pending.values()
    assert stalled.stalled
    assert stalled.command == waiting


def test_a_message_for_a_row_that_cannot_be_read_becomes_a_letter_that_says_so() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=8)
    stored = play.stored(version)
    (branch, pending), *_ = stored.release.pending.items()
    body = encode_command(pending.command)
    # As a faulty app might have left it.
    broken: Any = 5
    spoilt = replace(stored.release, pending={branch: Pending(pending.command, pending.due, fault=broken)})
    play.do(lambda world, now: world.ledger.replace(stored, spoilt))
    assert "kept as a dead letter" in bury(play, body)
    assert "ledger row" in play.letters()[0].reason


def test_an_order_is_not_tried_for_ever_whatever_its_deadline() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    far = play.scheduler.now + timedelta(days=9999)
    command = Command(Kind.FETCH_REPORT, version, seq=0, not_after=far, state=read_state(Kind.FETCH_REPORT, ORDER))
    assert "requested again" in bury(play, encode_command(replace(command, attempt=99)))
    assert "is not requested again" in bury(play, encode_command(replace(command, attempt=100)))


def test_a_fault_is_noted_with_its_kind_and_a_thousand_characters_at_most() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=8)
    waiting = next(iter(play.release(version).pending.values())).command
    play.do(lambda world, _: note_failure(waiting, ValueError("x" * 2_000), world))
    noted = play.release(version).pending[str(waiting.branch)].fault
    assert noted == "ValueError: " + "x" * (1_000 - len("ValueError: "))


def test_a_letter_tells_when_it_was_kept() -> None:
    play = Rehearsal(SMALL)
    bury(play, b"hello")
    assert play.letters()[0].at == play.scheduler.now
