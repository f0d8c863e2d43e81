"""What ``ActivityLog`` promises, in memory and on (simulated) Azure."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import pytest

from local.arm.kernel.fault_injection import read_rules
from local.arm.kernel.tokens import identity
from shared.adapters.azure.activity_log import AzureActivityLog
from shared.adapters.memory.activity_log import MemoryActivityLog
from shared.domain.activity import activity_of
from shared.domain.facts import RegionTargetFacts
from shared.domain.image import VersionId, VersionNumber
from shared.ports import ActivityLog, Refused
from tests.contract.clock import ManualClock
from tests.contract.gallery_labs import HOME, SOURCE, ArmLab, arm_lab

VERSION = SOURCE.version(VersionNumber(1, 0, 0))
OTHER = SOURCE.version(VersionNumber(1, 0, 1))
BUILDER = identity("ringmaster").client_id
HIDDEN = (RegionTargetFacts(HOME, excluded=True),)
VISIBLE_IN = timedelta(minutes=21)
"""Azure documents 3 to 20 minutes."""


class Lab(Protocol):
    """A log, and somebody who writes versions as ``BUILDER``."""

    log: ActivityLog
    clock: ManualClock

    async def write(self, version: VersionId) -> None: ...

    def forbid(self) -> None:
        """The app may not read the log any more."""
        ...


@dataclass
class MemoryLab:
    clock: ManualClock

    def __post_init__(self) -> None:
        self.memory = MemoryActivityLog(self.clock)
        self.log: ActivityLog = self.memory

    async def write(self, version: VersionId) -> None:
        self.memory.record(version, BUILDER)

    def forbid(self) -> None:
        self.memory.refuses = True


@dataclass
class AzureLab:
    arm: ArmLab

    def __post_init__(self) -> None:
        self.log: ActivityLog = AzureActivityLog(self.arm.arm)
        self.clock = self.arm.clock

    async def write(self, version: VersionId) -> None:
        present = await self.arm.galleries.version(version)
        if present is None:
            await self.arm.build(version, HIDDEN)
        else:
            targets = [replace(target, replicas=target.replicas + 1) for target in present.targets]
            await self.arm.galleries.write_targets(present, targets, excluded=True)
        self.clock.advance(timedelta(hours=1))
        await self.arm.galleries.version(version)

    def forbid(self) -> None:
        rule = {"fault": "error", "status": 403, "code": "AuthorizationFailed", "operation": "ActivityLogs_List"}
        self.arm.sim.kernel.faults.replace(read_rules([rule]))


@pytest.fixture(params=["memory", "azure"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    if request.param == "memory":
        yield MemoryLab(ManualClock())
        return
    async with arm_lab() as made:
        yield AzureLab(made)


async def test_a_write_is_there_with_who_wrote_and_when(lab: Lab):
    begun = lab.clock.now
    await lab.write(VERSION)
    lab.clock.advance(VISIBLE_IN)
    (record,) = await lab.log.writes(VERSION, since=begun, until=lab.clock.now)
    assert record.operation.casefold() == "microsoft.compute/galleries/images/versions/write"
    assert (record.application, record.status, bool(record.correlation)) == (BUILDER, "Succeeded", True)
    assert BUILDER in record.ids
    assert begun <= record.at <= lab.clock.now - VISIBLE_IN


async def test_writes_of_other_versions_and_other_times_are_not_there(lab: Lab):
    await lab.write(OTHER)
    begun = lab.clock.now + timedelta(seconds=1)
    lab.clock.advance(VISIBLE_IN)
    assert list(await lab.log.writes(VERSION, since=begun - timedelta(days=1), until=lab.clock.now)) == []
    assert list(await lab.log.writes(OTHER, since=begun, until=lab.clock.now)) == []


async def test_the_first_write_is_the_creation_and_the_last_one_the_last(lab: Lab):
    begun = lab.clock.now
    await lab.write(VERSION)
    lab.clock.advance(VISIBLE_IN)
    await lab.write(VERSION)
    lab.clock.advance(VISIBLE_IN)
    found = activity_of(await lab.log.writes(VERSION, since=begun, until=lab.clock.now), begun)
    assert found.created is not None
    assert found.last_written is not None
    assert found.created.at < found.last_written.at


async def test_more_than_ninety_days_ago_is_refused(lab: Lab):
    with pytest.raises(Refused) as refused:
        await lab.log.writes(VERSION, since=lab.clock.now - timedelta(days=91), until=lab.clock.now)
    assert refused.value.status == 400


async def test_a_log_that_the_app_may_not_read_is_refused(lab: Lab):
    lab.forbid()
    with pytest.raises(Refused) as refused:
        await lab.log.writes(VERSION, since=lab.clock.now - timedelta(days=1), until=lab.clock.now)
    assert (refused.value.code, refused.value.status) == ("AuthorizationFailed", 403)
