"""Events: twice, early, for nothing, of our own writes, or never."""

from dataclasses import replace
from datetime import timedelta

from local.simulation.calls import Call
from shared.domain.image import DefinitionId, GalleryId
from shared.domain.messages import Kind, VersionWritten
from shared.domain.release import State
from shared.engine import intake
from shared.ports import Refused
from tests.flow.misfortunes import Misfortune, Outage
from tests.flow.rehearsal import BEGIN, SMALL, SOURCE, SUBSCRIPTION, Rehearsal, ring

MINUTE = timedelta(minutes=1)


def test_a_duplicate_event_starts_nothing_more() -> None:
    play = Rehearsal(SMALL)
    play.publish(events=[6 * MINUTE, 6 * MINUTE, 7 * MINUTE, 20 * MINUTE])
    play.run()
    assert (len(play.effects("ledger.insert")), len(play.effects("machines.create"))) == (1, 3)


def test_an_event_before_the_version_is_ready_waits_for_it() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(events=[timedelta(0)])
    assert play.run().release(version).state is State.RELEASED


def test_an_event_before_the_version_exists_waits_for_it() -> None:
    play = Rehearsal(SMALL)
    version = SOURCE.version(play.publish("9.9.9", events=[], scan=None).number)
    play.cloud.galleries.remove(version)
    play.event(version)
    play.after(12, lambda: play.publish("9.9.9", events=[]))
    play.run()
    told = [line.text for line in play.release(version).history if "deleted" in line.text]
    assert (play.release(version).state, told) == (State.RELEASED, [])


def test_an_event_of_a_version_that_never_comes_ends_its_release() -> None:
    play = Rehearsal(SMALL)
    version = SOURCE.version(play.publish("9.9.9", events=[], scan=None).number)
    play.cloud.galleries.remove(version)
    play.event(version)
    assert play.run().release(version).reasons == ("the version is not in the gallery",)


def test_an_event_outside_the_policy_leaves_no_trace() -> None:
    play = Rehearsal(SMALL)
    other = DefinitionId(GalleryId(SUBSCRIPTION, "rg-images", "gal_build"), "suse").version(
        play.publish("1.0.0", events=[]).number
    )
    answer = play.do(
        lambda world, now: intake.version_written(VersionWritten(other, "e", now, "builder"), world, now=now)
    )
    assert (answer.split(":")[0], play.rows(), len(play.cloud.queues)) == ("ignored", [], 0)


def test_a_lost_event_is_made_up_for_by_reconciliation() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(events=[])
    assert play.run().release(version).state is State.RELEASED


def test_a_version_older_than_its_adoption_is_left_alone() -> None:
    play = Rehearsal(SMALL, reconcile=False, adopt=False)
    old = play.publish("0.9.0", events=[], scan=None)
    play.wait(25)
    play.adopt()
    play.host.reconcile_every(5 * MINUTE)
    new = play.publish("1.0.0", events=[])
    play.run()
    assert (play.has(old), play.release(new).state) == (False, State.RELEASED)


def test_a_version_built_on_the_day_before_adoption_is_released() -> None:
    play = Rehearsal(SMALL, reconcile=False, adopt=False)
    version = play.publish(events=[], scan_after=timedelta(hours=24))
    play.wait(23)
    play.host.reconcile_every(5 * MINUTE)
    assert play.run().release(version).state is State.RELEASED


def test_an_event_that_the_app_cannot_take_comes_again() -> None:
    outage = Outage("ledger", BEGIN, 8 * MINUTE)
    play = Rehearsal(SMALL, misfortunes=[outage], reconcile=False)
    version = play.publish()
    assert (play.run().release(version).state, outage.struck) == (State.RELEASED, True)


# --- our own writes ---------------------------------------------------------------------------------------------------


def writes_to_source(play: Rehearsal) -> list[Call]:
    return [call for call in play.effects("galleries.write_targets") if call.args[0].id.definition == SOURCE]


def test_an_own_write_under_a_known_id_costs_no_call_to_azure() -> None:
    play = Rehearsal()
    play.publish()
    play.run()
    own = [each for each in play.runs("on_image_version_written") if "own write" in str(each.value)]
    assert (len(own), play.hints(Kind.VALIDATE)) == (len(writes_to_source(play)), [])


def test_an_own_write_under_an_unknown_id_costs_one_look() -> None:
    play = Rehearsal(own_writers=())
    play.publish()
    play.run()
    looks = {run.number: 0 for run in play.hints(Kind.VALIDATE)}
    for _, call in play.done:
        if call.invocation.number in looks and call.port in {"galleries", "machines"}:
            looks[call.invocation.number] += 1
    assert list(looks.values()) == [1] * len(writes_to_source(play))


def test_an_own_write_under_an_unknown_id_starts_nothing() -> None:
    def writes(play: Rehearsal) -> list[str]:
        play.publish()
        play.run()
        return [call.name for _, call in play.done if call.name in {"galleries.write_targets", "machines.create"}]

    assert writes(Rehearsal(own_writers=())) == writes(Rehearsal(own_events=False))


def test_a_gallery_that_cannot_be_read_hides_no_missed_version_of_another() -> None:
    other = replace(SOURCE, name="alma")
    rings = (ring("canary", other, "westeurope"),)
    forbidden = Misfortune(
        "galleries.versions",
        lambda: Refused("AuthorizationFailed", "The client has no authorization.", 403),
        times=999,
        only=lambda call: call.args[0] == other,
    )
    unreadable = replace(SMALL, name="alma", source=other, rings=rings, digest="alma")
    play = Rehearsal(unreadable, SMALL, misfortunes=[forbidden])
    version = play.publish(events=[])
    assert play.run().release(version).state is State.RELEASED
