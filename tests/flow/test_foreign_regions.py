"""A region that somebody else added to a version, that is in no policy, and fails."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.galleries import Replication
from shared.domain.actions import Action
from shared.domain.image import VersionId
from shared.domain.policy import Ahead, DefinitionPolicy
from shared.domain.release import State
from tests.flow.rehearsal import DEFINITION, HOME, SMALL, SOURCE, Rehearsal
from tests.flow.test_replication import add_region

WORDS = "There is no capacity in this region."
FOREIGN = "japaneast"


def failing(times: int, definition: DefinitionPolicy = SMALL) -> Rehearsal:
    """The foreign region fails so many times, two minutes after each write."""

    def goes(_: VersionId, where: str, attempt: int) -> Replication:
        fails = where == FOREIGN and attempt <= times
        return Replication(timedelta(minutes=2), fails=WORDS) if fails else Replication()

    return Rehearsal(definition, replication=goes)


@pytest.mark.parametrize("minutes", [6, 9, 11, 13, 15, 17, 18])
def test_a_foreign_region_that_recovers_costs_no_release(minutes: float) -> None:
    play = failing(6)
    version = play.publish()
    play.after(minutes, lambda: add_region(play, version, FOREIGN))
    play.run()
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.RELEASED, "1.0.0")


@pytest.mark.parametrize("minutes", [9, 13, 15])
def test_a_foreign_region_that_fails_for_ever_is_named_where_people_look(minutes: float) -> None:
    play = failing(10**6)
    version = play.publish()
    play.after(minutes, lambda: add_region(play, version, FOREIGN))
    play.wait(3)
    (reason,) = play.release(version).stalls.values()
    assert f"replication to {FOREIGN} failed: {WORDS}" in reason
    assert "until 2026-03-0" in reason


@pytest.mark.parametrize("minutes", [9, 13, 15])
def test_a_foreign_region_that_fails_for_ever_is_given_up_at_the_deadline_and_rejects_nothing(minutes: float) -> None:
    play = failing(10**6)
    version = play.publish()
    play.after(minutes, lambda: add_region(play, version, FOREIGN))
    play.wait(40)
    release = play.release(version)
    (pending,) = release.pending.values()
    assert (release.state.is_terminal, pending.parked, FOREIGN in (pending.stalled or "")) == (False, True, True)
    writes = len(play.effects("galleries.write_targets"))
    assert writes < 120, "asked again ever more rarely"
    play.wait(10)
    assert len(play.effects("galleries.write_targets")) == writes, "asked again after the deadline"


def test_a_release_that_a_foreign_region_held_up_goes_on_when_it_is_sent_again() -> None:
    mended: list[int] = []

    def goes(_: VersionId, where: str, __: int) -> Replication:
        failed = where == FOREIGN and not mended
        return Replication(timedelta(minutes=2), fails=WORDS if failed else None)

    play = Rehearsal(SMALL, replication=goes)
    version = play.publish()
    play.after(9, lambda: add_region(play, version, FOREIGN))
    play.wait(40)
    mended.append(1)
    play.take(Action.RESEND, version)
    assert play.run().release(version).state is State.RELEASED


def test_a_foreign_region_is_never_taken_out() -> None:
    play = failing(10**6)
    version = play.publish()
    play.after(9, lambda: add_region(play, version, FOREIGN))
    play.wait(40)
    facts = play.do(lambda world, _: world.galleries.version(version))
    assert FOREIGN in facts.regions


def test_a_foreign_region_that_fails_keeps_no_copy_waiting_without_a_reason() -> None:
    play = failing(10**6, replace(DEFINITION, ahead=Ahead.NONE))  # the copy begins when the region has failed
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).published_in("early") is not None)
    add_region(play, version, FOREIGN)
    play.wait(6)
    (reason,) = play.release(version).stalls.values()
    assert reason.startswith("not copied yet")
    assert FOREIGN in reason
