"""The serial console: which lines condemn an image.

Patterns are facts of the field (which lines mean a dead boot), collected from what LISA and kola look for and from
Azure's boot-failure articles. A console that reached ``login:`` can still be a failed boot, so a prompt excuses nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from shared.domain.policy import BootRules

_FAIL: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("kernel panic", r"Kernel panic - not syncing"),
        ("kernel oops", r"\bOops:|kernel NULL pointer|unable to handle (kernel|page)|(?<!FIRMWARE )\bBUG:"),
        ("instruction pointer dump", r"\bRIP:\s"),
        ("soft or hard lockup", r"(soft|hard) lockup"),
        ("hung task", r"hung task|blocked for more than \d+ seconds"),
        ("RCU stall", r"rcu_sched.*(stall|detected)"),
        ("boot loader prompt", r"^\s*grub(?: rescue)?>"),
        ("boot loader damage", r"(alloc|free) magic (is )?broken"),
        ("initramfs prompt", r"\(initramfs\)"),
        ("emergency mode", r"You are in emergency mode|Emergency [Ss]hell|emergency shell|Entering emergency mode"),
        ("dracut refused", r"dracut: Refusing to continue"),
        ("system halted", r"^The operating system has halted\.$|System halted"),
        ("synchronous exception", r"Synchronous Exception at"),
        ("out of memory", r"invoked oom-killer"),
        ("no data source", r"Can not apply stage final, no datasource found"),
        ("root file system", r"Unable to mount root fs|Gave up waiting for root"),
        ("offline disk", r"rejecting I/O to offline device"),
        ("ordering cycle", r"Ordering cycle found"),
    )
)
_IGNORE: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"ipt_CLUSTERIP.*loaded successfully",
        r"RIP: 0010:topology_sane\.isra",
        r"EFI stub:.*FIRMWARE BUG: kernel image not aligned on 64k boundary",
    )
)
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|[\x00-\x08\x0b-\x1f\x7f]")
_LINES_SHOWN: Final = 24
_LINE_LIMIT: Final = 2000


@dataclass(frozen=True, slots=True)
class ConsoleVerdict:
    """What the serial console says against the image: reasons, and the lines that show it."""

    reasons: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def console_text(raw: bytes) -> list[str]:
    """Readable lines of a raw console: NULs, colour codes and cursor movements removed, over-long lines cut."""
    text = raw.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    return [_ESCAPES.sub("", line)[:_LINE_LIMIT].rstrip() for line in text.split("\n")]


def judge_console(raw: bytes, rules: BootRules) -> ConsoleVerdict:
    """Search a console for what condemns an image; the policy's own patterns count as well."""
    lines = console_text(raw)
    ignore = (*_IGNORE, *(re.compile(pattern) for pattern in rules.serial_ignore))
    fail = (*_FAIL, *((f"policy pattern {text!r}", re.compile(text)) for text in rules.serial_fail))
    reasons: list[str] = []
    first: int | None = None
    for index, line in enumerate(lines):
        if not line or any(pattern.search(line) for pattern in ignore):
            continue
        for name, pattern in fail:
            if name not in reasons and pattern.search(line):
                reasons.append(name)
                first = index if first is None else first
    if first is None:
        return ConsoleVerdict()
    start = max(0, first - 3)
    return ConsoleVerdict(tuple(reasons), tuple(line for line in lines[start : start + _LINES_SHOWN] if line))
