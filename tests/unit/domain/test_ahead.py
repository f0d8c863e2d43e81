"""Rings ahead: which are filled when, and what their verdicts are worth when their turn comes."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.ahead import replicas_kept, rings_to_fill, standing, targets_asked_for
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.lifecycle import Outcome, advance, after_gate, after_gate_ahead
from shared.domain.messages import Branch, Command, Kind
from shared.domain.moment import Moment
from shared.domain.policy import (
    Ahead,
    ApprovalRules,
    DefinitionPolicy,
    EventDetail,
    RegionTarget,
    Ring,
    ScanRules,
    Severity,
)
from shared.domain.release import Answer, Gate, GateRecord, Pending, Publication, Release, State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = DefinitionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/d"
)
COPIES = DefinitionId.parse(str(SOURCE).replace("/galleries/g/", "/galleries/prod/"))
VERSION = SOURCE.version(VersionNumber(1, 2, 3))
CANARY = Ring("canary", SOURCE, (RegionTarget("westeurope"),), bake=timedelta(hours=1))
EARLY = Ring("early", SOURCE, (RegionTarget("eastus"), RegionTarget("westus")), bake=timedelta(hours=1))
WIDE = Ring("wide", COPIES, (RegionTarget("eastus", 3),))
POLICY = DefinitionPolicy(
    "d", SOURCE, (CANARY, EARLY, WIDE), ScanRules({Severity.CRITICAL: 0}), digest="p1", events=EventDetail.MILESTONES
)
ALL = replace(POLICY, ahead=Ahead.ALL)


def passed(gate: Gate, ring: str, region: str | None = None) -> GateRecord:
    return GateRecord(gate, Answer.PASS, NOW, "i1", "p1", "evidence", ring=ring, region=region)


def in_ring(state: State, *gates: GateRecord, ring: str = "canary", pending: Iterable[Branch] = ()) -> Release:
    """A release in a ring, whose last gate passed now."""
    release = Release(VERSION, state, 9, "p1", NOW, NOW, "i1", ring, gates=gates, qualified_at=NOW)
    for kind, name, region in pending:
        command = Command(kind, VERSION, 9, NOW + timedelta(hours=9), name, region)
        release = release.with_pending(command.branch, Pending(command, NOW))
    return release


def filled(release: Release, policy: DefinitionPolicy = POLICY) -> list[str]:
    return [ring.name for ring in rings_to_fill(release, policy, Moment(NOW))]


CANARY_DONE = passed(Gate.REPLICATION, "canary")
EARLY_DONE = passed(Gate.REPLICATION, "early")
EARLY_TESTED = tuple(passed(Gate.BOOT_TEST, "early", region) for region in EARLY.region_names)


class TestWhichRings:
    def test_the_next_one_when_this_one_has_its_replicas(self) -> None:
        assert filled(in_ring(State.TESTING, CANARY_DONE)) == ["early"]

    def test_none_while_this_one_is_being_replicated(self) -> None:
        assert filled(in_ring(State.REPLICATING)) == []

    def test_none_when_the_policy_says_so(self) -> None:
        assert filled(in_ring(State.TESTING, CANARY_DONE), replace(POLICY, ahead=Ahead.NONE)) == []

    def test_all_of_them_before_this_one_has_its_replicas(self) -> None:
        assert filled(in_ring(State.REPLICATING), ALL) == ["early", "wide"]

    @pytest.mark.parametrize(("minutes", "begins"), [(29, []), (30, ["early"])])
    def test_the_rest_of_the_bake_must_be_long_enough(self, minutes: int, begins: list[str]) -> None:
        policy = replace(POLICY, rings=(replace(CANARY, bake=timedelta(minutes=minutes)), EARLY))
        assert filled(in_ring(State.BAKING, CANARY_DONE), policy) == begins

    def test_another_gallery_delays_no_publication_however_short_the_bake(self) -> None:
        policy = replace(POLICY, rings=(replace(CANARY, bake=timedelta(0)), WIDE))
        assert filled(in_ring(State.BAKING, CANARY_DONE), policy) == ["wide"]

    def test_while_people_are_waited_for_the_bake_does_not_matter(self) -> None:
        policy = replace(POLICY, rings=(replace(CANARY, bake=timedelta(0), approval=ApprovalRules()), EARLY))
        assert filled(in_ring(State.AWAITING_APPROVAL, CANARY_DONE), policy) == ["early"]

    def test_one_that_is_under_way_or_done_is_not_begun_again(self) -> None:
        under_way = in_ring(State.TESTING, CANARY_DONE, pending=[Branch(Kind.REPLICATE, "early")])
        assert (filled(under_way), filled(in_ring(State.TESTING, CANARY_DONE, EARLY_DONE))) == ([], [])

    def test_a_release_whose_ring_the_policy_has_dropped_fills_none(self) -> None:
        assert filled(in_ring(State.TESTING, CANARY_DONE, ring="gone"), ALL) == []


class TestTargets:
    def test_a_ring_asks_for_its_own_regions(self) -> None:
        assert targets_asked_for(POLICY, EARLY) == EARLY.regions

    def test_all_rings_of_the_same_gallery_are_asked_for_at_once(self) -> None:
        assert [each.name for each in targets_asked_for(ALL, EARLY)] == ["eastus", "westus", "westeurope"]

    def test_a_region_of_two_rings_gets_the_larger_count(self) -> None:
        more = replace(EARLY, name="more", regions=(RegionTarget("East US", 4),))
        asked = targets_asked_for(replace(ALL, rings=(EARLY, more)), EARLY)
        assert {each.name: each.replicas for each in asked} == {"eastus": 4, "westus": 1}


class TestVerdictsAhead:
    def test_the_replicas_of_a_ring_ahead_are_tested_beside_the_state(self) -> None:
        baking = in_ring(State.BAKING, CANARY_DONE, EARLY_DONE, pending=[Branch(Kind.PROMOTE, "canary")])
        moved = advance(baking, Outcome.AHEAD_REPLICATED, POLICY, Moment(NOW), ring="early")
        assert (moved.state, moved.ring) == (State.BAKING, "canary")
        assert sorted(moved.pending) == ["boot_test/early/eastus", "boot_test/early/westus", "promote/canary"]

    def test_a_ring_without_boot_tests_has_passed_with_its_replicas(self) -> None:
        assert after_gate_ahead(Gate.REPLICATION, replace(EARLY, boot_test=False)) is Outcome.AHEAD_PASSED

    def test_the_join_of_a_ring_waits_for_no_test_of_another(self) -> None:
        testing = in_ring(State.TESTING, pending=[Branch(Kind.BOOT_TEST, "early", "eastus")])
        assert after_gate(testing) is Outcome.RING_TESTED

    def test_a_ring_whose_verdicts_are_all_there_goes_on_to_its_bake(self) -> None:
        publishing = in_ring(State.PUBLISHING, CANARY_DONE, EARLY_DONE, *EARLY_TESTED)
        published = replace(publishing, published=(Publication("canary", ("westeurope",), NOW),))
        moved = advance(published, Outcome.RING_PUBLISHED, POLICY, Moment(NOW))
        assert (moved.state, moved.ring, moved.seq) == (State.BAKING, "early", 10)
        assert moved.pending["promote/early"].due == NOW + timedelta(hours=1)

    def test_its_commands_are_of_the_transition_so_that_they_are_sent_with_it(self) -> None:
        moved = advance(
            in_ring(State.PUBLISHING, CANARY_DONE, EARLY_DONE, *EARLY_TESTED),
            Outcome.RING_PUBLISHED,
            POLICY,
            Moment(NOW),
        )
        assert {each.command.seq for each in moved.pending.values()} == {moved.seq}

    def test_a_ring_that_is_being_tested_is_waited_for_without_new_commands(self) -> None:
        under_way = [Branch(Kind.BOOT_TEST, "early", "eastus")]
        publishing = in_ring(State.PUBLISHING, CANARY_DONE, EARLY_DONE, EARLY_TESTED[1], pending=under_way)
        moved = advance(publishing, Outcome.RING_PUBLISHED, POLICY, Moment(NOW))
        tests = [each.command.seq for key, each in moved.pending.items() if key.startswith("boot_test")]
        assert (moved.state, tests) == (State.TESTING, [9])

    def test_a_ring_that_is_being_replicated_is_waited_for_without_new_commands(self) -> None:
        publishing = in_ring(State.PUBLISHING, CANARY_DONE, pending=[Branch(Kind.REPLICATE, "early")])
        moved = advance(publishing, Outcome.RING_PUBLISHED, POLICY, Moment(NOW))
        assert (moved.state, moved.pending["replicate/early"].command.seq) == (State.REPLICATING, 9)

    @pytest.mark.parametrize("record", [replace(EARLY_DONE, incarnation="i0"), replace(EARLY_DONE, policy_digest="p0")])
    def test_a_verdict_on_another_image_or_policy_is_none(self, record: GateRecord) -> None:
        moved = advance(in_ring(State.PUBLISHING, CANARY_DONE, record), Outcome.RING_PUBLISHED, POLICY, Moment(NOW))
        assert (moved.state, "replicate/early" in moved.pending) == (State.REPLICATING, True)

    def test_after_a_hold_the_replicas_are_looked_at_again_and_passed_tests_are_kept(self) -> None:
        held = in_ring(State.HELD, EARLY_DONE, *EARLY_TESTED, ring="early")
        lifted = advance(held, Outcome.HOLD_LIFTED, POLICY, Moment(NOW))
        assert [key for key in lifted.pending if not key.startswith("announce")] == ["replicate/early"]
        moved = advance(
            lifted.with_pending(Branch(Kind.REPLICATE, "early"), None), Outcome.REPLICATED, POLICY, Moment(NOW)
        )
        assert moved.state is State.BAKING

    @pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.HELD_BACK, Outcome.POLICY_CHANGED])
    def test_the_end_of_the_ring_is_the_end_of_those_ahead(self, outcome: Outcome) -> None:
        branches = [Branch(Kind.PROMOTE, "canary"), Branch(Kind.REPLICATE, "early"), Branch(Kind.REPLICATE, "wide")]
        moved = advance(in_ring(State.BAKING, CANARY_DONE, pending=branches), outcome, POLICY, Moment(NOW))
        assert [key for key in moved.pending if key.startswith(("replicate", "promote"))] == []


class TestStanding:
    def test_it_says_how_far_each_ring_ahead_is(self) -> None:
        branches = [Branch(Kind.BOOT_TEST, "early", "eastus"), Branch(Kind.REPLICATE, "wide")]
        assert standing(in_ring(State.BAKING, CANARY_DONE, EARLY_DONE, pending=branches)) == {
            "early": "testing",
            "wide": "replicating",
        }

    def test_a_ring_with_all_verdicts_is_ready(self) -> None:
        assert standing(in_ring(State.BAKING, CANARY_DONE, EARLY_DONE, *EARLY_TESTED)) == {"early": "ready"}

    def test_an_ended_release_fills_nothing(self) -> None:
        assert standing(in_ring(State.REJECTED, CANARY_DONE, EARLY_DONE)) == {}

    def test_replicas_of_rings_ahead_are_named_when_the_release_ends(self) -> None:
        rejected = advance(in_ring(State.BAKING, CANARY_DONE, EARLY_DONE), Outcome.REJECTED, POLICY, Moment(NOW))
        assert rejected.warnings == tuple(replicas_kept(in_ring(State.BAKING, EARLY_DONE), POLICY))
        assert "early" in rejected.warnings[0]
