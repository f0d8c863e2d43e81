"""What the platform in memory does by itself, beyond the contracts that it shares with Azure."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.memory import characters
from shared.adapters.memory.galleries import MemoryGalleries, Replication
from shared.adapters.memory.machines import MemoryMachines
from shared.adapters.memory.probe_runner import OUTPUT_LIMIT, RunningGuest, run_script
from shared.domain.boot_test.failures import FailureCause, failure_cause
from shared.domain.boot_test.probe import LINUX_CHECKS
from shared.domain.facts import (
    DefinitionFacts,
    GalleryFacts,
    ProvisioningState,
    RegionTargetFacts,
    VersionFacts,
)
from shared.domain.image import VersionId
from shared.domain.policy import TestEnvironment
from shared.ports import Conflict, MachineSpec, Refused, Unavailable
from shared.probes import probe_script
from tests.unit.domain.version_facts import DEFINITION, GALLERY, number, version_id

HOME = "westeurope"
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Platform:
    """Galleries and machines on one clock."""

    def __init__(self, character: characters.Character = characters.CLEAN, **options) -> None:
        self.clock = Clock()
        self.galleries = MemoryGalleries(self.clock, frozenset({str(GALLERY)}), **options)
        self.galleries.add_gallery(GalleryFacts(GALLERY, ProvisioningState.SUCCEEDED, HOME))
        self.galleries.add_definition(
            DefinitionFacts(DEFINITION, ProvisioningState.SUCCEEDED, HOME, "Linux", "Generalized")
        )
        self.cast: list[characters.Character] = [character]
        self.machines = MemoryMachines(
            self.clock,
            TestEnvironment("s", "tests", "/subnet"),
            self.galleries,
            casting=lambda _, nth: self.cast[min(nth, len(self.cast)) - 1],
        )

    def build(self, text: str = "1.0.0", *, excluded: bool = False, settled: bool = True) -> VersionFacts:
        facts = VersionFacts(
            version_id(text), ProvisioningState.SUCCEEDED, HOME, targets=(RegionTargetFacts(HOME),), excluded=excluded
        )
        return self.galleries.build(facts, settled=settled)


def spec(name: str = "rm-1", release: str = "r") -> MachineSpec:
    return MachineSpec(
        name,
        HOME,
        version_id("1.0.0"),
        "Linux",
        "Generalized",
        "x64",
        "Standard_D2s_v5",
        release,
        datetime(2026, 3, 2, tzinfo=UTC),
    )


async def test_latest_is_the_highest_visible_number_that_is_replicated():
    platform = Platform()
    platform.build("1.0.0")
    platform.build("1.2.0", excluded=True)
    platform.build("1.1.0", settled=False)
    assert platform.galleries.resolve_latest(DEFINITION, HOME) == number("1.0.0")
    platform.clock.now += HOUR
    assert platform.galleries.resolve_latest(DEFINITION, HOME) == number("1.1.0")
    assert platform.galleries.resolve_latest(DEFINITION, "eastus") is None


async def test_a_number_used_again_has_another_date_and_starts_anew():
    platform = Platform()
    first = platform.build()
    platform.galleries.remove(first.id)
    platform.clock.now += HOUR
    second = platform.build(settled=False)
    assert second.published_at != first.published_at
    assert second.provisioning_state is ProvisioningState.CREATING


async def test_the_plan_is_asked_for_every_attempt_of_a_region():
    asked: list[tuple[VersionId, str, int]] = []

    def goes(version: VersionId, region: str, attempt: int) -> Replication:
        asked.append((version, region, attempt))
        return Replication(timedelta(minutes=1), "no" if attempt < 3 else None)

    platform = Platform(replication=goes)
    platform.build(settled=False)
    for _ in range(2):
        platform.clock.now += HOUR
        facts = await platform.galleries.version(version_id("1.0.0"), replication=True)
        assert facts is not None
        assert facts.provisioning_state is ProvisioningState.FAILED
        await platform.galleries.write_targets(facts, facts.targets, excluded=False)
    platform.clock.now += HOUR
    facts = await platform.galleries.version(version_id("1.0.0"), replication=True)
    assert facts is not None
    assert facts.provisioning_state is ProvisioningState.SUCCEEDED
    assert asked == [(version_id("1.0.0"), HOME, attempt) for attempt in (1, 2, 3)]


async def test_a_fault_can_befall_any_call_and_leaves_no_trace():
    def trouble(call: str) -> None:
        if call == "write_targets":
            raise Unavailable("out for lunch")

    platform = Platform(on_call=trouble)
    facts = platform.build()
    with pytest.raises(Unavailable):
        await platform.galleries.write_targets(facts, facts.targets, excluded=True)
    assert (await platform.galleries.versions(DEFINITION))[0].excluded is False


async def test_a_disk_that_stays_behind_is_still_ours_and_can_be_deleted():
    platform = Platform(characters.LEAVES_DISK)
    platform.build()
    await platform.machines.create(spec())
    await platform.machines.delete("rm-1")
    platform.clock.now += HOUR
    (left,) = await platform.machines.ours()
    assert left.name == "rm-1-os"
    await platform.machines.delete_part(left.resource_id)
    assert platform.machines.everything() == []


async def test_a_disk_in_use_is_not_deleted():
    platform = Platform()
    platform.build()
    await platform.machines.create(spec())
    machine = await platform.machines.view("rm-1")
    assert machine is not None
    with pytest.raises(Conflict):
        await platform.machines.delete_part(machine.parts[1])


async def test_a_name_is_busy_while_its_machine_is_being_deleted():
    platform = Platform()
    platform.build()
    await platform.machines.create(spec())
    await platform.machines.delete("rm-1")
    with pytest.raises(Conflict):
        await platform.machines.create(spec())


async def test_characters_are_cast_by_how_often_a_machine_was_asked_for():
    platform = Platform()
    platform.cast = [characters.NO_QUOTA, characters.NO_CAPACITY, characters.CLEAN]
    platform.build()
    with pytest.raises(Refused) as refused:
        await platform.machines.create(spec())
    assert failure_cause(refused.value.code, refused.value.message) is FailureCause.CONFIGURATION
    await platform.machines.create(spec())
    platform.clock.now += HOUR
    machine = await platform.machines.view("rm-1")
    assert machine is not None
    assert failure_cause(machine.failure_code or "", machine.failure_message) is FailureCause.PLATFORM
    await platform.machines.create(spec("rm-2"))
    platform.clock.now += HOUR
    machine = await platform.machines.view("rm-2")
    assert machine is not None
    assert machine.ready


async def test_a_probe_that_hangs_runs_out_of_its_time():
    platform = Platform(characters.PROBE_HANGS)
    platform.build()
    await platform.machines.create(spec())
    platform.clock.now += HOUR
    await platform.machines.start_probe(
        "rm-1", "p", region=HOME, script=probe_script("Linux", "n"), os_type="Linux", within=timedelta(minutes=15)
    )
    platform.clock.now += timedelta(minutes=14)
    running = await platform.machines.probe("rm-1", "p")
    platform.clock.now += timedelta(minutes=2)
    ended = await platform.machines.probe("rm-1", "p")
    assert (running and running.execution_state, ended and ended.execution_state) == ("Running", "TimedOut")


async def test_output_is_cut_to_its_end_as_an_instance_view_is():
    noisy = characters.Character("noisy", answers={"failed_units": f"fail {'x' * 10_000}"})
    now = datetime(2026, 3, 1, tzinfo=UTC)
    ran = run_script(probe_script("Linux", "n"), RunningGuest("rm-1", "image", "Linux", noisy, now), now)
    assert len(ran.output.encode()) == OUTPUT_LIMIT
    assert ran.output.endswith(f"ringmaster done n checks={len(LINUX_CHECKS)}\n")
