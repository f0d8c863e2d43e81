"""A revocation, hop by hop."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.adapters.memory.ledger import MemoryLedger
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.hop_states import ConfirmExcluded, Exclude
from shared.domain.image import DefinitionId, VersionId
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Requeue
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring, ScanRules, Severity
from shared.domain.release import Pending, Release, State
from shared.ports import Hop, World
from shared.stages import revoke

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/gal/images/d/versions/1.0.0"
)
RING = Ring("canary", VERSION.definition, (RegionTarget("westeurope"), RegionTarget("eastus")))
POLICY = DefinitionPolicy("d", VERSION.definition, (RING,), ScanRules({Severity.CRITICAL: 0}), digest="p1")
RELEASE = Release(VERSION, State.REVOKING, 3, "p1", NOW, NOW, incarnation=NOW.isoformat())


async def step(state: Exclude | ConfirmExcluded, *, shown: bool) -> Requeue:
    """One hop over a gallery that has this version alone."""
    targets = tuple(RegionTargetFacts(region, excluded=not shown) for region in RING.region_names)
    facts = VersionFacts(
        VERSION, ProvisioningState.SUCCEEDED, "eastus", published_at=NOW, targets=targets, excluded=not shown
    )

    class Galleries:
        async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
            return [facts]

        async def write_targets(
            self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
        ) -> None:
            assert list(targets) == list(version.targets)  # where latest would be empty, the version stays

    galleries: Any = Galleries()
    nothing: Any = None
    command = Command(Kind.REVOKE, VERSION, 3, NOW + timedelta(hours=1), state=state)
    release, ledger = RELEASE.with_pending(command.branch, Pending(command, NOW)), MemoryLedger()
    await ledger.insert(release)
    world = World(galleries, nothing, nothing, ledger, nothing, nothing, nothing, nonce=lambda: "nonce")
    found = await revoke.run(Hop(command, release, POLICY, world, NOW))
    assert isinstance(found, Requeue)
    return found


async def test_people_are_told_why_a_version_is_not_revoked() -> None:
    found = await step(Exclude(), shown=True)
    told = "not revoked: latest in westeurope, eastus of gal would be empty: publish another version first"
    assert (found.note, found.stalled) == (told, told)


async def test_the_next_definition_is_confirmed_at_once() -> None:
    here, there = str(VERSION.definition), f"{VERSION.definition}-2"
    found = await step(ConfirmExcluded(left=(here, there), done={here: {}, there: {}}), shown=False)
    assert (found.after, found.state) == (
        timedelta(0),
        ConfirmExcluded(left=(there,), done={here: {}, there: {}}),
    )
