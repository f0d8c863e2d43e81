"""A report as JSON: what ``ringmaster scan read --json`` prints."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from shared.domain.findings import Finding, ScanReport
from shared.scanners import registry


def read_report(body: Path | bytes, format: str | None = None) -> ScanReport:  # noqa: A002
    """The report in a file or in bytes. Raises Refusal, and OSError when the file cannot be read."""
    if isinstance(body, bytes):
        return registry.read(format, body)
    with body.open("rb") as opened:
        return registry.read(format, opened)


def report_document(report: ScanReport) -> dict[str, Any]:
    """A report as JSON values: ``format``, ``scanner``, ``target``, ``os``, ``scanned``, ``counts`` and ``findings``.

    ``counts`` are the entries of the document by severity; a finding is one vulnerability in one package.
    """
    return {
        "format": report.format,
        "scanner": f"{report.scanner} {report.scanner_version}".strip(),
        "target": report.target,
        "os": str(report.os) if report.os else None,
        "scanned": report.scanned,
        "counts": {severity.value: count for severity, count in report.counts.items()},
        "findings": [finding_document(finding) for finding in report.findings],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as JSON values. Unknown values are omitted, except ``package`` and ``installed``."""
    values = {one.name: getattr(finding, one.name) for one in fields(finding)}
    values["fix_state"] = finding.fix
    values["severities"] = {source: severity.value for source, severity in finding.severities}
    kept = {_camel(name): _plain(value) for name, value in values.items() if value not in (None, "", (), {})}
    return kept | {"package": finding.package, "installed": finding.installed}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return [*value] if isinstance(value, tuple) else value
