"""``ringmaster scan read``: the content of a scan report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from shared.cli.exit_codes import CommandError
from shared.scanners.command import READ, REFUSED, document_of, report_in
from shared.scanners.report import Refusal, ScanReport

_SHOWN: Final = 50


def read_file(file: Path, report_format: str | None) -> ScanReport | Refusal:
    """Read the report in a file, or the reason why it is refused. Raises CommandError when the file cannot be read."""
    try:
        return report_in(file, report_format)
    except Refusal as refusal:
        return refusal
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}") from error


def exit_code(read: ScanReport | Refusal) -> int:
    """0 for a valid report, 2 for a refused one."""
    return REFUSED if isinstance(read, Refusal) else READ


def as_json(read: ScanReport | Refusal) -> str:
    """One JSON object, in the format that ``shared.scanners.command`` describes."""
    document = {"refused": read.text} if isinstance(read, Refusal) else document_of(read)
    return json.dumps(document, ensure_ascii=False)


def as_text(read: ScanReport | Refusal) -> Iterator[str]:
    """Lines of text: scanner and target, counts by severity, and findings."""
    if isinstance(read, Refusal):
        yield f"refused: {read.text}"
        return
    scanner = f"{read.scanner} {read.scanner_version}".strip()
    yield f"{read.format}: {scanner}, target {read.target or 'not named'}, operating system {read.os or 'not found'}"
    yield (f"created {read.created_at:%Y-%m-%d %H:%M} UTC" if read.created_at else "the report has no creation time")
    yield "scanned" if read.scanned else f"not scanned: {read.not_scanned}"
    yield ", ".join(f"{count} {severity}" for severity, count in sorted(read.counts.items())) or "no findings"
    for found in read.findings[:_SHOWN]:
        yield f"  {found.severity}: {found}"
    if len(read.findings) > _SHOWN:
        yield f"  and {len(read.findings) - _SHOWN} more"
