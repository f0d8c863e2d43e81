"""How a script comes to run on a machine: it waits for the agent, runs, is looked at, and ends.

An execution is a row of the table `run_command` (so that it survives a restart) and a process of this simulator. Hooks:
`run_command.take` when the agent may take the command, `run_command.look` while the script runs.
"""

import re
import uuid
from typing import Any

from local.arm.kernel.clock import iso
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.routing import Routes
from local.arm.kernel.store import Document, Resource
from local.arm.machines.characters import sandbox
from local.arm.machines.machine import Machine

routes = Routes()

DEFAULT_TIMEOUT = 5400.0
"""Seconds of Azure's time that a command without `timeoutInSeconds` may take: the documented 90 minutes."""
_TAKEN_AFTER = (3.0, 9.0)
_LOOK_EVERY = 0.04
_LEAST_REAL, _MOST_REAL = 10.0, 60.0
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
_runs: dict[str, tuple[Kernel, sandbox.Run]] = {}

NO_SOURCE = (
    "Execution failed: failed to get configuration: invalid configuration: Either 'source.script' or 'source.script"
    "Uri' has to be specified"
)
_AGENT_SILENT = (
    "VM '{name}' has not reported status for VM agent or extensions. Verify that the OS is up and healthy, the VM "
    "has a running VM agent, and that it can establish outbound connections to Azure storage. Please refer to "
    "https://aka.ms/vmextensionlinuxtroubleshoot for additional VM agent troubleshooting information."
)


def begin_execution(kernel: Kernel, owner: Resource, execution: Document, now: float) -> None:
    """Let `execution` (command_id, operation, script, parameters, timeout, async) be taken by the machine's agent."""
    key = uuid.uuid4().hex
    found = Machine(owner)
    row = execution | {"machine_id": owner.id, "vm_id": found.vm_id, "begun_at": now, "state": "Pending"}
    kernel.store.table("run_command")[key] = row
    if execution["command_id"]:
        command = kernel.store.get(execution["command_id"])
        assert command is not None
        command.sim |= {"execution": key, "view": {"executionState": "Pending", "output": "", "error": ""}}
        kernel.store.put(command)
    wait = kernel.random("run command", owner.id, key).uniform(*_TAKEN_AFTER)
    ready = found.timeline.agent_ready
    start = now + kernel.clock.scaled(wait)
    give_up = now + kernel.clock.scaled(DEFAULT_TIMEOUT)
    when = max(start, ready + kernel.clock.scaled(wait)) if ready is not None else give_up
    kernel.schedule.at(min(when, give_up), "run_command.take", {"key": key})


def stop_all(kernel: Kernel) -> None:
    """Kill every script that a simulator has running; for its end. After a restart they run again."""
    for key, (owner, run) in list(_runs.items()):
        if owner is kernel:
            run.kill()
            del _runs[key]


def _row(kernel: Kernel, key: str) -> tuple[Document, Machine | None, Resource | None] | None:
    """An execution with its machine and command, or None once it has no business any more."""
    row = kernel.store.table("run_command").get(key)
    if row is None:
        return None
    owner = kernel.store.get(row["machine_id"])
    found = Machine(owner) if owner is not None and owner.properties["vmId"] == row["vm_id"] else None
    command = kernel.store.get(row["command_id"]) if row["command_id"] else None
    if command is not None and command.sim.get("execution") != key:
        command = None
    return row, found, command


@routes.hook("run_command.take")
def _take(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """The agent takes the command: the script starts, unless there is no agent, no machine or no script."""
    key, now = payload["key"], at
    read = _row(kernel, key)
    if read is None:
        return
    row, found, command = read
    if found is None or (row["command_id"] and command is None):
        _end(kernel, key, row, command, state="Canceled", now=now)
        return
    if not found.is_agent_ready(now):
        row["failure"] = {
            "code": "VMAgentStatusCommunicationError",
            "message": _AGENT_SILENT.format(name=found.resource.name),
        }
        _end(kernel, key, row, command, state="Failed", now=now)
        return
    row |= {"state": "Running", "started_at": now}
    _say(kernel, row, command, {"executionState": "Running", "output": "", "error": "", "startTime": _stamp(now)})
    if row["async"]:
        kernel.operations.postpone(row["operation"], now)
    if found.character.run_commands_hang:
        limit = kernel.clock.scaled(row["timeout"] or DEFAULT_TIMEOUT)
        kernel.store.table("run_command")[key] = row
        kernel.schedule.at(now + limit, "run_command.look", {"key": key})
        return
    _start(kernel, key, row, found, command, now=now)


def _start(kernel: Kernel, key: str, row: Document, found: Machine, command: Resource | None, *, now: float) -> None:
    if not row.get("script"):
        message = NO_SOURCE
        if row.get("uri") or row.get("command"):
            message = (
                "Execution failed: the simulator runs 'source.script' only; it fetches no 'scriptUri' or 'commandId'"
            )
        _end(kernel, key, row, command, state="Failed", now=now, exit_code=3, message=message)
        return
    names, positions = _parameters(row["parameters"])
    limit = kernel.clock.scaled(row["timeout"] or DEFAULT_TIMEOUT)
    image = found.image
    try:
        run = sandbox.start(
            found.guest(kernel),
            row["script"],
            arguments=positions,
            variables=names,
            seconds=min(max(limit, _LEAST_REAL), _MOST_REAL),
            speed=kernel.clock.speed,
            windows=image is not None and image.os_type.lower() == "windows",
        )
    except sandbox.NoInterpreter as missing:
        _end(
            kernel, key, row, command, state="Failed", now=now, exit_code=127, message=str(missing), error=str(missing)
        )
        return
    _runs[key] = (kernel, run)
    kernel.store.table("run_command")[key] = row
    kernel.schedule.at(kernel.clock.now() + _LOOK_EVERY, "run_command.look", {"key": key})


def _parameters(given: list[Document]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Named parameters are variables of a shell script; those without a usable name are its arguments, in order."""
    named = {one["name"]: str(one["value"]) for one in given if _VARIABLE.fullmatch(one.get("name") or "")}
    rest = tuple(str(one["value"]) for one in given)
    return named, rest


@routes.hook("run_command.look")
def _look(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """Look whether the script has ended; with its machine or its command gone it is killed."""
    key = payload["key"]
    read = _row(kernel, key)
    if read is None:
        return
    row, found, command = read
    run, now = _runs[key][1] if key in _runs else None, kernel.clock.now()
    if found is None or found.state == "Deleting" or (row["command_id"] and command is None):
        if run is not None:
            run.kill()
        _end(kernel, key, row, command, state="Canceled", now=now)
        return
    if found.character.run_commands_hang:
        _end(kernel, key, row, command, state="TimedOut", now=at)
        return
    if run is None:  # the simulator was restarted meanwhile
        _start(kernel, key, row, found, command, now=now)
        return
    result = run.poll()
    if result is None:
        kernel.schedule.at(now + _LOOK_EVERY, "run_command.look", {"key": key})
        return
    state = "TimedOut" if result.exit_code is None else "Succeeded" if result.exit_code == 0 else "Failed"
    message = "Execution completed" if state == "Succeeded" else f"Execution failed: exit status {result.exit_code}"
    _end(
        kernel,
        key,
        row,
        command,
        state=state,
        now=now,
        exit_code=result.exit_code,
        message=message,
        output=result.output,
        error=result.error,
    )


def _end(
    kernel: Kernel,
    key: str,
    row: Document,
    command: Resource | None,
    *,
    state: str,
    now: float,
    exit_code: int | None = None,
    message: str = "",
    output: str = "",
    error: str = "",
) -> None:
    """Write the result where the caller will look for it, and let the operation end now."""
    _runs.pop(key, None)
    kernel.store.table("run_command").pop(key)
    if state == "TimedOut":
        message = "Execution timed out: the command was stopped at its time limit"
    view: Document = {"executionState": state, "executionMessage": message, "output": output, "error": error}
    if exit_code is not None:
        view = {"exitCode": exit_code} | view
    if "started_at" in row:
        view["startTime"] = _stamp(row["started_at"])
    view["endTime"] = _stamp(now)
    _say(kernel, row, command, view)
    if not row["command_id"]:
        # A script that failed by itself is told by its output alone (azure-cli#32286).
        result = {"output": output, "error": error or (message if state != "Succeeded" and exit_code is None else "")}
        kernel.store.table("run_command_action")[row["operation"]] = result | {"failure": row.get("failure")}
    stored = kernel.store.table("operation").get(row["operation"])
    if stored is not None and stored["status"] == "InProgress":
        kernel.operations.postpone(row["operation"], now)


def _say(kernel: Kernel, row: Document, command: Resource | None, view: Document) -> None:
    if command is None:
        return
    command.sim["view"] = view
    if row.get("failure"):
        command.sim["failure"] = row["failure"]
    kernel.store.put(command)


def _stamp(at: float) -> str:
    return iso(at).split(".")[0] + "+00:00"
