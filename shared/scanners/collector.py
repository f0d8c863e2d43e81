"""What readers gather on the way through a report's entries, and the frame of reports that speak of checks on hosts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from shared.domain.findings import Finding, OsInfo, ScanReport, SuppressedFinding
from shared.domain.policy import Severity
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.single_machine import single_machine


class ValueInterner:
    """Keeps values once that many findings share: names of packages and sources, places, vectors, versions."""

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}

    def __call__(self, finding: Finding) -> Finding:
        """The same finding, of values that are kept already."""
        kept = self._kept
        values = list(_VALUES(finding))
        for index, value in enumerate(values):
            # Of exactly these types: a severity equals the word for it, and must not be replaced by that.
            if type(value) is str or type(value) is tuple:
                values[index] = kept.setdefault(value, value) if len(kept) < _KEPT else kept.get(value, value)
        return Finding(*values)


_VALUES: Final = attrgetter(*(one.name for one in fields(Finding)))
_KEPT: Final = 50_000


@dataclass(slots=True)
class FindingCollector:
    """Findings, what was left out of them, and the document's own entries by severity."""

    findings: list[Finding] = field(default_factory=list)
    suppressed: list[SuppressedFinding] = field(default_factory=list)
    entries: Counter[Severity] = field(default_factory=Counter)
    compact: ValueInterner = field(default_factory=ValueInterner)

    def add(self, finding: Finding, left_out: str = "", statement: str = "", source: str = "") -> None:
        """Keep a finding: among those left out when a word for that is given, with who says so and why."""
        kept = self.compact(finding)
        if left_out:
            self.suppressed.append(SuppressedFinding(kept, left_out, statement, source))
        else:
            self.findings.append(kept)


@dataclass(slots=True)
class HostCollector(FindingCollector):
    """What network scanners tell of hosts: when, of which system, and whether they looked from within."""

    hosts: dict[str, None] = field(default_factory=dict)
    systems: dict[str, None] = field(default_factory=dict)
    times: list[datetime] = field(default_factory=list)
    logged_in: bool = False
    refused_login: bool = False

    def report(self, name: str, scanner: str, version: str, not_scanned: str) -> ScanReport:
        """The report of these hosts in the format ``name``. Raises Refusal when there is no host."""
        if not self.hosts:
            raise Refusal(RefusalReason.NOT_SCANNED, "no host is in it: nothing was scanned")
        target, several = single_machine(self.hosts)
        system = next(iter(self.systems), "")
        return ScanReport(
            format=name,
            scanner=scanner,
            scanner_version=version,
            schema_version="",
            target=target,
            target_kind="host",
            os=OsInfo(system.splitlines()[0].strip()) if system else None,
            created_at=max(self.times, default=None),
            packages_seen=None,
            findings=tuple(self.findings),
            suppressed=tuple(self.suppressed),
            not_scanned=several or not_scanned,
            entries=self.entries,
        )
