"""What readers collect while they go through the entries of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Final

from shared.domain.findings import Finding, OsInfo, ScanReport, SuppressedFinding
from shared.domain.policy import Severity
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.single_machine import single_machine


class ValueInterner:
    """Shares equal values between findings: package names, sources, locations, CVSS vectors, versions.

    A report of 100,000 findings names far fewer packages and versions; without sharing, each finding holds copies.
    """

    def __init__(self) -> None:
        self._shared: dict[object, object] = {}

    def __call__(self, finding: Finding) -> Finding:
        """An equal finding that shares its texts and tuples with the findings before it."""
        shared = self._shared
        values = list[object](_field_values(finding))
        is_full = len(shared) >= _MAX_SHARED
        for index, value in enumerate(values):
            # Exactly these types: a Severity equals its text, and must not be replaced by it.
            kind = type(value)
            if kind is str or kind is tuple:
                values[index] = shared.get(value, value) if is_full else shared.setdefault(value, value)
        return _new_finding(*values)


_field_values: Final = attrgetter(*(one.name for one in fields(Finding)))
_new_finding: Callable[..., Finding] = Finding
_MAX_SHARED: Final = 50_000
"""Distinct values that are kept for sharing; it bounds the memory of a report whose values are all different."""


@dataclass(slots=True)
class FindingCollector:
    """The findings of a report, those that the scanner suppressed, and the number of report entries by severity.

    ``entries`` counts what the document itself lists, which may cover several packages or CVEs each.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    suppressed: list[SuppressedFinding] = field(default_factory=list[SuppressedFinding])
    entries: Counter[Severity] = field(default_factory=Counter[Severity])
    intern: ValueInterner = field(default_factory=ValueInterner)

    def add(self, finding: Finding, suppressed_as: str = "", statement: str = "", source: str = "") -> None:
        """Add a finding; a suppressed one when ``suppressed_as`` gives the scanner's status word for it.

        ``statement`` is the reason for the suppression, and ``source`` where it was declared.
        """
        shared = self.intern(finding)
        if suppressed_as:
            self.suppressed.append(SuppressedFinding(shared, suppressed_as, statement, source))
        else:
            self.findings.append(shared)


@dataclass(slots=True)
class HostCollector(FindingCollector):
    """What a network scanner reports of hosts.

    ``times`` are the times at which hosts were scanned. Only an authenticated scan sees installed packages:
    ``authenticated`` is True when the report shows that the scanner logged in or runs an agent on the host,
    ``login_failed`` when it shows that a login failed.
    """

    hosts: dict[str, None] = field(default_factory=dict[str, None])
    systems: dict[str, None] = field(default_factory=dict[str, None])
    times: list[datetime] = field(default_factory=list[datetime])
    authenticated: bool = False
    login_failed: bool = False

    def report(self, name: str, scanner: str, version: str, not_scanned: str) -> ScanReport:
        """The report in the format ``name``. Raises Refusal when it names no host."""
        if not self.hosts:
            raise Refusal(RefusalReason.NOT_SCANNED, "the report contains no host: nothing was scanned")
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
