"""What is booted, and what the product must say of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from local.boot_lab.machine import Boot, Booted, boot
from local.boot_lab.root import HOST_NAME, Root, add_missing_mount, bake_identity, generalize, make_disk
from shared.domain.boot_test.failures import ProbeFacts
from shared.domain.boot_test.own_checks import CommandCheck, OwnCheck, PortCheck, ServiceCheck
from shared.domain.boot_test.probe import ProbeVerdict, judge_probe
from shared.domain.policy import BootRules
from shared.probes import probe_script

NONCE: Final = "5c0d1f0e8a7b4c6d9e2f3a4b5c6d7e8f"
RULES: Final = BootRules(
    own_checks=(
        OwnCheck("ssh-runs", ServiceCheck("ssh.service", running=True, enabled=True)),
        OwnCheck("ssh-port", PortCheck(22)),
        OwnCheck("as-root", CommandCheck("id -un", matches="^root$")),
    )
)
NO_DISK: Final = "root=UUID=5b1dc0de-0000-4000-8000-000000000002 rw"


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that the lab shows, whether it held, and what was seen."""

    text: str
    held: bool
    seen: str


def consoles(root: Root, disk: Path, work: Path) -> Iterator[Claim]:
    """The consoles of machines that do not boot, as ``ringmaster console judge`` judges them."""
    broken = work / "broken-fstab.img"
    broken.write_bytes(disk.read_bytes())
    add_missing_mount(broken, work)
    cases = {
        "panic": Boot(disk, "root=/dev/vda rw init=/bin/false", until="Kernel panic - not syncing.*"),
        "wrong root": Boot(disk, "root=/dev/vdz rw", until="Kernel panic - not syncing.*", with_initrd=False),
        "initramfs prompt": Boot(disk, f"{NO_DISK} rootdelay=5", until=r"\(initramfs\)"),
        "emergency shell": Boot(broken, until="(?i)(emergency mode|root account is locked)"),
    }
    for name, asked in cases.items():
        booted = boot(root, asked, work / name.replace(" ", "-"))
        yield _console_claim(name, booted, "bad")


def _console_claim(name: str, booted: Booted, wanted: str) -> Claim:
    command = [sys.executable, "-m", "shared.cli", "console", "judge", str(booted.console), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        judged = json.loads(done.stdout)
    except json.JSONDecodeError:
        return Claim(f"console of {name}: {wanted}", held=False, seen=done.stderr.strip()[-300:])
    patterns = ", ".join(dict.fromkeys(each["pattern"] for each in judged["findings"])) or "no findings"
    seen = f"{judged['verdict']} ({patterns}), {booted.took:.0f} s"
    return Claim(f"console of {name}: {wanted}", booted.ended and judged["verdict"] == wanted, seen)


def probes_and_twins(root: Root, work: Path) -> Iterator[Claim]:
    """Probes before and after a reboot, and two machines from each of two disks."""
    script = probe_script("Linux", NONCE, RULES)
    for name in ("generalized", "not generalized"):
        (generalize if name == "generalized" else bake_identity)(root)
        disk = work / f"{name.replace(' ', '-')}.img"
        make_disk(root, disk)
        second = boot(root, Boot(disk, script=script), work / f"{name}-2")
        after = probe_script("Linux", NONCE, RULES, restarted=True)
        first, again = (
            boot(root, Boot(disk, script=each, keeps_disk=True), work / f"{name}-{when}")
            for when, each in (("1", script), ("1-again", after))
        )
        yield _console_claim(f"a good boot ({name})", first, "clean")
        yield _console_claim(f"a reboot ({name})", again, "clean")
        reports = _reports(first.probe) + _reports(again.probe)
        text = f"{name}: the probe runs before and after a reboot"
        yield Claim(text, len(reports) == 2, f"{len(reports)} reports")
        if len(reports) == 2:
            yield from _probe_claims(name, reports)
        yield _twin_claim(name, first.probe, second.probe)


def _reports(text: str) -> list[str]:
    return re.findall(r"^ringmaster begin .*?^ringmaster done [^\n]*\n", text, re.MULTILINE | re.DOTALL)


def _judged(report: str, *, restarted: bool) -> ProbeVerdict:
    return judge_probe(
        ProbeFacts("Succeeded", 0, report),
        nonce=NONCE,
        machine=HOST_NAME,
        os_type="Linux",
        now=datetime.now(UTC),
        rules=RULES,
        restarted=restarted,
    )


def _probe_claims(name: str, reports: list[str]) -> Iterator[Claim]:
    verdicts = [_judged(report, restarted=again) for report, again in zip(reports, (False, True), strict=True)]
    for when, verdict, report in zip(("first boot", "reboot"), verdicts, reports, strict=True):
        seen = "; ".join(verdict.reasons) or f"pass, {len(report.encode())} bytes, warnings: {_failed(verdict)}"
        yield Claim(f"{name}, {when}: the probe rejects nothing", not verdict.reasons, seen)
    ids = [verdict.answers.get("boot_id") for verdict in verdicts]
    yield Claim(f"{name}: the reboot has another boot id", ids[0] != ids[1], f"{ids[0]} and {ids[1]}")
    old = {"ssh_key_age", "machine_id_age"} & set(_failed(verdicts[0]).split())
    wanted = set[str]() if name == "generalized" else {"ssh_key_age", "machine_id_age"}
    yield Claim(
        f"{name}, first boot: identities older than the boot are {'found' if wanted else 'absent'}",
        old == wanted,
        " ".join(sorted(old)) or "none",
    )


def _failed(verdict: ProbeVerdict) -> str:
    return " ".join(name for name, each in verdict.results.items() if each.result in {"fail", "warn"}) or "none"


def _twin_claim(name: str, first: str, second: str) -> Claim:
    """Compares what the first boots of two machines from one disk say of themselves."""
    one, two = (
        dict(re.findall(r"^lab (\S+) (\S+)$", text.partition("lab end")[0], re.MULTILINE)) for text in (first, second)
    )
    equal = [key for key in one if one[key] == two.get(key)]
    wanted = [] if name == "generalized" else list(one)
    complete = len(one) == len(two) == 4
    text = "differ in machine id and host keys" if name == "generalized" else "have the same machine id and host keys"
    seen = f"{len(equal)} of {len(one)} equal; machine ids {one.get('machine-id')} and {two.get('machine-id')}"
    return Claim(f"{name}: two machines of one disk {text}", complete and equal == wanted, seen)
