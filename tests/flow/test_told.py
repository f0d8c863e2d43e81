"""What consumers are told by events, and how often, when things go wrong."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.adapters.memory.galleries import Replication
from shared.domain.actions import Action
from shared.domain.image import VersionId
from shared.domain.moment import Moment
from shared.domain.orders import order_announcement
from shared.domain.policy import EventDetail
from shared.domain.release import State
from shared.ports import Refused
from tests.flow.misfortunes import Misfortune, Outage
from tests.flow.rehearsal import ADMIN, BEGIN, DEFINITION, HOME, OPERATOR, PRODUCTION, SMALL, SOURCE, Rehearsal


def told(play: Rehearsal, *names: str) -> list[Any]:
    """The events with these last names, without repetitions."""
    every = {each.id: each for each in play.cloud.publisher.published()}
    return [each for each in every.values() if each.type.rpartition(".")[2] in names]


def names(play: Rehearsal, *of: str) -> list[str]:
    return [each.type.rpartition(".")[2] for each in told(play, *of)]


def unforeseen() -> BaseException:
    return ZeroDivisionError("nobody thought of this")


def stalled() -> tuple[Rehearsal, VersionId]:
    play = Rehearsal(SMALL, misfortunes=[Misfortune("machines.create", unforeseen, times=5)])
    version = play.publish()
    return play.wait(2), version


# --- stalls -----------------------------------------------------------------------------------------------------------


def test_a_poisoned_command_is_told_once_with_its_reason() -> None:
    play, version = stalled()
    (event,) = told(play, "Stalled")
    assert event.version == version
    assert "nobody thought of this" in event.data["stalls"]["boot_test"]


def test_a_release_that_goes_on_again_is_told_once() -> None:
    play, version = stalled()
    play.take(Action.RESEND, version)
    play.run()
    assert names(play, "Stalled", "Unstalled", "Released") == ["Stalled", "Unstalled", "Released"]


def test_a_second_stall_is_told_again_under_another_id() -> None:
    play = Rehearsal(SMALL, misfortunes=[Misfortune("machines.create", unforeseen, times=10)])
    version = play.publish()
    play.wait(2)
    play.take(Action.RESEND, version)
    play.wait(2)
    assert names(play, "Stalled", "Unstalled") == ["Stalled", "Unstalled", "Stalled"]


def test_a_wait_whose_reason_changes_every_hour_is_told_once() -> None:
    slow = Rehearsal(SMALL, replication=lambda _, at, __: Replication(timedelta(hours=0.1 if at == HOME else 40)))
    slow.publish()
    slow.run()
    assert names(slow, "Stalled", "Unstalled") == ["Stalled", "Unstalled"]


def test_a_topic_that_refuses_every_event_stalls_its_announcement_and_tells_nothing() -> None:
    refuse = Misfortune("publisher.publish", lambda: Refused("Forbidden", "no access", 403), times=1000)
    play = Rehearsal(replace(SMALL, events=EventDetail.MILESTONES), misfortunes=[refuse])
    version = play.publish()
    play.wait(4)
    release = play.release(version)
    assert (release.state, told(play, "Stalled")) == (State.RELEASED, [])
    assert all(branch.startswith("announce/") for branch in release.stalls)
    assert release.stalls


# --- the topic does not answer ----------------------------------------------------------------------------------------


def test_what_happened_while_the_topic_was_away_is_told_as_it_was_then() -> None:
    play = Rehearsal(SMALL, misfortunes=[Outage("publisher", BEGIN, timedelta(hours=6))])
    play.publish()
    play.run()
    (validated,) = told(play, "Validated")
    assert (validated.data["state"], validated.at < BEGIN + timedelta(hours=1)) == ("qualifying", True)


def test_an_announcement_of_a_newer_app_keeps_the_timer_from_nothing() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan_after=timedelta(hours=10))
    play.wait(1)
    stored = play.stored(version)
    newer = order_announcement(replace(stored.release, seq=99), "unheard_of", Moment(play.scheduler.now))
    play.do(lambda world, _: world.ledger.replace(stored, newer))
    play.wait(15)
    release = play.release(version)
    assert (release.state, list(release.stalls)) == (State.RELEASED, ["announce/99-unheard_of"])


# --- what an event says -----------------------------------------------------------------------------------------------


def test_a_publication_names_the_image_to_deploy_and_what_latest_was_and_is() -> None:
    play = Rehearsal()
    play.publish("1.0.0")
    play.run()
    version = play.publish("1.1.0")
    play.run()
    last = told(play, "Published")[-1]
    assert (last.data["ring"], last.data["image"]) == ("production", str(PRODUCTION.version(version.number)))
    assert last.data["latest"]["eastus2"] == {"before": "1.0.0", "after": "1.1.0"}
    assert last.data["regions"] == ["eastus2", "westeurope"]


def test_of_two_events_of_a_release_the_later_one_has_the_higher_number() -> None:
    play = Rehearsal()
    play.publish()
    play.run()
    numbers = [each.data["sequence"] for each in play.cloud.publisher.published()]
    assert numbers == sorted(numbers)


def test_a_second_hold_is_another_event() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan_after=timedelta(hours=10))
    play.wait(1)
    for _ in range(2):
        play.take(Action.HOLD, version, reason="a rumour")
        play.take(Action.RESUME, version)
    (first, second) = told(play, "Held")
    assert first.data["by"] == {"id": OPERATOR.id, "name": "operator"}
    assert (first.data["why"], first.id != second.id, len(told(play, "Resumed"))) == ("a rumour", True, 2)


def test_a_revocation_says_who_ordered_it_and_what_latest_is_then() -> None:
    play = Rehearsal(SMALL)
    play.publish("1.0.0")
    play.run()
    version = play.publish("1.1.0")
    play.run()
    play.take(Action.REVOKE, version, reason="a bad kernel")
    play.run()
    (begun,), (ended,) = told(play, "RevocationStarted"), told(play, "Revoked")
    assert begun.data["by"]["name"] == "operator"
    assert ended.data["latest"][str(SOURCE)][HOME] == {"before": "1.1.0", "after": "1.0.0"}


def test_a_restoration_is_told_with_its_reason() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    play.take(Action.REVOKE, version, allow_empty=True)
    play.run()
    play.take(Action.RESTORE, version, ADMIN, reason="it was the scanner")
    play.run()
    (event,) = told(play, "Restored")
    assert (event.data["by"]["name"], event.data["state"]) == ("admin", "validating")


def test_a_policy_that_wants_milestones_hears_no_progress() -> None:
    play = Rehearsal(replace(DEFINITION, events=EventDetail.MILESTONES))
    play.publish()
    play.run()
    assert Counter(each.type.rpartition(".")[2] for each in play.cloud.publisher.published()) == Counter(
        {"Published": 3, "Released": 1}
    )


def test_a_publication_warns_where_consumers_that_sort_by_date_take_another_version() -> None:
    play = Rehearsal(SMALL)
    newer = play.publish("2.0.0", events=(timedelta(hours=6),), scan_after=timedelta(hours=6))
    play.wait(minutes=30)
    play.publish("1.0.1")
    play.wait(3)
    release = play.run().release(newer)
    assert [each for each in release.warnings if "take the newest published date" in each and "get 1.0.1" in each]
