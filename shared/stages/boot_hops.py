"""What the steps of a boot test have in common: how long they wait, and how they end."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from shared.domain.boot_test.console import judge_console
from shared.domain.boot_test.failures import FailureCause
from shared.domain.hop_states import BootFailure, DeleteMachine, MachineState, ReadConsole, carried
from shared.domain.outcomes import Requeue
from shared.domain.policy import ConsoleRule
from shared.ports import Hop, World

POLL: Final = timedelta(seconds=10)
USUAL: Final = timedelta(minutes=3)
"""Most machines are ready, or deleted, within this time. After that, the polling interval is an eighth of the waiting
time, so that a machine that is never ready costs about fifty polls instead of hundreds."""
LONGEST_POLL: Final = timedelta(minutes=1)
EARLY_LOOK: Final = 5
"""Number of polls after which the console of an unready machine is read, to detect a panic before the timeout."""


def pause_since(since: datetime, world: World, now: datetime) -> timedelta:
    """How long to wait before the next check of something that began at a time."""
    age = azure_time(since, world, now)
    return POLL if age <= USUAL else min(age / 8, LONGEST_POLL)


def azure_time(since: datetime, world: World, now: datetime) -> timedelta:
    """How long something has taken: in Azure's own time, which is faster in the local stack."""
    return (now - since) * world.pace


def with_seconds(state: MachineState, phase: str, took: timedelta) -> dict[str, int]:
    """The durations of the phases, with one more."""
    return {**state.seconds, phase: max(0, round(took.total_seconds()))}


def failed(state: MachineState, whose: FailureCause, text: str) -> Requeue:
    """The test of this machine has failed. Its console is read next."""
    return Requeue(carried(ReadConsole, state, looks=0, failure=BootFailure(whose, text)), timedelta(0))


def vanished(state: MachineState, when: str) -> Requeue:
    """The machine disappeared. Delete its remaining parts and restart the test, within the number of attempts."""
    text = f"{state.vm} disappeared {when}: it was deleted manually or by Azure"
    deleted = carried(DeleteMachine, state, reasons=(text,), blame=FailureCause.PLATFORM)
    return Requeue(deleted, timedelta(0), note=text)


async def dead_console(hop: Hop, state: MachineState, polls: int, pause: timedelta) -> Requeue | None:
    """The failure that the console of an unready machine shows, if it is time to read it."""
    rules = hop.policy.boot
    if rules.console is ConsoleRule.IGNORED or not (polls % EARLY_LOOK == 0 or pause == LONGEST_POLL):
        return None
    console = await hop.world.machines.serial_log(state.vm)
    found = judge_console(console, rules) if console else None
    if found is None or not found.reasons:
        return None
    when = "did not boot" if state.restarted_at is None else "did not boot again after its restart"
    return failed(state, FailureCause.IMAGE, f"the console shows that the machine {when}")
