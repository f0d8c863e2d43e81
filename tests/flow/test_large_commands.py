"""Commands too large for a queue, whose bodies lie in blobs, while these can't be read or are gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.simulation.calls import Call
from shared.codec import decode_pointer
from shared.domain.hop_states import UnreadableState
from shared.domain.image import VersionId
from shared.domain.messages import Kind
from shared.domain.release import State
from shared.ports import Throttled
from tests.flow.misfortunes import Outage
from tests.flow.rehearsal import BEGIN, SMALL, Rehearsal

HOUR = timedelta(hours=1)


def lies_in_a_blob(call: Call) -> bool:
    return decode_pointer(call.args[0]) is not None


def blobs_unavailable(begins: timedelta, lasts: timedelta) -> Outage:
    return Outage("queues.open", BEGIN + begins, lasts, only=lies_in_a_blob)


def begun(*misfortunes: Outage) -> tuple[Rehearsal, VersionId]:
    """A release whose replication is about to be ordered by a command of 60 KB."""
    play = Rehearsal(SMALL, misfortunes=misfortunes)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
    (pending,) = play.release(version).pending.values()
    large = replace(pending.command, state=UnreadableState({"pad": "x" * 60_000}))
    play.do(lambda world, _: world.queues.send(large))
    for message in play.cloud.queues.waiting():
        if message.kind is Kind.REPLICATE and decode_pointer(message.body) is None:
            play.cloud.queues.delete(message)
    return play, version


def test_an_hour_without_blobs_costs_a_large_command_an_hour_and_no_release() -> None:
    outage = blobs_unavailable(timedelta(0), timedelta(hours=2))
    play, version = begun(outage)
    release = play.run().release(version)
    assert (release.state, dict(release.stalls), play.letters()) == (State.RELEASED, {}, [])
    assert 5 <= outage.hits < 20, "asked again with a growing delay"
    assert play.crashes() == 0


def test_what_the_blob_service_asks_for_is_given_to_it() -> None:
    outage = blobs_unavailable(timedelta(0), timedelta(hours=2))
    outage.what = lambda: Throttled("slow down", retry_after=timedelta(minutes=50))
    play, _ = begun(outage)
    play.run()
    assert outage.hits <= 4


@pytest.mark.parametrize("lost", [True, False])
def test_a_body_that_is_gone_becomes_a_dead_letter_with_the_reason_and_the_timer_sends_the_command_anew(
    lost: bool,
) -> None:
    play, version = begun()
    if lost:
        play.cloud.queues.lose_bodies()
    play.run()
    assert [letter.reason for letter in play.letters() if "does not exist" not in letter.reason] == []
    assert (play.release(version).state, len(play.letters())) == (State.RELEASED, int(lost))
