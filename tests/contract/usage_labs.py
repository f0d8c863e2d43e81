"""Two places where the ``Usage`` contract is tried: in memory, and the Azure adapter against the ARM simulator."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from local.arm.kernel.clock import Clock
from local.arm.kernel.fault_injection import read_rules
from local.arm.server.simulator import ArmSimulator
from shared.adapters.azure.usage import AzureUsage
from shared.adapters.memory.usage import MemoryUsage
from shared.domain.image import VersionNumber
from shared.domain.usage import INSTANCES, MACHINES, SCALE_SETS, VERSIONS, Mention, Relation
from shared.ports import Usage
from tests.contract.clock import ManualClock
from tests.contract.gallery_labs import HOME, OTHER, SOURCE, SUBSCRIPTION, gallery_world, simulated_arm

VERSION: Final = SOURCE.version(VersionNumber(1, 0, 0))
COPY: Final = OTHER.version(VersionNumber(1, 0, 0))
EMPTY_SUBSCRIPTION: Final = "22222222-2222-4222-8222-222222222222"
COMPUTE: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
TEMPLATES: Final = "microsoft.virtualmachineimages/imagetemplates"
LAG: Final = timedelta(minutes=10)


class UsageLab(Protocol):
    """Resources that refer to images, and the port on them."""

    usage: Usage

    def add(self, kind: str, name: str, target: str, *, exact: str | None = None, capacity: int | None = None) -> str:
        """A resource of one of the types; its id, in lower case."""
        ...

    def deny(self, subscription: str) -> None:
        """The app may not read a subscription."""
        ...

    def catch_up(self) -> None:
        """Resource Graph has seen what happened before."""
        ...


def path_of(kind: str, name: str) -> str:
    """The id of a resource, as ARM spells it. An instance is named ``set/0``, a version by its own id."""
    if kind == VERSIONS:
        return name
    if kind == INSTANCES:
        scale_set, _, number = name.partition("/")
        return f"{COMPUTE}/virtualMachineScaleSets/{scale_set}/virtualMachines/{number}"
    segments = {
        MACHINES: "virtualMachines",
        SCALE_SETS: "virtualMachineScaleSets",
        "microsoft.compute/disks": "disks",
        "microsoft.compute/images": "images",
        TEMPLATES: "imageTemplates",
    }
    provider = COMPUTE.rpartition("/")[0] + "/Microsoft.VirtualMachineImages" if kind == TEMPLATES else COMPUTE
    return f"{provider}/{segments[kind]}/{name}"


def mention(
    kind: str, name: str, target: str, *, exact: str | None = None, capacity: int | None = None, **more: Any
) -> Mention:
    """What a resource's page says of it."""
    copies = {"microsoft.compute/disks", "microsoft.compute/images", VERSIONS}
    relation = Relation.MADE_FROM if kind in copies else Relation.USES
    return Mention(path_of(kind, name).lower(), kind, HOME, target.lower(), relation, exact, capacity, **more)


@dataclass
class MemoryUsageLab:
    def __post_init__(self) -> None:
        memory = MemoryUsage()
        memory.providers.add("microsoft.virtualmachineimages")
        for definition in (SOURCE, OTHER):
            memory.add_resource(str(definition.gallery), "microsoft.compute/galleries")
            memory.add_resource(str(definition), "microsoft.compute/galleries/images")
        self.usage: Usage = memory
        self._memory = memory

    def add(self, kind: str, name: str, target: str, *, exact: str | None = None, capacity: int | None = None) -> str:
        resource = self._memory.add(mention(kind, name, target, exact=exact, capacity=capacity))
        self._memory.missing_in_graph.add(resource)
        return resource

    def deny(self, subscription: str) -> None:
        self._memory.unreadable.add(subscription)

    def catch_up(self) -> None:
        self._memory.missing_in_graph.clear()


@dataclass
class ArmUsageLab:
    clock: ManualClock
    sim: ArmSimulator
    usage: Usage

    def add(self, kind: str, name: str, target: str, *, exact: str | None = None, capacity: int | None = None) -> str:
        reference = {"id": target, **({"exactVersion": exact} if exact else {})}
        storage = {"storageProfile": {"imageReference": reference}}
        properties: dict[str, Any] = {
            MACHINES: storage,
            INSTANCES: storage,
            SCALE_SETS: {"orchestrationMode": "Uniform", "virtualMachineProfile": storage},
            "microsoft.compute/disks": {
                "creationData": {"createOption": "FromImage", "galleryImageReference": reference}
            },
            "microsoft.compute/images": {"sourceVirtualMachine": {"id": target}, "storageProfile": {}},
            TEMPLATES: {"source": {"type": "SharedImageVersion", "imageVersionId": target}},
            VERSIONS: {"storageProfile": {"source": {"id": target}}},
        }[kind]
        resource = {"id": path_of(kind, name), "location": HOME, "properties": properties}
        sku = {} if capacity is None else {"sku": {"name": "Standard_D2s_v5", "capacity": capacity}}
        self.sim.seed({"resources": [resource | sku]})
        return path_of(kind, name).lower()

    def deny(self, subscription: str) -> None:
        self.sim.kernel.faults.replace(
            read_rules([{"fault": "reading-denied", "match": {"resource_regex": f"^/subscriptions/{subscription}"}}])
        )

    def catch_up(self) -> None:
        self.clock.advance(LAG)


@contextlib.asynccontextmanager
async def arm_usage_lab() -> AsyncIterator[ArmUsageLab]:
    clock = ManualClock()
    lag = LAG.total_seconds()
    async with ArmSimulator(speed=1, clock=Clock(1, clock.timestamp), graph_lag=lag) as sim:
        sim.seed({"subscriptions": [{"id": each} for each in (SUBSCRIPTION, EMPTY_SUBSCRIPTION)]})
        sim.seed(gallery_world(SOURCE, OTHER))
        arm = simulated_arm(sim)
        try:
            yield ArmUsageLab(clock, sim, AzureUsage(arm))
        finally:
            await arm.close()
