"""Two places where the ``Machines`` contract is tried: in memory, and the Azure adapter against the ARM simulator."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from local.arm.kernel.clock import Clock
from local.arm.server.simulator import ArmSimulator
from shared.adapters.azure.machines import AzureMachines
from shared.adapters.memory import characters
from shared.adapters.memory.machines import MemoryMachines
from shared.domain.boot_test.failures import ProbeFacts
from shared.domain.facts import DefinitionFacts, RegionTargetFacts
from shared.domain.image import VersionId, VersionNumber
from shared.domain.policy import TestEnvironment
from shared.ports import Machines, MachineSpec
from tests.contract.clock import ManualClock
from tests.contract.gallery_labs import (
    HOME,
    LONG_ENOUGH,
    SOURCE,
    SUBSCRIPTION,
    ArmLab,
    GalleryLab,
    MemoryLab,
    gallery_world,
    simulated_arm,
)

GROUP: Final = "ringmaster-test"
NETWORKS: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Network/virtualNetworks"
TEST: Final = TestEnvironment(SUBSCRIPTION, GROUP, f"{NETWORKS}/tests-{{region}}/subnets/machines")
VERSION: Final = SOURCE.version(VersionNumber(1, 0, 0))
LONGEST: Final = timedelta(minutes=45)
SIMULATED: Final[Mapping[str, characters.Character]] = {
    "clean": characters.CLEAN,
    "never-generalized": characters.NEVER_GENERALIZED,
    "panics-at-boot": characters.PANICS,
    "agent-never-ready": characters.NO_AGENT,
    "probe-fails": characters.DEGRADED,
    "cloned": characters.CLONED,
    "identity-changes": characters.NEW_IDENTITY,
    "never-returns": characters.STUCK_AT_REBOOT,
    "blank-console": characters.BLANK_CONSOLE,
}


class MachineLab(Protocol):
    """A test resource group, an image that is replicated at home alone, and the port on it."""

    machines: Machines
    clock: ManualClock

    async def publish(self, character: str = "clean") -> VersionId:
        """A version with an image of this character."""
        ...

    def define(self, definition: DefinitionFacts) -> None:
        """Another definition of the published version."""
        ...

    async def plant(self, name: str, tags: dict[str, str]) -> str:
        """A disk in the test group that no boot test made; its id."""
        ...

    async def probed(self, name: str, probe: str) -> ProbeFacts:
        """What the probe came to, when it is finished."""
        ...


def spec(name: str = "rm-0123456789ab", **changes: Any) -> MachineSpec:
    """A machine of the version, at home."""
    values: dict[str, Any] = {
        "name": name,
        "region": HOME,
        "image": VERSION,
        "os_type": "Linux",
        "os_state": "Generalized",
        "architecture": "x64",
        "vm_size": "Standard_D2s_v5",
        "release": str(VERSION),
        "expires": ManualClock().now + timedelta(hours=4),
    }
    return MachineSpec(**{**values, **changes})


@dataclass
class MemoryMachineLab:
    clock: ManualClock

    def __post_init__(self) -> None:
        self._galleries = MemoryLab(self.clock)
        self._character = characters.CLEAN
        memory = MemoryMachines(self.clock, TEST, self._galleries.memory, casting=lambda *_: self._character)
        self.machines: Machines = memory
        self._memory = memory

    async def publish(self, character: str = "clean") -> VersionId:
        self._character = SIMULATED[character]
        return await published(self._galleries)

    def define(self, definition: DefinitionFacts) -> None:
        self._galleries.memory.add_definition(definition)

    async def plant(self, name: str, tags: dict[str, str]) -> str:
        resource = disk_id(name)
        self._memory.plant(resource, tags)
        return resource.lower()

    async def probed(self, name: str, probe: str) -> ProbeFacts:
        self.clock.advance(timedelta(minutes=1))
        return finished(await self.machines.probe(name, probe))


@dataclass
class ArmMachineLab:
    clock: ManualClock
    sim: ArmSimulator
    galleries: ArmLab

    def __post_init__(self) -> None:
        trust = ssl.create_default_context(cafile=str(self.sim.ca_file))
        self.machines: Machines = AzureMachines(self.galleries.arm, TEST, serial_tls=trust)

    async def publish(self, character: str = "clean") -> VersionId:
        return await published(self.galleries, {"sim-character": character})

    def define(self, definition: DefinitionFacts) -> None:
        store = self.sim.kernel.store
        resource = store.get(str(definition.id))
        assert resource is not None
        plan = definition.plan and {each: getattr(definition.plan, each) for each in ("name", "publisher", "product")}
        resource.properties.update(
            osType=definition.os_type,
            osState=definition.os_state,
            hyperVGeneration=definition.hyper_v_generation,
            architecture=definition.architecture,
            features=[{"name": name, "value": value} for name, value in definition.features.items()],
            purchasePlan=plan,
        )
        store.put(resource)

    async def plant(self, name: str, tags: dict[str, str]) -> str:
        properties = {"diskSizeGB": 4, "creationData": {"createOption": "Empty"}}
        disk = {"id": disk_id(name), "location": HOME, "tags": tags, "properties": properties}
        self.sim.seed({"resources": [disk]})
        return disk_id(name).lower()

    async def probed(self, name: str, probe: str) -> ProbeFacts:
        # The simulator runs the script as a real process, which ends in its own time.
        facts = None
        for _ in range(400):
            self.clock.advance(timedelta(seconds=1))
            facts = await self.machines.probe(name, probe)
            if facts is not None and facts.finished:
                break
            await asyncio.sleep(0.02)
        return finished(facts)


def finished(facts: ProbeFacts | None) -> ProbeFacts:
    assert facts is not None
    assert facts.finished, facts
    return facts


def disk_id(name: str) -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute/disks/{name}"


async def published(galleries: GalleryLab, tags: dict[str, str] | None = None) -> VersionId:
    await galleries.build(VERSION, [RegionTargetFacts(HOME, excluded=True)], tags=tags)
    galleries.clock.advance(LONG_ENOUGH)
    return VERSION


@contextlib.asynccontextmanager
async def arm_machine_lab() -> AsyncIterator[ArmMachineLab]:
    clock = ManualClock()
    async with ArmSimulator(speed=1, clock=Clock(1, clock.timestamp)) as sim:
        sim.seed(gallery_world(SOURCE))
        sim.seed(_networks(HOME, "eastus"))
        arm = simulated_arm(sim)
        try:
            yield ArmMachineLab(clock, sim, ArmLab(clock, sim, arm))
        finally:
            await arm.close()


def _networks(*regions: str) -> dict[str, Any]:
    group = {"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}", "location": HOME}
    resources: list[dict[str, Any]] = []
    for index, region in enumerate(regions):
        network = f"{NETWORKS}/tests-{region}"
        space = {"addressSpace": {"addressPrefixes": [f"10.{index}.0.0/16"]}}
        subnet = {"addressPrefix": f"10.{index}.1.0/24"}
        resources += [
            {"id": network, "location": region, "properties": space},
            {"id": f"{network}/subnets/machines", "location": region, "properties": subnet},
        ]
    return {"resource_groups": [group], "resources": resources}
