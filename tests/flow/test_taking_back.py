"""Taking a bad version back, restoring it, and trying again what was not its fault."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.simulation.cloud import run_now
from shared.domain.actions import Action
from shared.domain.image import VersionId, VersionNumber
from shared.domain.release import Gate, State
from shared.engine.apply_action import ActionDenied
from tests.flow.misfortunes import Misfortune, unavailable
from tests.flow.rehearsal import ADMIN, APPROVER, DEFINITION, HOME, PRODUCTION, SMALL, SOURCE, Rehearsal
from tests.flow.test_people import waiting


def released(number: str = "1.0.0", play: Rehearsal | None = None) -> tuple[Rehearsal, VersionId]:
    play = play or Rehearsal(DEFINITION)
    version = play.publish(number)
    play.run()
    assert play.release(version).state is State.RELEASED
    return play, version


def test_a_bad_version_is_latest_nowhere_after_one_command() -> None:
    play, _ = released()
    _, bad = released("1.1.0", play)
    play.take(Action.REVOKE, bad, reason="a backdoor")
    play.run()
    assert {play.latest(SOURCE, HOME), play.latest(PRODUCTION, "eastus2")} == {"1.0.0"}
    assert play.release(bad).state is State.REVOKED


def replicas(play: Rehearsal, version: VersionId) -> dict[str, int]:
    facts = run_now(play.cloud.galleries.version(version))
    assert facts is not None
    return {target.region: target.replicas for target in facts.targets}


def revoked_after_the_ring_grew(*misfortunes: Misfortune) -> tuple[Rehearsal, VersionId, VersionId]:
    """The ring asks for more replicas since the older version was released; then the newer one is revoked."""
    play, good = released(play=Rehearsal(SMALL, misfortunes=misfortunes))
    targets = tuple(replace(target, replicas=3) for target in SMALL.rings[0].regions)
    play.change_policy(replace(SMALL, rings=(replace(SMALL.rings[0], regions=targets),), digest="digest-2"))
    _, bad = released("1.1.0", play)
    play.take(Action.REVOKE, bad)
    play.run()
    return play, good, bad


def test_an_older_version_that_takes_over_gets_the_replicas_of_its_ring() -> None:
    play, good, bad = revoked_after_the_ring_grew()
    assert replicas(play, good) == {"westeurope": 3, "northeurope": 3}
    assert any("replicas raised to 3 in westeurope" in reason for reason in play.gate(bad, Gate.REVOCATION).reasons)


def test_replicas_that_cannot_be_raised_do_not_hold_a_revocation_up() -> None:
    good = SOURCE.version(VersionNumber.parse("1.0.0"))
    play, _, bad = revoked_after_the_ring_grew(
        Misfortune(
            "galleries.write_targets",
            unavailable,
            times=10**6,
            only=lambda call: (
                any(target.replicas == 3 for target in call.args[1]) and call.args[0].id.number.minor == 0
            ),
        )
    )
    assert (play.release(bad).state, replicas(play, good)["westeurope"]) == (State.REVOKED, 1)
    assert any("could not be raised" in reason for reason in play.gate(bad, Gate.REVOCATION).reasons)


def test_a_revocation_that_would_leave_a_region_empty_waits_for_people() -> None:
    play, version = released()
    play.take(Action.REVOKE, version)
    play.wait(2)
    assert "would be empty" in play.release(version).stalls["revoke"]
    assert play.latest(SOURCE, HOME) == "1.0.0"


def test_a_revocation_leaves_a_region_empty_when_it_is_told_to() -> None:
    play, version = released()
    play.take(Action.REVOKE, version, allow_empty=True)
    play.run()
    assert play.latest(SOURCE, HOME) is None


def test_a_revocation_that_waits_for_another_version_is_told_to_leave_the_region_empty() -> None:
    play, version = released()
    play.take(Action.REVOKE, version)
    play.wait(2)
    play.take(Action.REVOKE, version, allow_empty=True)
    play.run()
    assert (play.latest(SOURCE, HOME), play.release(version).state) == (None, State.REVOKED)


def test_a_gallery_that_does_not_answer_keeps_a_bad_version_in_no_other() -> None:
    fails: list[str] = []
    down = Misfortune(
        "galleries.versions", unavailable, times=10**6, only=lambda call: bool(fails) and call.args[0] == PRODUCTION
    )
    play, _ = released(play=Rehearsal(DEFINITION, misfortunes=[down]))
    _, bad = released("1.1.0", play)
    fails.append("production")
    play.take(Action.REVOKE, bad)
    play.wait(minutes=2)
    assert (play.latest(SOURCE, HOME), play.latest(PRODUCTION, "eastus2")) == ("1.0.0", "1.1.0")
    fails.clear()
    assert play.run().latest(PRODUCTION, "eastus2") == "1.0.0"


def test_a_version_that_never_had_a_release_is_revoked() -> None:
    play = Rehearsal(DEFINITION, reconcile=False)
    play.publish("1.0.0", events=(), scan=None, excluded=False)
    bad = play.publish("1.1.0", events=(), scan=None, excluded=False)
    play.wait(1)
    play.take(Action.REVOKE, bad)
    play.wait(1)
    assert (play.latest(SOURCE, HOME), play.release(bad).state) == ("1.0.0", State.REVOKED)


def test_a_revocation_can_begin_later() -> None:
    play, _ = released()
    _, bad = released("1.1.0", play)
    at = play.scheduler.now + timedelta(hours=5)
    play.take(Action.REVOKE, bad, at=at)
    assert play.wait(4).latest(SOURCE, HOME) == "1.1.0"
    assert play.wait(2).latest(SOURCE, HOME) == "1.0.0"


def test_a_revocation_for_later_that_may_leave_a_region_empty_does() -> None:
    play, version = released()
    play.take(Action.REVOKE, version, at=play.scheduler.now + timedelta(hours=5), allow_empty=True)
    assert play.wait(6).latest(SOURCE, HOME) is None


def test_a_release_that_waits_can_be_revoked() -> None:
    play, version = waiting()
    play.take(Action.REVOKE, version, allow_empty=True)
    assert play.run().release(version).state is State.REVOKED


def test_an_approval_of_a_revoked_version_is_refused() -> None:
    play, version = waiting()
    play.take(Action.REVOKE, version, allow_empty=True)
    with pytest.raises(ActionDenied, match="there is nothing to approve"):
        play.take(Action.APPROVE, version, APPROVER)


def test_a_restored_version_goes_through_every_gate_again() -> None:
    play, _ = released()
    _, version = released("1.1.0", play)
    play.take(Action.REVOKE, version)
    play.run()
    machines = len(play.effects("machines.create"))
    play.take(Action.RESTORE, version, ADMIN)
    play.run()
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.RELEASED, "1.1.0")
    assert len(play.effects("machines.create")) > machines


def test_a_restored_version_that_fails_its_gates_stays_hidden() -> None:
    play, _ = released()
    _, version = released("1.1.0", play)
    play.take(Action.REVOKE, version)
    play.run()
    play.scan(version, "critical-cve")
    play.take(Action.RESTORE, version, ADMIN)
    play.run()
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.REJECTED, "1.0.0")


def test_a_restored_version_is_approved_again() -> None:
    play, version = waiting()
    play.take(Action.APPROVE, version, APPROVER)
    play.run()
    play.take(Action.REVOKE, version, allow_empty=True)
    play.run()
    play.take(Action.RESTORE, version, ADMIN)
    play.until(lambda: play.release(version).state is State.AWAITING_APPROVAL)
    play.take(Action.APPROVE, version, APPROVER)
    assert play.run().release(version).state is State.RELEASED


# --- retry ------------------------------------------------------------------------------------------------------------


def test_a_missing_scan_does_not_burn_the_number() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.run()
    assert play.release(version).state is State.REJECTED
    play.scan(version)
    play.take(Action.RETRY, version)
    assert play.run().release(version).state is State.RELEASED


def test_an_image_that_failed_its_scan_is_not_retried() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan="critical-cve")
    play.run()
    with pytest.raises(ActionDenied, match="rejected the image itself"):
        play.take(Action.RETRY, version)


def test_a_release_that_a_person_rejected_is_retried_from_its_ring() -> None:
    play, version = waiting()
    play.take(Action.REJECT, version, APPROVER)
    play.run()
    play.take(Action.RETRY, version)
    assert play.release(version).state is State.REPLICATING
