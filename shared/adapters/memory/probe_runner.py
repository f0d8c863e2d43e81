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
from shared.domain.boot_test.identities import DIGEST_LENGTH
from shared.domain.boot_test.linux_checks import LINUX

OUTPUT_LIMIT: Final = 4096
"""How many bytes of a run command's output the instance view holds."""

_LINUX_CHECK: Final = re.compile(r"^(?:check ([a-z_]+)$|own ([a-z0-9-]+) )", re.MULTILINE)
_LINUX_NONCE: Final = re.compile(r"^nonce='([^']*)'$", re.MULTILINE)
_WINDOWS_CHECK: Final = re.compile(r"^(?:Check '([a-z_]+)'$|Own '([a-z0-9-]+)' )", re.MULTILINE)
_WINDOWS_NONCE: Final = re.compile(r"^\$Nonce = '([^']*)'$", re.MULTILINE)

_OLDER: Final = {each.id: "fail older than the boot" for each in LINUX if each.first_boot_only}
"""What the checks of the first boot would say after a restart, of what the first boot made."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a script."""

    exit_code: int
    output: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class RunningGuest:
    """The guest that runs a script: the name of its machine, its image, and its last boot."""

    machine: str
    image: str
    os_type: str
    character: Character
    booted_at: datetime
    boots: int = 1


def run_script(script: str, guest: RunningGuest, now: datetime) -> RunResult:
    """Run a probe on a machine. The exit code is 127 for a script that is not supported."""
    os_type, character = guest.os_type, guest.character
    windows = os_type.lower() == "windows"
    found = (_WINDOWS_CHECK if windows else _LINUX_CHECK).findall(script)
    asked = [check or f"own:{own}" for check, own in found]
    nonce = (_WINDOWS_NONCE if windows else _LINUX_NONCE).search(script)
    if not asked or nonce is None:
        return RunResult(127, "", "command not found")
    answers = {**(_windows(guest, now) if windows else _linux(guest, now)), **character.answers}
    told = {name: answers.get(name, "pass") for name in asked}
    lines = [f"ringmaster begin {nonce[1]}", *(f"{name}={text}" for name, text in told.items() if text is not None)]
    if character.probe_cut:
        return RunResult(0, _tail("\n".join(lines[: len(lines) // 2])))
    return RunResult(0, _tail("\n".join((*lines, f"ringmaster done {nonce[1]} checks={len(asked)}", ""))))


def _linux(guest: RunningGuest, now: datetime) -> Mapping[str, str]:
    boot, own = _word(guest.machine, guest.boots), _identity(guest)
    keys = " ".join(f"{kind}:{_digest(own, kind)}" for kind in ("rsa", "ecdsa", "ed25519"))
    return {
        **(_OLDER if guest.boots > 1 else {}),
        "hostname": f"pass {guest.machine}",
        "boot_id": f"pass {boot[:8]}-{boot[8:12]}-4{boot[13:16]}-8{boot[17:20]}-{boot[20:32]}",
        "machine_id": f"pass {_digest(own, 'machine id')}",
        "host_keys": f"pass {keys}",
        "random_seed": f"pass {_digest(boot, 'seed')}",
        "dhcp_id": "pass from the machine id",
        "systemd": "pass running",
        "cloud_init": "pass done",
        "root_writable": "pass yes",
        "clock": f"pass {int(now.timestamp())}",
        "ssh_keys": "pass 3",
        "secure_boot": "pass on",
        "baseline": "pass passed=58 failed=0 other=236 score=100 required=0",
    }


def _windows(guest: RunningGuest, now: datetime) -> Mapping[str, str]:
    own = _identity(guest)
    names = ("machine_sid", "machine_guid", "rdp_certificate", "winrm_certificate", "wsus_client_id")
    return {
        "hostname": f"pass {guest.machine.upper()}",
        "boot_time": f"pass {guest.booted_at:%Y-%m-%dT%H:%M:%S}",
        "image_state": "pass IMAGE_STATE_COMPLETE",
        "agent": "pass Running",
        "failed_services": "pass 0",
        "clock": f"pass {int(now.timestamp())}",
        "secure_boot": "pass on",
        "baseline": "pass passed=58 failed=0 other=236 score=100 required=0",
        **{name: f"pass {_digest(own, name)}" for name in names},
    }


def _identity(guest: RunningGuest) -> str:
    """What the guest's identities are made from: itself, or the captured disk where it was not generalized."""
    if guest.character.is_cloned:
        return guest.image
    return _word(guest.machine, guest.boots if guest.character.changes_identity else 1)


def _word(machine: str, boots: int) -> str:
    return hashlib.sha256(f"{machine}|{boots}".encode()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:DIGEST_LENGTH]


def _tail(text: str) -> str:
    return text.encode()[-OUTPUT_LIMIT:].decode(errors="ignore")
