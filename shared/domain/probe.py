"""The probe: the script that runs on a test machine, and the evaluation of its output.

One batched script, since run commands are few a minute; every check prints one line; the last line echoes this test's
nonce, so that a cut, cached or failed run cannot pass for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.domain.boot import ProbeFacts

LINUX_CHECKS: Final = (
    "hostname",
    "boot_id",
    "machine_id",
    "systemd",
    "cloud_init",
    "root_writable",
    "clock",
    "ssh_keys",
)

_LINUX: Final = r"""#!/bin/sh
# One batched probe: every check prints one line, the last line echoes the nonce, so that a cut or failed run shows.
say() { printf 'ringmaster %s=%s\n' "$1" "$2"; }
say hostname "$(hostname 2>/dev/null || cat /proc/sys/kernel/hostname 2>/dev/null)"
say boot_id "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
say machine_id "$(cat /etc/machine-id 2>/dev/null)"
state="$(systemctl is-system-running 2>/dev/null)"
n=0
while [ "$state" = starting ] && [ "$n" -lt 60 ]; do
  sleep 5
  n=$((n+1))
  state="$(systemctl is-system-running 2>/dev/null)"
done
say systemd "$state"
say failed_units "$(systemctl --failed --no-legend --plain 2>/dev/null | awk '{print $1}' | tr '\n' ' ')"
if command -v cloud-init >/dev/null 2>&1; then
  say cloud_init "$(cloud-init status 2>/dev/null | head -n 1 | sed 's/^status: //')"
else
  say cloud_init absent
fi
if f="$(mktemp /var/tmp/ringmaster.XXXXXX 2>/dev/null)"; then
  rm -f "$f"
  say root_writable yes
else
  say root_writable no
fi
say clock "$(date -u +%s)"
say ssh_keys "$(ls /etc/ssh/ssh_host_*_key 2>/dev/null | wc -l | tr -d ' ')"
printf 'ringmaster done %s checks=8\n' '@NONCE@'
"""
_DONE: Final = re.compile(r"^ringmaster done (\S+) checks=([0-9]{1,4})\s*$", re.MULTILINE)
_CHECK: Final = re.compile(r"^ringmaster ([a-z_]+)=(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """The verdict of the probe: no reasons means a pass."""

    reasons: tuple[str, ...] = ()
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    warnings: tuple[str, ...] = ()


def linux_probe(nonce: str) -> str:
    """The script for a Linux machine."""
    return _LINUX.replace("@NONCE@", nonce)


def judge_probe(
    facts: ProbeFacts, *, nonce: str, machine: str, os_type: str, now: datetime, os_state: str = "Generalized"
) -> ProbeVerdict:
    """Evaluate a finished run command. Only complete output with this test's nonce passes.

    A specialized image keeps its host name: it is not given one.
    """
    if facts.execution_state.lower() != "succeeded" or facts.exit_code not in {0, None}:
        said = (facts.error or facts.failure or facts.output).strip()[-400:]
        return ProbeVerdict((f"probe ended {facts.execution_state} with exit code {facts.exit_code}: {said}",))
    answers = {name: answer.strip() for name, answer in _CHECK.findall(facts.output)}
    windows = os_type.lower() == "windows"
    done = _DONE.search(facts.output)
    if done is None or done.group(1) != nonce:
        return ProbeVerdict(
            ("the probe's output has no completion marker of this test: the probe did not finish",), answers
        )
    expected = len(WINDOWS_CHECKS if windows else LINUX_CHECKS)
    if int(done.group(2)) != expected:
        return ProbeVerdict((f"the probe ran {done.group(2)} checks, not {expected}",), answers)
    given = machine if os_state.lower() != "specialized" else None
    judged = _judge_windows(answers, given) if windows else _judge_linux(answers, given, now)
    return ProbeVerdict(tuple(judged[0]), answers, tuple(judged[1]))


def _judge_linux(answers: Mapping[str, str], machine: str | None, now: datetime) -> tuple[list[str], list[str]]:
    reasons = [f"check {name} returned no result" for name in LINUX_CHECKS if not answers.get(name)]
    warnings: list[str] = []
    hostname = answers.get("hostname", "")
    if hostname and _is_other(hostname, machine):
        reasons.append(f"host name is {hostname!r}, not {machine!r}: the image has a fixed host name")
    if answers.get("systemd") not in {None, "", "running"}:
        reasons.append(
            f"systemd is {answers['systemd']}: failed units {answers.get('failed_units', '').strip() or '?'}"
        )
    if answers.get("cloud_init") not in {None, "", "done", "disabled", "absent"}:
        reasons.append(f"cloud-init ended with {answers['cloud_init']!r}")
    if answers.get("root_writable") == "no":
        reasons.append("the root file system is not writable")
    clock = answers.get("clock", "")
    if re.fullmatch(r"[0-9]{1,12}", clock) and abs(int(clock) - now.timestamp()) > 3600:
        warnings.append(f"the machine's clock is {int(clock) - int(now.timestamp())} s off")
    return reasons, warnings


WINDOWS_CHECKS: Final = ("hostname", "boot_time", "image_state", "agent", "failed_services")

_WINDOWS: Final = r"""$ErrorActionPreference = 'Continue'
function Say($k, $v) { Write-Output ("ringmaster {0}={1}" -f $k, $v) }
Say 'hostname' $env:COMPUTERNAME
Say 'boot_time' ((Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().ToString('s'))
Say 'image_state' ((Get-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State').ImageState)
Say 'agent' ((Get-Service WindowsAzureGuestAgent -ErrorAction SilentlyContinue).Status)
$core = Get-Service RdAgent,Dnscache,EventLog -ErrorAction SilentlyContinue
Say 'failed_services' (($core | Where-Object Status -ne 'Running' | Measure-Object).Count)
Write-Output 'ringmaster done @NONCE@ checks=5'
"""


def probe_script(os_type: str, nonce: str) -> str:
    """The probe for an operating system."""
    return _WINDOWS.replace("@NONCE@", nonce) if os_type.lower() == "windows" else linux_probe(nonce)


def _judge_windows(answers: Mapping[str, str], machine: str | None) -> tuple[list[str], list[str]]:
    reasons = [f"check {name} returned no result" for name in WINDOWS_CHECKS if not answers.get(name)]
    if answers.get("hostname") and _is_other(answers["hostname"], machine):
        reasons.append(f"host name is {answers['hostname']!r}, not {machine!r}")
    if answers.get("image_state") not in {None, "", "IMAGE_STATE_COMPLETE"}:
        reasons.append(f"the Windows setup state is {answers['image_state']}, not IMAGE_STATE_COMPLETE")
    if answers.get("agent") not in {None, "", "Running"}:
        reasons.append(f"the state of the guest agent's service is {answers['agent']}")
    if answers.get("failed_services") not in {None, "", "0"}:
        reasons.append(f"{answers['failed_services']} core services are not running")
    return reasons, []


def _is_other(hostname: str, machine: str | None) -> bool:
    """Whether a host name, with or without its domain, differs from the machine's name."""
    return machine is not None and hostname.lower().split(".")[0] != machine.lower()
