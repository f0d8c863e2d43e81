"""What becomes of a boot test whose machine Azure does not make."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.boot_test.machine_sizes import Sizes
from shared.domain.hop_states import CreateMachine
from shared.domain.image import VersionId
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Decided, HopResult, Requeue
from shared.domain.policy import (
    DefinitionPolicy,
    Policy,
    RegionTarget,
    Ring,
    ScanRules,
    Severity,
    TestEnvironment,
)
from shared.domain.release import Answer, Gate, Release, State
from shared.ports import Hop, MachineSpec, Refused, World
from shared.stages import boot_test

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/gal/images/d/versions/1.0.0"
)
RING = Ring("canary", VERSION.definition, (RegionTarget("westeurope"),))
POLICY = DefinitionPolicy("d", VERSION.definition, (RING,), ScanRules({Severity.CRITICAL: 0}), digest="p1")
RELEASE = Release(
    VERSION,
    State.TESTING,
    3,
    "p1",
    NOW,
    NOW,
    incarnation=NOW.isoformat(),
    ring="canary",
    traits={"osType": "Linux", "osState": "Generalized", "location": "westeurope"},
)


async def refused(code: str, since: datetime | None = None) -> HopResult:
    """The hop that asks for a machine, which Azure refuses."""

    class Machines:
        async def sizes(self, region: str) -> Sizes:
            return {}

        async def create(self, spec: MachineSpec) -> None:
            raise Refused(code, "no", 400)

    machines: Any = Machines()
    nothing: Any = None
    policy = Policy(TestEnvironment("s", "rg", "subnet"), {})
    world = World(nothing, machines, nothing, nothing, nothing, nothing, policy)
    state = CreateMachine(vm="rm-000000000000", since=since)
    command = Command(
        Kind.BOOT_TEST, VERSION, 3, NOW + timedelta(hours=1), ring="canary", region="westeurope", state=state
    )
    return await boot_test.run(Hop(command, RELEASE, POLICY, world, NOW))


async def test_what_the_image_is_to_blame_for_rejects_it_with_the_code_as_evidence() -> None:
    assert await refused("OSProvisioningClientError") == Decided(
        Gate.BOOT_TEST,
        Answer.REJECT,
        ("westeurope: OSProvisioningClientError: no",),
        facts={"region": "westeurope", "code": "OSProvisioningClientError"},
    )


@pytest.mark.parametrize(
    ("since", "is_late"),
    [
        (None, False),
        (NOW - POLICY.boot.ready_within, False),
        (NOW - POLICY.boot.ready_within - timedelta(seconds=1), True),
    ],
)
async def test_a_replica_that_no_machine_finds_is_waited_for_since_the_first_try(
    since: datetime | None, is_late: bool
) -> None:
    step = await refused("GalleryImageNotFound", since)
    assert isinstance(step, Requeue)
    assert isinstance(step.state, CreateMachine)
    assert (step.state.since, step.stalled is not None) == (since or NOW, is_late)
