"""Bake times that count in office hours, a maximum of rings a day, and versions that overtake each other."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from shared.domain.actions import Action
from shared.domain.policy import DayLimit, Skippable, Supersede
from shared.domain.publish_window import Window
from shared.domain.release import State
from shared.queries import status
from tests.flow.rehearsal import ADMIN, DEFINITION, SMALL, SOURCE, Rehearsal

MORNING = Window(frozenset(range(5)), time(9), time(10), "UTC")
SLOW = replace(DEFINITION, rings=(replace(SMALL.rings[0], bake=timedelta(minutes=90), bake_in=MORNING),))


def day_of(play: Rehearsal, index: int) -> int:
    """The day of the month on which the first release was published in a ring."""
    return play.rows()[0].published[index].at.day


def test_a_bake_goes_on_in_the_next_hours_that_count() -> None:
    play = Rehearsal(SLOW)
    version = play.publish()
    release = play.run().release(version)
    assert release.published[0].at >= datetime(2026, 3, 3, 9, 30, tzinfo=UTC)


def test_people_see_when_the_bake_is_over() -> None:
    play = Rehearsal(SLOW)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.BAKING)
    (shown,) = status.summary(play.release(version))["waiting_for"]
    assert datetime.fromisoformat(shown["next_look"]) >= datetime(2026, 3, 3, 9, 30, tzinfo=UTC)


def test_no_more_rings_are_published_on_one_day_than_the_policy_allows() -> None:
    play = Rehearsal(replace(DEFINITION, max_rings_per_day=DayLimit(1)))
    version = play.publish()
    play.wait(hours=8)
    (shown,) = status.summary(play.release(version))["waiting_for"]
    assert shown["waits_for"] == (
        "canary was published today, and the policy allows 1 ring a day (UTC), until 2026-03-03 00:00 UTC"
    )
    play.run()
    assert [day_of(play, index) for index in range(3)] == [2, 3, 4]


def test_a_day_begins_where_the_policy_says() -> None:
    play = Rehearsal(replace(DEFINITION, max_rings_per_day=DayLimit(2, "Asia/Tokyo")))
    version = play.publish()
    release = play.run().release(version)
    assert release.published[2].at >= datetime(2026, 3, 2, 15, tzinfo=UTC)


def test_an_emergency_does_not_wait_for_the_next_day() -> None:
    limited = replace(
        DEFINITION, max_rings_per_day=DayLimit(1), emergency_skips=frozenset({Skippable.WINDOW, Skippable.BAKE})
    )
    play = Rehearsal(limited)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).ring == "early")
    play.wait(hours=4)
    play.take(Action.EMERGENCY, version, ADMIN)
    play.wait(hours=1)
    assert [each.ring for each in play.release(version).published] == ["canary", "early"]


def two_versions(rule: Supersede) -> Rehearsal:
    """1.0.0 bakes for two hours when 1.0.1 has qualified."""
    ring = replace(SMALL.rings[0], bake=timedelta(hours=2))
    play = Rehearsal(replace(SMALL, rings=(ring,), supersede=rule))
    play.publish("1.0.0")
    play.after(60, lambda: play.publish("1.0.1"))
    return play.run()


def ends(play: Rehearsal) -> dict[str, State]:
    return {str(each.version.number): each.state for each in play.rows()}


def test_a_newer_version_ends_an_older_one_that_waits() -> None:
    play = two_versions(Supersede.NEWEST)
    assert ends(play) == {"1.0.0": State.SUPERSEDED, "1.0.1": State.RELEASED}
    older = next(each for each in play.rows() if str(each.version.number) == "1.0.0")
    assert (older.published, older.reasons) == ((), ("1.0.1 is newer and has passed its scan and smoke test",))


def test_by_default_an_older_one_that_waits_goes_on() -> None:
    assert set(ends(two_versions(Supersede.BOTH)).values()) == {State.RELEASED}


def test_a_newer_version_waits_behind_an_older_one_that_is_late() -> None:
    quick, slow = SMALL.rings[0], replace(DEFINITION.rings[1], bake=timedelta(hours=10))
    play = Rehearsal(replace(DEFINITION, rings=(quick, slow), supersede=Supersede.QUEUE))
    play.publish("1.0.0")
    play.after(60, lambda: play.publish("1.0.1"))
    play.wait(hours=8)
    assert (play.latest(SOURCE, "westeurope"), ends(play)["1.0.1"]) == ("1.0.0", State.PUBLISHING)
    assert set(ends(play.run()).values()) == {State.RELEASED}


def test_a_rejected_older_version_lets_the_queue_go_on() -> None:
    play = Rehearsal(replace(SMALL, supersede=Supersede.QUEUE))
    play.publish("1.0.0", scan="critical-cve", scan_after=timedelta(hours=3))
    play.publish("1.0.1")
    assert ends(play.run()) == {"1.0.0": State.REJECTED, "1.0.1": State.RELEASED}
