"""Processes that outlive the command that started them, identified by pid and start time.

A pid alone is not sufficient: the operating system may reuse it for another process.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process. `started` is its start time as reported by the operating system."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        return _start_time(self.pid) == self.started


def spawn(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Path) -> ProcessId:
    """Start a process in its own session. Its output is appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _CHILDREN[process.pid] = process
    return ProcessId(process.pid, _start_time(process.pid) or "gone")


def stop(processes: Sequence[ProcessId], seconds: float) -> list[ProcessId]:
    """Terminate each process in order. Returns those that had to be killed.

    Each process has its own session. All processes that remain in the session are killed.
    """
    killed = []
    for process in processes:
        if not process.alive:
            continue
        os.kill(process.pid, signal.SIGTERM)
        if not _wait(process, seconds):
            killed.append(process)
        kill(process)
    return killed


def kill(process: ProcessId) -> None:
    """Kill a process and all processes in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.alive or not _exists(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
    _wait(process, 10)


def _wait(process: ProcessId, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while process.alive:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this process. It must wait for them, or they remain as zombies."""


def _start_time(pid: int) -> str | None:
    """The start time of a process, or None if it does not exist or is a zombie."""
    child = _CHILDREN.get(pid)
    if child is not None and child.poll() is not None:
        del _CHILDREN[pid]
        return None
    if _PROC.is_dir():
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        if fields[0] not in "ZX":
            return fields[19]  # field 22 of proc_pid_stat(5), counted from the state
        if child is not None:  # it ended between the two checks
            child.wait()
            del _CHILDREN[pid]
        return None
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    state, _, began = shown.partition(" ")
    return None if not began or state.startswith("Z") else began.strip()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
