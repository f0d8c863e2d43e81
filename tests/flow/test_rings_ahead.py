"""Rings that are filled ahead of their turn, and what goes wrong meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.characters import PANICS
from shared.adapters.memory.galleries import Replication
from shared.domain.actions import Action
from shared.domain.image import VersionId
from shared.domain.policy import Ahead, ApprovalRules, DefinitionPolicy, FailedRescanAction
from shared.domain.release import Gate, Publication, Release, State
from shared.queries.status import summary
from tests.flow.rehearsal import ADMIN, APPROVER, DEFINITION, HOME, PRODUCTION, SOURCE, WARNING, Rehearsal, ring
from tests.flow.test_rescans import BAD, ruled, scan

BAKING = replace(
    DEFINITION, rings=(ring("canary", SOURCE, HOME, "northeurope", bake=60), ring("early", SOURCE, "eastus", bake=60))
)
"""Two rings of one gallery, whose bakes are long enough for a replication."""
ALL = replace(DEFINITION, ahead=Ahead.ALL)


def slow(region: str, minutes: float) -> Callable[[VersionId, str, int], Replication]:
    """One region replicates slowly."""
    return lambda _, where, __: Replication(timedelta(minutes=minutes if where == region else 5))


def publication(release: Release, name: str) -> Publication:
    found = release.published_in(name)
    assert found is not None, f"{name} is not published"
    return found


def until_ahead(play: Rehearsal, version: VersionId, name: str, words: str) -> None:
    """Let things happen until a ring ahead is that far."""
    play.until(lambda: play.has(version) and standing(play, version).get(name) == words)


def standing(play: Rehearsal, version: VersionId) -> dict[str, str]:
    return summary(play.release(version))["ahead"]


def history(play: Rehearsal, version: VersionId) -> str:
    return "\n".join(line.text for line in play.release(version).history)


# --- the usual way ----------------------------------------------------------------------------------------------------


def test_the_next_ring_is_replicated_and_tested_before_this_one_is_published() -> None:
    play = Rehearsal(BAKING)
    version = play.publish()
    release = play.run().release(version)
    filled = [each.at for each in release.gates if each.ring == "early" and each.gate is not Gate.PUBLICATION]
    tested = release.gate(Gate.BOOT_TEST, "early", "eastus")
    assert tested is not None
    assert min(filled) < tested.at < publication(release, "canary").at


def test_bake_still_counts_from_the_publication_in_the_ring_before() -> None:
    play = Rehearsal(BAKING)
    version = play.publish()
    release = play.run().release(version)
    assert publication(release, "early").at - publication(release, "canary").at >= timedelta(minutes=60)


def test_nothing_of_a_ring_ahead_is_visible_before_its_turn() -> None:
    play = Rehearsal(BAKING)
    version = play.publish()
    until_ahead(play, version, "early", "ready")
    assert (play.latest(SOURCE, "eastus"), play.latest(SOURCE, HOME)) == (None, None)


def test_each_region_is_tested_once_whoever_fills_it() -> None:
    play = Rehearsal(BAKING)
    play.publish()
    play.run()
    regions = [call.args[0].region for call in play.effects("machines.create")]
    assert sorted(regions) == sorted([HOME, HOME, "northeurope", "eastus"])


def test_a_short_bake_leaves_the_next_ring_of_the_same_gallery_to_its_turn() -> None:
    play = Rehearsal(replace(BAKING, rings=(ring("canary", SOURCE, HOME, bake=20), BAKING.rings[1])))
    version = play.publish()
    release = play.run().release(version)
    replicated = release.gate(Gate.REPLICATION, "early")
    assert replicated is not None
    assert replicated.at > publication(release, "canary").at


def test_a_ring_in_another_gallery_is_copied_ahead_whatever_the_bake() -> None:
    play = Rehearsal(replace(DEFINITION, rings=(DEFINITION.rings[0], DEFINITION.rings[2])))
    version = play.publish()
    play.run()
    copied = next(at for at, call in play.done if call.name == "galleries.copy_version")
    assert copied < publication(play.release(version), "canary").at


def test_while_a_ring_waits_for_approval_the_next_one_is_filled() -> None:
    canary = replace(ring("canary", SOURCE, HOME), approval=ApprovalRules())
    play = Rehearsal(replace(BAKING, rings=(canary, BAKING.rings[1])))
    version = play.publish()
    until_ahead(play, version, "early", "ready")
    assert play.release(version).state is State.AWAITING_APPROVAL
    play.take(Action.APPROVE, version, APPROVER)
    play.run()
    assert play.release(version).state is State.RELEASED


def test_all_rings_of_a_gallery_are_asked_for_in_one_write() -> None:
    play = Rehearsal(ALL)
    play.publish()
    play.run()
    known, adding = {HOME}, 0
    for call in play.effects("galleries.write_targets"):
        if call.args[0].id.definition != SOURCE:
            continue
        regions = {target.region for target in call.args[1]}
        adding += not regions <= known
        known |= regions
    assert (adding, len(play.effects("galleries.copy_version"))) == (1, 1)


def test_all_copies_begin_before_the_source_is_updated() -> None:
    play = Rehearsal(ALL)
    play.publish()
    play.run()
    names = [call.name for _, call in play.done if call.name in {"galleries.copy_version", "galleries.write_targets"}]
    assert names[0] == "galleries.copy_version"


@pytest.mark.parametrize("ahead", list(Ahead))
def test_rings_are_published_in_order_whichever_is_filled_first(ahead: Ahead) -> None:
    play = Rehearsal(replace(DEFINITION, ahead=ahead), replication=slow("northeurope", 50))
    version = play.publish()
    release = play.run().release(version)
    assert [each.ring for each in release.published] == ["canary", "early", "production"]


# --- what goes wrong --------------------------------------------------------------------------------------------------


def panicking(definition: DefinitionPolicy = BAKING) -> tuple[Rehearsal, VersionId]:
    """The machines of the second ring's region do not boot."""
    play = Rehearsal(definition)
    play.characters_in["eastus"] = PANICS
    return play, play.publish()


def test_a_ring_ahead_that_fails_its_boot_test_ends_the_release_while_the_first_one_bakes() -> None:
    play, version = panicking()
    release = play.run().release(version)
    assert (release.state, release.ring, release.published) == (State.REJECTED, "canary", ())
    assert release.reasons[0].startswith("early, filled ahead: ")


def test_replicas_made_ahead_of_a_rejected_release_stay_and_are_told() -> None:
    play, version = panicking()
    release = play.run().release(version)
    assert [each for each in release.warnings if "hidden replicas in eastus are kept" in each]
    facts = play.do(lambda world, _: world.galleries.version(version))
    assert ("eastus" in facts.regions, facts.visible_in("eastus")) == (True, False)


def test_a_hold_keeps_the_publication_and_not_the_next_ring_waiting() -> None:
    play = Rehearsal(BAKING)
    version = play.publish()
    until_ahead(play, version, "early", "replicating")
    play.take(Action.HOLD, version)
    play.wait(5)
    assert (standing(play, version), play.latest(SOURCE, HOME)) == ({"early": "ready"}, None)
    play.take(Action.RESUME, version)
    assert play.run().release(version).state is State.RELEASED


def test_a_publication_waits_for_the_replication_of_a_ring_ahead() -> None:
    play = Rehearsal(BAKING, replication=slow("eastus", 40))
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.BAKING)
    play.take(Action.SKIP_BAKE, version, ADMIN)
    release = play.run().release(version)
    replicated = release.gate(Gate.REPLICATION, "early")
    assert replicated is not None
    wait = publication(release, "canary").at - replicated.at
    assert abs(wait) < timedelta(minutes=1)
    assert history(play, version).count("canary waits for the replicas of early") == 1


def test_a_publication_that_waits_asks_azure_seldom() -> None:
    play = Rehearsal(BAKING, replication=slow("eastus", 40))
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.BAKING)
    play.take(Action.SKIP_BAKE, version, ADMIN)
    play.run()
    looks = [call for call in play.effects("galleries.versions") if call.invocation.function == "promote"]
    assert len(looks) < 20


def test_a_ring_ahead_that_fails_to_replicate_can_be_retried_from_there() -> None:
    tries: list[str] = []

    def goes(_: VersionId, region: str, attempt: int) -> Replication:
        tries.append(region)
        return Replication(fails="no capacity" if region == "eastus" and attempt <= 4 else None)

    play = Rehearsal(BAKING, replication=goes)
    version = play.publish()
    assert play.run().release(version).state is State.REJECTED
    play.take(Action.RETRY, version)
    tested = len(play.effects("machines.create"))
    release = play.run().release(version)
    assert (release.state, [each.ring for each in release.published]) == (State.RELEASED, ["canary", "early"])
    assert [each for each in release.warnings if "filled ahead" in each] == []
    assert len(play.effects("machines.create")) == tested + 1  # those of the first ring had passed


def test_another_way_of_filling_rings_restarts_no_release() -> None:
    play = Rehearsal(BAKING)
    version = play.publish()
    until_ahead(play, version, "early", "testing")
    play.change_policy(replace(BAKING, ahead=Ahead.NONE))
    release = play.run().release(version)
    assert (release.state, "policy changed" in history(play, version)) == (State.RELEASED, False)
    assert len(play.effects("machines.create")) == 4


def test_a_number_used_again_proves_nothing_of_what_was_filled_ahead() -> None:
    play = Rehearsal(BAKING)
    version = play.publish()
    until_ahead(play, version, "early", "ready")
    play.cloud.galleries.remove(version)
    again = play.publish()
    release = play.run().release(again)
    assert release.state is State.RELEASED
    early = [each for each in release.gates if each.ring == "early"]
    assert {each.incarnation for each in early} == {release.incarnation}


def test_a_later_scan_that_fails_stops_the_ring_ahead_until_one_passes() -> None:
    held = ruled(replace(WARNING, rings=DEFINITION.rings), on_failed_rescan=FailedRescanAction.HOLD)
    play = Rehearsal(held)
    version = play.publish()
    until_ahead(play, version, "production", "ready")
    play.until(lambda: play.release(version).published_in("canary") is not None)
    machines = len(play.effects("machines.create"))
    scan(play, version, BAD)
    play.until(lambda: play.release(version).state is State.HELD)
    assert [each for each in play.release(version).pending if each.startswith(("replicate", "boot_test"))] == []
    scan(play, version)
    release = play.run().release(version)
    assert (release.state, len(play.effects("machines.create")) - machines) == (State.RELEASED, 0)


def test_a_revocation_ends_what_is_filled_ahead() -> None:
    play = Rehearsal(BAKING)
    version = play.publish()
    until_ahead(play, version, "early", "testing")
    play.take(Action.REVOKE, version)
    release = play.run().release(version)
    assert (release.state, play.left()) == (State.REVOKED, [])
    assert play.latest(PRODUCTION, HOME) is None
