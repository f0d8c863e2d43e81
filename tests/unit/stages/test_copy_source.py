"""A copy into another gallery needs a source whose last update succeeded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.memory.ledger import MemoryLedger
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId
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
