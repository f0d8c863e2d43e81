"""Law 4 (no region is dropped), and replication is done only on proof."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.facts import ProvisioningState, RegionState
from shared.domain.image import VersionNumber
from shared.domain.latest import latest_in
from shared.domain.policy import RegionTarget
from shared.domain.replication import Done, RepairStep, judge_replication, plan_repair, plan_targets
from tests.property.gallery_facts import REGIONS, region_subsets, versions_of

facts = versions_of(VersionNumber(1, 0, 0))
wanted = st.lists(
    st.builds(
        RegionTarget, st.sampled_from(REGIONS), st.integers(1, 6), st.sampled_from(["Standard_LRS", "Premium_LRS"])
    ),
    min_size=1,
)


@given(facts, wanted)
def test_every_region_that_was_there_stays_in_its_place_with_at_least_its_replicas(version, regions):
    plan = plan_targets(version, regions)
    for before, after in zip(version.targets, plan.targets, strict=False):
        assert replace(after, replicas=before.replicas) == before
        assert after.replicas >= before.replicas
    assert len(plan.targets) >= len(version.targets)


@given(facts, wanted)
def test_every_wanted_region_is_there_with_the_wanted_replicas(version, regions):
    written = {target.region: target for target in plan_targets(version, regions).targets}
    assert all(written[want.name].replicas >= want.replicas for want in regions)


@given(facts, wanted)
def test_no_region_appears_twice(version, regions):
    names = [target.region for target in plan_targets(version, regions).targets]
    assert len(names) == len(set(names))


@given(facts, wanted)
def test_adding_regions_changes_latest_nowhere(version, regions):
    plan = plan_targets(version, regions)
    after = replace(version, targets=plan.targets, excluded=plan.excluded)
    assert all(latest_in([version], region) == latest_in([after], region) for region in REGIONS)


@given(facts, wanted)
def test_a_plan_that_was_applied_needs_no_second_write(version, regions):
    plan = plan_targets(version, regions)
    after = replace(version, targets=plan.targets, excluded=plan.excluded)
    assert plan_targets(after, regions).changes is False


@given(facts, region_subsets)
def test_replication_is_done_exactly_when_every_region_is_reported_completed_and_no_update_failed(version, regions):
    reported = version.replication.regions if version.replication else {}
    proven = all(
        region in version.regions and region in reported and reported[region].state is RegionState.COMPLETED
        for region in regions
    )
    # Rule 3: complete replicas of a version whose last update failed are not enough.
    wanted = proven and version.provisioning_state is not ProvisioningState.FAILED
    assert isinstance(judge_replication(version, regions), Done) == wanted


@given(facts, st.data(), st.integers(1, 5))
def test_a_repair_takes_out_nothing_that_is_home_complete_or_visible(version, data, attempt):
    failed = data.draw(st.lists(st.sampled_from(version.regions), unique=True, min_size=1))
    repair = plan_repair(version, failed, attempt)
    left = {target.region for target in repair.targets}
    complete = {
        region
        for region, status in (version.replication.regions if version.replication else {}).items()
        if status.state is RegionState.COMPLETED
    }
    out = set(version.regions) - left
    assert version.location in left
    assert out <= set(failed)
    assert not out & complete
    assert not any(version.visible_in(region) for region in out)
    assert bool(out) == (repair.step is RepairStep.REMOVE)


@given(facts, st.data(), st.integers(2, 5))
def test_what_a_repair_takes_out_comes_back_as_it_was(version, data, attempt):
    failed = data.draw(st.lists(st.sampled_from(version.regions), unique=True, min_size=1))
    taken = plan_repair(version, failed, attempt)
    without = replace(version, targets=taken.targets)
    back = plan_repair(without, failed, attempt + 1, removed=taken.removed)
    assert {target.region: target for target in back.targets} == {target.region: target for target in version.targets}
    assert back.excluded == version.excluded
