"""``ringmaster scan read``: what a report says, in lines for people."""

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
    """What the report in a file says, or why it is none. Raises CommandFault when the file can't be read."""
    try:
        return report_in(file, report_format)
    except Refusal as refusal:
        return refusal
    except OSError as error:
        raise CommandError(f"{file} can't be read: {error.strerror}") from error


def exit_code(read: ScanReport | Refusal) -> int:
    """0 for a report, 2 for what is none."""
    return REFUSED if isinstance(read, Refusal) else READ


def as_json(read: ScanReport | Refusal) -> str:
    """One JSON object, as ``shared.scanners.command`` describes it."""
    document = {"refused": read.text} if isinstance(read, Refusal) else document_of(read)
    return json.dumps(document, ensure_ascii=False)


def as_text(read: ScanReport | Refusal) -> Iterator[str]:
    """The lines that people read: who scanned what, the counts, and the findings of the report."""
    if isinstance(read, Refusal):
        yield f"refused: {read.text}"
        return
    scanner = f"{read.scanner} {read.scanner_version}".strip()
    yield f"{read.format}: {scanner} of {read.target or 'an unnamed target'}, {read.os or 'no operating system found'}"
    yield (
        f"made {read.created_at:%Y-%m-%d %H:%M} UTC" if read.created_at else "the report does not say when it was made"
    )
    yield "scanned" if read.scanned else f"not scanned: {read.not_scanned}"
    yield ", ".join(f"{count} {severity}" for severity, count in sorted(read.counts.items())) or "no findings"
    for found in read.findings[:_SHOWN]:
        yield f"  {found.severity}: {found}"
    if len(read.findings) > _SHOWN:
        yield f"  and {len(read.findings) - _SHOWN} more"
