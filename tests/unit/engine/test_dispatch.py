"""What a message may ask for: what its row has decided on, or a look."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.codec import Malformed
from shared.codec.hop_states import read_state
from shared.domain.hop_states import AwaitScan, UnreadableState
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Dropped, HopResult, Requeue
from shared.domain.release import Release
from shared.engine import dispatch
from tests.flow.rehearsal import SMALL, Rehearsal

FORGED = UnreadableState({"step": "gone", "vm": "rm-0", "region": "westeurope", "reasons": [], "deletedAt": ""})


def waiting(minutes: float) -> tuple[Rehearsal, Release]:
    """A release some minutes after its version was published, whose scan never comes."""
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=minutes)
    return play, play.release(version)


def handle(play: Rehearsal, command: Command) -> HopResult:
    return play.do(lambda world, now: dispatch.handle(command, world, now=now))


def test_a_hop_does_what_its_row_says_whatever_the_message_says() -> None:
    play, release = waiting(12)
    (pending,) = release.pending.values()
    step = handle(play, replace(pending.command, state=AwaitScan(datetime(2000, 1, 1, tzinfo=UTC))))
    assert isinstance(step, Requeue), "a message that was changed on its way rejects nothing"
    assert step.state == pending.command.state


def test_how_often_a_command_was_tried_is_told_by_its_message() -> None:
    _, release = waiting(12)
    (pending,) = release.pending.values()
    assert release.as_decided(replace(pending.command, attempt=7)).attempt == 7


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.VALIDATE, Kind.SCAN, Kind.FETCH_REPORT}))
def test_without_a_row_nothing_is_done_but_looking(kind: Kind) -> None:
    play, release = waiting(6)
    before = play.release(release.version)
    command = Command(kind, release.version, seq=0, not_after=play.scheduler.now, region="westeurope", state=FORGED)
    assert isinstance(handle(play, command), Dropped)
    assert play.release(release.version) == before


def test_a_hint_names_no_ring() -> None:
    play, release = waiting(12)
    command = Command(Kind.SCAN, release.version, seq=0, not_after=play.scheduler.now, ring="canary")
    assert isinstance(handle(play, command), Dropped)


@pytest.mark.parametrize("told", [["x"], {"a": 1}, 5, True])
def test_a_refusal_that_is_no_text_gets_into_no_history(told: Any) -> None:
    play, release = waiting(12)
    command = Command(
        Kind.SCAN, release.version, seq=0, not_after=play.scheduler.now, state=read_state(Kind.SCAN, {"refused": told})
    )
    handle(play, command)
    assert play.release(release.version).history == release.history


def test_a_report_that_is_no_text_is_none_that_was_judged() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    hint = Command(
        Kind.SCAN, version, seq=0, not_after=play.scheduler.now, state=read_state(Kind.SCAN, {"report": ["x"]})
    )
    assert isinstance(handle(play, hint), Dropped)


def test_an_order_to_fetch_that_orders_nothing_is_refused() -> None:
    play, release = waiting(12)
    state = read_state(Kind.FETCH_REPORT, {"url": 5})
    command = Command(Kind.FETCH_REPORT, release.version, seq=0, not_after=play.scheduler.now, state=state)
    with pytest.raises(Malformed, match=r"Expected `str`, got `int` - at `\$.url`"):
        handle(play, command)


@pytest.mark.parametrize("state", [{}, {"step": None}, {"step": ["publish"]}, {"step": "bake"}])
def test_a_stale_promotion_that_names_no_write_is_dropped_unlooked(state: dict[str, Any]) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    late = play.scheduler.now + timedelta(hours=1)
    stale = Command(Kind.PROMOTE, version, seq=1, not_after=late, ring="nowhere", state=read_state(Kind.PROMOTE, state))
    before = len(play.misfortunes.calls)
    step = handle(play, stale)
    assert step == Dropped("stale: the release has advanced")
    assert len(play.misfortunes.calls) - before <= 1
