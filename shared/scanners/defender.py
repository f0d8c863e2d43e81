"""Microsoft Defender: recommendations and sub-assessments of Defender for Cloud, rows of Defender for Endpoint.

Taken are the answers of the REST API, rows of Azure Resource Graph, bare lists of either, and Endpoint's rows
(``defender_endpoint``), for example ``az graph query -q "securityresources | where type in~
('microsoft.security/assessments', 'microsoft.security/assessments/subassessments')"``. Facts (Microsoft.Security
2019-01-01-preview, ``subAssessments.json``; learn.microsoft.com, "sub-assessment REST API", "Transition from grouped to
individual recommendations"):

* Until 31 July 2026 a grouped recommendation ("Machines should have vulnerability findings resolved") had its findings
  as sub-assessments: one row a finding. ``additionalData.assessedResourceType`` says what was assessed. The fields
  beside it differ: ``cve`` and ``cvss`` for servers, ``vulnerabilityDetails`` and ``softwareDetails`` (with the package
  and the fixed version) where Defender's own scanner made it.
* Since then every package that is to be updated is a recommendation of its own, of the category SoftwareUpdate, with
  all its CVEs in ``additionalData.CvesDetails`` (JSON in a string): one row, as many findings.
* ``status.code`` is Unhealthy for a finding, Healthy for a check that passed, NotApplicable for one that did not run.
* Severities are High, Medium and Low; details of Defender's own scanner know Critical, which then counts.
* An empty answer proves nothing: it is also the answer for a machine that is not assessed. Proof is a finding, a passed
  check, or the grouped recommendation itself when it is Healthy. Where that is Unhealthy its findings must be there.
  Other recommendations (encryption, accounts) say nothing of packages.
* Answers come in pages. One that names a next page is not the whole report.
* Recommendations tell when their status changed, and no other time; it is never later than the assessment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import DEFENDER
from shared.scanners.collector import FindingCollector
from shared.scanners.defender_rows import NAME, Additional, CloudRow, DeviceRow, Software, Status, Vulnerability
from shared.scanners.defender_rows import rows as rows_of
from shared.scanners.defender_rows import values as values_of
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted
from shared.scanners.single_machine import single_machine
from shared.scanners.values import (
    build_purl,
    cvss_score,
    find_cves,
    parse_score,
    parse_severity,
    parse_timestamp,
    unique,
)

_GROUPED: Final = (
    "1195afff-c881-495e-9bc5-1486211ae03f",
    "77a4a140-e051-481a-84cc-d4bf2109bd65",
    "0a03fa35-e381-4e2f-ace6-2b9913db3381",
)
"""Ids of "… should have vulnerability findings resolved", for machines of Azure, AWS and GCP."""
_INDIVIDUAL: Final = "softwareupdate"
_MACHINES: Final = (
    "/microsoft.compute/virtualmachines/",
    "/microsoft.hybridcompute/machines/",
    "/virtualmachinescalesets/",
)
_PURL_TYPES: Final = {"python": "pypi", "node.js": "npm", "nodejs": "npm", "javascript": "npm"} | {
    ".net": "nuget", "dotnet": "nuget", "ruby": "gem", "rust": "cargo", "php": "composer"
}  # fmt: skip


@dataclass(slots=True)
class _Seen(FindingCollector):
    more: bool = False
    resources: dict[str, None] = field(default_factory=dict)
    kinds: dict[str, None] = field(default_factory=dict)
    machines: int = 0
    proofs: int = 0
    unexplained: bool = False
    """The grouped recommendation is Unhealthy; then there are findings."""
    changes: bool = False
    why: str = ""
    os: OsInfo | None = None
    newest: datetime | None = None


def read(body: bytes) -> ScanReport:
    """Read an answer of Defender. Raises Refusal when it isn't one, isn't whole, or is of nothing."""
    rows, more = rows_of(body)
    seen = _Seen(more=more)
    for row in rows:
        if isinstance(row, DeviceRow):
            _take_device(row, seen)
        else:
            _take(row, seen)
    target, several = single_machine(seen.resources)
    return ScanReport(
        format=DEFENDER,
        scanner="Microsoft Defender",
        scanner_version="",
        schema_version="",
        target=target,
        target_kind="machine" if seen.machines else "",
        os=seen.os,
        created_at=seen.newest,
        packages_seen=None,
        findings=tuple(seen.findings),
        not_scanned=several or _not_scanned(seen),
        entries=seen.entries,
    )


def _not_scanned(seen: _Seen) -> str:
    if seen.more:
        return "this is one page of an answer, which names a next one. Send all of them as one list"
    if seen.changes:
        return "this is what changed (a delta export), not all that there is. Send the whole export"
    if not seen.machines:
        return f"no machine was assessed, only: {', '.join(kind for kind in seen.kinds if kind) or 'other resources'}"
    if seen.unexplained and not seen.entries:
        return "Defender says that the machine has findings, and none is in it. Send them in the same list"
    if not seen.proofs:
        return f"no check of packages ran on the machine{f' ({seen.why})' if seen.why else ''}"
    return ""


def _see(at: datetime | None, seen: _Seen) -> None:
    if at and (seen.newest is None or at > seen.newest):
        seen.newest = at


def _take_device(row: DeviceRow, seen: _Seen) -> None:
    if not row.known:
        told = f"{quoted(row.text('id', 'type') or 'a row')} is neither an assessment nor a finding"
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: {told}")
    seen.resources.setdefault(row.device)
    seen.machines += 1
    seen.proofs += 1
    seen.changes |= row.of_changes
    seen.os = seen.os or row.os
    _see(row.seen, seen)
    if row.cve:
        seen.entries[row.severity] += 1
        seen.add(row.finding())


# --- Defender for Cloud ----------------------------------------------------------------------------------------------


def _take(row: CloudRow, seen: _Seen) -> None:
    if _kind(row) == "" and "/providers/microsoft.security/assessments/" not in row.id.casefold():
        told = f"{quoted(row.id or row.type or 'a row')} is neither an assessment nor a finding"
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: {told}")
    resource = _resource(row)
    seen.resources.setdefault(resource)
    seen.kinds.setdefault(_additional(row).assessed_resource_type)
    seen.os = seen.os or _os(row)
    status = row.properties.status or Status()
    unhealthy, grouped = status.code.casefold() == "unhealthy", _is_grouped(row)
    if _is_machine(row, resource):
        seen.machines += 1
        if _looks_at_packages(row):
            _take_proof(status, grouped, seen)
    _see(parse_timestamp(row.properties.time_generated) or parse_timestamp(status.status_change_date), seen)
    if unhealthy and not grouped and _of_packages(row):
        seen.entries[_severity(row)] += 1
        for finding in _findings(row):
            seen.add(finding)


def _take_proof(status: Status, grouped: bool, seen: _Seen) -> None:
    """What a row about a machine's packages shows: that they were looked at, or that there are findings elsewhere."""
    code = status.code.casefold()
    seen.proofs += code == "healthy" or (code == "unhealthy" and not grouped)
    seen.unexplained |= code == "unhealthy" and grouped
    seen.why = seen.why or ": ".join(unique((status.cause, status.description)))


def _kind(row: CloudRow) -> str:
    kind = row.type.casefold()
    return kind if kind.startswith("microsoft.security/assessments") else ""


def _is_sub_assessment(row: CloudRow) -> bool:
    return "/subassessments/" in row.id.casefold() or _kind(row).endswith("/subassessments")


def _is_individual(row: CloudRow) -> bool:
    category = row.properties.metadata.recommendation_category if row.properties.metadata else None
    return (category or "").casefold() == _INDIVIDUAL or _additional(row).individual_cves is not None


def _is_grouped(row: CloudRow) -> bool:
    return not _is_sub_assessment(row) and not _is_individual(row)


def _of_packages(row: CloudRow) -> bool:
    """Whether it may speak of vulnerable packages; an assessment of another kind doesn't."""
    return _is_sub_assessment(row) or _looks_at_packages(row)


def _looks_at_packages(row: CloudRow) -> bool:
    """Whether it shows that packages were looked at; baselines and databases have sub-assessments too."""
    if _is_individual(row) or any(id_ in row.id.casefold() for id_ in _GROUPED):
        return True
    data = _additional(row)
    return _assessed(row).startswith("servervulnerability") or bool(data.cve) or data.vulnerability_details is not None


def _resource(row: CloudRow) -> str:
    details = row.properties.resource_details
    named = (details.id or details.Id or "") if details else ""
    return (named or row.id.casefold().partition("/providers/microsoft.security/")[0]).casefold()


def _is_machine(row: CloudRow, resource: str) -> bool:
    if _assessed(row).startswith("servervulnerability"):
        return True
    return any(part in f"{resource}/" for part in _MACHINES)


def _assessed(row: CloudRow) -> str:
    return _additional(row).assessed_resource_type.casefold().removeprefix("azure")


_NO_DATA: Final = Additional()


def _additional(row: CloudRow) -> Additional:
    return row.properties.additional_data or _NO_DATA


def _os(row: CloudRow) -> OsInfo | None:
    software = _additional(row).software_details
    details = software.os_details if software else None
    return OsInfo(details.os_platform, details.os_version or "") if details and details.os_platform else None


def _severity(row: CloudRow) -> Severity:
    details, status, metadata = (
        _additional(row).vulnerability_details, row.properties.status, row.properties.metadata,
    )  # fmt: skip
    words = (one.severity for one in (details, status, metadata) if one is not None)
    known = (found for word in words if (found := parse_severity(word)) is not Severity.UNKNOWN)
    return next(known, Severity.UNKNOWN)


def _findings(row: CloudRow) -> Iterator[Finding]:
    data = _additional(row)
    if data.individual_cves is not None:
        yield from _of_individual(row, data)
        return
    details = data.vulnerability_details or Vulnerability()
    named = [details.cve_id, *(one.title for one in data.cve or ()), row.properties.id]
    for id_ in find_cves(*named) or (row.properties.id or row.id,):
        yield _of_cloud(row, data, details, id_)


def _of_individual(row: CloudRow, data: Additional) -> Iterator[Finding]:
    """The CVEs of a package that is to be updated; one without CVEs is a finding by the recommendation's name."""
    told = [DeviceRow.of(one) for one in values_of(data.individual_cves) if isinstance(one, dict)]
    versions = ", ".join(unique(str(version) for version in values_of(data.individual_versions)))
    for one in told or [DeviceRow({})]:
        fixed = one.text("fixedversion") or ", ".join(unique(str(fix) for fix in values_of(data.individual_fix)))
        own = parse_severity(one.text("severity"))
        yield Finding(
            id=one.cve or row.properties.display_name or row.id,
            package=data.individual_name or row.properties.display_name or "",
            installed=versions,
            severity=own if own is not Severity.UNKNOWN else _severity(row),
            fixed=fixed or None,
            severity_source="Microsoft",
            cvss_score=parse_score(one.text("cvssscore")),
            where=unique((_resource(row),)),
            status=one.text("fixstatus"),
            fix_state=FixState.FIXED if fixed else _fix_word(one.text("fixstatus")),
            published=parse_timestamp(one.text("publisheddate")),
            check=row.id.rpartition("/")[2],
        )


def _of_cloud(row: CloudRow, data: Additional, details: Vulnerability, id_: str) -> Finding:
    properties = row.properties
    software = data.software_details or Software()
    rated, vector = _score(data, details)
    version = software.version or ", ".join(unique(str(one) for one in values_of(data.software_version)))
    return Finding(
        id=id_,
        package=software.package_name or data.software_name or properties.display_name or "",
        installed=version,
        severity=_severity(row),
        fixed=software.fixed_version or data.recommended_version or None,
        severity_source="Microsoft",
        cvss_score=rated,
        purl=_purl(software, version),
        where=unique((properties.resource_details.id if properties.resource_details else None,)),
        status=software.fix_status or "",
        cvss_vector=vector,
        fix_state=_fix_state(software, data),
        published=parse_timestamp(details.published_date) or parse_timestamp(data.published_time),
        check=properties.id or "",
    )


def _purl(software: Software, version: str) -> str:
    kind = _PURL_TYPES.get((software.language or "").casefold(), "")
    return build_purl(kind, software.package_name or "", version)


def _fix_state(software: Software, data: Additional) -> FixState:
    if software.fixed_version or data.recommended_version or data.patchable:
        return FixState.FIXED
    return FixState.NOT_FIXED if data.patchable is False else _fix_word(software.fix_status or "")


def _fix_word(word: str) -> FixState:
    if not word:
        return FixState.UNKNOWN
    return FixState.FIXED if word.casefold().replace(" ", "") == "fixavailable" else FixState.NOT_FIXED


def _score(data: Additional, details: Vulnerability) -> tuple[float | None, str]:
    by_version: dict[str, Any] = {**(data.cvss or {}), **(details.cvss or {})}
    for version in sorted(by_version, reverse=True):
        one = by_version[version]
        if one is not None and (one.base is not None or one.vector):
            return cvss_score(one.base, one.vector), one.vector or ""
    return parse_score(data.cvss_v30_score), ""
