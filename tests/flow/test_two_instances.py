"""Two instances of the app at once: their clocks differ, and one has an older policy than the other."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from local.simulation.instances import Instance
from shared.domain.moment import CLOCK_SKEW
from shared.domain.release import State
from tests.flow.rehearsal import BEGIN, DEFINITION, HOME, PRODUCTION, SMALL, Rehearsal, policy_of

SHORT = replace(SMALL, scan=replace(SMALL.scan, deadline=timedelta(hours=1)))


def slow_then_fast(now: datetime) -> Instance:
    """The slow instance sets the deadline, the fast one judges it."""
    return Instance(-CLOCK_SKEW / 2 if now < BEGIN + timedelta(minutes=10) else CLOCK_SKEW / 2)


@pytest.mark.parametrize("before", [timedelta(seconds=5), timedelta(seconds=60), timedelta(seconds=85)])
def test_a_clock_that_is_ahead_ends_no_release_before_its_time(before: timedelta) -> None:
    play = Rehearsal(SHORT, instance=slow_then_fast)
    # The wait begins with the event, four minutes after the version was published.
    version = play.publish(scan_after=timedelta(minutes=64) - before)
    assert play.run().release(version).state is State.RELEASED


def test_a_scan_that_never_comes_still_ends_the_release() -> None:
    play = Rehearsal(SHORT, instance=slow_then_fast)
    version = play.publish(scan=None)
    release = play.run().release(version)
    assert release.state is State.REJECTED
    assert release.updated_at - BEGIN < timedelta(minutes=64) + 3 * CLOCK_SKEW


@pytest.mark.parametrize("minutes", [6, 15])
def test_an_instance_with_the_former_policy_delays_a_release_and_no_more(minutes: int) -> None:
    calls = 0

    def alternating(now: datetime) -> Instance:
        nonlocal calls
        calls += 1
        has_former = calls % 2 and BEGIN + timedelta(minutes=5) < now < BEGIN + timedelta(minutes=5 + minutes)
        return Instance(policy=policy_of(DEFINITION) if has_former else None)

    play = Rehearsal(DEFINITION, instance=alternating)
    version = play.publish()
    play.after(5, lambda: play.change_policy(replace(DEFINITION, digest="digest-2")))
    release = play.run().release(version)
    assert (release.state, release.policy_digest, play.latest(PRODUCTION, HOME)) == (
        State.RELEASED,
        "digest-2",
        "1.0.0",
    )
