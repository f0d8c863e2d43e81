"""How a boot test answers: when the machine is gone, with the facts about it, or with another machine.

* A platform failure is no verdict on the image: the test starts over.
* An ambiguous failure is tried once more on a fresh machine. If that one passes, the verdict is a pass that says what
  the first one showed: a flake.
* A smoke test that boots a pair compares its two machines. All others are compared when the verdict is written, see
  ``shared.domain.boot_test.twins``.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.boot_test import twins
from shared.domain.boot_test.failures import FailureCause
from shared.domain.boot_test.identities import BootedMachine, shared
from shared.domain.boot_test.probe_evidence import probe_rules
from shared.domain.hop_states import AwaitDeletion, CreateMachine, carried
from shared.domain.outcomes import Decided, HopResult, Requeue, Stalled
from shared.domain.policy import BootRules, Twins
from shared.domain.release import Answer, Gate
from shared.ports import Hop
from shared.stages.boot_machine import traits_for

CONFIGURATION_POLL: Final = timedelta(minutes=15)
PLATFORM_PAUSE: Final = timedelta(minutes=2)
PLATFORM_TRIES: Final = 3
AMBIGUOUS_TRIES: Final = 2
MOST_MACHINES: Final = 8
"""Maximum number of machines of a test that fail without a verdict. Then it stalls: law 13 (cost is bounded)."""


def answered(hop: Hop, state: AwaitDeletion) -> HopResult:
    """The verdict of a machine that is gone, or the next machine."""
    rules = hop.policy.boot
    reasons = tuple(f"{state.region}: {reason}" for reason in state.reasons)
    if state.blame is not None and state.blame is not FailureCause.IMAGE:
        again = _start_over(state, state.blame, reasons, rules)
        if again is not None:
            return again
    traits = traits_for(hop)
    generalized = traits.os_state.lower() != "specialized"
    machine = _machine(state, generalized)
    if state.blame is None:
        if generalized and state.twin is None and hop.command.ring is None and rules.twins is Twins.PAIR:
            return _second(state, machine)
        reasons = _shared(machine, state.twin) if state.twin and rules.twins is not Twins.IGNORED else ()
    passed = state.blame is None and not reasons
    flakes = tuple(f"the boot test is flaky: {each}; the next machine passed" for each in state.flakes)
    return Decided(
        Gate.BOOT_TEST,
        Answer.PASS if passed else Answer.REJECT,
        reasons,
        facts=_facts(state, generalized),
        rules=_rules(rules, state.region) | probe_rules(traits.os_type, rules),
        warnings=(*state.warnings, *flakes) if passed else state.warnings,
        machine=machine if passed else None,
    )


def _machine(state: AwaitDeletion, generalized: bool) -> BootedMachine:
    seconds = {**(state.twin.seconds if state.twin else {}), **state.seconds}
    identities = dict(state.identities) if generalized else {}
    return BootedMachine(state.vm, state.region, state.size or "", identities, seconds)


def _second(state: AwaitDeletion, machine: BootedMachine) -> Requeue:
    create = CreateMachine(
        vm=_other_name(state.vm), machines=state.machines, placement=state.placement, flakes=state.flakes, twin=machine
    )
    return Requeue(create, timedelta(0), note=f"{state.vm} passed. A second machine is booted and compared with it")


def _shared(machine: BootedMachine, twin: BootedMachine) -> tuple[str, ...]:
    found = shared(twin.identities, machine.identities)
    return tuple(twins.texts(found, machine.vm, f"{twin.vm} (smoke test)"))


def _facts(state: AwaitDeletion, generalized: bool) -> dict[str, Any]:
    """Facts for the evidence. Unknown facts are omitted."""
    facts = {
        "vm": state.vm,
        "region": state.region,
        "vmSize": state.size,
        "began": state.began,
        "readyAt": state.ready_at,
        "failedAt": state.failed_at,
        "restartedAt": state.restarted_at,
        "agent": state.agent,
        "probe": state.probe,
        "nonce": state.nonce,
        "answers": state.answers,
        "console": list(state.console) or None,
        "seconds": dict(state.seconds) or None,
        "timesComparedWith": state.compared_with,
        "identities": dict(state.identities) or None,
        "identitiesNotCompared": None if generalized else "machines of a specialized image share them by design",
        "twin": None if state.twin is None else asdict(state.twin),
        "tries": state.tries or None,
        "flakes": list(state.flakes) or None,
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
        "console": rules.console.value,
        "consolePatterns": {name: each.value if each else "ignored" for name, each in rules.console_patterns.items()},
        "reboot": rules.reboot,
        "rebootWithinMinutes": rules.reboot_within.total_seconds() / 60,
        "twins": rules.twins.value,
        "maxSlowdown": rules.max_slowdown,
    }


# --- another machine --------------------------------------------------------------------------------------------------


def _start_over(
    state: AwaitDeletion, whose: FailureCause, reasons: tuple[str, ...], rules: BootRules
) -> Requeue | Stalled | None:
    """The test from the start, or None when an ambiguous failure has had its second chance."""
    tries, text, flakes = state.tries + 1, "; ".join(reasons), state.flakes
    if whose is FailureCause.AMBIGUOUS:
        if len(flakes) + 1 >= AMBIGUOUS_TRIES:
            return None
        flakes = (*flakes, f"{state.vm}: {text[:300]}")
    if state.machines >= MOST_MACHINES:
        fresh = CreateMachine(vm=_renamed(state.vm, tries), flakes=flakes, twin=state.twin)
        return Stalled(f"{state.machines} machines failed without a verdict on the image; last error: {text}", fresh)
    create = replace(
        carried(CreateMachine, state), vm=_renamed(state.vm, tries), tries=tries, absences=0, flakes=flakes
    )
    most = PLATFORM_TRIES + len(rules.sizes_in(state.region)) - 1
    return platform_again(create, text, most, note=f"attempt {tries + 1}: {text}")


def platform_again(state: CreateMachine, text: str, most: int, note: str | None = None) -> Requeue:
    """Retry after a platform failure. After ``most`` attempts, retry rarely, and mark the branch as stalled."""
    tired = state.tries >= most
    stalled = f"Azure fails repeatedly: {text}" if tired else None
    return Requeue(state, CONFIGURATION_POLL if tired else PLATFORM_PAUSE, note=note or text, stalled=stalled)


def _renamed(name: str, tries: int) -> str:
    # Azure releases a name only some time after deletion, so the last character of the name changes.
    return name[:-1] + format(tries % 16, "x")


def _other_name(name: str) -> str:
    """A name for the second machine that no attempt of the first one has."""
    return name[:-2] + format((int(name[-2], 16) + 8) % 16, "x") + "0"
