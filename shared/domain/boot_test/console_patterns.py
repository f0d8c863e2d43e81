"""The patterns of the serial console: what each line means, how severe it is, what to do, and who says so.

``docs/console-patterns.md`` is generated from this table. An *error* condemns the image. A *warning* is also printed by
healthy machines; it is shown to people and condemns nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class PatternSeverity(StrEnum):
    """What a matching line does to the verdict."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class ConsolePattern:
    """Expressions that mean the same thing."""

    name: str
    severity: PatternSeverity
    expressions: tuple[re.Pattern[str], ...]
    remedy: str
    source: str

    def matches(self, line: str) -> bool:
        return any(expression.search(line) for expression in self.expressions)


REGISTER_DUMP: Final = r"\bRIP:\s"
MISSING_DEVICE: Final = r"Timed out waiting for device"

_LISA: Final = "LISA, lisa/features/serial_console.py"
_KOLA: Final = "kola, mantle/kola/harness.go"
_SYZKALLER: Final = "syzkaller, pkg/report: recorded kernel consoles"
_AZURE: Final = "Azure documentation, articles on boot failures of Linux and Windows VMs"
_SYSTEMD: Final = "systemd: its status lines on the console"
_DRACUT: Final = "dracut: its messages on the console"
_CLOUD_INIT: Final = "cloud-init: its log messages on the console"
_AGENT: Final = "Azure Linux Agent: its log messages on the console"
_KERNEL_REMEDY: Final = "Boot the image with another kernel or without the module that the trace names, and rebuild it."
_DISK_REMEDY: Final = (
    "Rebuild the image from a clean disk. Shut the build VM down before the capture, so that the disk is consistent."
)


def _error(name: str, expressions: Sequence[str], remedy: str, source: str) -> ConsolePattern:
    return ConsolePattern(name, PatternSeverity.ERROR, tuple(map(re.compile, expressions)), remedy, source)


def _warning(name: str, expressions: Sequence[str], remedy: str, source: str) -> ConsolePattern:
    return ConsolePattern(name, PatternSeverity.WARNING, tuple(map(re.compile, expressions)), remedy, source)


_KERNEL: Final = (
    _error(
        "kernel panic",
        (r"Kernel panic\b|\bPANIC: ",),
        "Read the lines before the panic. Usual causes are a missing initramfs or storage driver, and a wrong root=.",
        _LISA,
    ),
    _error(
        "kernel oops",
        (
            r"\bOops\b(?:[:\s-].*)?(?:\[#\d+\]|:)|kernel NULL pointer|[Uu]nable to handle (?:kernel|page)",
            r"(?<!FIRMWARE )\bBUG: |\bkernel BUG at |\bBUG \S+ \((?:Tainted|Not tainted)",
            # A process of the system faulting ("traps: x[1] general protection fault ip:…") is not the kernel.
            r"general protection fault[:,]|(?:divide error|invalid opcode): .*\[#\d+\]",
            r"\bInternal error: .*\[#\d+\]|\bUnhandled fault: |Synchronous Exception at",
        ),
        _KERNEL_REMEDY,
        f"{_LISA}; {_KOLA}",
    ),
    _error(
        "kernel locking fault",
        (
            r"possible (?:circular|recursive) locking|possible irq lock inversion",
            r"inconsistent lock state|bad unlock balance|still has locks held",
            r"(?:HARD|SOFT)IRQ-safe -> (?:HARD|SOFT)IRQ-unsafe lock order detected",
        ),
        _KERNEL_REMEDY,
        _SYZKALLER,
    ),
    _error("instruction pointer dump", (REGISTER_DUMP,), _KERNEL_REMEDY, _LISA),
    # "Shutting down hard lockup detector" is what a healthy machine without hardware events says.
    _error("soft or hard lockup", (r"soft lockup - CPU|hard LOCKUP",), _KERNEL_REMEDY, _LISA),
    _error(
        "hung task",
        (r"\bhung task\b|blocked (?:in I/O wait )?for more than \d+ seconds|can't die for more than",),
        "Find out what the task waits for: usually a disk or a network file system that does not answer.",
        _LISA,
    ),
    _error(
        "RCU stall",
        (
            r"detected (?:expedited )?stalls? on CPU|self-detected stall"
            r"|rcu_tasks\w* detected stalls on tasks",
        ),
        _KERNEL_REMEDY,
        f"{_LISA}; {_SYZKALLER}",
    ),
    _error(
        "out of memory",
        (r"invoked oom-killer",),
        "Test with a larger VM size, or reduce what starts at boot.",
        _KOLA,
    ),
    _warning(
        "kernel warning",
        (r"\bUBSAN: |\bWARNING: (?:CPU|possible)|\bKASAN: |\bKCSAN: ",),
        "The kernel goes on after it. Report it to the distribution if it stays after an update.",
        f"{_KOLA}; {_SYZKALLER}",
    ),
)
_BOOT_LOADER: Final = (
    _error(
        "boot loader prompt",
        (r"^\s*grub(?: rescue)?>",),
        "GRUB did not find its configuration. Reinstall GRUB and run grub-mkconfig in the image.",
        _LISA,
    ),
    _error("boot loader damage", (r"(?:alloc|free) magic (?:is )?broken",), "Reinstall GRUB in the image.", _KOLA),
    _error(
        "shim SBAT violation",
        (r"SBAT self-check failed|Verifying shim SBAT data failed|shim SBAT.*Security Policy Violation",),
        "Update shim and GRUB in the image to a generation that the firmware's SBAT level does not revoke.",
        "shim: its messages on the console",
    ),
    _error(
        "nothing to boot",
        (
            r"BOOTMGR is missing|No bootable device|No operating system was loaded",
            r"An operating system wasn't found|Operating System not found",
        ),
        "Compare the generation of the image definition (V1 or V2) with the disk's partitions and boot loader.",
        _AZURE,
    ),
)
_ROOT: Final = (
    _error(
        "initramfs prompt",
        (r"\(initramfs\)|^\s*dracut:/\S*#?\s*$",),
        "The root file system was not found. Correct root= and rebuild the initramfs with the Hyper-V storage driver.",
        _LISA,
    ),
    _error(
        "emergency mode",
        (
            r"(?:You are in|Welcome to|Entering) emergency mode|dracut-emergency",
            r"(?:Starting|Started) (?:emergency\.service - )?(?:[Dd]racut )?[Ee]mergency [Ss]hell",
            r"Reached target (?:emergency\.target - )?Emergency Mode|Give root password for maintenance",
            r"Cannot open access to console, the root account is locked",
        ),
        "Correct /etc/fstab: remove devices that exist on the build VM only, or mark their mounts with nofail.",
        f"{_KOLA}; {_AZURE}",
    ),
    _error(
        "dracut refused",
        (r"dracut: Refusing to continue",),
        "Rebuild the initramfs with the modules that dracut asks for.",
        _KOLA,
    ),
    _error(
        "waiting for the root device",
        (
            r"Waiting for root device",
            r"dracut-initqueue(?:\[\d+\])?: (?:Warning: )?(?:dracut-initqueue )?[Tt]imeout",
            r"^ALERT!\s+\S+ does not exist",
        ),
        "The root device is not there. Refer to it by UUID, and rebuild the initramfs with hv_storvsc and hv_vmbus.",
        f"{_DRACUT}; initramfs-tools; the kernel's rootwait",
    ),
    _error(
        "root file system",
        (r"Unable to mount root fs|Gave up waiting for (?:the )?root|Failed to start Switch Root",),
        "Correct root= on the kernel command line, and rebuild the initramfs.",
        _AZURE,
    ),
    _error(
        "mount failed",
        (r"FAILED\s*\] Failed to mount |Dependency failed for Local File Systems",),
        "Correct the mount in /etc/fstab, or mark it with nofail.",
        f"{_SYSTEMD}; {_AZURE}",
    ),
    _error(
        "device missing",
        (MISSING_DEVICE, r"hv_storvsc: probe of \S+ failed"),
        "Remove the device from /etc/fstab, or mark its mount with nofail.",
        f"{_SYSTEMD}; {_AZURE}",
    ),
    _error(
        "root disk full",
        (r"No space left on device",),
        "Delete what the build left (package caches, logs), or build with a larger OS disk.",
        "the kernel's ENOSPC, as programs print it",
    ),
    _error(
        "file system damage",
        (
            r"EXT4-fs error \(|VFS: Can't find ext4 filesystem|Filesystem error recorded from previous",
            r"XFS \([^)]*\): (?:Metadata (?:CRC error|corruption)|[Cc]orruption|Unmount and run)",
        ),
        _DISK_REMEDY,
        f"{_LISA}; {_AZURE}",
    ),
    _error("offline disk", (r"rejecting I/O to offline device",), _DISK_REMEDY, _KOLA),
)
_SERVICES: Final = (
    _error("system halted", (r"^The operating system has halted\.$|System halted",), "Find what halted it.", _LISA),
    _error(
        "ordering cycle",
        (r"Ordering cycle found",),
        "Correct the After= and Before= of the units that systemd names.",
        _KOLA,
    ),
    _error(
        "no data source",
        (
            r"Can not apply stage final, no datasource found",
            r"DataSourceNotFoundException|Did not find any data source",
            r"No ds found \[mode=\S+, notfound=\S+\]",
            r"Cloud-init v\. .* finished at .*Datasource DataSourceNone",
        ),
        "Allow the data source Azure in /etc/cloud/cloud.cfg.d (datasource_list), and run `cloud-init clean`.",
        _CLOUD_INIT,
    ),
    _error(
        "cloud-init did not run",
        (
            r"cloud-init does not appear to be running",
            r"FAILED\s*\] Failed to start .*(?:[Cc]loud-init|cloud-config|cloud user/final scripts)",
        ),
        "Enable cloud-init's four services, or set Provisioning.Agent in /etc/waagent.conf to the agent that is used.",
        f"{_AGENT}; {_SYSTEMD}",
    ),
    _error(
        "no UDF driver",
        (
            r"(?:unknown filesystem type|[Mm]odule) '?\"?udf\b",
            r"No such file or directory:? .*ovf-env\.xml|ovf-env\.xml\S* .*(?:No such file|not found|does not exist)",
            r"Failed to (?:mount dvd|copy ovf-env\.xml|get ovf-env)|Error mounting dvd",
        ),
        "Allow the kernel module udf (/etc/modprobe.d): the platform's settings come on a disc with that file system.",
        f"{_AGENT}; {_AZURE}",
    ),
    _error(
        "guest agent failed",
        (r"op=UnhandledError|Daemon ended with exception|Exception processing goal state",),
        "Update the Azure Linux Agent in the image, and read its log.",
        _AGENT,
    ),
)
_WINDOWS: Final = (
    _error(
        "Windows stopped",
        (r"Your (?:PC|device) ran into a problem|Windows failed to start|\bSTOP: 0x[0-9A-Fa-f]{8}",),
        "Look the stop code up. Usual causes are a driver, and an update that did not finish before the capture.",
        _AZURE,
    ),
    _error(
        "sysprep could not finish",
        (
            r"Windows could not (?:finish|complete) configuring the system|Windows could not complete the installation",
            r"Windows could not (?:parse or process|configure one or more)",
            r"[Ss]ysprep was not able to validate|fatal error occurred while trying to sysprep",
            r"computer restarted unexpectedly or encountered an unexpected error",
        ),
        "Read setuperr.log in C:\\Windows\\Panther, remove what blocks sysprep, and generalize a fresh build VM.",
        _AZURE,
    ),
)
PATTERNS: Final = (*_KERNEL, *_BOOT_LOADER, *_ROOT, *_SERVICES, *_WINDOWS)
ANY_PATTERN: Final = re.compile("|".join(each.pattern for pattern in PATTERNS for each in pattern.expressions))
"""One search instead of fifty for the many lines that mean nothing."""
IGNORED: Final = tuple(
    re.compile(expression)
    for expression in (
        r"ipt_CLUSTERIP.*loaded successfully",
        r"RIP: 0010:topology_sane\.isra",
        r"EFI stub:.*FIRMWARE BUG: kernel image not aligned on 64k boundary",
    )
)
"""Lines that match a pattern and mean nothing. Source: LISA, lisa/features/serial_console.py."""
