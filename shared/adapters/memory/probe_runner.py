"""Runs a probe on a simulated machine.

It is not a shell: it recognizes the probe's own commands (``say NAME …`` and the Windows form, and the completion line)
and rejects everything else. The results of a healthy machine are computed; the machine's behavior profile can override
them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.adapters.memory.characters import Character

OUTPUT_LIMIT: Final = 4096
"""How many bytes of a run command's output the instance view holds."""

_LINUX_SAY: Final = re.compile(r"^\s*say ([a-z_]+) ", re.MULTILINE)
_LINUX_DONE: Final = re.compile(r"^printf 'ringmaster done %s checks=(\d+)\\n' '([^']*)'", re.MULTILINE)
_WINDOWS_SAY: Final = re.compile(r"^\s*Say '([a-z_]+)' ", re.MULTILINE)
_WINDOWS_DONE: Final = re.compile(r"^Write-Output 'ringmaster done (\S*) checks=(\d+)'", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a script."""

    exit_code: int
    output: str
    error: str = ""


def run_script(script: str, *, machine: str, os_type: str, character: Character, now: datetime) -> RunResult:
    """Run a probe on a machine. The exit code is 127 for a script that is not supported."""
    windows = os_type.lower() == "windows"
    asked = dict.fromkeys((_WINDOWS_SAY if windows else _LINUX_SAY).findall(script))
    done = (_WINDOWS_DONE if windows else _LINUX_DONE).search(script)
    if not asked or done is None:
        return RunResult(127, "", "command not found")
    answers = {**(_windows(machine, now) if windows else _linux(machine, now)), **character.answers}
    lines = [f"ringmaster {name}={answers[name]}" for name in asked if answers.get(name) is not None]
    if character.probe_cut:
        return RunResult(0, _tail("\n".join(lines[: len(lines) // 2])))
    nonce, count = (done[1], done[2]) if windows else (done[2], done[1])
    return RunResult(0, _tail("\n".join((*lines, f"ringmaster done {nonce} checks={count}", ""))))


def _linux(machine: str, now: datetime) -> Mapping[str, str]:
    word = hashlib.sha256(machine.encode()).hexdigest()
    return {
        "hostname": machine,
        "boot_id": f"{word[:8]}-{word[8:12]}-4{word[13:16]}-8{word[17:20]}-{word[20:32]}",
        "machine_id": word[32:64],
        "systemd": "running",
        "failed_units": "",
        "cloud_init": "done",
        "root_writable": "yes",
        "clock": str(int(now.timestamp())),
        "ssh_keys": "3",
    }


def _windows(machine: str, now: datetime) -> Mapping[str, str]:
    return {
        "hostname": machine.upper(),
        "boot_time": f"{now:%Y-%m-%dT%H:%M:%S}",
        "image_state": "IMAGE_STATE_COMPLETE",
        "agent": "Running",
        "failed_services": "0",
    }


def _tail(text: str) -> str:
    return text.encode()[-OUTPUT_LIMIT:].decode(errors="ignore")
