"""Replication that fails, once or for ever, and others who write to the same version."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.adapters.memory.galleries import Replication
from shared.domain.facts import RegionTargetFacts
from shared.domain.image import VersionId
from shared.domain.release import State
from shared.ports import World
from tests.flow.misfortunes import Meanwhile, Misfortune, Outage, unavailable
from tests.flow.rehearsal import BEGIN, DEFINITION, HOME, PRODUCTION, SMALL, SOURCE, Rehearsal

WORDS = "Failed with internal server error."


def failing(region: str, times: int) -> Rehearsal:
    def goes(_: VersionId, where: str, attempt: int) -> Replication:
        return Replication(fails=WORDS if where == region and attempt <= times else None)

    return Rehearsal(SMALL, replication=goes)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_region_that_fails_is_repaired(times: int) -> None:
    play = failing("northeurope", times)
    version = play.publish()
    play.run()
    assert (play.release(version).state, play.latest(SOURCE, "northeurope")) == (State.RELEASED, "1.0.0")


def test_a_region_that_fails_for_ever_rejects_with_azures_words() -> None:
    play = failing("northeurope", 99)
    version = play.publish()
    play.run()
    release = play.release(version)
    assert release.state is State.REJECTED
    assert WORDS in release.reasons[0]


def test_a_region_that_fails_for_ever_publishes_nothing() -> None:
    play = failing("northeurope", 99)
    play.publish()
    play.run()
    assert (play.latest(SOURCE, "northeurope"), play.latest(SOURCE, "westeurope")) == (None, None)


def test_a_replication_that_takes_days_is_followed_and_told() -> None:
    play = Rehearsal(SMALL, replication=lambda _, region, __: Replication(_hours(0.1 if region == HOME else 40)))
    version = play.publish()
    play.wait(20)
    assert "not replicated within 8 h" in play.release(version).stalls["replicate/canary"]
    assert play.run().release(version).state is State.RELEASED


def _hours(hours: float) -> timedelta:
    return timedelta(hours=hours)


def test_a_target_definition_that_is_missing_rejects_before_anything_is_spent() -> None:
    play = Rehearsal(absent=[PRODUCTION])
    version = play.publish()
    play.run()
    assert (play.release(version).state, play.effects("machines.create")) == (State.REJECTED, [])
    assert "gal_prod" in play.release(version).reasons[0]


# --- others write, too ------------------------------------------------------------------------------------------------


def add_region(play: Rehearsal, version: VersionId, region: str) -> None:
    """Somebody adds a region to a version, as soon as it can be written."""

    async def write(_: World, __: datetime) -> None:
        galleries = play.cloud.galleries
        facts = await galleries.version(version)
        assert facts is not None
        if facts.provisioning_state.in_progress:
            play.after(0.2, lambda: add_region(play, version, region))
            return
        targets = (*facts.targets, RegionTargetFacts(region, excluded=True))
        await galleries.write_targets(facts, targets, excluded=facts.excluded)

    play.do(write)


@pytest.mark.parametrize("minutes", [6, 9, 10, 11, 13, 15, 16, 17, 18])
def test_a_region_that_somebody_else_adds_is_kept(minutes: float) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.after(minutes, lambda: add_region(play, version, "japaneast"))
    play.run()
    facts = play.do(lambda world, _: world.galleries.version(version))
    assert (play.release(version).state, "japaneast" in facts.regions) == (State.RELEASED, True)


def test_a_region_that_somebody_else_adds_stays_hidden() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.after(9, lambda: add_region(play, version, "japaneast"))
    play.run()
    play.wait(1)
    assert (play.latest(SOURCE, "japaneast"), play.latest(SOURCE, HOME)) == (None, "1.0.0")


def hide(play: Rehearsal, version: VersionId) -> None:
    """Somebody hides a version from latest, as soon as it can be written."""

    async def write(_: World, __: datetime) -> None:
        galleries = play.cloud.galleries
        facts = await galleries.version(version)
        assert facts is not None
        if facts.provisioning_state.in_progress:
            play.after(0.02, lambda: hide(play, version))
            return
        hidden = tuple(replace(target, excluded=True) for target in facts.targets)
        await galleries.write_targets(facts, hidden, excluded=True)

    play.do(write)


def test_what_somebody_hides_before_it_is_read_back_is_not_taken_for_published() -> None:
    # The first read-back gets no answer until somebody has hidden the version again.
    read_back = Misfortune("galleries.versions", unavailable, function="promote", nth=2, times=4)
    play = Rehearsal(SMALL, misfortunes=[read_back])
    version = play.publish()
    play.until(lambda: any(not call.kwargs["excluded"] for call in play.effects("galleries.write_targets")))
    hide(play, version)
    play.run()
    writes = play.effects("galleries.write_targets")
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.RELEASED, "1.0.0")
    assert sum(call.function == "promote" for call in writes) == 2


def test_what_somebody_hides_while_a_slow_promotion_reads_stays_hidden() -> None:
    # Of all calls before the write, the one that reads what the write will carry must be the last.
    first = Meanwhile("galleries.versions", "promote", lasts=timedelta(minutes=2), only=lambda _: published())
    play = Rehearsal(replace(DEFINITION, rings=DEFINITION.rings[:2]), misfortunes=[first])
    version = play.publish()

    def published() -> bool:
        return bool(play.release(version).published)

    first.act = lambda _: hide(play, version)
    play.run()
    facts = play.do(lambda world, _: world.galleries.version(version))
    shown = [region for region in facts.regions if facts.visible_in(region)]
    assert (first.struck, play.release(version).state, shown) == (True, State.RELEASED, ["eastus", "westus2"])


def test_a_definition_has_one_writer_at_a_time() -> None:
    play = Rehearsal(DEFINITION)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
    until = play.scheduler.now + timedelta(minutes=30)
    play.do(lambda world, now: world.ledger.acquire_lease(SOURCE, "somebody", until=until, now=now))
    play.wait(minutes=25)
    assert play.effects("galleries.write_targets") == []
    assert play.run().release(version).state is State.RELEASED


@pytest.mark.parametrize(("lasts", "also"), [(1, "not replicated"), (60, "; last error: ")])
def test_an_outage_takes_nothing_from_what_people_were_told(lasts: float, also: str) -> None:
    outage = Outage("galleries", BEGIN + _hours(20), _hours(lasts))
    takes = Replication(_hours(90))
    quick = Replication()
    play = Rehearsal(SMALL, replication=lambda _, region, __: quick if region == HOME else takes, misfortunes=[outage])
    version = play.publish()
    play.wait(20.5 if lasts == 1 else 40)
    assert outage.struck
    told = play.release(version).stalls["replicate/canary"]
    assert "not replicated within 8 h" in told
    assert also in told
