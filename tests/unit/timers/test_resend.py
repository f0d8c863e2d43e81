"""Commands that no queue seems to have are sent again, and do not pile up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.memory.ledger import MemoryLedger
from shared.adapters.memory.queues import MemoryQueues
from shared.domain.image import VersionId
from shared.domain.messages import Command, Kind
from shared.domain.policy import Policy, TestEnvironment
from shared.domain.release import Pending, Release, State
from shared.ports import OwnMachine, World
from shared.timers import reconcile
from shared.timers.reconcile import OVERDUE_GRACE, UNSENT_GRACE

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ROUND = timedelta(minutes=5)
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/g/images/i/versions/1.0.0"
)
WAITING = Pending(Command(Kind.SCAN, VERSION, seq=1, not_after=NOW + timedelta(days=30)), NOW, sent=True)


class NoMachines:
    async def ours(self) -> list[OwnMachine]:
        return []


async def rounds(pending: Pending, *times: datetime) -> list[int]:
    """How many messages each round sends, of a queue from which nobody receives any."""
    clock = [NOW]
    queues, ledger = MemoryQueues(lambda: clock[0]), MemoryLedger()
    nothing: Any = None
    machines: Any = NoMachines()
    world = World(nothing, machines, queues, ledger, nothing, nothing, Policy(TestEnvironment("s", "rg", "subnet"), {}))
    await ledger.insert(Release(VERSION, State.QUALIFYING, 1, "d", NOW, NOW, pending={"scan": pending}))
    sent: list[int] = []
    for clock[0] in times:
        before = len(queues)
        done = await reconcile.run(world, now=clock[0])
        sent.append(len(queues) - before)
        assert len(done.resent) == sent[-1]
    return sent


async def test_an_overdue_command_is_sent_once_in_the_time_that_makes_it_overdue() -> None:
    late = NOW + OVERDUE_GRACE
    every_round = [late + n * ROUND for n in range(11)]
    assert await rounds(WAITING, *every_round) == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(("after", "sent"), [(OVERDUE_GRACE - timedelta(seconds=1), 0), (OVERDUE_GRACE, 1)])
async def test_a_command_is_overdue_after_its_grace(after: timedelta, sent: int) -> None:
    assert await rounds(WAITING, NOW + after) == [sent]


@pytest.mark.parametrize(("after", "sent"), [(UNSENT_GRACE - timedelta(seconds=1), 0), (UNSENT_GRACE, 1)])
async def test_a_command_that_was_never_sent_is_sent_after_a_minute(after: timedelta, sent: int) -> None:
    unsent = replace(WAITING, sent=False, due=NOW + timedelta(days=1), decided_at=NOW)
    assert await rounds(unsent, NOW + after, NOW + after + ROUND) == [sent, 1 - sent]


async def test_a_command_that_waits_for_people_is_not_sent() -> None:
    assert await rounds(replace(WAITING, parked=True), NOW + timedelta(days=9)) == [0]
