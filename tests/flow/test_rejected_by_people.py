"""A version that a person rejects after it was published in a ring, and what becomes of it then."""

from dataclasses import replace
from datetime import timedelta

from shared.domain.actions import Action
from shared.domain.image import VersionId
from shared.domain.policy import ApprovalRules, DefinitionPolicy
from shared.domain.release import State
from tests.flow.rehearsal import ADMIN, APPROVER, DEFINITION, HOME, PRODUCTION, SOURCE, Rehearsal

LAST_APPROVED: DefinitionPolicy = replace(
    DEFINITION,
    rings=(
        *DEFINITION.rings[:-1],
        replace(DEFINITION.rings[-1], approval=ApprovalRules(within=timedelta(days=2))),
    ),
)


def until_approval(play: Rehearsal, version: VersionId) -> None:
    play.until(lambda: play.has(version) and play.release(version).state is State.AWAITING_APPROVAL)


def released(play: Rehearsal, number: str) -> VersionId:
    version = play.publish(number)
    until_approval(play, version)
    play.take(Action.APPROVE, version, APPROVER)
    assert play.run().release(version).state is State.RELEASED
    return version


def rejected(play: Rehearsal, number: str) -> VersionId:
    """A version that the last ring's approver rejects."""
    version = play.publish(number)
    until_approval(play, version)
    assert play.latest(SOURCE, HOME) == number
    play.take(Action.REJECT, version, APPROVER)
    return version


def test_it_is_hidden_in_the_rings_before() -> None:
    play = Rehearsal(LAST_APPROVED)
    released(play, "0.9.0")
    version = rejected(play, "1.0.0")
    release = play.run().release(version)
    assert (release.state, release.published, play.latest(SOURCE, HOME)) == (State.REJECTED, (), "0.9.0")


def test_a_retry_publishes_it_again_in_the_rings_before() -> None:
    play = Rehearsal(LAST_APPROVED)
    released(play, "0.9.0")
    version = rejected(play, "1.0.0")
    play.run()
    play.take(Action.RETRY, version)
    until_approval(play, version)
    play.take(Action.APPROVE, version, APPROVER)
    release = play.run().release(version)
    assert release.state is State.RELEASED
    assert [each.ring for each in release.published] == [each.name for each in LAST_APPROVED.rings]
    assert (play.latest(SOURCE, HOME), play.latest(PRODUCTION, HOME)) == ("1.0.0", "1.0.0")


def test_a_retry_while_it_is_being_hidden_publishes_it_in_every_ring() -> None:
    play = Rehearsal(LAST_APPROVED)
    released(play, "0.9.0")
    version = rejected(play, "1.0.0")
    play.take(Action.RETRY, version)
    until_approval(play, version)
    play.take(Action.APPROVE, version, APPROVER)
    assert play.run().release(version).state is State.RELEASED
    assert (play.latest(SOURCE, HOME), play.latest(PRODUCTION, HOME)) == ("1.0.0", "1.0.0")


def test_a_restore_does_not_empty_latest_where_hiding_waits_for_another_version() -> None:
    play = Rehearsal(LAST_APPROVED)
    version = rejected(play, "1.0.0")
    play.until(lambda: bool(play.release(version).stalls))
    play.take(Action.RESTORE, version, ADMIN)
    for _ in range(12):
        play.wait(minutes=5)
        assert play.latest(SOURCE, HOME) == "1.0.0"
    until_approval(play, version)
    play.take(Action.APPROVE, version, APPROVER)
    assert play.run().release(version).state is State.RELEASED
