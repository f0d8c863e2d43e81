"""A machine under QEMU.

Software emulation is asked for: a KVM device may be there that guests die on. One processor and no watchdog: on a busy
computer, a second processor waits for the first in locks, and the kernel reports a lockup that no image caused.
"""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.boot_lab.root import Root
from local.boot_lab.tools import find

_SCRIPT_DISK: Final = 128 * 1024
_LOOK_EVERY: Final = 1.0
"""Seconds."""
_SETTLE: Final = 3.0
"""Seconds between the line that ends a case and the end of its console."""


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot, which ends when the machine stops or reboots: a reboot is the next boot of the same disk.

    QEMU would reset the machine itself, but its disk does not answer after that in version 7.2.
    """

    disk: Path
    arguments: str = "root=/dev/vda rw"
    """Of the kernel, beside its console."""
    script: str = ""
    """What the machine runs when it is up; empty for a machine without a second disk."""
    until: str = ""
    """A regular expression for the line of the console after which the machine is stopped. Empty: it stops itself."""
    with_initrd: bool = True
    keeps_disk: bool = False
    """Whether what the machine writes stays on the disk. Otherwise each boot has the same disk."""
    within: float = 1800
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Booted:
    """What a machine wrote on its two serial ports, and how long it ran in seconds."""

    console: Path
    probe: str
    took: float
    ended: bool
    """Whether it came to its end in time."""


def boot(root: Root, asked: Boot, folder: Path) -> Booted:
    """Boot a machine, and wait for its end."""
    folder.mkdir(parents=True, exist_ok=True)
    console, probe = folder / "console.log", folder / "probe.log"
    began = time.monotonic()
    with (folder / "qemu.log").open("wb") as said:
        process = subprocess.Popen(_command(root, asked, folder), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            ended = _wait(process, asked, console, began)
        finally:
            process.kill()
            process.wait()
    text = probe.read_text(errors="replace") if probe.exists() else ""
    return Booted(console, text.replace("\r\n", "\n"), time.monotonic() - began, ended)


def _wait(process: subprocess.Popen[bytes], asked: Boot, console: Path, began: float) -> bool:
    while time.monotonic() - began < asked.within:
        if process.poll() is not None:
            return not asked.until and process.returncode == 0
        if asked.until and console.exists() and re.search(asked.until, console.read_text(errors="replace")):
            time.sleep(_SETTLE)
            return True
        time.sleep(_LOOK_EVERY)
    return False


def _command(root: Root, asked: Boot, folder: Path) -> list[str]:
    command = [find("qemu-system-x86_64") or "qemu-system-x86_64", "-accel", "tcg,tb-size=128", "-cpu", "qemu64"]
    command += [
        "-m",
        "768",
        "-display",
        "none",
        "-nodefaults",
        "-no-reboot",
        "-nic",
        "none",
        "-kernel",
        str(root.kernel),
    ]
    command += ["-append", f"console=ttyS0,115200 nowatchdog rcupdate.rcu_cpu_stall_suppress=1 {asked.arguments}"]
    command += ["-initrd", str(root.initrd)] if asked.with_initrd else []
    command += [
        "-drive",
        f"file={asked.disk},format=raw,if=virtio,cache=unsafe,snapshot={'off' if asked.keeps_disk else 'on'}",
    ]
    command += ["-serial", f"file:{folder / 'console.log'}", "-serial", f"file:{folder / 'probe.log'}"]
    if asked.script:
        disk = folder / "script.img"
        disk.write_bytes(asked.script.encode().ljust(_SCRIPT_DISK, b"\0"))
        command += ["-drive", f"file={disk},format=raw,if=virtio,readonly=on"]
    return command
