"""What somebody changes of a published version: found, told once, and repaired where the policy says so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from shared.adapters.memory.galleries import Replication
from shared.domain.actions import Action
from shared.domain.drift import REPAIRS_A_DAY
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId, VersionNumber
from shared.domain.policy import DefinitionPolicy, DriftAction, RegionTarget
from shared.domain.release import State
from shared.queries import status
from tests.flow.rehearsal import DEFINITION, HOME, PRODUCTION, SMALL, SOURCE, Rehearsal
from tests.flow.test_told import names, told

WIDE = replace(SMALL.rings[0], regions=(RegionTarget(HOME, 3), RegionTarget("northeurope", 2)))
REPORTED = replace(SMALL, rings=(WIDE,))
REPAIRED = replace(REPORTED, drift=DriftAction.REPAIR)
EVERYWHERE = replace(DEFINITION, drift=DriftAction.REPAIR)


def released(policy: DefinitionPolicy, **more: Any) -> tuple[Rehearsal, VersionId]:
    play = Rehearsal(policy, **more)
    version = play.publish()
    play.run()
    return play.wait(minutes=10), version


def rewrite(play: Rehearsal, version: VersionId, change: Callable[[RegionTargetFacts], RegionTargetFacts]) -> None:
    """Somebody writes the version's target regions."""

    async def write(_: Any, __: Any) -> None:
        facts = await play.cloud.galleries.version(version)
        assert facts is not None
        await play.cloud.galleries.write_targets(facts, tuple(map(change, facts.targets)), excluded=facts.excluded)

    play.do(write)


def facts_of(play: Rehearsal, version: VersionId) -> VersionFacts:
    facts = play.do(lambda world, _: world.galleries.version(version))
    assert facts is not None
    return facts


def fewer(target: RegionTargetFacts) -> RegionTargetFacts:
    return replace(target, replicas=1)


def hidden(target: RegionTargetFacts) -> RegionTargetFacts:
    return replace(target, excluded=True) if target.region == "northeurope" else target


def kinds(play: Rehearsal) -> list[list[str]]:
    return [[each["kind"] for each in event.data["findings"]] for event in told(play, "DriftFound")]


# --- found ------------------------------------------------------------------------------------------------------------


def test_lowered_counts_are_told_once_and_left_as_they_are() -> None:
    play, version = released(REPORTED)
    rewrite(play, version, fewer)
    play.wait(3)
    assert kinds(play) == [["replicas_lowered", "replicas_lowered"]]
    assert [each.replicas for each in facts_of(play, version).targets] == [1, 1]
    assert (play.release(version).state, play.release(version).is_settled) == (State.RELEASED, True)


def test_drift_is_shown_in_status_and_history() -> None:
    play, version = released(REPORTED)
    rewrite(play, version, fewer)
    play.wait(1)
    shown = status.summary(play.release(version))
    assert shown["drift"][0] == "1.0.0 has 1 of 3 replicas in westeurope"
    assert any(each.text.startswith("drift found: 1.0.0 has 1 of 3") for each in play.release(version).history)


def test_drift_that_somebody_corrects_is_over_and_told_so() -> None:
    play, version = released(REPORTED)
    rewrite(play, version, fewer)
    play.wait(1)
    rewrite(play, version, lambda target: replace(target, replicas=3))
    play.wait(1)
    assert names(play, "DriftFound", "DriftRepaired") == ["DriftFound", "DriftRepaired"]
    assert status.summary(play.release(version))["drift"] == []


def test_a_version_of_somebody_else_that_is_latest_is_told() -> None:
    play, _ = released(replace(DEFINITION, drift=DriftAction.REPAIR))
    other = PRODUCTION.version(VersionNumber(9, 0, 0))
    play.cloud.galleries.build(
        VersionFacts(other, ProvisioningState.CREATING, HOME, targets=(RegionTargetFacts("eastus2"),), os_disk_gb=30),
        settled=True,
    )
    play.wait(1)
    assert kinds(play) == [["foreign_latest"]]
    assert told(play, "DriftFound")[0].data["repair"] is False
    assert play.latest(PRODUCTION, "eastus2") == "9.0.0"


def test_who_else_wrote_the_version_is_named() -> None:
    play, version = released(REPORTED)
    play.cloud.activity_log.late = timedelta(0)
    play.cloud.activity_log.record(version, "0b0b0b0b-0000-4000-8000-00000000000b")
    rewrite(play, version, fewer)
    play.wait(1)
    (event,) = told(play, "DriftFound")
    assert [each["id"] for each in event.data["writers"]] == ["0b0b0b0b-0000-4000-8000-00000000000b"]


def test_a_log_that_may_not_be_read_hides_no_drift() -> None:
    play, version = released(REPORTED)
    play.cloud.activity_log.refuses = True
    rewrite(play, version, fewer)
    play.wait(1)
    assert [event.data["writers"] for event in told(play, "DriftFound")] == [[]]


def test_a_newer_version_of_ours_is_no_drift() -> None:
    play, _ = released(REPORTED)
    play.publish("1.1.0")
    play.run()
    play.wait(1)
    assert told(play, "DriftFound") == []


def test_a_version_that_people_delete_as_a_whole_is_no_drift() -> None:
    play, version = released(REPORTED)
    play.cloud.galleries.remove(version)
    play.wait(1)
    assert told(play, "DriftFound") == []


def test_old_versions_may_lose_their_replicas() -> None:
    play, version = released(replace(REPORTED, retention=replace(REPORTED.retention, keep=1)))
    play.publish("1.1.0")
    play.run()
    rewrite(play, version, fewer)
    play.wait(1)
    assert told(play, "DriftFound") == []


def test_regions_that_a_policy_adds_after_the_release_are_no_drift() -> None:
    play, _ = released(REPORTED)
    more = replace(WIDE, regions=(*WIDE.regions, RegionTarget("eastus")))
    play.change_policy(replace(REPORTED, rings=(more,), digest="digest-2"))
    play.wait(1)
    assert told(play, "DriftFound") == []


def test_a_version_that_is_revoked_has_no_drift() -> None:
    play, version = released(REPORTED)
    play.take(Action.REVOKE, version, allow_empty=True)
    play.run()
    play.wait(1)
    assert told(play, "DriftFound") == []


# --- repaired ---------------------------------------------------------------------------------------------------------


def test_lowered_counts_are_raised_again() -> None:
    play, version = released(REPAIRED)
    rewrite(play, version, fewer)
    play.wait(2)
    assert [each.replicas for each in facts_of(play, version).targets] == [3, 2]
    assert names(play, "DriftFound", "DriftRepaired") == ["DriftFound", "DriftRepaired"]
    assert play.release(version).state is State.RELEASED


def test_a_hidden_version_is_published_again() -> None:
    play, version = released(REPAIRED)
    rewrite(play, version, hidden)
    assert play.latest(SOURCE, "northeurope") is None
    play.wait(2)
    assert play.latest(SOURCE, "northeurope") == "1.0.0"


def test_a_deleted_copy_is_made_and_published_again() -> None:
    play, version = released(EVERYWHERE)
    play.cloud.galleries.remove(PRODUCTION.version(version.number))
    play.wait(3)
    assert (play.latest(PRODUCTION, "eastus2"), play.latest(PRODUCTION, HOME)) == ("1.0.0", "1.0.0")
    assert kinds(play) == [["copy_deleted"]]


def test_a_hold_by_people_is_respected_and_a_revocation_ends_the_repair() -> None:
    play, version = released(REPAIRED)
    rewrite(play, version, hidden)
    play.until(lambda: "replicate/canary" in play.release(version).pending)
    play.take(Action.REVOKE, version, allow_empty=True)
    play.run()
    play.wait(2)
    assert (play.release(version).state, play.latest(SOURCE, HOME)) == (State.REVOKED, None)


def test_a_repair_that_fails_leaves_the_release_and_asks_people() -> None:
    full: set[str] = set()

    def goes(_: VersionId, region: str, __: int) -> Replication:
        return Replication(timedelta(minutes=1), fails="out of space" if region in full else None)

    play, version = released(EVERYWHERE, replication=goes)
    play.cloud.galleries.remove(PRODUCTION.version(version.number))
    full.add("eastus2")
    play.wait(24)
    release = play.release(version)
    stalled = release.stalls["replicate/production"]
    assert release.state is State.RELEASED
    assert "drift was not repaired: replication to eastus2 failed: out of space" in stalled
    assert names(play, "Stalled", "Rejected") == ["Stalled"]


def undo_for_ever(play: Rehearsal, version: VersionId) -> None:
    """Somebody's script lowers the counts whenever they are raised."""
    facts = facts_of(play, version)
    if any(target.replicas > 1 for target in facts.targets) and not facts.provisioning_state.in_progress:
        rewrite(play, version, fewer)
    play.after(20, lambda: undo_for_ever(play, version))


def test_a_repair_that_somebody_keeps_undoing_stalls_with_the_reason() -> None:
    play, version = released(REPAIRED)
    undo_for_ever(play, version)
    play.wait(12)
    release = play.release(version)
    assert (release.state, len(play.runs("replicate")) > 0) == (State.RELEASED, True)
    assert f"repaired {REPAIRS_A_DAY} times within a day" in release.stalls["replicate/canary"]
    assert [event.data["repair"] for event in told(play, "DriftFound")] == [True] * REPAIRS_A_DAY + [False]
    assert names(play, "Stalled") == ["Stalled"]


def test_people_send_a_stalled_repair_again() -> None:
    play, version = released(REPAIRED)
    undo_for_ever(play, version)
    play.until(lambda: bool(play.release(version).stalls))
    play.take(Action.RESEND, version)
    play.wait(minutes=8)
    assert [each.replicas for each in facts_of(play, version).targets] == [3, 2]
