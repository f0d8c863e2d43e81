"""The lifecycle: what follows from what, and what each transition sends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from shared.domain.hop_states import machine_of
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.lifecycle import (
    TABLE,
    NoSuchTransition,
    Outcome,
    advance,
    after_gate,
    after_publication,
    first,
    missing_proof,
)
from shared.domain.messages import Branch, Kind
from shared.domain.moment import Moment
from shared.domain.policy import ApprovalRules, DefinitionPolicy, EventDetail, RegionTarget, Ring, ScanRules, Severity
from shared.domain.release import Answer, Gate, GateRecord, Publication, Release, State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = DefinitionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/d"
)
VERSION = SOURCE.version(VersionNumber(1, 2, 3))
CANARY = Ring("canary", SOURCE, (RegionTarget("westeurope"), RegionTarget("northeurope")))
WIDE = Ring("wide", SOURCE, (RegionTarget("eastus"),), bake=timedelta(hours=2), boot_test=False)
POLICY = DefinitionPolicy(
    "d", SOURCE, (CANARY, WIDE), ScanRules({Severity.CRITICAL: 0}), digest="p1", events=EventDetail.MILESTONES
)
APPROVED = replace(CANARY, approval=ApprovalRules())
GUARDED = replace(POLICY, rings=(APPROVED, WIDE))
"""Transitions to a wait for approval need a ring that wants one."""


def started() -> Release:
    return first(VERSION, POLICY, Moment(NOW), None)


def qualifying() -> Release:
    return advance(started().with_pending(Branch(Kind.VALIDATE), None), Outcome.VALIDATED, POLICY, Moment(NOW))


def test_a_new_release_awaits_its_validation() -> None:
    assert list(started().pending) == ["validate"]


def test_scan_and_smoke_test_start_side_by_side() -> None:
    assert sorted(qualifying().pending) == ["boot_test", "scan"]


def test_the_join_waits_for_the_other_gate() -> None:
    assert after_gate(qualifying().with_pending(Branch(Kind.SCAN), None)) is Outcome.GATE_PASSED


def test_the_last_gate_qualifies() -> None:
    alone = qualifying().with_pending(Branch(Kind.SCAN), None).with_pending(Branch(Kind.BOOT_TEST), None)
    assert after_gate(alone) is Outcome.QUALIFIED


def test_every_region_of_a_ring_gets_its_boot_test() -> None:
    release = Release(VERSION, State.REPLICATING, 4, "p1", NOW, NOW, ring="canary")
    tested = advance(release, Outcome.REPLICATED, POLICY, Moment(NOW))
    assert sorted(tested.pending) == ["boot_test/canary/northeurope", "boot_test/canary/westeurope"]


def test_each_boot_test_knows_the_name_of_its_machine_beforehand() -> None:
    release = Release(VERSION, State.REPLICATING, 4, "p1", NOW, NOW, ring="canary")
    tested = advance(release, Outcome.REPLICATED, POLICY, Moment(NOW))
    names = {machine_of(each.command.state) or "" for each in tested.pending.values()}
    assert (len(names), {len(name) for name in names}) == (2, {15})


def test_bake_counts_from_the_publication_in_the_ring_before() -> None:
    published = Publication("canary", CANARY.region_names, NOW - timedelta(hours=1))
    release = Release(VERSION, State.REPLICATING, 9, "p1", NOW, NOW, ring="wide", published=(published,))
    baking = advance(release, Outcome.REPLICATED_UNTESTED, POLICY, Moment(NOW))
    assert baking.pending["promote/wide"].due == NOW + timedelta(hours=1)


def test_a_published_ring_leads_to_the_next_one() -> None:
    release = Release(VERSION, State.PUBLISHING, 9, "p1", NOW, NOW, ring="canary")
    moved = advance(release, after_publication(CANARY, POLICY), POLICY, Moment(NOW))
    assert (moved.state, moved.ring) == (State.REPLICATING, "wide")


def test_the_last_published_ring_ends_the_release() -> None:
    release = Release(VERSION, State.PUBLISHING, 9, "p1", NOW, NOW, ring="wide")
    assert advance(release, after_publication(WIDE, POLICY), POLICY, Moment(NOW)).state is State.RELEASED


def test_a_reject_stops_the_other_gate_and_deletes_its_machine() -> None:
    rejected = advance(qualifying().with_pending(Branch(Kind.SCAN), None), Outcome.REJECTED, POLICY, Moment(NOW))
    orders = [each.command for each in rejected.pending.values() if each.command.kind is Kind.CLEAN_UP]
    tested = qualifying().pending["boot_test"].command
    assert [machine_of(order.state) for order in orders] == [machine_of(tested.state)]


def test_a_reject_leaves_no_gate_pending() -> None:
    rejected = advance(qualifying(), Outcome.REJECTED, POLICY, Moment(NOW))
    assert not [each for each in rejected.pending.values() if each.command.kind.is_gate]


def test_a_restart_forgets_every_verdict() -> None:
    record = GateRecord(Gate.SCAN, Answer.PASS, NOW, "i1", "p1", "e")
    release = Release(VERSION, State.TESTING, 9, "p1", NOW, NOW, incarnation="i1", ring="canary", gates=(record,))
    assert advance(release, Outcome.NUMBER_REUSED, POLICY, Moment(NOW)).gates == ()


def test_a_changed_policy_keeps_what_is_published() -> None:
    published = (Publication("canary", CANARY.region_names, NOW),)
    release = Release(VERSION, State.TESTING, 9, "p0", NOW, NOW, incarnation="i1", ring="wide", published=published)
    moved = advance(release, Outcome.POLICY_CHANGED, POLICY, Moment(NOW))
    assert (moved.policy_digest, moved.published, moved.state) == ("p1", published, State.VALIDATING)


def test_a_number_used_again_keeps_nothing_published() -> None:
    published = (Publication("canary", CANARY.region_names, NOW),)
    release = Release(VERSION, State.RELEASED, 9, "p1", NOW, NOW, incarnation="i1", published=published)
    assert advance(release, Outcome.NUMBER_REUSED, POLICY, Moment(NOW)).published == ()


def test_a_release_can_end_although_no_policy_covers_it_any_more() -> None:
    assert advance(qualifying(), Outcome.SUPERSEDED, None, Moment(NOW)).state is State.SUPERSEDED


@pytest.mark.parametrize(("state", "outcome"), list(product(State, Outcome)))
def test_what_the_table_does_not_name_cannot_happen(state: State, outcome: Outcome) -> None:
    release = Release(VERSION, state, 9, "p1", NOW, NOW, ring="canary")
    if (state, outcome) in TABLE:
        assert advance(release, outcome, GUARDED, Moment(NOW)).state is TABLE[state, outcome].state
    else:
        with pytest.raises(NoSuchTransition):
            advance(release, outcome, GUARDED, Moment(NOW))


@pytest.mark.parametrize(("state", "outcome"), list(TABLE))
def test_every_transition_counts_the_sequence_up(state: State, outcome: Outcome) -> None:
    release = Release(VERSION, state, 9, "p1", NOW, NOW, ring="canary")
    assert advance(release, outcome, GUARDED, Moment(NOW)).seq == 10


def proven(incarnation: str = "i1", digest: str = "p1", evidence: str = "e") -> Release:
    places = [
        (Gate.VALIDATION, None, None),
        (Gate.SCAN, None, None),
        (Gate.BOOT_TEST, None, None),
        (Gate.REPLICATION, "canary", None),
        (Gate.BOOT_TEST, "canary", "westeurope"),
        (Gate.BOOT_TEST, "canary", "northeurope"),
    ]
    records = tuple(
        GateRecord(gate, Answer.PASS, NOW, incarnation, digest, evidence, ring=ring, region=region)
        for gate, ring, region in places
    )
    return Release(VERSION, State.PUBLISHING, 9, "p1", NOW, NOW, incarnation="i1", ring="canary", gates=records)


def test_complete_proof_lacks_nothing() -> None:
    assert missing_proof(proven(), POLICY, CANARY) == ()


@pytest.mark.parametrize("broken", [proven(incarnation="i0"), proven(digest="p0"), proven(evidence="")])
def test_proof_of_another_incarnation_or_policy_or_without_evidence_is_none(broken: Release) -> None:
    assert len(missing_proof(broken, POLICY, CANARY)) == 6


def test_a_region_that_was_not_tested_is_missing() -> None:
    release = proven()
    without = Release(
        VERSION, State.PUBLISHING, 9, "p1", NOW, NOW, incarnation="i1", ring="canary", gates=release.gates[:-1]
    )
    assert missing_proof(without, POLICY, CANARY) == ("boot_test/canary/northeurope",)


def test_a_ring_lacks_proof_until_it_is_approved() -> None:
    release = proven()
    assert missing_proof(release, GUARDED, APPROVED) == ("approval/canary",)
