"""Messages that nobody can work on, and releases that stand because of them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.codec import encode_command
from shared.domain.actions import Action
from shared.domain.messages import Command, Kind
from shared.domain.release import State
from shared.engine.apply_action import ActionDenied
from tests.flow.misfortunes import Misfortune
from tests.flow.rehearsal import SMALL, Rehearsal


def unforeseen() -> BaseException:
    return ZeroDivisionError("nobody thought of this")


def stalled() -> Rehearsal:
    play = Rehearsal(SMALL, misfortunes=[Misfortune("machines.create", unforeseen, times=5)])
    play.publish()
    return play.wait(2)


def newer(body: bytes) -> bytes:
    return json.dumps({**json.loads(body), "v": 99}).encode()


@pytest.mark.parametrize("body", [b"", b"hello", b"\xff\xfe", b"[]", b'{"v": 1, "kind": "dance"}'])
def test_a_message_that_is_not_ours_becomes_a_dead_letter(body: bytes) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.put(Kind.VALIDATE, body)
    play.run()
    assert (len(play.letters()), play.release(version).state) == (1, State.RELEASED)


def test_a_message_of_a_newer_app_becomes_a_dead_letter_that_says_so() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    command = Command(Kind.SCAN, version, seq=0, not_after=play.scheduler.now)
    play.put(Kind.SCAN, newer(encode_command(command)))
    play.run()
    assert "99" in play.letters()[0].reason


def test_a_fault_that_nobody_foresaw_stalls_the_release() -> None:
    (release,) = stalled().rows()
    assert (release.state, list(release.stalls)) == (State.QUALIFYING, ["boot_test"])


def test_a_stalled_release_names_the_fault() -> None:
    (release,) = stalled().rows()
    assert "ZeroDivisionError: nobody thought of this" in release.stalls["boot_test"]


def test_a_fault_is_tried_five_times_and_no_more() -> None:
    play = stalled()
    play.wait(10)
    assert sum(isinstance(each.error, ZeroDivisionError) for each in play.host.results) == 5


def test_a_stalled_release_is_continued_by_sending_again() -> None:
    play = stalled()
    (release,) = play.rows()
    play.take(Action.RESEND, release.version)
    assert play.run().release(release.version).state is State.RELEASED


def test_nothing_is_sent_again_where_nothing_has_stalled() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.wait(minutes=7)
    with pytest.raises(ActionDenied, match="no command is stalled"):
        play.take(Action.RESEND, version)


def test_a_stalled_branch_keeps_no_other_from_rejecting() -> None:
    play = Rehearsal(SMALL, misfortunes=[Misfortune("machines.create", unforeseen, times=5)])
    version = play.publish(scan="critical-cve", scan_after=timedelta(minutes=60))
    play.run()
    assert (play.release(version).state, dict(play.release(version).stalls)) == (State.REJECTED, {})


def test_a_poisoned_command_of_a_release_that_moved_on_changes_nothing() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    before = play.stored(version)
    (first,) = [run.command for run, _ in play.hops if run.command and run.command.kind is Kind.VALIDATE][:1]
    play.host.poison.put(Kind.VALIDATE, encode_command(replace(first, attempt=3)))
    play.wait(1)
    assert (play.stored(version), len(play.letters())) == (before, 1)
