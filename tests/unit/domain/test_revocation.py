"""Taking a version back: every flag is set, nothing is dropped, and what `latest` is then is known beforehand."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.hop_states import latest_change
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring, ScanRules
from shared.domain.release import Answer, Gate, GateRecord, Publication, Release, State
from shared.domain.revocation import (
    check_revocation,
    plan_revocation,
    published_regions,
    rightful_regions,
    short_of_replicas,
)

DEFINITION = DefinitionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/d"
)


def version(number: str, *targets: RegionTargetFacts, excluded: bool = False) -> VersionFacts:
    id_ = DEFINITION.version(VersionNumber.parse(number))
    return VersionFacts(id_, ProvisioningState.SUCCEEDED, "eastus", targets=targets, excluded=excluded)


EVERYWHERE = (RegionTargetFacts("eastus", 3, "Standard_ZRS", kept={"encryption": {}}), RegionTargetFacts("westus"))
BAD, GOOD = version("2.0.0", *EVERYWHERE), version("1.0.0", RegionTargetFacts("eastus"))


def test_every_flag_is_set_and_nothing_else_changes() -> None:
    plan = plan_revocation([GOOD, BAD], BAD)
    assert plan.targets == tuple(replace(target, excluded=True) for target in EVERYWHERE)
    assert plan.changes


def test_latest_goes_back_where_an_older_version_is_and_empty_where_none_is() -> None:
    plan = plan_revocation([GOOD, BAD], BAD)
    assert plan.after == {"eastus": GOOD.id.number, "westus": None}
    assert plan.emptied == ("westus",)


class TestReplicas:
    RINGS = (Ring("canary", DEFINITION, (RegionTarget("eastus", 3), RegionTarget("westus", 2))),)

    def short(self, older: VersionFacts) -> list[tuple[str, list[RegionTarget]]]:
        plan = plan_revocation([older, BAD], BAD)
        found = short_of_replicas([older, BAD], latest_change(plan.before, plan.after), self.RINGS)
        return [(str(each.id.number), list(regions)) for each, regions in found]

    def test_what_takes_over_with_fewer_replicas_than_its_ring_asks_for_is_told(self) -> None:
        assert self.short(GOOD) == [("1.0.0", [RegionTarget("eastus", 3)])]

    def test_what_takes_over_with_as_many_needs_nothing(self) -> None:
        assert self.short(version("1.0.0", RegionTargetFacts("eastus", 3))) == []

    def test_a_region_that_becomes_empty_has_nothing_to_raise(self) -> None:
        assert self.short(version("1.0.0", RegionTargetFacts("centralus"))) == []

    def test_where_latest_does_not_change_nothing_is_raised(self) -> None:
        newer = version("3.0.0", RegionTargetFacts("eastus"), RegionTargetFacts("westus"))
        assert self.short(newer) == []

    def test_of_two_rings_with_the_same_region_the_larger_count_is_meant(self) -> None:
        rings = (*self.RINGS, Ring("all", DEFINITION, (RegionTarget("eastus", 5),)))
        change = {"eastus": {"before": "2.0.0", "after": "1.0.0"}}
        assert short_of_replicas([GOOD], change, rings) == ((GOOD, (RegionTarget("eastus", 5),)),)


def test_a_region_where_it_was_not_latest_is_not_emptied() -> None:
    hidden = version("2.0.0", RegionTargetFacts("westus", excluded=True))
    assert plan_revocation([hidden], hidden).emptied == ()


def test_a_region_is_emptied_although_the_replication_to_another_one_failed() -> None:
    failed = replace(BAD, provisioning_state=ProvisioningState.FAILED)
    assert plan_revocation([GOOD, failed], failed).emptied == ("westus",)


def test_a_newer_version_stays_latest() -> None:
    newer = version("3.0.0", *EVERYWHERE)
    plan = plan_revocation([GOOD, BAD, newer], BAD)
    assert (dict(plan.before), plan.emptied) == (dict(plan.after), ())


def test_what_is_excluded_already_needs_no_write() -> None:
    done = replace(BAD, excluded=True, targets=tuple(replace(target, excluded=True) for target in EVERYWHERE))
    assert not plan_revocation([done], done).changes
    assert check_revocation([done], done.id) == ()


def test_a_region_that_only_inherits_the_flag_is_written_explicitly() -> None:
    inherits = version("2.0.0", RegionTargetFacts("eastus"), excluded=True)
    assert plan_revocation([inherits], inherits).changes


def test_each_place_where_it_is_still_visible_is_told() -> None:
    half = replace(BAD, targets=(replace(EVERYWHERE[0], excluded=True), EVERYWHERE[1]))
    assert check_revocation([half], half.id) == (
        "g/d/2.0.0 is still visible to latest in westus",
        "g/d/2.0.0 is still not excluded from latest in its publishing profile",
    )


def test_a_version_that_is_gone_is_nowhere() -> None:
    assert check_revocation([GOOD], BAD.id) == ()


def test_a_kept_region_stays_as_it_is_and_is_not_told() -> None:
    plan = plan_revocation([GOOD, BAD], BAD, kept=["westus"])
    hidden = replace(BAD, targets=plan.targets, excluded=True)
    assert [hidden.visible_in(region) for region in ("eastus", "westus")] == [False, True]
    assert (plan.emptied, check_revocation([hidden], hidden.id, kept=["westus"])) == ((), ())


NOW = datetime(2026, 3, 2, tzinfo=UTC)
ELSEWHERE = DefinitionId.parse(str(DEFINITION).replace("/g/", "/h/"))
POLICY = DefinitionPolicy(
    "d",
    DEFINITION,
    (
        Ring("one", DEFINITION, (RegionTarget("eastus"),), boot_test=False),
        Ring("two", DEFINITION, (RegionTarget("westus"),), boot_test=False),
        Ring("three", ELSEWHERE, (RegionTarget("eastus"),), boot_test=False),
    ),
    ScanRules({}),
    digest="d",
)


def gate(gate: Gate, ring: str | None = None) -> GateRecord:
    return GateRecord(gate, Answer.PASS, NOW, "image", "d", "evidence", ring=ring)


def release(state: State, *published: str, gates: tuple[GateRecord, ...] = ()) -> Release:
    publications = tuple(Publication(ring, POLICY.ring(ring).region_names, NOW) for ring in published)
    return Release(BAD.id, state, 1, "d", NOW, NOW, incarnation="image", published=publications, gates=gates)


class TestRightfulRegions:
    def test_it_may_stay_where_it_was_published(self) -> None:
        assert rightful_regions(release(State.SUPERSEDED, "one"), POLICY, DEFINITION) == {"eastus"}

    def test_a_publication_in_another_gallery_counts_there_alone(self) -> None:
        found = [published_regions(release(State.RELEASED, "three"), POLICY, each) for each in (DEFINITION, ELSEWHERE)]
        assert found == [set(), {"eastus"}]

    def test_a_ring_that_the_policy_names_no_more_counts_in_every_gallery(self) -> None:
        without = replace(POLICY, rings=POLICY.rings[1:])
        assert published_regions(release(State.RELEASED, "one"), without, ELSEWHERE) == {"eastus"}

    def test_it_may_stay_where_it_is_proven_and_nobody_has_recorded_the_publication_yet(self) -> None:
        passed = (*map(gate, (Gate.VALIDATION, Gate.SCAN, Gate.BOOT_TEST)), gate(Gate.REPLICATION, "two"))
        assert rightful_regions(release(State.PUBLISHING, gates=passed), POLICY, DEFINITION) == {"westus"}
        assert rightful_regions(release(State.PUBLISHING, gates=passed[1:]), POLICY, DEFINITION) == set()

    @pytest.mark.parametrize("state", [State.REJECTED, State.REVOKING, State.REVOKED])
    def test_a_rejected_or_revoked_one_may_stay_nowhere(self, state: State) -> None:
        assert rightful_regions(release(state, "one", "two"), POLICY, DEFINITION) == set()
