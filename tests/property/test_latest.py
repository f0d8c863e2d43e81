"""Law 3 (latest never goes backwards), in any region and not to nothing either; law 4 (no region is dropped)."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.facts import VersionFacts
from shared.domain.latest import (
    NewerPublished,
    PublicationBlocked,
    PublishPlan,
    check_publication,
    latest_in,
    plan_publication,
)
from tests.property.gallery_facts import REGIONS, definitions, region_subsets


@st.composite
def publications(draw: st.DrawFn) -> tuple[list[VersionFacts], VersionFacts, Sequence[str]]:
    versions = draw(definitions())
    chosen = draw(st.sampled_from(versions))
    regions = draw(st.one_of(st.lists(st.sampled_from(chosen.regions), unique=True, min_size=1), region_subsets))
    return versions, chosen, regions


def applied(versions: list[VersionFacts], version: VersionFacts, plan: PublishPlan) -> list[VersionFacts]:
    written = replace(version, targets=plan.targets, excluded=plan.excluded)
    return [written if each.id == version.id else each for each in versions]


@given(publications())
def test_no_plan_takes_latest_back_or_away_in_any_region(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    if isinstance(plan, PublishPlan):
        after = applied(versions, version, plan)
        for region in REGIONS:
            was, is_now = latest_in(versions, region), latest_in(after, region)
            assert was is None or (is_now is not None and is_now >= was)


@given(publications())
def test_a_plan_changes_latest_in_the_wanted_regions_alone_and_there_to_the_version(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    if isinstance(plan, PublishPlan):
        after = applied(versions, version, plan)
        for region in REGIONS:
            expected = version.id.number if region in regions else latest_in(versions, region)
            assert latest_in(after, region) == expected


@given(publications())
def test_a_plan_foretells_latest_exactly(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    if isinstance(plan, PublishPlan):
        after = applied(versions, version, plan)
        assert plan.before == {region: latest_in(versions, region) for region in plan.before}
        assert plan.after == {region: latest_in(after, region) for region in plan.after}
        assert set(plan.before) == {region for each in versions for region in each.regions}


@given(publications())
def test_a_plan_touches_nothing_but_flags(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    if isinstance(plan, PublishPlan):
        assert [replace(t, excluded=None) for t in plan.targets] == [replace(t, excluded=None) for t in version.targets]
        assert all(t.excluded is not None for t in plan.targets)


@given(publications())
def test_the_versions_own_flag_is_cleared_only_when_nothing_is_hidden_any_more(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    if isinstance(plan, PublishPlan):
        hidden_somewhere = any(target.excluded for target in plan.targets)
        assert plan.excluded is (version.excluded if hidden_somewhere else False)


@given(publications())
def test_a_plan_that_was_applied_holds_and_needs_no_second_write(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    if isinstance(plan, PublishPlan):
        after = applied(versions, version, plan)
        written = next(each for each in after if each.id == version.id)
        again = plan_publication(after, written, regions)
        assert isinstance(again, PublishPlan)
        assert again.changes is False
        assert check_publication(after, version.id, regions) == ()


@given(publications())
def test_a_plan_without_changes_is_one_whose_publication_holds(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    if isinstance(plan, PublishPlan) and not plan.changes:
        assert check_publication(versions, version.id, regions) == ()


@given(publications())
def test_a_version_is_overtaken_exactly_when_a_higher_one_is_latest_where_it_should_go(case):
    versions, version, regions = case
    plan = plan_publication(versions, version, regions)
    higher = [r for r in regions if (latest_in(versions, r) or version.id.number) > version.id.number]
    reachable = all(region in version.regions for region in regions)
    assert isinstance(plan, NewerPublished) == (reachable and bool(higher))


@given(publications())
def test_every_refusal_has_its_reasons(case):
    plan = plan_publication(*case)
    assert not isinstance(plan, PublicationBlocked) or (plan.reasons and all(plan.reasons))
