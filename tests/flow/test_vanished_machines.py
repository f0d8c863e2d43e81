"""Boot-test machines that somebody deletes, or that the platform loses, while they are tested."""

import pytest

from shared.domain.actions import Action
from shared.domain.release import State
from shared.stages.boot_verdict import MOST_MACHINES
from tests.flow.misfortunes import Meanwhile
from tests.flow.rehearsal import SMALL, Rehearsal

STEPS = {
    "while it is made": "machines.view",
    "before the probe": "machines.start_probe",
    "during the probe": "machines.probe",
    "before its console is read": "machines.serial_log",
    "before its deletion": "machines.delete",
}


def vanishing(method: str, times: int) -> Rehearsal:
    meanwhile = Meanwhile(method, "boot_test", times=times)
    play = Rehearsal(SMALL, misfortunes=[meanwhile])
    meanwhile.act = lambda call: play.cloud.machines.vanish(call.args[0])
    return play


@pytest.mark.parametrize("method", STEPS.values(), ids=STEPS)
def test_a_machine_that_vanishes_costs_time_and_no_release(method: str) -> None:
    play = vanishing(method, 1)
    version = play.publish()
    play.run()
    assert (play.release(version).state, play.left(), play.letters()) == (State.RELEASED, [], [])
    assert play.crashes() == 0


@pytest.mark.parametrize("method", ["machines.start_probe", "machines.probe"])
def test_the_test_of_a_machine_that_vanished_starts_anew_with_another_machine(method: str) -> None:
    play = vanishing(method, 1)
    version = play.publish()
    play.run()
    names = {call.args[0].name for call in play.effects("machines.create")}
    assert len(names) == 2 + 1 + 1  # a region each, the smoke test, and the one that started anew
    assert any("disappeared" in line.text for line in play.release(version).history)


@pytest.mark.parametrize("method", ["machines.view", "machines.start_probe", "machines.probe"])
def test_machines_that_vanish_for_ever_reject_nothing_and_are_told(method: str) -> None:
    play = vanishing(method, 10**6)
    version = play.publish()
    play.wait(4)
    release = play.release(version)
    assert not release.state.is_terminal
    assert "machines failed without a verdict" in release.stalls["boot_test"]
    assert "disappeared" in release.stalls["boot_test"]


@pytest.mark.parametrize("method", ["machines.view", "machines.probe"])
def test_machines_that_vanish_for_ever_are_not_made_for_ever(method: str) -> None:
    """Law 13 (cost is bounded): a week of a fault that nobody mends costs eight machines, and eight more a resend."""
    play = vanishing(method, 10**6)
    version = play.publish()
    play.wait(hours=24 * 7)
    made = len(play.effects("machines.create"))
    assert (made <= MOST_MACHINES * 2, play.release(version).pending["boot_test"].parked) == (True, True)
    play.take(Action.RESEND, version)
    play.wait(hours=24)
    again = len(play.effects("machines.create")) - made
    assert 0 < again <= MOST_MACHINES * 2
