"""``Usage``: what every implementation promises, in memory and over ARM's lists."""

from collections.abc import AsyncIterator

import pytest

from shared.domain.usage import INSTANCES, MACHINES, SCALE_SETS, VERSIONS, Lookup, UsagePage
from shared.ports import GraphQuestion, Refused
from tests.contract.gallery_labs import SOURCE, SUBSCRIPTION
from tests.contract.usage_labs import (
    COMPUTE,
    COPY,
    EMPTY_SUBSCRIPTION,
    TEMPLATES,
    VERSION,
    MemoryUsageLab,
    UsageLab,
    arm_usage_lab,
    mention,
)

DISKS, IMAGES = "microsoft.compute/disks", "microsoft.compute/images"


@pytest.fixture(params=["memory", "azure"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[UsageLab]:
    if request.param == "memory":
        yield MemoryUsageLab()
        return
    async with arm_usage_lab() as found:
        yield found


def question(*subscriptions: str, table: str = "resources") -> GraphQuestion:
    terms = (f"/galleries/{SOURCE.gallery.name}/images/{SOURCE.name}",)
    return GraphQuestion(subscriptions or (SUBSCRIPTION,), terms, table)


async def everything(lab: UsageLab, lookup: Lookup) -> list[UsagePage]:
    pages = [await lab.usage.page(lookup)]
    while (following := pages[-1].following) is not None:
        pages.append(await lab.usage.page(following))
    return pages


@pytest.mark.parametrize("kind", [MACHINES, DISKS, TEMPLATES])
async def test_a_resource_says_which_image_it_names(lab: UsageLab, kind: str) -> None:
    lab.add(kind, "one", str(VERSION))
    page = await lab.usage.page(Lookup(SUBSCRIPTION, kind))
    assert page.mentions == (mention(kind, "one", str(VERSION)),)


async def test_a_machine_that_was_made_of_latest_says_which_version_it_runs(lab: UsageLab) -> None:
    lab.add(MACHINES, "one", str(SOURCE), exact="1.0.0")
    page = await lab.usage.page(Lookup(SUBSCRIPTION, MACHINES))
    assert page.mentions == (mention(MACHINES, "one", str(SOURCE), exact="1.0.0"),)


async def test_a_managed_image_says_which_machine_it_was_captured_from(lab: UsageLab) -> None:
    source = lab.add(MACHINES, "one", str(VERSION))
    lab.add(IMAGES, "captured", source)
    pages = await everything(lab, Lookup(SUBSCRIPTION, IMAGES))
    assert mention(IMAGES, "captured", source) in pages[0].mentions


async def test_the_model_of_a_scale_set_and_each_instance_are_read(lab: UsageLab) -> None:
    lab.add(SCALE_SETS, "web", str(SOURCE), capacity=0)
    lab.add(INSTANCES, "web/0", str(SOURCE), exact="0.9.0")
    page = await lab.usage.page(Lookup(SUBSCRIPTION, SCALE_SETS))
    assert page.mentions == (mention(SCALE_SETS, "web", str(SOURCE), capacity=0),)
    (below,) = page.below
    instances = await lab.usage.page(below)
    assert instances.mentions == (mention(INSTANCES, "web/0", str(SOURCE), exact="0.9.0"),)


async def test_versions_are_found_below_galleries_and_definitions(lab: UsageLab) -> None:
    lab.add(VERSIONS, str(COPY), str(VERSION))
    left, found = [Lookup(SUBSCRIPTION, "microsoft.compute/galleries")], list[str]()
    while left:
        for page in await everything(lab, left.pop()):
            left += page.below
            found += [each.resource for each in page.mentions if each.target == str(VERSION)]
    assert found == [str(COPY)]


async def test_a_long_list_is_read_on_from_any_page(lab: UsageLab) -> None:
    for number in range(150):
        lab.add(MACHINES, f"vm-{number:03}", str(VERSION))
    first = await lab.usage.page(Lookup(SUBSCRIPTION, MACHINES))
    assert first.following is not None
    rest = await everything(lab, first.following)
    names = {each.resource for page in (first, *rest) for each in page.mentions}
    assert (first.resources, len(names)) == (100, 150)


async def test_what_was_below_a_resource_that_is_gone_is_empty(lab: UsageLab) -> None:
    page = await lab.usage.page(Lookup(SUBSCRIPTION, INSTANCES, f"{COMPUTE}/virtualMachineScaleSets/gone"))
    assert page == UsagePage()


async def test_a_subscription_that_may_not_be_read_is_refused(lab: UsageLab) -> None:
    lab.deny(SUBSCRIPTION)
    with pytest.raises(Refused) as refused:
        await lab.usage.page(Lookup(SUBSCRIPTION, MACHINES))
    assert refused.value.status == 403


async def test_the_registered_providers_are_named(lab: UsageLab) -> None:
    found = await lab.usage.registered(SUBSCRIPTION)
    assert "microsoft.compute" in found
    assert "microsoft.batch" not in found


class TestResourceGraph:
    async def test_it_finds_machines_and_instances_of_the_definition(self, lab: UsageLab) -> None:
        lab.add(MACHINES, "one", str(VERSION))
        lab.add(SCALE_SETS, "web", str(VERSION), capacity=1)
        lab.add(INSTANCES, "web/0", str(VERSION))
        lab.catch_up()
        pages = [await lab.usage.graph_page(question(table=table)) for table in ("resources", "computeresources")]
        assert [
            sorted((each.resource.rpartition("/")[2] for each in page.mentions), reverse=True) for page in pages
        ] == [
            ["web", "one"],
            ["0"],
        ]

    async def test_it_is_behind(self, lab: UsageLab) -> None:
        lab.add(MACHINES, "one", str(VERSION))
        assert (await lab.usage.graph_page(question())).mentions == ()

    async def test_it_leaves_out_what_it_may_not_read_without_a_word(self, lab: UsageLab) -> None:
        lab.add(MACHINES, "one", str(VERSION))
        lab.catch_up()
        lab.deny(SUBSCRIPTION)
        assert (await lab.usage.graph_page(question(SUBSCRIPTION, EMPTY_SUBSCRIPTION))).mentions == ()

    async def test_it_refuses_only_where_nothing_can_be_read(self, lab: UsageLab) -> None:
        lab.deny(SUBSCRIPTION)
        with pytest.raises(Refused) as refused:
            await lab.usage.graph_page(question())
        assert refused.value.status == 403
