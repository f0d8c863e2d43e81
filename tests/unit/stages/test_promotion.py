"""What a promotion looks at before it publishes a ring, and after."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.memory.ledger import MemoryLedger
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.hop_states import Publish, PublishingState, ReadBack
from shared.domain.image import DefinitionId, VersionId
from shared.domain.lifecycle import Outcome
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Decided, HopResult, Redirected, Requeue
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring, ScanRules, Severity
from shared.domain.release import Answer, Gate, GateRecord, Pending, Release, State
from shared.ports import INCARNATION_TAG, Hop, World
from shared.stages import promote

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROOT = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/galleries"
VERSION = VersionId.parse(f"{ROOT}/build/images/d/versions/1.0.0")
TARGET = VersionId.parse(f"{ROOT}/prod/images/d/versions/1.0.0")
REGIONS = ("eastus", "westus2")
RING = Ring("production", TARGET.definition, tuple(map(RegionTarget, REGIONS)), boot_test=False)
POLICY = DefinitionPolicy("d", VERSION.definition, (RING,), ScanRules({Severity.CRITICAL: 0}), digest="p1")
SOURCE = VersionFacts(VERSION, ProvisioningState.SUCCEEDED, "eastus", published_at=NOW)
COPY = VersionFacts(
    TARGET,
    ProvisioningState.SUCCEEDED,
    "eastus",
    published_at=NOW + timedelta(hours=1),
    source_id=str(VERSION),
    targets=tuple(RegionTargetFacts(region, excluded=True) for region in REGIONS),
    tags={INCARNATION_TAG: NOW.isoformat()},
)


class Galleries:
    """A source gallery with one version, and its copy in another."""

    def __init__(self, source: VersionFacts | None, copy: VersionFacts) -> None:
        self.source, self.copy = source, copy
        self.writes = 0

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        return self.copy if version == TARGET else self.source

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        return [self.copy]

    async def write_targets(self, version: VersionFacts, targets: Any, *, excluded: bool) -> None:
        self.writes += 1
        self.copy = replace(self.copy, targets=tuple(targets), excluded=excluded)


def passed(gate: Gate, ring: str | None = None) -> GateRecord:
    return GateRecord(gate, Answer.PASS, NOW, NOW.isoformat(), "p1", "evidence.json", ring=ring)


async def step(galleries: Galleries, state: PublishingState) -> HopResult:
    command = Command(Kind.PROMOTE, VERSION, 3, NOW + timedelta(hours=1), ring="production", state=state)
    gates = (
        passed(Gate.VALIDATION),
        passed(Gate.SCAN),
        passed(Gate.BOOT_TEST),
        passed(Gate.REPLICATION, ring="production"),
        passed(Gate.BAKE, ring="production"),
    )
    pending = {str(command.branch): Pending(command, NOW)}
    release = Release(
        VERSION, State.PUBLISHING, 3, "p1", NOW, NOW, NOW.isoformat(), ring="production", pending=pending, gates=gates
    )
    ledger = MemoryLedger()
    await ledger.insert(release)
    port: Any = galleries
    nothing: Any = None
    world = World(port, nothing, nothing, ledger, nothing, nothing, nothing, nonce=lambda: "nonce")
    return await promote.run(Hop(command, release, POLICY, world, NOW))


async def test_a_copy_of_the_proven_version_is_published_and_read_back() -> None:
    galleries = Galleries(SOURCE, COPY)
    decided = await step(galleries, Publish())
    assert (isinstance(decided, Decided) and decided.answer, galleries.writes) == (Answer.PASS, 1)


async def test_a_copy_is_not_published_when_its_source_was_built_again_under_the_same_number() -> None:
    galleries = Galleries(replace(SOURCE, published_at=NOW + timedelta(hours=2)), COPY)
    redirected = await step(galleries, Publish())
    assert isinstance(redirected, Redirected)
    assert (redirected.outcome, galleries.writes) == (Outcome.NUMBER_REUSED, 0)


async def test_a_copy_whose_source_was_deleted_is_published_all_the_same() -> None:
    galleries = Galleries(None, COPY)
    assert isinstance(await step(galleries, Publish()), Decided)


@pytest.mark.parametrize("hidden", REGIONS)
async def test_a_publication_that_does_not_hold_in_one_region_does_not_hold(hidden: str) -> None:
    targets = tuple(RegionTargetFacts(region, excluded=region == hidden) for region in REGIONS)
    waiting = await step(Galleries(SOURCE, replace(COPY, targets=targets)), ReadBack(predicted={}))
    assert isinstance(waiting, Requeue)
    assert waiting.state == ReadBack(reads=1, predicted={})


async def test_a_publication_that_holds_in_every_region_is_decided_with_what_was_seen_there() -> None:
    targets = tuple(RegionTargetFacts(region, excluded=False) for region in REGIONS)
    decided = await step(Galleries(SOURCE, replace(COPY, targets=targets)), ReadBack(predicted={}))
    assert isinstance(decided, Decided)
    assert decided.facts["readBack"] == {region: {"excludeFromLatest": False} for region in REGIONS}
