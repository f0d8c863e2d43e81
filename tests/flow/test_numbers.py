"""Numbers that are used again, versions that vanish, and versions that overtake each other."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.simulation.calls import Call
from shared.adapters.memory.characters import CLEAN, PANICS
from shared.domain.image import VersionId, VersionNumber
from shared.domain.release import State
from tests.flow.misfortunes import Misfortune, crash
from tests.flow.rehearsal import DEFINITION, PRODUCTION, SMALL, SOURCE, WARNING, Rehearsal, ring

LONG = replace(
    DEFINITION, rings=(ring("canary", SOURCE, "westeurope"), ring("early", SOURCE, "westeurope", "eastus", bake=240))
)
OLDER = SOURCE.version(VersionNumber(1, 0, 0))


def test_a_number_used_again_after_its_release_is_released_anew() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    before = play.release(version).incarnation
    play.cloud.galleries.remove(version)
    play.publish()
    play.run()
    release = play.release(version)
    assert (release.state, release.incarnation != before) == (State.RELEASED, True)


def test_the_former_bearer_of_a_number_is_archived() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    play.publish()
    play.run()
    (former,) = play.do(lambda *_: play.cloud.ledger.archived(version))
    assert (former.state, former.incarnation == play.release(version).incarnation) == (State.RELEASED, False)


@pytest.mark.parametrize("minutes", range(1, 22, 2))
def test_a_number_used_again_on_the_way_is_proven_anew(minutes: int) -> None:
    play = Rehearsal(SMALL)
    version = play.publish(character=CLEAN)
    play.after(minutes, lambda: play.publish(character=PANICS, scan="clean"))
    play.run()
    release = play.release(version)
    assert (release.state, play.latest(SOURCE, "westeurope"), play.left()) == (State.REJECTED, None, [])


def test_a_number_used_again_without_any_event_is_noticed() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    play.publish(character=PANICS, events=[])
    play.run()
    assert play.release(version).state is State.REJECTED


def test_a_copy_of_the_former_bearer_is_not_taken_for_the_new_one() -> None:
    play = Rehearsal(WARNING)
    version = play.publish()
    play.run()
    play.publish()
    play.run()
    release = play.release(version)
    assert release.state is State.REJECTED
    assert "is a copy of" in release.reasons[0]
    assert "delete it" in release.reasons[0]


def test_a_copy_in_the_target_gallery_of_another_source_is_refused() -> None:
    play = Rehearsal(WARNING)
    play.publish("1.0.0", definition=PRODUCTION, events=[], scan=None)
    version = play.publish()
    play.run()
    release = play.release(version)
    assert (release.state, play.latest(PRODUCTION, "eastus2")) == (State.REJECTED, None)
    assert "was created from" in release.reasons[0]


@pytest.mark.parametrize("minutes", [3, 6, 8, 11, 14, 17])
def test_a_version_deleted_on_the_way_ends_its_release(minutes: int) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.after(minutes, lambda: play.cloud.galleries.remove(version))
    play.run()
    assert (play.release(version).state, play.left()) == (State.REJECTED, [])


@pytest.mark.parametrize("minutes", [3, 6, 8, 11, 14, 17])
def test_a_gallery_that_is_not_found_for_an_hour_costs_an_hour_and_no_release(minutes: int) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    gallery = version.definition.gallery
    play.after(minutes, lambda: play.cloud.galleries.hide(gallery))
    play.after(minutes + 60, lambda: play.cloud.galleries.show(gallery))
    play.run()
    assert (play.release(version).state, play.letters(), play.left()) == (State.RELEASED, [], [])


@pytest.mark.parametrize("minutes", [6, 11, 14])
def test_a_version_that_is_restored_after_its_deletion_is_released(minutes: int) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.after(minutes, lambda: play.cloud.galleries.remove(version))
    play.until(lambda: play.has(version) and play.release(version).state is State.REJECTED)
    play.cloud.galleries.restore(version)
    play.wait(hours=4)
    release = play.release(version)
    assert (release.state, play.latest(SMALL.rings[0].definition, "westeurope")) == (State.RELEASED, "1.0.0")
    assert any("version found again" in line.text for line in release.history)


def test_a_version_deleted_after_its_release_leaves_the_record() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    before = play.stored(version)
    play.cloud.galleries.remove(version)
    play.event(version)
    play.wait(1)
    assert play.stored(version) == before


def test_a_policy_that_changes_while_a_number_is_used_again_proves_the_new_bearer() -> None:
    play = Rehearsal(LONG)
    version = play.publish()
    play.until(lambda: play.has(version) and bool(play.release(version).published))

    def both() -> None:
        play.cloud.galleries.remove(version)
        play.change_policy(replace(LONG, digest="digest-2"))
        play.publish(character=PANICS, events=[])

    both()
    play.run()
    release = play.release(version)
    assert (release.state, release.published) == (State.REJECTED, ())


# --- two versions of one definition -----------------------------------------------------------------------------------


class Watch:
    """Every value that latest had in a region, in order."""

    def __init__(self, play: Rehearsal, region: str) -> None:
        self.seen: list[str | None] = []
        self._play, self._region = play, region
        self._look()

    def _look(self) -> None:
        now = self._play.latest(SOURCE, self._region)
        if not self.seen or self.seen[-1] != now:
            self.seen.append(now)
        self._play.scheduler.call_later(timedelta(seconds=5), self._look)


def pair(play: Rehearsal, minutes: float) -> tuple[VersionId, VersionId]:
    older = play.publish("1.0.0")
    if minutes:
        play.wait(minutes=minutes)
    return older, play.publish("1.1.0")


@pytest.mark.parametrize("minutes", [0, 1, 5, 10, 30])
def test_latest_never_goes_back_when_two_versions_are_under_way(minutes: float) -> None:
    play = Rehearsal(LONG)
    watches = [Watch(play, region) for region in ("westeurope", "eastus")]
    pair(play, minutes)
    play.run()
    for watch in watches:
        assert watch.seen in ([None, "1.1.0"], [None, "1.0.0", "1.1.0"]), watch.seen


def test_an_older_version_does_not_overtake_a_newer_published_one() -> None:
    play = Rehearsal(SMALL)
    newer = play.publish("1.1.0")
    older = play.publish("1.0.0", scan_after=timedelta(hours=3))
    play.run()
    assert (play.release(newer).state, play.release(older).state) == (State.RELEASED, State.SUPERSEDED)
    assert play.latest(SOURCE, "westeurope") == "1.1.0"


def test_an_older_version_that_bakes_is_superseded() -> None:
    play = Rehearsal(LONG)
    older, newer = pair(play, 30)
    play.run()
    assert (play.release(newer).state, play.release(older).state) == (State.RELEASED, State.SUPERSEDED)


def test_a_rejected_newer_version_leaves_the_older_one_in_peace() -> None:
    play = Rehearsal(LONG)
    older = play.publish("1.0.0")
    newer = play.publish("1.1.0", character=PANICS)
    play.run()
    assert (play.release(older).state, play.release(newer).state) == (State.RELEASED, State.REJECTED)
    assert play.latest(SOURCE, "eastus") == "1.0.0"


def test_the_same_numbers_of_two_definitions_have_nothing_to_do_with_each_other() -> None:
    other = replace(SOURCE, name="debian")
    rings = (ring("canary", other, "westeurope"),)
    play = Rehearsal(SMALL, replace(SMALL, name="debian", source=other, rings=rings, digest="d2"))
    one, two = play.publish(), play.publish(definition=other)
    play.run()
    assert {play.release(one).state, play.release(two).state} == {State.RELEASED}


def test_an_overtaken_version_whose_publishing_hop_died_is_remembered_as_published() -> None:
    def shown(call: Call) -> bool:
        return call.args[0].release.version == OLDER and play.latest(SOURCE, "westeurope") == "1.0.0"

    death = Misfortune("ledger.replace", crash, only=shown)
    play = Rehearsal(SMALL, misfortunes=[death])
    older, newer = pair(play, 2)
    play.run()
    assert death.struck
    assert (play.release(newer).state, play.release(older).state) == (State.RELEASED, State.SUPERSEDED)
    assert [each.ring for each in play.release(older).published] == ["canary"]
