"""What is asked of a machine of a boot test that is up: the probe, the restart, the probe again, and the console.

    probe ─► console ─► restart ─► ready again ─► probe ─► console ─► delete

* The machine must come back from the restart by itself, pass the probe again, and be the same machine: another boot,
  with the same machine id and the same host keys. The boot id proves the restart. The agent's last report does not,
  because it stays for a while.
* The console is read before and after the restart. If nothing readable is on it, the policy says what that means.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from shared.domain.boot_test.console import ConsoleVerdict, judge_console
from shared.domain.boot_test.failures import FailureCause, failure_cause
from shared.domain.boot_test.identities import boot_mark, changed, read
from shared.domain.boot_test.probe import judge_probe
from shared.domain.hop_states import (
    AwaitProbe,
    AwaitReboot,
    BootFailure,
    DeleteMachine,
    MachineState,
    ReadConsole,
    carried,
)
from shared.domain.image_traits import SecurityType
from shared.domain.outcomes import HopResult, Requeue
from shared.domain.policy import ConsoleRule, SlowBoot
from shared.ports import Hop, Refused
from shared.probes import probe_script
from shared.stages.boot_hops import azure_time, dead_console, failed, pause_since, vanished, with_seconds
from shared.stages.boot_machine import traits_for
from shared.stages.boot_times import slower_phases

PROBE_POLL: Final = timedelta(seconds=10)
CONSOLE_POLL: Final = timedelta(seconds=15)
CONSOLE_TRIES: Final = 12
"""A console log appears with a delay: how often it is read where it is needed, which takes three minutes."""
EXPECTED_TRIES: Final = 4
"""How often it is read where a blank console is a warning. The machine has been up for a while by then."""
FIRST_LOOK_AGAIN: Final = timedelta(seconds=45)
"""Few machines are ready again sooner."""
BLANK: Final = "nothing readable is on the serial console"


async def start_probe(hop: Hop, state: MachineState) -> HopResult:
    """Start the probe on a machine whose agent is ready."""
    os_type, within = traits_for(hop).os_type, hop.policy.boot.probe_within
    nonce = hop.world.nonce()
    name = f"probe-{nonce[:8]}"
    asked = carried(
        AwaitProbe,
        state,
        nonce=nonce,
        probe=name,
        asked_at=hop.now,
        deadline=hop.now + hop.world.paced(within),
    )
    script = probe_script(os_type, nonce, hop.policy.boot, restarted=state.restarted_at is not None)
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
        return vanished(asked, "before the probe")
    return Requeue(asked, PROBE_POLL)


async def await_probe(hop: Hop, state: AwaitProbe) -> HopResult:
    """Wait for the probe, and judge what it printed."""
    world, rules, traits = hop.world, hop.policy.boot, traits_for(hop)
    facts = await world.machines.probe(state.vm, state.probe or "")
    if facts is None and await world.machines.view(state.vm) is None:
        return vanished(state, "during the probe")
    if facts is None or not facts.finished:
        if not hop.moment.has_passed(state.deadline + world.paced(PROBE_POLL * 3)):
            return Requeue(state, PROBE_POLL)
        minutes = rules.probe_within.total_seconds() / 60
        return failed(state, FailureCause.AMBIGUOUS, f"the probe did not end within {minutes:.0f} minutes")
    verdict = judge_probe(
        facts,
        nonce=state.nonce or "",
        machine=state.vm,
        os_type=traits.os_type,
        os_state=traits.os_state,
        secure_boot=SecurityType.STANDARD not in traits.security_types,
        now=hop.now,
        rules=rules,
        restarted=state.restarted_at is not None,
    )
    warnings = tuple(dict.fromkeys((*state.warnings, *verdict.warnings)))
    # The probe after the restart does not repeat the checks of the first boot: their answers stay.
    answered = replace(state, answers={**(state.answers or {}), **verdict.answers}, warnings=warnings)
    if verdict.reasons:
        # Output of another version's script, or half of it, says nothing about the image.
        whose = FailureCause.IMAGE if verdict.finished else FailureCause.AMBIGUOUS
        when = "" if state.restarted_at is None else "after the restart: "
        return failed(answered, whose, when + "; ".join(verdict.reasons))
    return await _proven(hop, answered)


async def _proven(hop: Hop, state: AwaitProbe) -> HopResult:
    """The machine passed the probe. After the restart, it must also be the same machine in another boot."""
    answers = state.answers or {}
    identities, mark = read(answers), boot_mark(answers)
    if state.restarted_at is None:
        took = azure_time(state.asked_at or hop.now, hop.world, hop.now)
        state = replace(state, identities=identities, mark=mark, seconds=with_seconds(state, "probe", took))
    else:
        if state.mark is not None and mark == state.mark:
            return _not_restarted(hop, state)
        if lost := changed(state.identities, identities):
            text = ", ".join(each.words for each in lost)
            why = "something in the image makes it anew at each boot"
            return failed(state, FailureCause.IMAGE, f"the restart changed {text}: {why}")
    # The console is read in the same hop: it is complete by now.
    return await read_console(hop, carried(ReadConsole, state))


def _not_restarted(hop: Hop, state: AwaitProbe) -> HopResult:
    """The probe ran in the boot from before the restart: the restart has not begun, or had no effect."""
    back_by = state.back_by or hop.now
    if not hop.moment.has_passed(back_by):
        return Requeue(carried(AwaitReboot, state, deadline=back_by), CONSOLE_POLL)
    minutes = hop.policy.boot.reboot_within.total_seconds() / 60
    text = f"the machine did not restart within {minutes:.0f} minutes: it is still in the same boot"
    return failed(state, FailureCause.AMBIGUOUS, text)


# --- restart ----------------------------------------------------------------------------------------------------------


async def _restart(hop: Hop, state: MachineState) -> HopResult:
    try:
        await hop.world.machines.restart(state.vm)
    except Refused as refused:
        if refused.status == 404:
            return vanished(state, "before its restart")
        text = f"Azure refused the restart: {refused.code}: {refused.message[:400]}"
        return failed(state, failure_cause(refused.code, refused.message), text)
    back_by = hop.now + hop.world.paced(hop.policy.boot.reboot_within)
    asked = carried(AwaitReboot, state, restarted_at=hop.now, back_by=back_by, deadline=back_by)
    return Requeue(asked, FIRST_LOOK_AGAIN, note=f"restarting {state.vm} in {state.region}")


async def await_reboot(hop: Hop, state: AwaitReboot) -> HopResult:
    """Wait until the restarted machine is ready again."""
    machine = await hop.world.machines.view(state.vm)
    if machine is None:
        return vanished(state, "during its restart")
    since = state.restarted_at or hop.now
    if machine.failure_code:
        whose = failure_cause(machine.failure_code, machine.failure_message)
        text = f"the restart failed: {machine.failure_code}: {machine.failure_message[:600]}"
        return failed(replace(state, failed_at=hop.now), whose, text)
    if machine.ready and machine.provisioning_state.lower() == "succeeded":
        took = azure_time(since, hop.world, hop.now)
        return await start_probe(hop, replace(state, seconds=with_seconds(state, "reboot", took)))
    if hop.moment.has_passed(state.deadline):
        minutes = hop.policy.boot.reboot_within.total_seconds() / 60
        text = (
            f"the machine did not come back from its restart within {minutes:.0f} minutes "
            f"({machine.agent or 'the agent reports no status'})"
        )
        return failed(replace(state, failed_at=hop.now), FailureCause.AMBIGUOUS, text)
    polls, pause = state.polls + 1, pause_since(since, hop.world, hop.now)
    dead = await dead_console(hop, replace(state, failed_at=hop.now), polls, pause)
    return dead or Requeue(replace(state, polls=polls), pause)


def _is_restarted_next(hop: Hop, state: ReadConsole) -> bool:
    ring = None if hop.command.ring is None else hop.policy.ring(hop.command.ring)
    # The second machine of a pair has no other question to answer than whether it differs from the first.
    return state.failure is None and state.restarted_at is None and state.twin is None and hop.policy.boot.reboots(ring)


# --- console ----------------------------------------------------------------------------------------------------------


async def read_console(hop: Hop, state: ReadConsole) -> HopResult:
    """Read the console. Then restart the machine, or settle the verdict, which is returned when it is deleted."""
    rules = hop.policy.boot
    if rules.console is ConsoleRule.IGNORED:
        found = ConsoleVerdict()
    else:
        found = judge_console(await hop.world.machines.serial_log(state.vm) or b"", rules)
    state = replace(state, looks=state.looks + 1, has_console=state.has_console or not found.blank)
    restarts = not found.reasons and _is_restarted_next(hop, state)
    if restarts:
        return await _restart(hop, _with_console_warnings(hop, state, found))
    if not state.has_console and state.looks < _tries(state, rules.console):
        return Requeue(state, CONSOLE_POLL)
    return await _settle(hop, _with_console_warnings(hop, state, found), found)


def _tries(state: ReadConsole, rule: ConsoleRule) -> int:
    if state.failure is not None:
        # After a platform failure, there is often no console, and none is needed.
        return 1 if state.failure.blame is FailureCause.PLATFORM else CONSOLE_TRIES
    return CONSOLE_TRIES if rule is ConsoleRule.REQUIRED else EXPECTED_TRIES


def _with_console_warnings(hop: Hop, state: ReadConsole, found: ConsoleVerdict) -> ReadConsole:
    """The state with warnings of patterns that the policy made warnings. Healthy machines print the others, too."""
    own = [each for each in found.warnings if each.pattern in hop.policy.boot.console_patterns]
    texts = (f"console: {each.pattern}: {each.text[:200]}" for each in own)
    return replace(state, warnings=tuple(dict.fromkeys((*state.warnings, *texts))))


async def _settle(hop: Hop, state: ReadConsole, found: ConsoleVerdict) -> HopResult:
    rules, failure, warnings = hop.policy.boot, state.failure, state.warnings
    if failure is None and not state.has_console and rules.console is ConsoleRule.REQUIRED:
        text = f"{BLANK}, and the policy requires it: the kernel may lack console=ttyS0"
        failure = BootFailure(FailureCause.AMBIGUOUS, text)
    elif failure is None and not state.has_console and rules.console is ConsoleRule.EXPECTED:
        warnings = (*warnings, f"{BLANK} in {state.region}: a failed boot would leave no trace there")
    compared_with = None
    if failure is None and not found.reasons:
        slow = await slower_phases(hop, state)
        compared_with = slow.compared_with
        if slow.texts and rules.on_slow_boot is SlowBoot.REJECT:
            failure = BootFailure(FailureCause.AMBIGUOUS, "; ".join(slow.texts))
        else:
            warnings = (*warnings, *slow.texts)
    reasons = ((failure.text,) if failure else ()) + tuple(f"console: {reason}" for reason in found.reasons)
    deleted = carried(
        DeleteMachine,
        state,
        warnings=warnings,
        reasons=reasons,
        blame=FailureCause.IMAGE if found.reasons else failure.blame if failure else None,
        console=tuple(line[:300] for line in found.lines),
        compared_with=compared_with,
    )
    return Requeue(deleted, timedelta(0))
