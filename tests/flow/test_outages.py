"""Services that do not answer, ask for patience, or did it and do not say so."""

from datetime import timedelta

import pytest

from shared.domain.actions import Action
from shared.domain.release import State
from shared.ports import Conflict, Refused, Throttled
from tests.flow.misfortunes import Misfortune, Outage, unavailable
from tests.flow.rehearsal import BEGIN, SMALL, SOURCE, Rehearsal

HOUR = timedelta(hours=1)


def played(*misfortunes: Misfortune | Outage) -> Rehearsal:
    play = Rehearsal(SMALL, misfortunes=misfortunes)
    play.publish()
    play.run()
    assert all(each.struck for each in misfortunes)
    return play


@pytest.mark.parametrize("port", ["ledger", "galleries", "machines", "evidence", "publisher", "queues.send"])
@pytest.mark.parametrize("begins", [2, 7, 12, 17])
def test_an_hour_without_a_service_costs_an_hour_and_no_release(port: str, begins: int) -> None:
    outage = Outage(port, BEGIN + timedelta(minutes=begins), HOUR)
    play = Rehearsal(SMALL, misfortunes=[outage])
    version = play.publish()
    play.run()
    release = play.release(version)
    assert (release.state, dict(release.stalls), play.left()) == (State.RELEASED, {}, [])
    assert release.updated_at - BEGIN < timedelta(hours=2)


def test_three_days_without_galleries_stall_the_release_and_name_the_reason() -> None:
    outage = Outage("galleries", BEGIN + timedelta(minutes=11), timedelta(days=3))
    play = Rehearsal(SMALL, misfortunes=[outage])
    version = play.publish()
    play.wait(60)
    (reason,) = play.release(version).stalls.values()
    assert "; last error: " in reason
    assert "did not answer" in reason


def test_a_stalled_release_goes_on_when_it_is_sent_again() -> None:
    outage = Outage("galleries", BEGIN + timedelta(minutes=11), timedelta(days=3))
    play = Rehearsal(SMALL, misfortunes=[outage])
    version = play.publish()
    play.wait(80)
    play.take(Action.RESEND, version)
    assert play.run().release(version).state is State.RELEASED


def test_azure_is_given_the_time_that_it_asks_for() -> None:
    def asks() -> Throttled:
        return Throttled("slow down", retry_after=timedelta(minutes=17))

    play = Rehearsal(SMALL, misfortunes=[Misfortune("galleries.write_targets", asks)])
    play.publish()
    play.run()
    tries = [call for call in play.misfortunes.calls if call.name == "galleries.write_targets"]
    assert (
        timedelta(minutes=17) <= tries[1].invocation.started_at - tries[0].invocation.started_at < timedelta(minutes=18)
    )


def test_a_write_that_happened_without_an_answer_is_not_done_twice() -> None:
    play = played(Misfortune("galleries.write_targets", unavailable, after=True))
    assert len(play.effects("galleries.write_targets")) == 2  # once for the replicas, once to publish


def test_a_machine_that_was_made_without_an_answer_is_the_one_that_is_tested() -> None:
    play = played(Misfortune("machines.create", unavailable, after=True))
    assert len({call.args[0].name for call in play.effects("machines.create")}) == 1 + 2


def test_a_busy_version_is_written_when_it_is_free() -> None:
    play = played(Misfortune("galleries.write_targets", lambda: Conflict("another update is under way"), times=3))
    assert play.latest(SOURCE, "northeurope") == "1.0.0"


def test_an_announcement_without_an_answer_is_repeated_under_the_same_id() -> None:
    play = played(Misfortune("publisher.publish", unavailable, after=True))
    first, second = (each for each in play.cloud.publisher.published() if each.type.endswith(".Started"))
    assert (first.id, first.data) == (second.id, second.data)


def test_a_publisher_that_fails_keeps_no_ring_waiting() -> None:
    play = Rehearsal(misfortunes=[Outage("publisher", BEGIN, timedelta(hours=12))])
    version = play.publish()
    play.wait(4)
    assert play.release(version).state is State.RELEASED


def test_a_refusal_that_nobody_foresaw_stalls_with_azures_words() -> None:
    def refused() -> Refused:
        return Refused("ScopeLocked", "The scope is locked. Please remove the lock and try again.", 409)

    play = Rehearsal(SMALL, misfortunes=[Misfortune("galleries.write_targets", refused, times=5)])
    version = play.publish()
    play.wait(2)
    (reason,) = play.release(version).stalls.values()
    assert "ScopeLocked" in reason


def test_a_machine_that_expires_in_an_outage_is_left_to_its_test() -> None:
    outage = Outage("machines.view", BEGIN + timedelta(minutes=2), timedelta(hours=5))
    play = Rehearsal(SMALL, misfortunes=[outage])
    version = play.publish()
    play.run()
    created = [call.args[0].name for call in play.effects("machines.create")]
    assert outage.struck
    assert play.release(version).state is State.RELEASED
    assert len(created) == len(set(created)) == 1 + len(SMALL.rings[0].region_names)
