"""The serial console: which lines fail a boot test.

The patterns are those of LISA and kola, and of Azure's articles on boot failures. A console that reached ``login:`` can
still be a failed boot, so a prompt does not matter. Warnings (``WARNING: CPU:``, UBSAN, a missing floppy drive) also
occur on healthy machines, and do not fail a test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.policy import BootRules, Pattern

_DUMP: Final = r"\bRIP:\s"
_DEVICE: Final = r"Timed out waiting for device"
_FAIL: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("kernel panic", r"Kernel panic\b|\bPANIC: "),
        ("kernel oops", r"\bOops\b(?:[:\s-].*)?(?:\[#\d+\]|:)|kernel NULL pointer|[Uu]nable to handle (?:kernel|page)"),
        ("kernel oops", r"(?<!FIRMWARE )\bBUG: |\bkernel BUG at |\bBUG \S+ \((?:Tainted|Not tainted)"),
        # A process of the system faulting ("traps: x[1] general protection fault ip:…") is not the kernel.
        ("kernel oops", r"general protection fault[:,]|(?:divide error|invalid opcode): .*\[#\d+\]"),
        ("kernel oops", r"\bInternal error: .*\[#\d+\]|\bUnhandled fault: |Synchronous Exception at"),
        ("kernel locking fault", r"possible (?:circular|recursive) locking|possible irq lock inversion"),
        ("kernel locking fault", r"inconsistent lock state|bad unlock balance|still has locks held"),
        ("kernel locking fault", r"(?:HARD|SOFT)IRQ-safe -> (?:HARD|SOFT)IRQ-unsafe lock order detected"),
        ("instruction pointer dump", _DUMP),
        # "Shutting down hard lockup detector" is what a healthy machine without hardware events says.
        ("soft or hard lockup", r"soft lockup - CPU|hard LOCKUP"),
        ("hung task", r"\bhung task\b|blocked (?:in I/O wait )?for more than \d+ seconds|can't die for more than"),
        (
            "RCU stall",
            r"detected (?:expedited )?stalls? on CPU|self-detected stall|rcu_tasks\w* detected stalls on tasks",
        ),
        ("boot loader prompt", r"^\s*grub(?: rescue)?>"),
        ("boot loader damage", r"(?:alloc|free) magic (?:is )?broken"),
        ("initramfs prompt", r"\(initramfs\)|^\s*dracut:/\S*#?\s*$"),
        ("emergency mode", r"(?:You are in|Welcome to|Entering) emergency mode|dracut-emergency"),
        (
            "emergency mode",
            r"(?:Starting|Started) (?:[Dd]racut )?[Ee]mergency [Ss]hell|Give root password for maintenance",
        ),
        ("emergency mode", r"Cannot open access to console, the root account is locked"),
        ("dracut refused", r"dracut: Refusing to continue"),
        ("system halted", r"^The operating system has halted\.$|System halted"),
        ("out of memory", r"invoked oom-killer"),
        ("no data source", r"Can not apply stage final, no datasource found"),
        ("root file system", r"Unable to mount root fs|Gave up waiting for (?:the )?root|Failed to start Switch Root"),
        ("mount failed", r"FAILED\s*\] Failed to mount |Dependency failed for Local File Systems"),
        ("device missing", _DEVICE),
        ("device missing", r"hv_storvsc: probe of \S+ failed"),
        ("root disk full", r"No space left on device"),
        ("guest agent failed", r"op=UnhandledError|Daemon ended with exception"),
        ("cloud-init did not run", r"cloud-init does not appear to be running"),
        (
            "file system damage",
            r"EXT4-fs error \(|VFS: Can't find ext4 filesystem|Filesystem error recorded from previous",
        ),
        ("file system damage", r"XFS \([^)]*\): (?:Metadata (?:CRC error|corruption)|[Cc]orruption|Unmount and run)"),
        ("offline disk", r"rejecting I/O to offline device"),
        ("ordering cycle", r"Ordering cycle found"),
        ("nothing to boot", r"BOOTMGR is missing|No bootable device|No operating system was loaded"),
        ("nothing to boot", r"An operating system wasn't found|Operating System not found"),
        ("Windows stopped", r"Your (?:PC|device) ran into a problem|Windows failed to start|\bSTOP: 0x[0-9A-Fa-f]{8}"),
    )
)
_ANY: Final = re.compile("|".join(pattern.pattern for _, pattern in _FAIL))
_IGNORE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"ipt_CLUSTERIP.*loaded successfully",
        r"RIP: 0010:topology_sane\.isra",
        r"EFI stub:.*FIRMWARE BUG: kernel image not aligned on 64k boundary",
    )
)
_WARNING_TRACE: Final = re.compile(r"\bUBSAN: |\bWARNING: (?:CPU|possible)|\bKASAN: |\bKCSAN: ")
"""First line of a trace of a kernel that continues. The register dump that follows belongs to the trace."""
_TRACE_ENDS: Final = re.compile(r"</TASK>|---\[ end trace|\[\s*OK\s*\]|\blogin:")
_LONGEST_TRACE: Final = 150
"""Maximum number of lines of a trace: registers, modules and a stack of about sixty frames."""
_RESOURCE_DISK: Final = re.compile(_DEVICE + r".*\bazure[/_]resource")
"""The temporary disk, by cloud-init's and the agent's links to it. Many sizes have none ("Azure VM sizes with no local
temporary disk"), and images mount it with nofail."""
_FILE_SYSTEMS_MOUNTED: Final = re.compile(r"Reached target (?:\S+ - )?Local File Systems")
"""systemd reaches it when every mount that is not marked nofail succeeded (systemd.special, local-fs.target)."""
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>0-9A-Z]"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
_LINES_SHOWN: Final = 24
_LINE_LIMIT: Final = 2000


@dataclass(frozen=True, slots=True)
class ConsoleVerdict:
    """Reasons from the serial console to reject the image, and the lines that show them."""

    reasons: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def console_text(raw: bytes) -> list[str]:
    """Readable lines of a raw console: NULs, colour codes and cursor movements removed, over-long lines cut."""
    text = raw.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return [_ESCAPES.sub("", line)[:_LINE_LIMIT].rstrip() for line in text.split("\n")]


def judge_console(raw: bytes, rules: BootRules) -> ConsoleVerdict:
    """Search a console for lines that fail the test, by the built-in patterns and those of the policy."""
    lines = _without_noise(console_text(raw))
    ignore = (*_IGNORE, *rules.serial_ignore)
    own = tuple((f"policy pattern {each.pattern!r}", each) for each in rules.serial_fail)
    reasons: list[str] = []
    first: int | None = None
    for index, line in enumerate(lines):
        if not _is_suspect(line, own) or any(pattern.search(line) for pattern in ignore):
            continue
        for name, pattern in (*_FAIL, *own):
            if name not in reasons and pattern.search(line):
                reasons.append(name)
                first = index if first is None else first
    if first is None:
        return ConsoleVerdict()
    start = max(0, first - 3)
    return ConsoleVerdict(tuple(reasons), tuple(line for line in lines[start : start + _LINES_SHOWN] if line))


def _without_noise(lines: list[str]) -> list[str]:
    """The lines, without those that are harmless in their context.

    A register dump in the trace of a warning is part of the warning. A missing temporary disk is no failure if systemd
    mounted all file systems that the image needs.
    """
    mounted = max((at for at, line in enumerate(lines) if _FILE_SYSTEMS_MOUNTED.search(line)), default=-1)
    opened: int | None = None
    kept: list[str] = []
    for at, line in enumerate(lines):
        if _WARNING_TRACE.search(line):
            opened = at
        elif opened is not None and (at - opened > _LONGEST_TRACE or _TRACE_ENDS.search(line)):
            opened = None
        excused = (opened is not None and re.search(_DUMP, line)) or (at < mounted and _RESOURCE_DISK.search(line))
        kept.append("" if excused else line)
    return kept


def _is_suspect(line: str, own: Sequence[tuple[str, Pattern]]) -> bool:
    """One search instead of thirty, for the many lines that match no pattern."""
    return bool(line) and (_ANY.search(line) is not None or any(pattern.search(line) for _, pattern in own))
