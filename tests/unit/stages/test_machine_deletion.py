"""A machine's deletion is taken by Azure and may fail afterwards; whoever waits for it must ask again."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from shared.domain.boot_test.failures import MachineFacts
from shared.domain.hop_states import AwaitDeletion, DeleteMachine
from shared.domain.image import VersionId
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Finished, HopResult, Requeue
from shared.domain.policy import Policy, TestEnvironment
from shared.ports import ForeignTarget, World
from shared.stages import boot_test

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
NAME = "rm-000000000000"
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/g/images/i/versions/1.0.0"
)


class FailingDeletions:
    """A machine of which the first deletions are accepted and come to nothing."""

    def __init__(self, failures: int) -> None:
        self.failures, self.asked, self.state = failures, 0, "Succeeded"

    async def view(self, name: str) -> MachineFacts | None:
        assert name == NAME
        if self.state == "Gone":
            return None
        shown, self.state = self.state, self._next()
        return MachineFacts(name, shown, parts=("/vm",))

    def _next(self) -> str:
        if self.state != "Deleting":
            return self.state
        return "Failed" if self.asked <= self.failures else "Gone"

    async def delete(self, name: str) -> None:
        self.asked, self.state = self.asked + 1, "Deleting"

    async def remaining(self, parts: Sequence[str]) -> Sequence[str]:
        return ()


async def hop(machines: FailingDeletions, state: DeleteMachine | AwaitDeletion, now: datetime) -> HopResult:
    port = cast(Any, machines)
    policy = Policy(TestEnvironment("s", "rg", "subnet"), {})
    nobody = cast(Any, None)
    world = World(nobody, port, nobody, nobody, nobody, nobody, policy)
    command = Command(Kind.CLEAN_UP, VERSION, seq=1, not_after=NOW + timedelta(days=1), state=state)
    return await boot_test.clean_up(command, world, now)


async def cleaned(
    machines: FailingDeletions, state: DeleteMachine | AwaitDeletion | None = None
) -> tuple[HopResult, timedelta]:
    following: Any = state or DeleteMachine(vm=NAME)
    now = NOW
    for _ in range(30):
        step = await hop(machines, following, now)
        if not isinstance(step, Requeue):
            return step, now - NOW
        following, now = step.state, now + step.after
    raise AssertionError(f"still waiting after {now - NOW}")


async def test_a_deletion_that_failed_is_asked_for_again_within_a_minute() -> None:
    machines = FailingDeletions(failures=1)
    step, took = await cleaned(machines)
    assert (type(step), machines.asked) == (Finished, 2)
    assert took <= timedelta(minutes=2)


async def test_a_deletion_under_way_is_not_asked_for_twice() -> None:
    machines = FailingDeletions(failures=0)
    await cleaned(machines)
    assert machines.asked == 1


# --- what was made with a machine -------------------------------------------------------------------------------------

GROUP = "/subscriptions/s/resourcegroups/rg/providers"
MACHINE = f"{GROUP}/microsoft.compute/virtualmachines/rm-000000000000"
DISK = f"{GROUP}/microsoft.compute/disks/rm-000000000000-os"
INTERFACE = f"{GROUP}/microsoft.network/networkinterfaces/rm-000000000000-nic"


class LeavesOne(FailingDeletions):
    """A machine whose deletion leaves one of its parts behind, until that is deleted by itself."""

    def __init__(self, left: str) -> None:
        super().__init__(failures=0)
        self.left = {left}

    async def remaining(self, parts: Sequence[str]) -> Sequence[str]:
        return [part for part in parts if part in self.left]

    async def delete_part(self, resource_id: str) -> None:
        self.left.discard(resource_id)


@pytest.mark.parametrize("left", [DISK, INTERFACE])
async def test_a_machine_is_gone_when_all_that_was_made_with_it_is_gone(left: str) -> None:
    machines = LeavesOne(left)
    machines.state = "Gone"
    state = AwaitDeletion(vm=NAME, parts=(MACHINE, DISK, INTERFACE), deleted_at=NOW)
    step, took = await cleaned(machines, state)
    assert (type(step), machines.left) == (Finished, set())
    assert took > boot_test.PARTS_GRACE


class LeavesForeign(LeavesOne):
    """A machine that leaves a part behind that nothing proves to be ours."""

    async def delete_part(self, resource_id: str) -> None:
        raise ForeignTarget(f"{resource_id} has no tag")


async def test_a_part_that_is_not_proven_ours_is_left_and_told_until_somebody_deletes_it() -> None:
    machines = LeavesForeign(DISK)
    machines.state = "Gone"
    state = AwaitDeletion(vm=NAME, parts=(MACHINE, DISK), deleted_at=NOW)
    step = await hop(machines, state, NOW + boot_test.PARTS_GRACE + timedelta(seconds=1))
    assert isinstance(step, Requeue)
    assert (step.state, step.after) == (state, boot_test.CONFIGURATION_POLL)
    assert step.stalled is not None
    assert f"{DISK} has no tag" in step.stalled
