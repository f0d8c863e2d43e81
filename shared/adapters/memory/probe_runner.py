"""Runs a probe on a simulated machine.

It is not a shell: it recognizes the probe's own commands (``check NAME``, ``own NAME …`` and their Windows forms, and
the nonce) and rejects everything else. The results of a healthy machine are computed; the machine's behavior profile
can override them.
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

_LINUX_CHECK: Final = re.compile(r"^(?:check ([a-z_]+)$|own ([a-z0-9-]+) )", re.MULTILINE)
_LINUX_NONCE: Final = re.compile(r"^nonce='([^']*)'$", re.MULTILINE)
_WINDOWS_CHECK: Final = re.compile(r"^(?:Check '([a-z_]+)'$|Own '([a-z0-9-]+)' )", re.MULTILINE)
_WINDOWS_NONCE: Final = re.compile(r"^\$Nonce = '([^']*)'$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a script."""

    exit_code: int
    output: str
    error: str = ""


def run_script(script: str, *, machine: str, os_type: str, character: Character, now: datetime) -> RunResult:
    """Run a probe on a machine. The exit code is 127 for a script that is not supported."""
    windows = os_type.lower() == "windows"
    found = (_WINDOWS_CHECK if windows else _LINUX_CHECK).findall(script)
    asked = [check or f"own:{own}" for check, own in found]
    nonce = (_WINDOWS_NONCE if windows else _LINUX_NONCE).search(script)
    if not asked or nonce is None:
        return RunResult(127, "", "command not found")
    answers = {**(_windows(machine, now) if windows else _linux(machine, now)), **character.answers}
    told = {name: answers.get(name, "pass") for name in asked}
    lines = [f"ringmaster begin {nonce[1]}", *(f"{name}={text}" for name, text in told.items() if text is not None)]
    if character.probe_cut:
        return RunResult(0, _tail("\n".join(lines[: len(lines) // 2])))
    return RunResult(0, _tail("\n".join((*lines, f"ringmaster done {nonce[1]} checks={len(asked)}", ""))))


def _linux(machine: str, now: datetime) -> Mapping[str, str]:
    word = hashlib.sha256(machine.encode()).hexdigest()
    return {
        "hostname": f"pass {machine}",
        "boot_id": f"pass {word[:8]}-{word[8:12]}-4{word[13:16]}-8{word[17:20]}-{word[20:32]}",
        "machine_id": f"pass {word[32:64]}",
        "systemd": "pass running",
        "cloud_init": "pass done",
        "root_writable": "pass yes",
        "clock": f"pass {int(now.timestamp())}",
        "ssh_keys": "pass 3",
        "secure_boot": "pass on",
        "baseline": "pass passed=58 failed=0 other=236 score=100 required=0",
    }


def _windows(machine: str, now: datetime) -> Mapping[str, str]:
    return {
        "hostname": f"pass {machine.upper()}",
        "boot_time": f"pass {now:%Y-%m-%dT%H:%M:%S}",
        "image_state": "pass IMAGE_STATE_COMPLETE",
        "agent": "pass Running",
        "failed_services": "pass 0",
        "clock": f"pass {int(now.timestamp())}",
        "secure_boot": "pass on",
        "baseline": "pass passed=58 failed=0 other=236 score=100 required=0",
    }


def _tail(text: str) -> str:
    return text.encode()[-OUTPUT_LIMIT:].decode(errors="ignore")
