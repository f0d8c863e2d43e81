"""Repairs of failed regions: accepted ones are given time and counted, refused ones are neither."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.memory.ledger import MemoryLedger
from shared.domain.facts import (
    ProvisioningState,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    VersionFacts,
)
from shared.domain.hop_states import Replicate
from shared.domain.image import VersionId
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Decided, HopResult, Requeue, Stalled
from shared.domain.policy import DefinitionPolicy, RegionTarget, ReplicationRules, Ring, ScanRules, Severity
from shared.domain.release import Answer, Release, State
from shared.ports import Conflict, Hop, Refused, World
from shared.stages import replicate

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/gal/images/d/versions/1.0.0"
)
RING = Ring("canary", VERSION.definition, (RegionTarget("westeurope"), RegionTarget("eastus")))
RULES = ReplicationRules(timedelta(hours=8), repairs=3)
POLICY = DefinitionPolicy(
    "d", VERSION.definition, (RING,), ScanRules({Severity.CRITICAL: 0}), digest="p1", replication=RULES
)
RELEASE = Release(VERSION, State.REPLICATING, 3, "p1", BEGIN, BEGIN, incarnation=BEGIN.isoformat(), ring="canary")
NOT_REPLICATED = {"westeurope": RegionState.COMPLETED, "eastus": RegionState.FAILED}


class Azure:
    """A gallery whose answers are set: it takes writes, or refuses them, and shows what it was told to show."""

    def __init__(self) -> None:
        self.states = dict(NOT_REPLICATED)
        self.provisioning = ProvisioningState.FAILED
        self.refuses: Refused | None = None
        self.writes = 0
        self.targets = tuple(RegionTargetFacts(region, excluded=True) for region in self.states)

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts:
        regions = {region: RegionReplication(state, 60, "no capacity") for region, state in self.states.items()}
        facts = VersionFacts(VERSION, self.provisioning, "westeurope", published_at=BEGIN, targets=self.targets)
        return replace(facts, excluded=True, replication=ReplicationFacts(regions) if replication else None)

    async def write_targets(self, version: VersionFacts, targets: Any, *, excluded: bool) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.writes += 1


class Play:
    """Hops of one replicate command, each when the one before it asked for it."""

    def __init__(self) -> None:
        self.azure, self.now = Azure(), BEGIN
        galleries: Any = self.azure
        nothing: Any = None
        self.world = World(galleries, nothing, nothing, MemoryLedger(), nothing, nothing, nothing)
        self.command = Command(Kind.REPLICATE, VERSION, 3, BEGIN + timedelta(hours=32), ring="canary")

    async def hop(self) -> HopResult:
        step = await replicate.run(Hop(self.command, RELEASE, POLICY, self.world, self.now))
        if isinstance(step, Requeue):
            self.command = replace(self.command, state=step.state)
            self.now += step.after
        return step

    async def waits(self) -> None:
        """One hop that must not be the last."""
        step = await self.hop()
        assert isinstance(step, Requeue), step

    async def until_it_ends(self) -> HopResult:
        for _ in range(500):
            step = await self.hop()
            if not isinstance(step, Requeue):
                return step
        raise AssertionError("it never ended")


def refused() -> Refused:
    return Refused("OperationNotAllowed", "Removing the region is not allowed.", 409)


async def test_a_repair_that_shows_nothing_yet_is_not_asked_for_again_at_once() -> None:
    play = Play()
    while play.now < BEGIN + replicate.PATIENCE:
        await play.waits()
    assert play.azure.writes == 1


async def test_each_repair_is_given_twice_the_time_of_the_one_before() -> None:
    play, at = Play(), []
    while len(at) < 3:
        before, began = play.azure.writes, play.now
        await play.waits()
        if play.azure.writes > before:
            at.append(began)
    assert (at[1] - at[0], at[2] - at[1]) == (timedelta(minutes=5), timedelta(minutes=10))


async def test_as_many_repairs_as_the_policy_says_are_asked_for_before_it_rejects() -> None:
    play = Play()
    step = await play.until_it_ends()
    assert isinstance(step, Decided)
    assert (step.answer, play.azure.writes) == (Answer.REJECT, RULES.repairs)
    assert "replication to eastus failed: no capacity" in step.reasons


async def test_a_region_that_fails_again_after_it_was_under_way_is_repaired_at_once() -> None:
    play = Play()
    await play.hop()
    play.azure.provisioning, play.azure.states["eastus"] = ProvisioningState.UPDATING, RegionState.REPLICATING
    await play.hop()
    play.azure.provisioning, play.azure.states["eastus"] = ProvisioningState.FAILED, RegionState.FAILED
    await play.hop()
    assert play.azure.writes == 2


async def test_a_refused_repair_is_not_counted() -> None:
    play = Play()
    play.azure.refuses = refused()
    for _ in range(RULES.repairs + 3):
        assert isinstance(await play.hop(), Requeue)
    play.azure.refuses = None
    await play.hop()
    assert isinstance(play.command.state, Replicate)
    assert (play.command.state.repairs, play.azure.writes) == (1, 1)


async def test_a_refused_repair_is_told_with_azures_words() -> None:
    play = Play()
    play.azure.refuses = refused()
    step = await play.hop()
    assert isinstance(step, Requeue)
    assert "Removing the region is not allowed." in (step.stalled or "")


async def test_repairs_that_are_refused_for_ever_are_set_aside_at_the_deadline() -> None:
    play = Play()
    play.azure.refuses = refused()
    step = await play.until_it_ends()
    assert isinstance(step, Stalled)
    assert "eastus" in step.reason
    assert play.now - play.command.not_after < timedelta(minutes=31)


@pytest.mark.parametrize("words", ["ResourceNotFound", "NotFound"])
async def test_a_version_that_is_deleted_before_its_repair_is_looked_at_again(words: str) -> None:
    play = Play()
    play.azure.refuses = Refused(words, "was not found", 404)
    with pytest.raises(Conflict, match="existed when it was read"):
        await play.hop()
