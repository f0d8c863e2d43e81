"""Crashes: the process ends before or after any call of any port, and the release goes on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.characters import Character
from shared.adapters.memory.galleries import Replication
from shared.domain.lifecycle import missing_proof
from shared.domain.messages import Kind
from shared.domain.release import State
from tests.flow.misfortunes import AtCall, Fault, Misfortune, crash, throttled, unavailable
from tests.flow.rehearsal import BEGIN, DEFINITION, PRODUCTION, SOURCE, Rehearsal, ring


def _s(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)


SWEPT = replace(DEFINITION, rings=(ring("canary", SOURCE, "westeurope"), ring("production", PRODUCTION, "eastus2")))
"""One ring of each sort: every call of a whole release is swept, so it should be a short one."""
QUICK = Character(
    "quick", _s(1), _s(5), _s(8), console=((_s(1), "Linux version 6.8.0"), (_s(9), "login: ")), probe_takes=_s(2)
)
SHARES = 4
"""The sweep is cut into this many tests, so that several processes share it."""


def sound(play: Rehearsal) -> None:
    """A clean version came through as if nothing had happened."""
    (release,) = play.rows()
    assert release.state is State.RELEASED, release.history[-5:]
    for each in SWEPT.rings:
        assert missing_proof(release, SWEPT, each) == ()
        assert {play.latest(each.definition, region) for region in each.region_names} == {"1.0.0"}
    documents = play.cloud.evidence.documents()
    assert all(record.evidence in documents for record in release.gates)
    assert play.left() == []
    told = {each.id: each.type for each in play.cloud.publisher.published()}
    assert list(told.values()).count("Ringmaster.Release.Published") == len(SWEPT.rings)
    assert list(told.values()).count("Ringmaster.Release.Released") == 1
    assert len(play.effects("galleries.copy_version")) >= 1


def played(*misfortunes: AtCall | Misfortune) -> Rehearsal:
    play = Rehearsal(SWEPT, misfortunes=misfortunes, replication=lambda *_: Replication(_s(15)))
    play.publish(character=QUICK, scan_after=timedelta(minutes=5))
    return play.run()


def undisturbed() -> int:
    return len(played().misfortunes.calls)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_release_survives_a_crash_around_every_call_of_every_port(after: bool, share: int) -> None:
    for index in range(1 + share, undisturbed() + 1, SHARES):
        survives(AtCall(index, crash, after=after))


@pytest.mark.parametrize("what", [unavailable, throttled])
def test_a_release_survives_calls_that_fail_before_they_take_effect(what: Fault) -> None:
    for index in range(1, undisturbed() + 1, 4):
        survives(AtCall(index, what))


def test_a_release_survives_calls_that_took_effect_and_say_they_failed() -> None:
    for index in range(1, undisturbed() + 1, 3):
        survives(AtCall(index, unavailable, after=True))


def survives(at: AtCall) -> None:
    play = played(at)
    call = play.misfortunes.calls[at.index - 1]
    try:
        sound(play)
    except AssertionError as fault:
        when = "after" if at.after else "before"
        raise AssertionError(f"{at.what()!r} {when} call {at.index}, {call.function} {call.name}: {fault}") from fault
    assert at.struck


def test_a_crash_between_write_and_send_is_made_up_for_by_reconciliation() -> None:
    strike = Misfortune("queues.send", crash, function="validate")
    play = played(strike)
    sound(play)
    assert (strike.struck, play.rows()[0].updated_at - BEGIN < timedelta(hours=4)) == (True, True)


def test_a_crash_between_send_and_delete_has_no_double_effect() -> None:
    undisturbed_calls = len(played().effects("machines.create"))
    strike = Misfortune("ledger.replace", crash, function="boot_test", nth=2, after=True)
    play = played(strike)
    sound(play)
    assert len(play.effects("machines.create")) == undisturbed_calls


def test_a_message_that_comes_again_after_its_hop_is_dropped() -> None:
    strike = Misfortune("ledger.replace", crash, function="replicate", nth=2, after=True)
    play = played(strike)
    again = [step for run, step in play.hops if run.command and run.command.kind is Kind.REPLICATE]
    assert any("stale" in str(step) for step in again)


def test_a_crash_while_writing_leaves_no_lock_for_ever() -> None:
    play = played(Misfortune("galleries.write_targets", crash, after=True))
    sound(play)
    assert play.rows()[0].updated_at - BEGIN < timedelta(hours=4)


def test_crashes_of_one_hop_in_a_row_are_survived() -> None:
    play = played(Misfortune("machines.create", crash, times=4, after=True))
    sound(play)
    assert len({call.args[0].name for call in play.effects("machines.create")}) == 3
