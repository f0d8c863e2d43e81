"""The boot test: creates a machine from the replica, checks it and deletes it, one step for each hop.

    create ─► provision ─► probe ─► console ─► delete ─► gone ─► the gate answers, or the test starts over
                 └───── failed, too late, or a dead console ──────┘

* The command has the machine's name before the machine is created, so that cleanup can find it: law 7 (nothing is
  left behind).
* The verdict is returned only when the machine and all its parts are deleted.
* A platform failure restarts the test. An ambiguous failure restarts it once. A configuration error, such as a missing
  quota, stalls the branch, which retries.
* If capacity or quota is missing, the next size of the policy is tried, then each size in each zone. That never rejects
  the image.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.boot import FailureCause, MachineFacts, failure_cause, lacks_capacity
from shared.domain.console import judge_console
from shared.domain.hop_states import (
    AwaitDeletion,
    AwaitProbe,
    AwaitProvisioning,
    BootFailure,
    CreateMachine,
    DeleteMachine,
    MachineState,
    ReadConsole,
    carried,
)
from shared.domain.image_traits import SecurityType
from shared.domain.messages import Command
from shared.domain.outcomes import Decided, Finished, HopResult, Requeue, Stalled
from shared.domain.policy import BootRules
from shared.domain.probe import judge_probe
from shared.domain.probe_evidence import probe_rules
from shared.domain.release import Answer, Gate
from shared.ports import ForeignTarget, Hop, Refused, World
from shared.probes import probe_script
from shared.stages.boot_machine import Choice, choose, traits_for

FIRST_LOOK: Final = timedelta(seconds=75)
"""Few machines are ready sooner."""
POLL: Final = timedelta(seconds=10)
USUAL: Final = timedelta(minutes=3)
"""Most machines are ready, or deleted, within this time. After that, the polling interval is an eighth of the waiting
time, so that a machine that is never ready costs about fifty polls instead of hundreds."""
LONGEST_POLL: Final = timedelta(minutes=1)
PROBE_POLL: Final = timedelta(seconds=10)
DELETE_POLL: Final = timedelta(seconds=10)
CONSOLE_POLL: Final = timedelta(seconds=15)
CONSOLE_TRIES: Final = 12
"""A console log appears with a delay. If there is none after three minutes, that is a platform failure."""
EARLY_LOOK: Final = 5
"""Number of polls after which the console of an unready machine is read, to detect a panic before the timeout."""
NOT_REPLICATED_POLL: Final = timedelta(minutes=1)
CONFIGURATION_POLL: Final = timedelta(minutes=15)
PLATFORM_TRIES: Final = 3
AMBIGUOUS_TRIES: Final = 2
ABSENCES: Final = 3
"""How many times Azure may accept a machine that does not exist afterwards, before that is a platform failure."""
MOST_MACHINES: Final = 8
"""Maximum number of machines of a test that fail without a verdict. Then it stalls: law 13 (cost is bounded)."""
PLATFORM_PAUSE: Final = timedelta(minutes=2)
PARTS_GRACE: Final = timedelta(minutes=5)
_DEAD_CONSOLE: Final = "the console shows that the machine did not boot"


async def run(hop: Hop) -> HopResult:
    """One step of a boot test. For the smoke test the command has no ring, and the region is the version's home."""
    match hop.command.state:
        case CreateMachine() as state:
            return await _create(hop, state)
        case AwaitProvisioning() as state:
            return await _await_provisioning(hop, state)
        case AwaitProbe() as state:
            return await _await_probe(hop, state)
        case ReadConsole() as state:
            return await _read_console(hop, state)
        case AwaitDeletion() as state:
            return await _await_deletion(hop, state)
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
    return _platform_again(replace(state, tries=state.tries + 1), text, PLATFORM_TRIES + 1)


def _platform_again(state: CreateMachine, text: str, most: int, note: str | None = None) -> Requeue:
    """Retry after a platform failure. After ``most`` attempts, retry rarely, and mark the branch as stalled."""
    tired = state.tries >= most
    stalled = f"Azure fails repeatedly: {text}" if tired else None
    return Requeue(state, CONFIGURATION_POLL if tired else PLATFORM_PAUSE, note=note or text, stalled=stalled)


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
        return _failed(replace(known, failed_at=now, placement=next_placement), whose, text)
    if machine.ready:
        return await _start_probe(hop, replace(known, parts=machine.parts), machine)
    if hop.moment.has_passed(state.deadline):
        minutes = rules.ready_within.total_seconds() / 60
        what = "agent not ready" if machine.os_provisioned else "operating system not provisioned"
        text = f"{what} within {minutes:.0f} minutes ({machine.agent or 'the agent reports no status'})"
        return _failed(replace(known, failed_at=now), FailureCause.AMBIGUOUS, text)
    polls = state.polls + 1
    pause = _pause(state.began or now, world, now)
    if polls % EARLY_LOOK == 0 or pause == LONGEST_POLL:
        console = await world.machines.serial_log(state.vm)
        found = judge_console(console, rules) if console else None
        if found and found.reasons:
            return _failed(
                replace(known, failed_at=now), FailureCause.IMAGE, "the console shows that the machine did not boot"
            )
    return Requeue(replace(state, polls=polls, parts=machine.parts), pause)


def _pause(since: datetime, world: World, now: datetime) -> timedelta:
    """How long to wait before the next check of something that began at a time."""
    age = (now - since) * world.pace
    return POLL if age <= USUAL else min(age / 8, LONGEST_POLL)


def _absent(state: AwaitProvisioning) -> Requeue:
    absences = state.absences + 1
    if state.polls > 0 or absences > ABSENCES:
        return _vanished(state, "while it was being created")
    # Azure accepted the request, but the machine does not exist. A repeated request has the same effect.
    return Requeue(carried(CreateMachine, state, absences=absences), POLL, note=f"{state.vm} does not exist")


def _vanished(state: MachineState, when: str) -> Requeue:
    """The machine disappeared. Delete its remaining parts and restart the test, within the number of attempts."""
    text = f"{state.vm} disappeared {when}: it was deleted manually or by Azure"
    deleted = carried(DeleteMachine, state, reasons=(text,), blame=FailureCause.PLATFORM)
    return Requeue(deleted, timedelta(0), note=text)


async def _start_probe(hop: Hop, state: AwaitProvisioning, machine: MachineFacts) -> HopResult:
    os_type, within = traits_for(hop).os_type, hop.policy.boot.probe_within
    nonce = hop.world.nonce()
    name = f"probe-{nonce[:8]}"
    asked = carried(
        AwaitProbe,
        state,
        ready_at=hop.now,
        agent=machine.agent,
        nonce=nonce,
        probe=name,
        deadline=hop.now + hop.world.paced(within),
    )
    script = probe_script(os_type, nonce, hop.policy.boot)
    try:
        await hop.world.machines.start_probe(
            state.vm,
            name,
            region=state.region,
            script=script,
            os_type=os_type,
            within=within,
            tags=hop.policy.boot.tags,
        )
    except Refused as refused:
        if refused.status != 404:
            raise
        return _vanished(asked, "before the probe")
    return Requeue(asked, PROBE_POLL)


async def _await_probe(hop: Hop, state: AwaitProbe) -> HopResult:
    world, rules, traits = hop.world, hop.policy.boot, traits_for(hop)
    facts = await world.machines.probe(state.vm, state.probe or "")
    if facts is None and await world.machines.view(state.vm) is None:
        return _vanished(state, "during the probe")
    if facts is None or not facts.finished:
        if not hop.moment.has_passed(state.deadline + world.paced(PROBE_POLL * 3)):
            return Requeue(state, PROBE_POLL)
        minutes = rules.probe_within.total_seconds() / 60
        return _failed(state, FailureCause.AMBIGUOUS, f"the probe did not end within {minutes:.0f} minutes")
    verdict = judge_probe(
        facts,
        nonce=state.nonce or "",
        machine=state.vm,
        os_type=traits.os_type,
        os_state=traits.os_state,
        secure_boot=SecurityType.STANDARD not in traits.security_types,
        now=hop.now,
        rules=rules,
    )
    answered = replace(state, answers=dict(verdict.answers), warnings=tuple(verdict.warnings))
    if verdict.reasons:
        # Output of another version's script, or half of it, says nothing about the image.
        whose = FailureCause.IMAGE if verdict.finished else FailureCause.AMBIGUOUS
        return _failed(answered, whose, "; ".join(verdict.reasons))
    # The console is read in the same hop: it is complete by now.
    return await _read_console(hop, carried(ReadConsole, answered))


def _failed(state: MachineState, whose: FailureCause, text: str) -> Requeue:
    return Requeue(carried(ReadConsole, state, failure=BootFailure(whose, text)), timedelta(0))


async def _read_console(hop: Hop, state: ReadConsole) -> HopResult:
    """Read the console and determine the verdict. It is returned when the machine is deleted."""
    raw = await hop.world.machines.serial_log(state.vm)
    looks = state.looks + 1
    failure = state.failure
    # After a platform failure, there is often no console, and none is needed.
    tries = 1 if failure and failure.blame is FailureCause.PLATFORM else CONSOLE_TRIES
    if not raw and looks < tries:
        return Requeue(replace(state, looks=looks), CONSOLE_POLL)
    if not raw and failure is None:
        failure = BootFailure(
            FailureCause.PLATFORM, "the serial console could not be read, so there is no evidence of a clean boot"
        )
    found = judge_console(raw or b"", hop.policy.boot)
    reasons = ((failure.text,) if failure else ()) + tuple(f"console: {reason}" for reason in found.reasons)
    whose = FailureCause.IMAGE if found.reasons else failure.blame if failure else None
    lines = tuple(line[:300] for line in found.lines)
    return Requeue(carried(DeleteMachine, state, reasons=reasons, blame=whose, console=lines), timedelta(0))


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
            return Requeue(state, _pause(state.deleted_at, world, now))
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
    return Requeue(state, _pause(state.deleted_at, world, now))


async def _await_deletion(hop: Hop, state: AwaitDeletion) -> HopResult:
    waiting = await _still_there(state, hop.world, hop.now)
    if waiting is not None:
        return waiting
    reasons = tuple(f"{state.region}: {reason}" for reason in state.reasons)
    if state.blame is not None and state.blame is not FailureCause.IMAGE:
        again = _start_over(state, state.blame, reasons, hop.policy.boot)
        if again is not None:
            return again
    answer = Answer.REJECT if state.blame else Answer.PASS
    rules = _rules(hop.policy.boot, state.region) | probe_rules(traits_for(hop).os_type, hop.policy.boot)
    return Decided(Gate.BOOT_TEST, answer, reasons, facts=_facts(state), rules=rules, warnings=state.warnings)


def _facts(state: AwaitDeletion) -> dict[str, Any]:
    """Facts for the evidence. Unknown facts are omitted."""
    facts = {
        "vm": state.vm,
        "region": state.region,
        "vmSize": state.size,
        "began": state.began,
        "readyAt": state.ready_at,
        "failedAt": state.failed_at,
        "agent": state.agent,
        "probe": state.probe,
        "nonce": state.nonce,
        "answers": state.answers,
        "console": list(state.console) or None,
        "tries": state.tries or None,
        "deletedAt": state.deleted_at,
    }
    given = {name: fact for name, fact in facts.items() if fact is not None}
    return {name: fact.isoformat() if isinstance(fact, datetime) else fact for name, fact in given.items()}


def _rules(rules: BootRules, region: str) -> dict[str, Any]:
    sizes = rules.sizes_in(region)
    return {
        "vmSize": sizes[0] if len(sizes) == 1 else list(sizes),
        "readyWithinMinutes": rules.ready_within.total_seconds() / 60,
        "probeWithinMinutes": rules.probe_within.total_seconds() / 60,
        "serialFail": [each.pattern for each in rules.serial_fail],
        "serialIgnore": [each.pattern for each in rules.serial_ignore],
    }


def _start_over(
    state: AwaitDeletion, whose: FailureCause, reasons: tuple[str, ...], rules: BootRules
) -> Requeue | Stalled | None:
    """The test from the start, or None when an ambiguous failure has had its second chance."""
    tries = state.tries + 1
    if whose is FailureCause.AMBIGUOUS and tries >= AMBIGUOUS_TRIES:
        return None
    text = "; ".join(reasons)
    if state.machines >= MOST_MACHINES:
        fresh = CreateMachine(vm=_renamed(state.vm, tries))
        return Stalled(f"{state.machines} machines failed without a verdict on the image; last error: {text}", fresh)
    create = replace(carried(CreateMachine, state), vm=_renamed(state.vm, tries), tries=tries, absences=0)
    most = PLATFORM_TRIES + len(rules.sizes_in(state.region)) - 1
    return _platform_again(create, text, most, note=f"attempt {tries + 1}: {text}")


def _renamed(name: str, tries: int) -> str:
    # Azure releases a name only some time after deletion, so the last character of the name changes.
    return name[:-1] + format(tries % 16, "x")
