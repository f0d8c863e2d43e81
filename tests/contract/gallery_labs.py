"""Two places where the ``Galleries`` contract is tried: in memory, and the Azure adapter against the ARM simulator."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport

from local.arm.kernel.clock import Clock
from local.arm.server.simulator import ArmSimulator
from shared.adapters.azure.arm import Arm
from shared.adapters.azure.galleries import AzureGalleries
from shared.adapters.memory.galleries import MemoryGalleries, Replication
from shared.domain.facts import (
    DefinitionFacts,
    GalleryFacts,
    ProvisioningState,
    RegionTargetFacts,
    SourceFacts,
    SourceKind,
    VersionFacts,
)
from shared.domain.image import DefinitionId, GalleryId, VersionId
from shared.ports import Galleries
from tests.contract.clock import ManualClock

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
SOURCE = DefinitionId(GalleryId(SUBSCRIPTION, "images", "golden"), "ubuntu")
OTHER = DefinitionId(GalleryId(SUBSCRIPTION, "images", "production"), "ubuntu")
FOREIGN = DefinitionId(GalleryId(SUBSCRIPTION, "images", "somebodys"), "ubuntu")
LONGEST = DefinitionId(GalleryId(SUBSCRIPTION, "g" * 90, "a" * 80), "d" * 80)
"""The longest names of a resource group, a gallery and an image definition ("Naming rules and restrictions for Azure
resources")."""
HOME = "westeurope"
IMAGE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute/images/base"
ALLOWED = frozenset({str(SOURCE.gallery), str(OTHER.gallery), str(LONGEST.gallery)})
LONG_ENOUGH = timedelta(hours=3)


class GalleryLab(Protocol):
    """A world of galleries, and the port on it."""

    galleries: Galleries
    clock: ManualClock

    async def build(
        self,
        version: VersionId,
        targets: Sequence[RegionTargetFacts],
        *,
        excluded: bool = True,
        tags: dict[str, str] | None = None,
        fails_once_in: str | None = None,
        source: str = IMAGE,
    ) -> None:
        """A builder publishes a version from a managed image."""
        ...


@dataclass
class MemoryLab:
    clock: ManualClock

    def __post_init__(self) -> None:
        self._fails_once_in: dict[VersionId, str] = {}
        memory = MemoryGalleries(self.clock, ALLOWED, replication=self._goes)
        for definition in (SOURCE, OTHER, FOREIGN, LONGEST):
            memory.add_gallery(GalleryFacts(definition.gallery, ProvisioningState.SUCCEEDED, HOME))
            memory.add_definition(
                DefinitionFacts(definition, ProvisioningState.SUCCEEDED, HOME, "Linux", "Generalized", "V2", "x64")
            )
        memory.add_source(SourceFacts(SourceKind.MANAGED_IMAGE, IMAGE, "Linux", "Generalized", "V2"))
        self.galleries: Galleries = memory
        self.memory = memory

    def _goes(self, version: VersionId, region: str, attempt: int) -> Replication:
        fails = attempt == 1 and self._fails_once_in.get(version) == region
        takes = timedelta(minutes=5 if region == HOME else 9)
        return Replication(takes, "Failed with internal server error." if fails else None)

    async def build(
        self,
        version: VersionId,
        targets: Sequence[RegionTargetFacts],
        *,
        excluded: bool = True,
        tags: dict[str, str] | None = None,
        fails_once_in: str | None = None,
        source: str = IMAGE,
    ) -> None:
        if fails_once_in:
            self._fails_once_in[version] = fails_once_in
        facts = VersionFacts(
            version,
            ProvisioningState.CREATING,
            HOME,
            source_id=source,
            targets=tuple(targets),
            excluded=excluded,
            tags=tags or {},
            os_disk_gb=30,
        )
        self.memory.build(facts)


class StaticCredential:
    """A token that was issued before."""

    def __init__(self, token: str, expires: int) -> None:
        self._token = AccessToken(token, expires)

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        return self._token

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> "StaticCredential":
        return self

    async def __aexit__(self, *args: object, **kwargs: object) -> None:
        pass


@dataclass
class ArmLab:
    clock: ManualClock
    sim: ArmSimulator
    arm: Arm

    def __post_init__(self) -> None:
        self.galleries: Galleries = AzureGalleries(self.arm, ALLOWED)

    async def build(
        self,
        version: VersionId,
        targets: Sequence[RegionTargetFacts],
        *,
        excluded: bool = True,
        tags: dict[str, str] | None = None,
        fails_once_in: str | None = None,
        source: str = IMAGE,
    ) -> None:
        character = {"sim-character": f"replication-fails-once:{fails_once_in}"} if fails_once_in else {}
        entries = [
            {
                "name": entry.region,
                "regionalReplicaCount": entry.replicas,
                "storageAccountType": entry.storage,
                **({} if entry.excluded is None else {"excludeFromLatest": entry.excluded}),
                **entry.kept,
            }
            for entry in targets
        ]
        body: Any = {
            "location": HOME,
            "tags": {**(tags or {}), **character},
            "properties": {
                "publishingProfile": {"targetRegions": entries, "excludeFromLatest": excluded},
                "storageProfile": {"source": {"id": source}},
            },
        }
        gallery = version.definition.gallery
        await self.arm.compute(gallery.subscription).gallery_image_versions.begin_create_or_update(
            gallery.resource_group, gallery.name, version.definition.name, str(version.number), body, polling=False
        )


def simulated_arm(sim: ArmSimulator) -> Arm:
    """The way to a simulator, as the app goes it, trusting its authority."""
    expires = int(sim.kernel.clock.now()) + 30 * 86400
    credential = StaticCredential(sim.token(lifetime=30 * 86400), max(expires, 4_000_000_000))
    return Arm(
        credential,
        base_url=sim.url,
        transport=lambda: AioHttpTransport(connection_verify=str(sim.ca_file), connection_timeout=5, read_timeout=20),
    )


def gallery_world(*definitions: DefinitionId) -> dict[str, Any]:
    """Galleries, definitions and a managed image, as seed data."""
    properties = {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "architecture": "x64",
    }
    resources: list[dict[str, Any]] = [{"id": IMAGE, "location": HOME, "properties": _image()}]
    for definition in definitions:
        identifier = {"publisher": "platform", "offer": definition.gallery.name, "sku": definition.name}
        resources += [
            {"id": str(definition.gallery), "location": HOME},
            {"id": str(definition), "location": HOME, "properties": {**properties, "identifier": identifier}},
        ]
    names = {"images", *(definition.gallery.resource_group for definition in definitions)}
    groups = [{"id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}", "location": HOME} for name in names]
    return {"identities": ["ringmaster"], "resource_groups": groups, "resources": resources}


def _image() -> dict[str, Any]:
    disk = {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30}
    return {"hyperVGeneration": "V2", "storageProfile": {"osDisk": disk}}


@contextlib.asynccontextmanager
async def arm_lab() -> AsyncIterator[ArmLab]:
    clock = ManualClock()
    async with ArmSimulator(speed=1, clock=Clock(1, clock.timestamp)) as sim:
        sim.seed(gallery_world(SOURCE, OTHER, FOREIGN, LONGEST))
        arm = simulated_arm(sim)
        try:
            yield ArmLab(clock, sim, arm)
        finally:
            await arm.close()
