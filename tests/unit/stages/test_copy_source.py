"""A copy into another gallery needs a source whose last update succeeded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.memory.ledger import MemoryLedger
from shared.domain.facts import DefinitionFacts, ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, VersionId
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Requeue
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring, ScanRules, Severity
from shared.domain.release import Release, State
from shared.ports import Hop, World
from shared.stages import replicate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/galleries"
VERSION = VersionId.parse(f"{ROOT}/build/images/d/versions/1.0.0")
TARGET = VersionId.parse(f"{ROOT}/prod/images/d/versions/1.0.0").definition
RING = Ring("production", TARGET, (RegionTarget("eastus"),))
POLICY = DefinitionPolicy("d", VERSION.definition, (RING,), ScanRules({Severity.CRITICAL: 0}), digest="p1")
SOURCE = VersionFacts(
    VERSION, ProvisioningState.SUCCEEDED, "westeurope", published_at=NOW, targets=(RegionTargetFacts("westeurope"),)
)


class Galleries:
    """A gallery with one version, and notes of what is written."""

    def __init__(self, source: VersionFacts) -> None:
        self.source = source
        self.written: list[tuple[RegionTargetFacts, ...]] = []

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        return self.source if version == VERSION else None

    async def write_targets(self, version: VersionFacts, targets: Any, *, excluded: bool) -> None:
        self.written.append(tuple(targets))


class Copies(Galleries):
    """The same, and the definition of the copies, which is in eastus."""

    def __init__(self, source: VersionFacts) -> None:
        super().__init__(source)
        self.copied: list[VersionId] = []

    async def definition(self, definition: DefinitionId) -> DefinitionFacts:
        return DefinitionFacts(definition, ProvisioningState.SUCCEEDED, "eastus", "Linux", "Generalized")

    async def copy_version(self, source: VersionFacts, target: VersionId, *, location: str, targets: Any) -> None:
        self.copied.append(target)


async def copied_ahead(*regions: str) -> list[VersionId]:
    """What is copied while an earlier ring is to bring the source to eastus, and it is in these regions."""
    galleries: Any = Copies(replace(SOURCE, targets=tuple(map(RegionTargetFacts, regions))))
    nothing: Any = None
    world = World(galleries, nothing, nothing, MemoryLedger(), nothing, nothing, nothing)
    canary = Ring("canary", VERSION.definition, (RegionTarget("eastus"),))
    policy = replace(POLICY, rings=(canary, RING))
    release = Release(VERSION, State.REPLICATING, 3, "p1", NOW, NOW, incarnation=NOW.isoformat(), ring="canary")
    command = Command(Kind.REPLICATE, VERSION, 3, NOW + timedelta(hours=1), ring="production")
    await replicate.run(Hop(command, release, policy, world, NOW))
    return galleries.copied


async def test_a_copy_ahead_waits_until_an_earlier_ring_has_brought_the_source_to_its_region() -> None:
    assert (await copied_ahead("westeurope"), len(await copied_ahead("westeurope", "eastus"))) == ([], 1)


async def hop(state: ProvisioningState) -> tuple[Any, Galleries]:
    galleries: Any = Galleries(replace(SOURCE, provisioning_state=state))
    nothing: Any = None
    world = World(galleries, nothing, nothing, MemoryLedger(), nothing, nothing, nothing)
    release = Release(VERSION, State.REPLICATING, 3, "p1", NOW, NOW, incarnation=NOW.isoformat(), ring="production")
    command = Command(Kind.REPLICATE, VERSION, 3, NOW + timedelta(hours=1), ring="production")
    return await replicate.run(Hop(command, release, POLICY, world, NOW)), galleries


async def test_a_source_whose_last_update_failed_is_repaired_before_it_is_copied() -> None:
    step, galleries = await hop(ProvisioningState.FAILED)
    assert (isinstance(step, Requeue), galleries.written) == (True, [SOURCE.targets])


@pytest.mark.parametrize("state", [ProvisioningState.UPDATING, ProvisioningState.CREATING])
async def test_a_source_that_is_being_updated_is_waited_for(state: ProvisioningState) -> None:
    step, galleries = await hop(state)
    assert (isinstance(step, Requeue), galleries.written) == (True, [])
