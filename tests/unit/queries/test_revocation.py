"""The plan of a revocation: what would be written, what ``latest`` is then, and where nothing would be left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.image import VersionId
from shared.domain.release import State
from shared.queries.revocation import revocation_plan
from tests.flow.rehearsal import DEFINITION, PRODUCTION, SMALL, SOURCE, Rehearsal


def plan(play: Rehearsal, version: VersionId) -> dict[str, Any] | None:
    return play.do(lambda world, now: revocation_plan(version, world, now=now))


def released(play: Rehearsal, number: str) -> VersionId:
    version = play.publish(number)
    play.run()
    assert play.release(version).state is State.RELEASED
    return version


@pytest.fixture
def play() -> Rehearsal:
    return Rehearsal(DEFINITION)


def test_every_gallery_and_region_is_told_with_latest_before_and_after(play: Rehearsal) -> None:
    first, second = released(play, "1.0.0"), released(play, "2.0.0")
    found = plan(play, second)
    assert found is not None
    assert (found["version"], found["state"], found["leavesEmpty"]) == (str(second), "released", [])
    galleries = {each["definition"]: each for each in found["galleries"]}
    assert set(galleries) == {str(SOURCE), str(PRODUCTION)}
    change = {"before": str(second.number), "after": str(first.number)}
    wanted = {SOURCE: ("westeurope", "northeurope", "eastus", "westus2"), PRODUCTION: ("eastus2",)}
    for definition, regions in wanted.items():
        told = galleries[str(definition)]
        assert told["changes"]
        assert [told["latest"][region] for region in regions] == [change] * len(regions)


def test_regions_that_would_have_no_version_are_named_with_their_gallery(play: Rehearsal) -> None:
    found = plan(play, released(play, "1.0.0"))
    assert found is not None
    assert "eastus2 of gal_prod" in found["leavesEmpty"]
    assert "eastus of gal_build" in found["leavesEmpty"]
    assert found["allowedToLeaveEmpty"] is False
    assert all(latest["after"] is None for each in found["galleries"] for latest in each["latest"].values())


def test_a_policy_that_allows_it_is_told() -> None:
    lenient = replace(SMALL, scan=replace(SMALL.scan, revoke_to_empty=True))
    play = Rehearsal(lenient)
    found = plan(play, released(play, "1.0.0"))
    assert found is not None
    assert found["allowedToLeaveEmpty"] is True


def test_a_plan_writes_nothing(play: Rehearsal) -> None:
    version = released(play, "1.0.0")
    before = (play.rows(), play.effects("galleries.write_targets"), play.open())
    plan(play, version)
    assert (play.rows(), play.effects("galleries.write_targets"), play.open()) == before


def test_a_version_that_is_hidden_already_changes_nothing(play: Rehearsal) -> None:
    waiting = play.publish("1.0.0", scan=None)
    play.wait(minutes=30)
    found = plan(play, waiting)
    assert found is not None
    assert [each["changes"] for each in found["galleries"]] == [False]
    assert found["leavesEmpty"] == []


def test_another_image_under_the_number_is_left_alone(play: Rehearsal) -> None:
    version = released(play, "1.0.0")
    stored = play.stored(version)
    other = replace(stored.release, incarnation="2020-01-01T00:00:00+00:00")
    play.do(lambda world, now: world.ledger.replace(stored, other))
    found = plan(play, version)
    assert found is not None
    assert str(SOURCE) not in {each["definition"] for each in found["galleries"]}


def test_a_version_without_a_release_has_a_plan_all_the_same() -> None:
    play = Rehearsal(SMALL, reconcile=False)
    version = play.publish("1.0.0", events=())
    play.wait(minutes=30)
    assert not play.has(version)
    found = plan(play, version)
    assert found is not None
    assert (found["state"], len(found["galleries"])) == (None, 1)


def test_what_exists_nowhere_has_an_empty_plan(play: Rehearsal) -> None:
    found = plan(play, VersionId.parse(f"{SOURCE}/versions/9.9.9"))
    assert found is not None
    assert (found["state"], found["galleries"]) == (None, [])


def test_what_the_policy_does_not_cover_has_no_plan(play: Rehearsal) -> None:
    assert plan(play, VersionId.parse(f"{SOURCE}x/versions/1.0.0")) is None
