"""The serial console: which lines fail a boot test.

The patterns are those of ``console_patterns``, and the policy's own. A console that reached ``login:`` can still be a
failed boot, so a prompt does not matter. Warnings (``WARNING: CPU:``, UBSAN) also occur on healthy machines, and do not
fail a test. Some lines are excused by their context: see ``_without_noise``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.boot_test.console_patterns import (
    ANY_PATTERN,
    IGNORED,
    MISSING_DEVICE,
    PATTERNS,
    REGISTER_DUMP,
    PatternSeverity,
)
from shared.domain.policy import BootRules, Pattern

_WARNING_TRACE: Final = next(each for each in PATTERNS if each.name == "kernel warning")
"""First line of a trace of a kernel that continues. The register dump that follows belongs to the trace."""
_TRACE_ENDS: Final = re.compile(r"</TASK>|---\[ end trace|\[\s*OK\s*\]|\blogin:")
_LONGEST_TRACE: Final = 150
"""Maximum number of lines of a trace: registers, modules and a stack of about sixty frames."""
_RESOURCE_DISK: Final = re.compile(MISSING_DEVICE + r".*\bazure[/_]resource")
"""The temporary disk, by cloud-init's and the agent's links to it. Many sizes have none ("Azure VM sizes with no local
temporary disk"), and images mount it with nofail."""
_FILE_SYSTEMS_MOUNTED: Final = re.compile(r"Reached target (?:\S+ - )?Local File Systems")
"""systemd reaches it when every mount that is not marked nofail succeeded (systemd.special, local-fs.target)."""
_ROOT_WAIT: Final = next(each for each in PATTERNS if each.name == "waiting for the root device")
_ROOT_MOUNTED: Final = re.compile(r"VFS: Mounted root|Switching root|Reached target (?:\S+ - )?Multi-User|\blogin:")
"""What is printed only after the root file system was found."""
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>0-9A-Z]"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
_LINES_SHOWN: Final = 24
_LINE_LIMIT: Final = 2000
_POLICY_REMEDY: Final = "The policy's boot test names this pattern (serialFail): ask its owner."


@dataclass(frozen=True, slots=True)
class ConsoleFinding:
    """The first line that a pattern matches."""

    pattern: str
    severity: PatternSeverity
    line: int
    """Number of the line, from 1, as ``grep -n`` counts."""
    text: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ConsoleVerdict:
    """Reasons from the serial console to reject the image, and the lines that show them."""

    reasons: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    findings: tuple[ConsoleFinding, ...] = ()
    """One for each pattern that matches, warnings included, in the order of the lines."""
    blank: bool = False
    """Nothing readable is on the console, which proves nothing."""

    @property
    def warnings(self) -> tuple[ConsoleFinding, ...]:
        """The findings that fail nothing."""
        return tuple(each for each in self.findings if each.severity is PatternSeverity.WARNING)


def console_text(raw: bytes) -> list[str]:
    """Readable lines of a raw console: NULs, colour codes and cursor movements removed, over-long lines cut."""
    return [line for _, line in _numbered(raw)]


def _numbered(raw: bytes) -> Iterator[tuple[int, str]]:
    """Readable lines with their numbers. A carriage return also ends a line, but only a line feed counts."""
    text = raw.decode("utf-8", errors="replace").replace("\r\n", "\n")
    for number, whole in enumerate(text.split("\n"), start=1):
        for line in whole.split("\r"):
            yield number, _ESCAPES.sub("", line)[:_LINE_LIMIT].rstrip()


def judge_console(raw: bytes, rules: BootRules) -> ConsoleVerdict:
    """Search a console for lines that fail the test, by the built-in patterns and those of the policy."""
    numbered = list(_numbered(raw))
    lines = _without_noise([line for _, line in numbered])
    ignore = (*IGNORED, *rules.serial_ignore)
    findings: dict[str, ConsoleFinding] = {}
    first: int | None = None
    for index, line in enumerate(lines):
        if not _is_suspect(line, rules.serial_fail) or any(pattern.search(line) for pattern in ignore):
            continue
        new = [each for each in _matches(numbered[index][0], line, rules) if each.pattern not in findings]
        findings |= {each.pattern: each for each in new}
        if first is None and any(each.severity is PatternSeverity.ERROR for each in new):
            first = index
    reasons = tuple(each.pattern for each in findings.values() if each.severity is PatternSeverity.ERROR)
    start = max(0, (first or 0) - 3)
    shown = () if first is None else tuple(line for line in lines[start : start + _LINES_SHOWN] if line)
    return ConsoleVerdict(reasons, shown, tuple(findings.values()), blank=not any(line for _, line in numbered))


def _matches(number: int, line: str, rules: BootRules) -> Iterator[ConsoleFinding]:
    for pattern in PATTERNS:
        severity = rules.console_patterns.get(pattern.name, pattern.severity)
        if severity is not None and pattern.matches(line):
            yield ConsoleFinding(pattern.name, severity, number, line, pattern.remedy)
    for each in rules.serial_fail:
        if each.search(line):
            name = f"policy pattern {each.pattern!r}"
            yield ConsoleFinding(name, PatternSeverity.ERROR, number, line, _POLICY_REMEDY)


def _without_noise(lines: list[str]) -> list[str]:
    """The lines, without those that are harmless in their context.

    A register dump in the trace of a warning is part of the warning. A missing temporary disk is no failure if systemd
    mounted all file systems that the image needs. Waiting for the root device is none if the root was mounted later.
    """
    mounted = max((at for at, line in enumerate(lines) if _FILE_SYSTEMS_MOUNTED.search(line)), default=-1)
    root = max((at for at, line in enumerate(lines) if _ROOT_MOUNTED.search(line)), default=-1)
    opened: int | None = None
    kept: list[str] = []
    for at, line in enumerate(lines):
        if _WARNING_TRACE.matches(line):
            opened = at
        elif opened is not None and (at - opened > _LONGEST_TRACE or _TRACE_ENDS.search(line)):
            opened = None
        excused = (
            (opened is not None and re.search(REGISTER_DUMP, line))
            or (at < mounted and _RESOURCE_DISK.search(line))
            or (at < root and _ROOT_WAIT.matches(line))
        )
        kept.append("" if excused else line)
    return kept


def _is_suspect(line: str, own: Sequence[Pattern]) -> bool:
    """One search instead of many, for the lines that match no pattern."""
    return bool(line) and (ANY_PATTERN.search(line) is not None or any(pattern.search(line) for pattern in own))
