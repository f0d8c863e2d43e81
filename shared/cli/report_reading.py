"""``ringmaster scan read``: the content of a scan report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.cli.exit_codes import CommandError
from shared.domain.findings import ScanReport
from shared.scanners.report_json import read_report, report_document
from shared.scanners.report_refusal import Refusal

EXIT_READ: Final = 0
EXIT_REFUSED: Final = 2
"""Exit code for a file that is not a usable report."""
_SHOWN: Final = 50


def read_file(file: Path, report_format: str | None) -> ScanReport | Refusal:
    """Read the report in a file, or the reason why it is refused. Raises CommandError when the file cannot be read."""
    try:
        return read_report(file, report_format)
    except Refusal as refusal:
        return refusal
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from error


def exit_code(read: ScanReport | Refusal) -> int:
    """0 for a valid report, 2 for a refused one."""
    return EXIT_REFUSED if isinstance(read, Refusal) else EXIT_READ


def as_json(read: ScanReport | Refusal) -> str:
    """One JSON object, in the format that ``shared.scanners.report_json`` describes."""
    document = {"refused": read.text} if isinstance(read, Refusal) else report_document(read)
    return json.dumps(document, ensure_ascii=False)


def as_text(read: ScanReport | Refusal) -> Iterator[str]:
    """Lines of text: scanner and target, counts by severity, and findings."""
    if isinstance(read, Refusal):
        yield f"refused: {read.text}"
        return
    scanner = f"{read.scanner} {read.scanner_version}".strip()
    target = " ".join(part for part in (read.target_kind, read.target) if part) or "not named"
    yield f"{read.format}: {scanner}, target {target}, operating system {read.os or 'not found'}"
    yield (f"created {read.created_at:%Y-%m-%d %H:%M} UTC" if read.created_at else "the report has no creation time")
    yield _scanned(read)
    yield ", ".join(f"{count} {severity}" for severity, count in sorted(read.counts.items())) or "no findings"
    for found in read.findings[:_SHOWN]:
        yield f"  {found.severity}: {found}"
    if len(read.findings) > _SHOWN:
        yield f"  and {len(read.findings) - _SHOWN} more"


def _scanned(read: ScanReport) -> str:
    if not read.scanned:
        return f"not scanned: {read.not_scanned}"
    return "scanned" if read.packages_seen is None else f"scanned {read.packages_seen} packages"
