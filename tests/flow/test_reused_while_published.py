"""A number that is used again between the read and the write of a publication: versions have no ETag."""

from datetime import datetime, timedelta

import pytest

from local.simulation.calls import Call
from shared.adapters.memory.characters import PANICS
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId
from shared.domain.release import State
from tests.flow.misfortunes import Meanwhile, Misfortune, unavailable
from tests.flow.rehearsal import HOME, SMALL, SOURCE, SUBSCRIPTION, Rehearsal


class Exposure:
    """For how long the version that panics was what the service deployed, at a look each second."""

    def __init__(self, play: Rehearsal, version: VersionId) -> None:
        self.lasted = timedelta(0)
        self.began: datetime | None = None
        self._play, self._version = play, version
        self._look()

    def _look(self) -> None:
        if self.began is not None and self._play.latest(SOURCE, HOME) is not None:
            self.lasted += timedelta(seconds=1)
        self._play.scheduler.call_later(timedelta(seconds=1), self._look)


def built_again(play: Rehearsal, version: VersionId) -> None:
    """Somebody deletes the version and builds another under its number, replicated everywhere and hidden."""
    play.cloud.galleries.remove(version)
    play.characters[version.number] = [PANICS]
    source = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/base"
    targets = tuple(RegionTargetFacts(region, excluded=True) for region in SMALL.rings[0].region_names)
    facts = VersionFacts(
        version, ProvisioningState.CREATING, HOME, source_id=source, targets=targets, excluded=True, os_disk_gb=30
    )
    play.cloud.galleries.build(facts, settled=True)


def played(*others: Misfortune, event_after: float | None = None) -> tuple[Rehearsal, VersionId, Exposure]:
    meanwhile = Meanwhile("galleries.write_targets", "promote")
    play = Rehearsal(SMALL, misfortunes=[meanwhile, *others])
    version = play.publish()
    exposure = Exposure(play, version)

    def act(_: Call) -> None:
        built_again(play, version)
        exposure.began = play.scheduler.now
        if event_after is not None:
            play.after(event_after, lambda: play.event(version))

    meanwhile.act = act
    play.run()
    assert meanwhile.struck
    return play, version, exposure


def test_a_version_that_nobody_proved_is_hidden_again_within_a_minute() -> None:
    _, _, exposure = played()
    assert exposure.lasted <= timedelta(minutes=1)


def test_a_version_that_nobody_proved_is_proven_anew() -> None:
    play, version, _ = played()
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.REJECTED, None)


def test_it_is_written_where_people_look() -> None:
    play, version, _ = played()
    assert any("a version without evidence" in line.text for line in play.release(version).history)


@pytest.mark.parametrize("minutes", [0.01, 0.1, 0.3, 0.5, 1])
def test_an_event_of_the_new_version_does_not_keep_it_from_being_hidden(minutes: float) -> None:
    play, version, exposure = played(event_after=minutes)
    assert exposure.lasted <= timedelta(minutes=1)
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.REJECTED, None)


def test_a_gallery_that_gives_no_answer_to_the_first_look_delays_the_hiding_and_no_more() -> None:
    no_answer = Misfortune("galleries.versions", unavailable, function="promote", nth=2, times=3)
    play, version, exposure = played(no_answer)
    assert no_answer.struck
    assert exposure.lasted <= timedelta(minutes=2)
    assert play.release(version).state is State.REJECTED


def test_a_version_that_is_deleted_right_before_it_is_published_ends_its_release() -> None:
    meanwhile = Meanwhile("galleries.write_targets", "promote")
    play = Rehearsal(SMALL, misfortunes=[meanwhile])
    version = play.publish()
    meanwhile.act = lambda _: play.cloud.galleries.remove(version)
    play.run()
    release = play.release(version)
    assert (release.state, play.letters(), play.crashes()) == (State.REJECTED, [], 0)
    assert "version deleted" in release.history[-1].text
