"""The boot test: a machine from the replica, until it is gone again; one step a hop.

    create ─► provision ─► probe ─► console ─► delete ─► gone ─► the gate answers, or the test starts over
                 └───── failed, too late, or a dead console ──────┘

* The machine's name is in the command before anything is made, so that whoever cleans up knows it (law 7).
* The verdict is carried through deletion and given only when the machine and everything it was made of is gone.
* A fault of the platform starts the test over; an ambiguous one does so once; quota and the like wait for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.boot import Blame, MachineFacts, blame
from shared.domain.console import judge_console
from shared.domain.image import VersionId
from shared.domain.messages import Command
from shared.domain.policy import BootRules, DefinitionPolicy
from shared.domain.probe import judge_probe, probe_script
from shared.domain.release import Answer, Gate, Release
from shared.ports import ForeignTarget, MachineSpec, Refused, World
from shared.stages.steps import Again, Decided, Finished, Step

FIRST_LOOK: Final = timedelta(seconds=75)
"""Few machines are made, booted and heard of by their agent sooner."""
POLL: Final = timedelta(seconds=10)
USUAL: Final = timedelta(minutes=3)
"""Most machines are ready, and gone, within that time. What takes longer is looked at less and less often, at an eighth
of its age: one that is never ready costs some fifty looks instead of hundreds, and nobody waits an eighth longer."""
LONGEST_POLL: Final = timedelta(minutes=1)
PROBE_POLL: Final = timedelta(seconds=10)
DELETE_POLL: Final = timedelta(seconds=10)
CONSOLE_POLL: Final = timedelta(seconds=15)
CONSOLE_TRIES: Final = 12
"""A console log is 404 right after creation and lags; after three minutes without one, the platform is to blame."""
EARLY_LOOK: Final = 5
"""Every so many polls of a machine that isn't ready, its console is read: a panic need not wait for the time-out."""
NOT_REPLICATED_POLL: Final = timedelta(minutes=1)
CONFIGURATION_POLL: Final = timedelta(minutes=15)
PLATFORM_TRIES: Final = 3
AMBIGUOUS_TRIES: Final = 2
ABSENCES: Final = 3
"""How often a machine may be accepted and not be there before that counts as a failure of the platform."""
PLATFORM_PAUSE: Final = timedelta(minutes=2)
EXPIRY_MARGIN: Final = timedelta(hours=2)
PARTS_GRACE: Final = timedelta(minutes=5)


async def run(command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime) -> Step:
    """One step of a boot test. For the smoke test ``command.ring`` is None and the region is the version's home."""
    match command.state["step"]:
        case "create":
            return await _create(command, release, policy, world, now)
        case "provision":
            return await _provision(command, release, policy.boot, world, now)
        case "probe":
            return await _probe(command, release, policy.boot, world, now)
        case "console":
            return await _console(command, policy.boot, world)
        case "delete":
            return await _delete(command, world, now)
        case "gone":
            return await _gone(command, policy.boot, world, now)
        case step:
            raise ValueError(f"a boot test has no step {step!r}")


async def clean_up(command: Command, world: World, now: datetime) -> Step:
    """Delete the machine of a test that no longer matters, until nothing of it is left."""
    if command.state["step"] == "delete":
        return await _delete(command, world, now)
    return await _still_there(command, world, now) or Finished(f"{command.state['vm']} deleted")


# --- steps ------------------------------------------------------------------------------------------------------------


async def _create(command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime) -> Step:
    rules = policy.boot
    region = command.region or release.traits["location"]
    try:
        await world.machines.create(_spec(command, release, policy, world, now, region))
    except Refused as refused:
        return _refused(command, refused, now, world, rules, region)
    state = {
        **command.state,
        "step": "provision",
        "region": region,
        "began": now.isoformat(),
        "deadline": (now + world.paced(rules.ready_within)).isoformat(),
        "polls": 0,
    }
    return Again(state, FIRST_LOOK, note=f"{command.state['vm']} asked for in {region}")


def _spec(
    command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime, region: str
) -> MachineSpec:
    traits = release.traits
    bounds = policy.boot.ready_within + policy.boot.probe_within + EXPIRY_MARGIN
    return MachineSpec(
        name=command.state["vm"],
        region=region,
        image=_image(command, release, policy),
        os_type=traits["osType"],
        os_state=traits["osState"],
        architecture=traits.get("architecture", "x64"),
        vm_size=policy.boot.vm_size,
        release=f"{release.version}",
        expires=now + world.paced(bounds),
        trusted_launch=traits.get("trustedLaunch") == "yes",
        data_disks=int(traits.get("dataDisks", "0")),
        data_disk_luns=tuple(int(lun) for lun in traits.get("dataDiskLuns", "").split()),
    )


def _image(command: Command, release: Release, policy: DefinitionPolicy) -> VersionId:
    if command.ring is None:
        return release.version
    return policy.ring(command.ring).definition.version(release.version.number)


def _refused(command: Command, refused: Refused, now: datetime, world: World, rules: BootRules, region: str) -> Step:
    """The platform did not take the request. Nothing was made, so nothing need be deleted."""
    whose = blame(refused.code, refused.message)
    text = f"{region}: {refused.code}: {refused.message[:400]}"
    since = datetime.fromisoformat(command.state.get("since", now.isoformat()))
    state = {**command.state, "since": since.isoformat()}
    if whose is Blame.NOT_REPLICATED:
        late = now - since > world.paced(rules.ready_within)
        return Again(state, NOT_REPLICATED_POLL, note=text, stalled=text if late else None)
    if whose is Blame.CONFIGURATION:
        return Again(state, CONFIGURATION_POLL, note=text, stalled=f"needs people: {text}")
    if whose is Blame.IMAGE:
        return Decided(Gate.BOOT_TEST, Answer.REJECT, (text,), facts={"region": region, "code": refused.code})
    tries = int(state.get("tries", 0)) + 1
    tired = tries > PLATFORM_TRIES
    pause = CONFIGURATION_POLL if tired else PLATFORM_PAUSE
    return Again(
        {**state, "tries": tries}, pause, note=text, stalled=f"the platform keeps failing: {text}" if tired else None
    )


async def _provision(command: Command, release: Release, rules: BootRules, world: World, now: datetime) -> Step:
    state = command.state
    machine = await world.machines.view(state["vm"])
    if machine is None:
        return _absent(state)
    if machine.failure_code:
        whose = blame(machine.failure_code, machine.failure_message)
        text = f"{machine.failure_code}: {machine.failure_message[:600]}"
        return _to_console(state, machine, whose, text, now)
    if machine.ready:
        return await _start_probe(command, release, rules, world, machine, now)
    if now > datetime.fromisoformat(state["deadline"]):
        minutes = rules.ready_within.total_seconds() / 60
        what = "agent not ready" if machine.os_provisioned else "operating system not provisioned"
        text = f"{what} within {minutes:.0f} minutes ({machine.agent or 'agent silent'})"
        return _to_console(state, machine, Blame.AMBIGUOUS, text, now)
    polls = int(state["polls"]) + 1
    going = {**state, "polls": polls, "parts": list(machine.parts)}
    pause = _pause(state["began"], world, now)
    if polls % EARLY_LOOK == 0 or pause == LONGEST_POLL:
        console = await world.machines.serial_log(state["vm"])
        found = judge_console(console, rules) if console else None
        if found and found.reasons:
            return _to_console(going, machine, Blame.IMAGE, "the console shows a dead boot", now)
    return Again(going, pause)


def _pause(since: str, world: World, now: datetime) -> timedelta:
    """How long until the next look at what began then."""
    age = (now - datetime.fromisoformat(since)) * world.pace
    return POLL if age <= USUAL else min(age / 8, LONGEST_POLL)


def _absent(state: Mapping[str, Any]) -> Again:
    absences = int(state.get("absences", 0)) + 1
    if int(state["polls"]) > 0 or absences > ABSENCES:
        return _vanished(state, "while it was made")
    # Accepted, and not there: ask again, which is asking once.
    return Again({**state, "step": "create", "absences": absences}, POLL, note=f"{state['vm']} is not there")


def _vanished(state: Mapping[str, Any], when: str) -> Again:
    """The machine is gone, and not by us: what is left of it is deleted, and the test starts over, within its tries."""
    text = f"{state['vm']} vanished {when}: somebody deleted it, or the platform lost it"
    deleted = {**state, "step": "delete", "reasons": [text], "blame": Blame.PLATFORM.value}
    return Again(deleted, timedelta(0), note=text)


async def _start_probe(
    command: Command, release: Release, rules: BootRules, world: World, machine: MachineFacts, now: datetime
) -> Step:
    nonce = world.nonce()
    name = f"probe-{nonce[:8]}"
    state = {
        **command.state,
        "step": "probe",
        "parts": list(machine.parts),
        "readyAt": now.isoformat(),
        "agent": machine.agent,
        "nonce": nonce,
        "probe": name,
        "deadline": (now + world.paced(rules.probe_within)).isoformat(),
    }
    try:
        await world.machines.start_probe(
            command.state["vm"],
            name,
            region=command.state["region"],
            script=probe_script(release.traits["osType"], nonce),
            os_type=release.traits["osType"],
            within=rules.probe_within,
        )
    except Refused as refused:
        if refused.status != 404:
            raise
        return _vanished(state, "before its probe")
    return Again(state, PROBE_POLL)


async def _probe(command: Command, release: Release, rules: BootRules, world: World, now: datetime) -> Step:
    state = command.state
    facts = await world.machines.probe(state["vm"], state["probe"])
    if facts is None and await world.machines.view(state["vm"]) is None:
        return _vanished(state, "during its probe")
    if facts is None or not facts.finished:
        if now <= datetime.fromisoformat(state["deadline"]) + world.paced(PROBE_POLL * 3):
            return Again(state, PROBE_POLL)
        minutes = rules.probe_within.total_seconds() / 60
        return _failed(state, Blame.AMBIGUOUS, f"the probe did not end within {minutes:.0f} minutes")
    verdict = judge_probe(
        facts,
        nonce=state["nonce"],
        machine=state["vm"],
        os_type=release.traits["osType"],
        os_state=release.traits["osState"],
        now=now,
    )
    answered = {**state, "answers": dict(verdict.answers), "warnings": list(verdict.warnings)}
    if verdict.reasons:
        whose = Blame.IMAGE if verdict.answers else Blame.AMBIGUOUS
        return _failed(answered, whose, "; ".join(verdict.reasons))
    # The console is read in the same hop: everything that it is judged by has been written by now.
    return await _console(replace(command, state={**answered, "step": "console", "looks": 0}), rules, world)


def _to_console(state: Mapping[str, Any], machine: MachineFacts, whose: Blame, text: str, now: datetime) -> Step:
    parts = list(machine.parts) or state.get("parts", [])
    return _failed({**state, "parts": parts, "failedAt": now.isoformat()}, whose, text)


def _failed(state: Mapping[str, Any], whose: Blame, text: str) -> Again:
    failure = {"blame": whose.value, "text": text}
    return Again({**state, "step": "console", "looks": 0, "failure": failure}, timedelta(0))


async def _console(command: Command, rules: BootRules, world: World) -> Step:
    """Read the console and settle the verdict; it is given when the machine is gone."""
    state = command.state
    raw = await world.machines.serial_log(state["vm"])
    looks = int(state["looks"]) + 1
    failure = state.get("failure")
    # What the platform itself owns up to often has no console at all, and needs none.
    tries = 1 if failure and failure["blame"] == Blame.PLATFORM.value else CONSOLE_TRIES
    if not raw and looks < tries:
        return Again({**state, "looks": looks}, CONSOLE_POLL)
    if not raw and failure is None:
        failure = {
            "blame": Blame.PLATFORM.value,
            "text": "the serial console could not be read: no proof of a clean boot",
        }
    found = judge_console(raw or b"", rules)
    reasons = ([failure["text"]] if failure else []) + [f"console: {reason}" for reason in found.reasons]
    whose = Blame.IMAGE if found.reasons else Blame(failure["blame"]) if failure else None
    settled = {**state, "step": "delete", "reasons": reasons, "blame": whose.value if whose else None}
    if found.lines:
        settled["console"] = [line[:300] for line in found.lines]
    return Again(settled, timedelta(0))


async def _delete(command: Command, world: World, now: datetime) -> Step:
    state = command.state
    parts = list(state.get("parts", []))
    if "readyAt" not in state:  # while it is being made, a machine doesn't tell all its parts
        machine = await world.machines.view(state["vm"])
        parts = list(machine.parts) if machine and machine.parts else parts
    await world.machines.delete(state["vm"])
    return Again({**state, "step": "gone", "parts": parts, "deletedAt": now.isoformat()}, DELETE_POLL)


async def _still_there(command: Command, world: World, now: datetime) -> Step | None:
    """The next hop while something of the machine is left; None when all of it is gone."""
    state = command.state
    machine = await world.machines.view(state["vm"])
    if machine is not None:
        if machine.provisioning_state.lower() == "deleting":
            return Again(state, _pause(state["deletedAt"], world, now))
        # The deletion was taken and failed. Nobody else asks again before the machine expires.
        return Again({**state, "step": "delete"}, DELETE_POLL, note=f"{state['vm']} is not gone: deleted again")
    # The machine itself is among its parts, and was just looked for.
    others = [part for part in state.get("parts", []) if "/virtualmachines/" not in part.lower()]
    left = await world.machines.remaining(others)
    if not left:
        return None
    if now - datetime.fromisoformat(state["deletedAt"]) > world.paced(PARTS_GRACE):
        for part in left:
            try:
                await world.machines.delete_part(part)
            except ForeignTarget as foreign:
                return Again(state, CONFIGURATION_POLL, stalled=f"left behind, and not provably ours: {foreign}")
    return Again(state, _pause(state["deletedAt"], world, now))


async def _gone(command: Command, rules: BootRules, world: World, now: datetime) -> Step:
    waiting = await _still_there(command, world, now)
    if waiting is not None:
        return waiting
    state = command.state
    whose = Blame(state["blame"]) if state.get("blame") else None
    region = state["region"]
    reasons = tuple(f"{region}: {reason}" for reason in state["reasons"])
    if whose is not None and whose is not Blame.IMAGE:
        again = _over_again(command, whose, reasons)
        if again is not None:
            return again
    answer = Answer.REJECT if whose else Answer.PASS
    facts = {key: state[key] for key in _EVIDENCE if key in state}
    warnings = tuple(state.get("warnings", ()))
    return Decided(Gate.BOOT_TEST, answer, reasons, facts=facts, rules=_rules(rules), warnings=warnings)


def _rules(rules: BootRules) -> dict[str, Any]:
    return {
        "vmSize": rules.vm_size,
        "readyWithinMinutes": rules.ready_within.total_seconds() / 60,
        "probeWithinMinutes": rules.probe_within.total_seconds() / 60,
        "serialFail": [each.pattern for each in rules.serial_fail],
        "serialIgnore": [each.pattern for each in rules.serial_ignore],
    }


_EVIDENCE: Final = (
    "vm",
    "region",
    "began",
    "readyAt",
    "failedAt",
    "agent",
    "probe",
    "nonce",
    "answers",
    "console",
    "tries",
    "deletedAt",
)
_KEPT_OVER: Final = ("vm", "since")


def _over_again(command: Command, whose: Blame, reasons: tuple[str, ...]) -> Again | None:
    """The test from the start, or None when an ambiguous failure has had its second chance."""
    tries = int(command.state.get("tries", 0)) + 1
    if whose is Blame.AMBIGUOUS and tries >= AMBIGUOUS_TRIES:
        return None
    tired = tries >= PLATFORM_TRIES
    state = {key: command.state[key] for key in _KEPT_OVER if key in command.state}
    text = "; ".join(reasons)
    return Again(
        {**state, "step": "create", "tries": tries, "vm": _renamed(command.state["vm"], tries)},
        CONFIGURATION_POLL if tired else PLATFORM_PAUSE,
        note=f"again, attempt {tries + 1}: {text}",
        stalled=f"the platform keeps failing: {text}" if tired else None,
    )


def _renamed(name: str, tries: int) -> str:
    # A name is free again only some time after deletion; the same 15 characters serve with another end.
    return re.sub(r".$", format(tries % 16, "x"), name)
