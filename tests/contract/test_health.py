"""What every reader of a fleet's health promises, and what the Azure adapter does with queries and addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared.domain.health import Tally
from shared.ports import Health
from tests.contract.clock import ManualClock
from tests.contract.gallery_labs import arm_lab
from tests.contract.health_labs import (
    BEFORE,
    GROUP,
    VERSION,
    ArmHealthLab,
    HealthLab,
    MemoryHealthLab,
    question,
)

HEALTHY, SICK, UNKNOWN = "HealthState/healthy", "HealthState/unhealthy", "HealthState/unknown"


@pytest.fixture(params=["memory", "azure"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[HealthLab]:
    if request.param == "memory":
        yield MemoryHealthLab(ManualClock())
        return
    async with arm_lab() as found:
        yield ArmHealthLab(found)


def port(lab: HealthLab) -> Health:
    return lab.health


async def test_instances_are_counted_by_what_monitors_them(lab: HealthLab) -> None:
    lab.instances(VERSION, HEALTHY, SICK, UNKNOWN, None)
    found = await port(lab).fleet(question(lab.clock.now))
    assert (found.instances, found.incomplete) == (Tally(1, 1, 2, ("web_1",)), ())


async def test_instances_of_another_version_are_those_of_the_version_before(lab: HealthLab) -> None:
    lab.instances(BEFORE, HEALTHY, HEALTHY)
    found = await port(lab).fleet(question(lab.clock.now))
    assert (found.instances, found.instances_before) == (Tally(), Tally(2))


async def test_machines_are_counted_by_whether_they_were_provisioned(lab: HealthLab) -> None:
    lab.machine("one", VERSION, "Succeeded")
    lab.machine("two", VERSION, "Failed")
    lab.machine("three", VERSION, "Creating")
    lab.machine("four", BEFORE, "Succeeded")
    found = await port(lab).fleet(question(lab.clock.now, scale_sets=()))
    assert (found.machines, found.machines_before) == (Tally(1, 1, 1, ("two",)), Tally(1))


async def test_machines_of_other_regions_do_not_count(lab: HealthLab) -> None:
    lab.machine("far", VERSION, "Failed", "eastus")
    found = await port(lab).fleet(question(lab.clock.now, scale_sets=()))
    assert found.machines == Tally()


async def test_an_upgrade_that_failed_since_the_publication_is_named(lab: HealthLab) -> None:
    lab.instances(VERSION, HEALTHY)
    lab.upgrade(VERSION, "Faulted", lab.clock.now + timedelta(minutes=1), "too many are unhealthy")
    found = await port(lab).fleet(question(lab.clock.now))
    assert found.failed_upgrades == ("the upgrade of web is Faulted: too many are unhealthy",)


async def test_an_upgrade_before_the_publication_or_to_another_version_says_nothing(lab: HealthLab) -> None:
    lab.instances(VERSION, HEALTHY)
    lab.upgrade(VERSION, "Faulted", lab.clock.now - timedelta(days=1))
    lab.upgrade(BEFORE, "Faulted", lab.clock.now + timedelta(minutes=1))
    lab.upgrade(VERSION, "Completed", lab.clock.now + timedelta(minutes=1))
    assert (await port(lab).fleet(question(lab.clock.now))).failed_upgrades == ()


async def test_a_scale_set_that_is_not_there_leaves_the_facts_incomplete(lab: HealthLab) -> None:
    gone = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/gone".lower()
    found = await port(lab).fleet(question(lab.clock.now, scale_sets=(gone,), machine_subscriptions=()))
    assert len(found.incomplete) == 1
