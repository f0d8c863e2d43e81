"""Two places where the ``Health`` contract is tried: in memory, and the Azure adapter against the ARM simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from shared.adapters.azure.health import AzureHealth
from shared.adapters.azure.log_query import LogQueries
from shared.adapters.common.fleet import FleetMachine, FleetUpgrade
from shared.adapters.memory.health import Fleet, MemoryHealth
from shared.domain.image import VersionId, VersionNumber
from shared.ports import FleetQuestion, Health
from tests.contract.clock import ManualClock
from tests.contract.gallery_labs import HOME, SOURCE, SUBSCRIPTION, ArmLab, StaticCredential

GROUP: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/apps"
SCALE_SET: Final = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/web"
VERSION: Final = SOURCE.version(VersionNumber(1, 0, 1))
BEFORE: Final = SOURCE.version(VersionNumber(1, 0, 0))


def question(since: datetime, **changes: Any) -> FleetQuestion:
    """About the version and the one before, in the scale set and the machines of the subscription, at home."""
    values: dict[str, Any] = {
        "version": VERSION,
        "before": BEFORE.number,
        "regions": (HOME,),
        "since": since,
        "scale_sets": (SCALE_SET.lower(),),
        "machine_subscriptions": (SUBSCRIPTION,),
    }
    return FleetQuestion(**{**values, **changes})


class HealthLab(Protocol):
    """A scale set and machines whose state a test decides."""

    clock: ManualClock
    health: Health

    def instances(self, image: VersionId, *health: str | None) -> None:
        """The scale set has such instances, and no others."""
        ...

    def machine(self, name: str, image: VersionId, provisioning: str, region: str = HOME) -> None:
        """A machine outside scale sets."""
        ...

    def upgrade(self, image: VersionId, code: str, began: datetime, why: str = "") -> None:
        """An upgrade of the scale set."""
        ...


@dataclass
class MemoryHealthLab:
    clock: ManualClock
    machines: list[FleetMachine] = field(default_factory=list[FleetMachine])
    upgrades: list[FleetUpgrade] = field(default_factory=list[FleetUpgrade])

    def __post_init__(self) -> None:
        self.health: Health = MemoryHealth(lambda: self.clock.now, self._fleet)

    def _fleet(self, asked: FleetQuestion, now: datetime) -> Fleet:
        missing = [each for each in asked.scale_sets if each != SCALE_SET.lower()]
        found = [each for each in self.machines if not each.in_scale_set or SCALE_SET.lower() in asked.scale_sets]
        return Fleet(found, self.upgrades, tuple(f"scale set {each}: not found" for each in missing))

    def instances(self, image: VersionId, *health: str | None) -> None:
        self.machines += [
            FleetMachine(f"web_{number}", image, HOME, "Succeeded", code, in_scale_set=True)
            for number, code in enumerate(health)
        ]

    def machine(self, name: str, image: VersionId, provisioning: str, region: str = HOME) -> None:
        self.machines.append(FleetMachine(name, image, region, provisioning))

    def upgrade(self, image: VersionId, code: str, began: datetime, why: str = "") -> None:
        self.upgrades.append(FleetUpgrade("web", code, began, image, why=why))


@dataclass
class ArmHealthLab:
    lab: ArmLab

    def __post_init__(self) -> None:
        self.clock = self.lab.clock
        logs = LogQueries(StaticCredential("token", 4_000_000_000), endpoint="https://localhost:1")
        self.health: Health = AzureHealth(self.lab.arm, logs)

    def instances(self, image: VersionId, *health: str | None) -> None:
        self._seed(SCALE_SET, HOME, self._model(image), sku={"name": "Standard_D2s_v5", "capacity": len(health)})
        store = self.lab.sim.kernel.store
        for number, code in enumerate(health):
            instance = store.get(f"{SCALE_SET}/virtualMachines/{number}")
            assert instance is not None
            if code is not None:
                instance.sim["health"] = code
            store.put(instance)

    def machine(self, name: str, image: VersionId, provisioning: str, region: str = HOME) -> None:
        resource = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{name}"
        profile = {"imageReference": reference(image), "osDisk": {"osType": "Linux"}, "dataDisks": []}
        self._seed(resource, region, {"storageProfile": profile})
        found = self.lab.sim.kernel.store.get(resource)
        assert found is not None
        found.properties["provisioningState"] = provisioning
        found.sim["machine"] = {"power": []}  # it was never started: only the list is read
        self.lab.sim.kernel.store.put(found)

    def upgrade(self, image: VersionId, code: str, began: datetime, why: str = "") -> None:
        found = self.lab.sim.kernel.store.get(SCALE_SET)
        assert found is not None
        found.properties["upgradePolicy"] = {
            "mode": "Automatic",
            "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True},
        }
        # Shape: "Virtual Machine Scale Sets - Get OS Upgrade History" in Azure's REST API reference.
        entry = {
            "type": "Microsoft.Compute/virtualMachineScaleSets/rollingUpgrades",
            "location": HOME,
            "properties": {
                "runningStatus": {"code": code, "startTime": began.isoformat()},
                "progress": {"successfulInstanceCount": 0, "failedInstanceCount": 1},
                "startedBy": "Platform",
                "targetImageReference": reference(image),
                **({"error": {"code": "RollingUpgradeFailed", "message": why}} if why else {}),
            },
        }
        found.sim.setdefault("upgrades", []).append(entry)
        self.lab.sim.kernel.store.put(found)

    def _model(self, image: VersionId) -> dict[str, Any]:
        return {
            "orchestrationMode": "Uniform",
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": {"storageProfile": {"imageReference": reference(image)}},
        }

    def _seed(self, resource: str, region: str, properties: dict[str, Any], **more: Any) -> None:
        groups = [{"id": GROUP, "location": HOME}]
        resources: Sequence[dict[str, Any]] = [{"id": resource, "location": region, "properties": properties, **more}]
        self.lab.sim.seed({"resource_groups": groups, "resources": resources})


def reference(image: VersionId) -> dict[str, str]:
    """An image reference as Azure shows it on what follows ``latest``."""
    return {"id": str(image.definition), "exactVersion": str(image.number)}
