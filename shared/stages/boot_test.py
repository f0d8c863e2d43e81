"""The boot test: creates a machine from the replica, checks it and deletes it, one step for each hop.

    create ─► provision ─► probe ─► restart ─► probe ─► console ─► delete ─► gone ─► the gate answers, or it starts over
                 └───────── failed, too late, or a dead console ─────────┘

* The command has the machine's name before the machine is created, so that cleanup can find it: law 7 (nothing is
  left behind).
* The verdict is returned only when the machine and all its parts are deleted.
* A platform failure restarts the test. An ambiguous failure restarts it once. A configuration error, such as a missing
  quota, stalls the branch, which retries.
* What is asked of a machine that is up is in ``boot_checks``, and how its answer is given in ``boot_verdict``.
* If capacity or quota is missing, the next size of the policy is tried, then each size in each zone. That never rejects
  the image.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.boot_test.failures import FailureCause, MachineFacts, failure_cause, lacks_capacity
from shared.domain.hop_states import (
    AwaitDeletion,
    AwaitProbe,
    AwaitProvisioning,
    AwaitReboot,
    CreateMachine,
    DeleteMachine,
    ReadConsole,
    carried,
)
from shared.domain.messages import Command
from shared.domain.outcomes import Decided, Finished, HopResult, Requeue
from shared.domain.release import Answer, Gate
from shared.ports import ForeignTarget, Hop, Refused, World
from shared.stages.boot_checks import await_probe, await_reboot, read_console, start_probe
from shared.stages.boot_hops import POLL, azure_time, dead_console, failed, pause_since, vanished, with_seconds
from shared.stages.boot_machine import Choice, choose
from shared.stages.boot_verdict import CONFIGURATION_POLL, PLATFORM_TRIES, answered, platform_again

FIRST_LOOK: Final = timedelta(seconds=75)
"""Few machines are ready sooner."""
DELETE_POLL: Final = timedelta(seconds=10)
NOT_REPLICATED_POLL: Final = timedelta(minutes=1)
ABSENCES: Final = 3
"""How many times Azure may accept a machine that does not exist afterwards, before that is a platform failure."""
PARTS_GRACE: Final = timedelta(minutes=5)


async def run(hop: Hop) -> HopResult:
    """One step of a boot test. For the smoke test the command has no ring, and the region is the version's home."""
    match hop.command.state:
        case CreateMachine() as state:
            return await _create(hop, state)
        case AwaitProvisioning() as state:
            return await _await_provisioning(hop, state)
        case AwaitProbe() as state:
            return await await_probe(hop, state)
        case AwaitReboot() as state:
            return await await_reboot(hop, state)
        case ReadConsole() as state:
            return await read_console(hop, state)
        case AwaitDeletion() as state:
            return await _still_there(state, hop.world, hop.now) or answered(hop, state)
        case DeleteMachine() as state:
            return await _delete(state, hop.world, hop.now)
        case state:
            raise TypeError(f"a boot test has no step {state}")


async def clean_up(command: Command, world: World, now: datetime) -> HopResult:
    """Delete the machine of a test whose result is no longer needed, and all its parts."""
    match command.state:
        case AwaitDeletion() as state:
            return await _still_there(state, world, now) or Finished(f"{state.vm} deleted")
        case DeleteMachine() as state:
            return await _delete(state, world, now)
        case state:
            raise TypeError(f"a clean-up has no step {state}")


# --- steps ------------------------------------------------------------------------------------------------------------


async def _create(hop: Hop, state: CreateMachine) -> HopResult:
    region = hop.command.region or hop.release.traits["location"]
    choice = await choose(hop, state, region)
    try:
        await hop.world.machines.create(choice.spec)
    except Refused as refused:
        return _refused(hop, state, refused, choice)
    asked = carried(
        AwaitProvisioning,
        state,
        region=region,
        size=str(choice.placement),
        began=hop.now,
        deadline=hop.now + hop.world.paced(hop.policy.boot.ready_within),
        machines=state.machines + 1,
    )
    return Requeue(asked, FIRST_LOOK, note=f"creating {state.vm} ({choice.placement}) in {region}")


def _refused(hop: Hop, state: CreateMachine, refused: Refused, choice: Choice) -> HopResult:
    """The platform did not take the request. Nothing was made, so nothing need be deleted."""
    whose = failure_cause(refused.code, refused.message)
    region = choice.spec.region
    text = f"{region}: {refused.code}: {refused.message[:400]}"
    since = state.since or hop.now
    state = replace(state, since=since)
    if lacks_capacity(refused.code, refused.message):
        state = replace(state, placement=0 if choice.is_last else state.placement + 1)
        if not choice.is_last:
            return Requeue(state, timedelta(0), note=f"{text}. The next size or zone after {choice.placement} is tried")
    if whose is FailureCause.NOT_REPLICATED:
        late = hop.now - since > hop.world.paced(hop.policy.boot.ready_within)
        return Requeue(state, NOT_REPLICATED_POLL, note=text, stalled=text if late else None)
    if whose is FailureCause.CONFIGURATION:
        return Requeue(state, CONFIGURATION_POLL, note=text, stalled=f"you must correct the configuration: {text}")
    if whose is FailureCause.IMAGE:
        return Decided(Gate.BOOT_TEST, Answer.REJECT, (text,), facts={"region": region, "code": refused.code})
    return platform_again(replace(state, tries=state.tries + 1), text, PLATFORM_TRIES + 1)


async def _await_provisioning(hop: Hop, state: AwaitProvisioning) -> HopResult:
    world, rules, now = hop.world, hop.policy.boot, hop.now
    machine = await world.machines.view(state.vm)
    if machine is None:
        return _absent(state)
    known = replace(state, parts=machine.parts or state.parts)
    if machine.failure_code:
        whose = failure_cause(machine.failure_code, machine.failure_message)
        text = f"{machine.failure_code}: {machine.failure_message[:600]}"
        next_placement = state.placement + lacks_capacity(machine.failure_code, machine.failure_message)
        return failed(replace(known, failed_at=now, placement=next_placement), whose, text)
    if machine.ready:
        return await start_probe(hop, _ready(hop, replace(known, parts=machine.parts), machine))
    if hop.moment.has_passed(state.deadline):
        minutes = rules.ready_within.total_seconds() / 60
        what = "agent not ready" if machine.os_provisioned else "operating system not provisioned"
        text = f"{what} within {minutes:.0f} minutes ({machine.agent or 'the agent reports no status'})"
        return failed(replace(known, failed_at=now), FailureCause.AMBIGUOUS, text)
    polls = state.polls + 1
    pause = pause_since(state.began or now, world, now)
    dead = await dead_console(hop, replace(known, failed_at=now), polls, pause)
    return dead or Requeue(replace(state, polls=polls, parts=machine.parts), pause)


def _ready(hop: Hop, state: AwaitProvisioning, machine: MachineFacts) -> AwaitProvisioning:
    """The state with how long it took: provisioning by Azure's own clock, the agent as it was seen."""
    took = azure_time(state.began or hop.now, hop.world, hop.now)
    state = replace(state, seconds=with_seconds(state, "agent", took), ready_at=hop.now, agent=machine.agent)
    if machine.provisioned_in is None:
        return state
    return replace(state, seconds=with_seconds(state, "provisioned", machine.provisioned_in * hop.world.pace))


def _absent(state: AwaitProvisioning) -> Requeue:
    absences = state.absences + 1
    if state.polls > 0 or absences > ABSENCES:
        return vanished(state, "while it was being created")
    # Azure accepted the request, but the machine does not exist. A repeated request has the same effect.
    return Requeue(carried(CreateMachine, state, absences=absences), POLL, note=f"{state.vm} does not exist")


async def _delete(state: DeleteMachine, world: World, now: datetime) -> HopResult:
    parts = state.parts
    if state.ready_at is None:  # a machine that is being created does not list all its parts
        machine = await world.machines.view(state.vm)
        parts = machine.parts if machine and machine.parts else parts
    await world.machines.delete(state.vm)
    return Requeue(carried(AwaitDeletion, state, parts=parts, deleted_at=now), DELETE_POLL)


async def _still_there(state: AwaitDeletion, world: World, now: datetime) -> HopResult | None:
    """The next hop while parts of the machine exist; None when all are deleted."""
    machine = await world.machines.view(state.vm)
    if machine is not None:
        if machine.provisioning_state.lower() == "deleting":
            return Requeue(state, pause_since(state.deleted_at, world, now))
        # The deletion failed. No other code deletes the machine before it expires.
        again = carried(DeleteMachine, state)
        return Requeue(again, DELETE_POLL, note=f"{state.vm} still exists: it is deleted again")
    # The machine is one of its parts, and was checked above.
    others = [part for part in state.parts if "/virtualmachines/" not in part.lower()]
    left = await world.machines.remaining(others)
    if not left:
        return None
    if now - state.deleted_at > world.paced(PARTS_GRACE):
        for part in left:
            try:
                await world.machines.delete_part(part)
            except ForeignTarget as foreign:
                text = f"a resource of the boot test remains, but Ringmaster cannot prove that it created it: {foreign}"
                return Requeue(state, CONFIGURATION_POLL, stalled=text)
    return Requeue(state, pause_since(state.deleted_at, world, now))
