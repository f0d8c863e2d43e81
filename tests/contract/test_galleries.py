"""What ``Galleries`` promises, in memory and on (simulated) Azure."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.facts import (
    DefinitionFacts,
    ProvisioningState,
    RegionState,
    RegionTargetFacts,
    SourceKind,
    VersionFacts,
)
from shared.domain.image import DefinitionId, VersionId, VersionNumber
from shared.domain.latest import PublishPlan, check_publication, plan_publication
from shared.domain.policy import RegionTarget
from shared.domain.replication import Done, FailedRegions, InProgress, judge_replication, plan_repair, plan_targets
from shared.ports import INCARNATION_TAG, Conflict, ForeignTarget, Refused
from tests.contract.clock import ManualClock
from tests.contract.gallery_labs import (
    FOREIGN,
    HOME,
    IMAGE,
    LONG_ENOUGH,
    OTHER,
    SOURCE,
    GalleryLab,
    MemoryLab,
    arm_lab,
)

HIDDEN_HOME = (RegionTargetFacts(HOME, excluded=True),)
A_WHILE = timedelta(minutes=2)


@pytest.fixture(params=["memory", "azure"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[GalleryLab]:
    if request.param == "memory":
        yield MemoryLab(ManualClock())
        return
    async with arm_lab() as made:
        yield made


def number(text: str) -> VersionId:
    return SOURCE.version(VersionNumber.parse(text))


async def seen(lab: GalleryLab, version: VersionId, *, replication: bool = True) -> VersionFacts:
    facts = await lab.galleries.version(version, replication=replication)
    assert facts is not None
    return facts


async def settled(lab: GalleryLab, text: str, *targets: RegionTargetFacts, **more: object) -> VersionFacts:
    await lab.build(number(text), targets or HIDDEN_HOME, **more)  # pyright: ignore[reportArgumentType]
    lab.clock.advance(LONG_ENOUGH)
    return await seen(lab, number(text))


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_a_version_that_is_not_there_is_none(lab: GalleryLab):
    assert await lab.galleries.version(number("1.0.0")) is None


async def test_a_definition_that_is_not_there_has_no_versions(lab: GalleryLab):
    assert list(await lab.galleries.versions(DefinitionId(SOURCE.gallery, "nothing"))) == []


async def test_a_definition_or_gallery_that_is_not_there_is_none(lab: GalleryLab):
    assert await lab.galleries.definition(DefinitionId(SOURCE.gallery, "nothing")) is None
    assert await lab.galleries.gallery(replace(SOURCE.gallery, name="nothing")) is None


async def test_a_definition_tells_what_its_images_are(lab: GalleryLab):
    found = await lab.galleries.definition(SOURCE)
    assert isinstance(found, DefinitionFacts)
    assert (found.os_type, found.os_state, found.hyper_v_generation, found.location) == (
        "Linux",
        "Generalized",
        "V2",
        HOME,
    )


async def test_a_gallery_tells_its_state(lab: GalleryLab):
    found = await lab.galleries.gallery(SOURCE.gallery)
    assert found is not None
    assert found.provisioning_state is ProvisioningState.SUCCEEDED


async def test_a_new_version_is_creating_and_keeps_its_tags_source_and_date(lab: GalleryLab):
    await lab.build(number("1.0.0"), HIDDEN_HOME, tags={"commit": "abc"})
    facts = await seen(lab, number("1.0.0"))
    assert facts.provisioning_state is ProvisioningState.CREATING
    assert (facts.source_id or "").lower() == IMAGE.lower()
    assert facts.tags["commit"] == "abc"
    assert facts.published_at == lab.clock.now


async def test_a_version_that_is_creating_is_not_done_in_any_region(lab: GalleryLab):
    await lab.build(number("1.0.0"), HIDDEN_HOME)
    assert isinstance(judge_replication(await seen(lab, number("1.0.0")), [HOME]), InProgress)


async def test_a_version_is_done_when_every_region_says_completed(lab: GalleryLab):
    facts = await settled(lab, "1.0.0", *HIDDEN_HOME, RegionTargetFacts("eastus", excluded=True))
    assert facts.provisioning_state is ProvisioningState.SUCCEEDED
    assert judge_replication(facts, [HOME, "eastus"]) == Done()


async def test_regions_have_short_names_replicas_and_flags(lab: GalleryLab):
    facts = await settled(lab, "1.0.0", RegionTargetFacts(HOME), RegionTargetFacts("eastus", 3, excluded=True))
    assert [(t.region, t.replicas, t.excluded) for t in facts.targets] == [(HOME, 1, None), ("eastus", 3, True)]


async def test_replication_is_told_only_when_asked_for(lab: GalleryLab):
    await settled(lab, "1.0.0")
    assert (await seen(lab, number("1.0.0"), replication=False)).replication is None


async def test_every_version_of_a_definition_is_listed_without_replication(lab: GalleryLab):
    for text in ("1.0.0", "1.0.10", "1.0.9"):
        await lab.build(number(text), HIDDEN_HOME)
    listed = await lab.galleries.versions(SOURCE)
    assert sorted(each.id.number for each in listed) == [VersionNumber(1, 0, n) for n in (0, 9, 10)]
    assert all(each.replication is None for each in listed)


async def test_galleries_are_counted_by_region(lab: GalleryLab):
    assert dict(await lab.galleries.gallery_counts(SOURCE.gallery.subscription)) == {HOME: 4}


async def test_the_source_of_a_version_is_told(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    source = await lab.galleries.source(facts)
    assert source is not None
    assert (source.kind, source.os_type, source.os_state) == (SourceKind.MANAGED_IMAGE, "Linux", "Generalized")


async def test_a_source_that_was_deleted_is_gone_and_no_fault(lab: GalleryLab):
    facts = replace(await settled(lab, "1.0.0"), source_id=IMAGE.replace("/base", "/deleted-by-its-builder"))
    source = await lab.galleries.source(facts)
    assert source is not None
    assert source.kind is SourceKind.GONE


async def test_a_version_without_a_source_has_none(lab: GalleryLab):
    facts = replace(await settled(lab, "1.0.0"), source_id=None)
    assert await lab.galleries.source(facts) is None


# --- writing targets --------------------------------------------------------------------------------------------------


async def test_written_targets_are_read_back(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    plan = plan_targets(facts, [RegionTarget("eastus", 2), RegionTarget("westus2", 1)])
    await lab.galleries.write_targets(facts, plan.targets, excluded=plan.excluded)
    after = await seen(lab, number("1.0.0"))
    assert [(t.region, t.replicas, t.excluded) for t in after.targets] == [
        (HOME, 1, True),
        ("eastus", 2, True),
        ("westus2", 1, True),
    ]


async def test_a_write_is_not_waited_for(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    await lab.galleries.write_targets(
        facts, (*facts.targets, RegionTargetFacts("eastus", excluded=True)), excluded=True
    )
    assert (await seen(lab, number("1.0.0"))).provisioning_state is ProvisioningState.UPDATING


async def test_added_regions_replicate_in_their_time(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    await lab.galleries.write_targets(
        facts, (*facts.targets, RegionTargetFacts("eastus", excluded=True)), excluded=True
    )
    assert isinstance(judge_replication(await seen(lab, number("1.0.0")), ["eastus"]), InProgress)
    lab.clock.advance(LONG_ENOUGH)
    assert judge_replication(await seen(lab, number("1.0.0")), ["eastus"]) == Done()


async def test_a_second_write_while_one_is_under_way_is_a_conflict(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    targets = (*facts.targets, RegionTargetFacts("eastus", excluded=True))
    await lab.galleries.write_targets(facts, targets, excluded=True)
    with pytest.raises(Conflict):
        await lab.galleries.write_targets(facts, targets, excluded=True)


async def test_a_write_keeps_tags_date_and_source(lab: GalleryLab):
    facts = await settled(lab, "1.0.0", tags={"commit": "abc"})
    await lab.galleries.write_targets(facts, facts.targets, excluded=False)
    after = await seen(lab, number("1.0.0"))
    assert (after.tags, after.published_at, after.source_id) == (facts.tags, facts.published_at, facts.source_id)


async def test_a_publication_holds_when_it_is_read_back(lab: GalleryLab):
    facts = await settled(lab, "1.0.0", *HIDDEN_HOME, RegionTargetFacts("eastus", excluded=True))
    plan = plan_publication(await lab.galleries.versions(SOURCE), facts, ["eastus"])
    assert isinstance(plan, PublishPlan)
    await lab.galleries.write_targets(facts, plan.targets, excluded=plan.excluded)
    lab.clock.advance(A_WHILE)
    assert check_publication(await lab.galleries.versions(SOURCE), facts.id, ["eastus"]) == ()
    assert check_publication(await lab.galleries.versions(SOURCE), facts.id, [HOME]) != ()


async def test_a_finished_replica_is_never_taken_out(lab: GalleryLab):
    facts = await settled(lab, "1.0.0", *HIDDEN_HOME, RegionTargetFacts("eastus", excluded=True))
    with pytest.raises(Refused):
        await lab.galleries.write_targets(facts, HIDDEN_HOME, excluded=True)
    assert (await seen(lab, number("1.0.0"))).regions == (HOME, "eastus")


async def test_a_list_without_the_home_region_is_refused(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    with pytest.raises(Refused) as refused:
        await lab.galleries.write_targets(facts, [RegionTargetFacts("eastus", excluded=True)], excluded=True)
    assert refused.value.code == "InvalidParameter"


async def test_another_storage_type_is_refused(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    with pytest.raises(Refused) as refused:
        await lab.galleries.write_targets(facts, [RegionTargetFacts(HOME, 1, "Premium_LRS", True)], excluded=True)
    assert refused.value.code == "PropertyChangeNotAllowed"


async def test_a_write_to_a_version_that_is_gone_is_refused_as_not_found(lab: GalleryLab):
    facts = replace(await settled(lab, "1.0.0"), id=number("9.9.9"))
    with pytest.raises(Refused) as refused:
        await lab.galleries.write_targets(facts, facts.targets, excluded=True)
    assert refused.value.status == 404


async def test_nothing_is_written_to_a_gallery_that_the_policy_does_not_name(lab: GalleryLab):
    foreign = FOREIGN.version(VersionNumber(1, 0, 0))
    await lab.build(foreign, HIDDEN_HOME)
    lab.clock.advance(LONG_ENOUGH)
    facts = await seen(lab, foreign)
    with pytest.raises(ForeignTarget):
        await lab.galleries.write_targets(facts, [RegionTargetFacts(HOME, 5)], excluded=False)
    assert await seen(lab, foreign) == facts


# --- repair -----------------------------------------------------------------------------------------------------------


async def test_a_failed_region_is_told_with_the_services_words(lab: GalleryLab):
    targets = (*HIDDEN_HOME, RegionTargetFacts("eastus", excluded=True))
    facts = await settled(lab, "1.0.0", *targets, fails_once_in="eastus")
    judged = judge_replication(facts, [HOME, "eastus"])
    assert isinstance(judged, FailedRegions)
    assert judged.details == {"eastus": "Failed with internal server error."}
    assert facts.provisioning_state is ProvisioningState.FAILED


async def test_a_region_that_failed_once_is_repaired_by_the_same_write(lab: GalleryLab):
    targets = (*HIDDEN_HOME, RegionTargetFacts("eastus", excluded=True))
    facts = await settled(lab, "1.0.0", *targets, fails_once_in="eastus")
    repair = plan_repair(facts, ["eastus"], 1)
    await lab.galleries.write_targets(facts, repair.targets, excluded=repair.excluded)
    lab.clock.advance(LONG_ENOUGH)
    assert judge_replication(await seen(lab, number("1.0.0")), [HOME, "eastus"]) == Done()


async def test_a_failed_region_can_be_taken_out_and_added_back(lab: GalleryLab):
    targets = (*HIDDEN_HOME, RegionTargetFacts("eastus", 2, excluded=True))
    facts = await settled(lab, "1.0.0", *targets, fails_once_in="eastus")
    out = plan_repair(facts, ["eastus"], 2)
    await lab.galleries.write_targets(facts, out.targets, excluded=out.excluded)
    lab.clock.advance(LONG_ENOUGH)
    without = await seen(lab, number("1.0.0"))
    assert without.regions == (HOME,)
    back = plan_repair(without, ["eastus"], 3, removed=out.removed)
    await lab.galleries.write_targets(without, back.targets, excluded=back.excluded)
    lab.clock.advance(LONG_ENOUGH)
    after = await seen(lab, number("1.0.0"))
    assert judge_replication(after, [HOME, "eastus"]) == Done()
    assert [(t.region, t.replicas, t.excluded) for t in after.targets] == [(HOME, 1, True), ("eastus", 2, True)]


# --- copies -----------------------------------------------------------------------------------------------------------


async def copied(lab: GalleryLab, facts: VersionFacts, *targets: RegionTargetFacts) -> VersionId:
    copy = OTHER.version(facts.id.number)
    await lab.galleries.copy_version(facts, copy, location=HOME, targets=targets or HIDDEN_HOME)
    return copy


async def test_a_copy_is_hidden_everywhere_whatever_was_asked(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    copy = await copied(lab, facts, RegionTargetFacts(HOME, 2, excluded=False), RegionTargetFacts("eastus"))
    after = await seen(lab, copy)
    assert after.excluded is True
    assert [(t.region, t.replicas, t.excluded) for t in after.targets] == [(HOME, 2, True), ("eastus", 1, True)]


async def test_a_copy_says_of_which_bearer_of_the_number_it_is(lab: GalleryLab):
    facts = await settled(lab, "1.0.0", tags={"commit": "abc"})
    after = await seen(lab, await copied(lab, facts))
    assert facts.published_at is not None
    assert after.tags[INCARNATION_TAG] == facts.published_at.isoformat()
    assert after.tags["ringmaster-source"] == str(facts.id)
    assert after.tags["commit"] == "abc"


async def test_a_copy_names_its_source(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    after = await seen(lab, await copied(lab, facts))
    assert VersionId.parse(after.source_id or "") == facts.id
    source = await lab.galleries.source(after)
    assert source is not None
    assert (source.kind, source.os_state) == (SourceKind.GALLERY_VERSION, "Generalized")


async def test_a_copy_replicates_in_its_time(lab: GalleryLab):
    copy = await copied(lab, await settled(lab, "1.0.0"))
    assert isinstance(judge_replication(await seen(lab, copy), [HOME]), InProgress)
    lab.clock.advance(LONG_ENOUGH)
    facts = await seen(lab, copy)
    assert facts.replication is not None
    assert facts.replication.regions[HOME].state is RegionState.COMPLETED


async def test_copying_twice_is_copying_once(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    copy = await copied(lab, facts, *HIDDEN_HOME, RegionTargetFacts("eastus"))
    before = await seen(lab, copy)
    await copied(lab, facts, *HIDDEN_HOME)
    assert await seen(lab, copy) == before


async def test_a_number_that_another_version_bears_there_is_refused(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    await lab.build(OTHER.version(facts.id.number), HIDDEN_HOME)
    with pytest.raises(Refused):
        await copied(lab, facts)


async def test_a_copy_of_a_former_bearer_of_the_number_is_refused(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    await copied(lab, facts)
    assert facts.published_at is not None
    rebuilt = replace(facts, published_at=facts.published_at + timedelta(days=1))
    with pytest.raises(Refused):
        await copied(lab, rebuilt)


async def test_a_copy_into_a_definition_that_is_not_there_is_refused_as_not_found(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    target = DefinitionId(OTHER.gallery, "nothing").version(facts.id.number)
    with pytest.raises(Refused) as refused:
        await lab.galleries.copy_version(facts, target, location=HOME, targets=HIDDEN_HOME)
    assert refused.value.status == 404


async def test_nothing_is_copied_to_a_gallery_that_the_policy_does_not_name(lab: GalleryLab):
    facts = await settled(lab, "1.0.0")
    target = FOREIGN.version(facts.id.number)
    with pytest.raises(ForeignTarget):
        await lab.galleries.copy_version(facts, target, location=HOME, targets=HIDDEN_HOME)
    assert await lab.galleries.version(target) is None
