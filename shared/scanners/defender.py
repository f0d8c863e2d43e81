"""Microsoft Defender: recommendations and sub-assessments of Defender for Cloud, rows of Defender for Endpoint.

Accepted are responses of the REST API, rows of Azure Resource Graph, lists of either, and rows of Defender for Endpoint
(``defender_endpoint``), for example ``az graph query -q "securityresources | where type in~
('microsoft.security/assessments', 'microsoft.security/assessments/subassessments')"``. Facts (Microsoft.Security
2019-01-01-preview, ``subAssessments.json``; learn.microsoft.com, "sub-assessment REST API", "Transition from grouped to
individual recommendations"):

* Until 31 July 2026, the findings of a grouped recommendation ("Machines should have vulnerability findings resolved")
  are its sub-assessments, one row for each. ``additionalData.assessedResourceType`` says what was assessed. The other
  fields depend on it: ``cve`` and ``cvss`` for servers, ``vulnerabilityDetails`` and ``softwareDetails`` (with the
  package and the fixed version) for findings of Defender's own scanner.
* Since then, every package to update is a recommendation of its own, of the category SoftwareUpdate, with all its CVEs
  in ``additionalData.CvesDetails`` (JSON in a string). Each CVE is a finding.
* ``status.code`` is Unhealthy for a finding, Healthy for a check that passed, NotApplicable for one that did not run.
* Severities are High, Medium and Low. Details of Defender's own scanner also have Critical, which takes precedence.
* An empty response proves nothing: Defender also returns it for a machine that it does not assess. A scan is proven by
  a finding, by a check that passed, or by the grouped recommendation when it is Healthy. When that is Unhealthy, its
  findings must be in the report. Other recommendations (encryption, accounts) are not about packages.
* Responses are paged. A page that names a next one is not the complete report.
* The only time of a recommendation is that of its last status change, which is never later than the assessment.
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
from shared.scanners.defender_rows import (
    NAME,
    AdditionalData,
    CloudRow,
    DeviceRow,
    Software,
    Status,
    Vulnerability,
    json_list,
    read_rows,
)
from shared.scanners.json_body import as_object
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

_GROUPED_RECOMMENDATIONS: Final = (
    "1195afff-c881-495e-9bc5-1486211ae03f",
    "77a4a140-e051-481a-84cc-d4bf2109bd65",
    "0a03fa35-e381-4e2f-ace6-2b9913db3381",
)
"""Assessment keys of "… should have vulnerability findings resolved", for machines in Azure, AWS and GCP."""
_INDIVIDUAL: Final = "softwareupdate"
_MACHINE_TYPES: Final = (
    "/microsoft.compute/virtualmachines/",
    "/microsoft.hybridcompute/machines/",
    "/virtualmachinescalesets/",
)
_PURL_TYPES: Final = {"python": "pypi", "node.js": "npm", "nodejs": "npm", "javascript": "npm"} | {
    ".net": "nuget", "dotnet": "nuget", "ruby": "gem", "rust": "cargo", "php": "composer"
}  # fmt: skip


@dataclass(slots=True)
class _Collector(FindingCollector):
    is_page: bool = False
    """The body is one page of several."""
    resources: dict[str, None] = field(default_factory=dict[str, None])
    kinds: dict[str, None] = field(default_factory=dict[str, None])
    machines: int = 0
    """Rows about machines."""
    proofs: int = 0
    """Rows which show that the packages of a machine were examined."""
    has_grouped: bool = False
    """The grouped recommendation is Unhealthy: the machine has findings."""
    is_delta: bool = False
    status_text: str = ""
    """Cause and description of the first check of packages that has them."""
    os: OsInfo | None = None
    newest: datetime | None = None


def read(body: bytes) -> ScanReport:
    """Read a response of Defender. Raises Refusal when the body is not one, is incomplete, or has no rows."""
    rows, is_page = read_rows(body)
    collector = _Collector(is_page=is_page)
    for row in rows:
        if isinstance(row, DeviceRow):
            _collect_device(row, collector)
        else:
            _collect_cloud(row, collector)
    target, several = single_machine(collector.resources)
    return ScanReport(
        format=DEFENDER,
        scanner="Microsoft Defender",
        scanner_version="",
        schema_version="",
        target=target,
        target_kind="machine" if collector.machines else "",
        os=collector.os,
        created_at=collector.newest,
        packages_seen=None,
        findings=tuple(collector.findings),
        not_scanned=several or _not_scanned(collector),
        entries=collector.entries,
    )


def _not_scanned(collector: _Collector) -> str:
    if collector.is_page:
        return "the report is one page of several. Send the rows of all pages as one list"
    if collector.is_delta:
        return "the report is a delta export, which contains only changes. Send the full export"
    if not collector.machines:
        kinds = ", ".join(kind for kind in collector.kinds if kind) or "other resources"
        return f"no machine was assessed, only: {kinds}"
    if collector.has_grouped and not collector.entries:
        return "Defender says that the machine has findings, but the report contains none. Send them in the same list"
    if not collector.proofs:
        cause = f" ({collector.status_text})" if collector.status_text else ""
        return f"no check of packages ran on the machine{cause}"
    return ""


def _note_time(at: datetime | None, collector: _Collector) -> None:
    if at and (collector.newest is None or at > collector.newest):
        collector.newest = at


def _collect_device(row: DeviceRow, collector: _Collector) -> None:
    if not row.is_device_row:
        text = f"{quoted(row.text('id', 'type') or 'a row')} is neither an assessment nor a finding"
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: {text}")
    collector.resources.setdefault(row.device)
    collector.machines += 1
    collector.proofs += 1
    collector.is_delta |= row.is_delta
    collector.os = collector.os or row.os
    _note_time(row.last_seen, collector)
    if row.cve:
        collector.entries[row.severity] += 1
        collector.add(row.finding())


# --- Defender for Cloud ----------------------------------------------------------------------------------------------


def _collect_cloud(row: CloudRow, collector: _Collector) -> None:
    if _kind(row) == "" and "/providers/microsoft.security/assessments/" not in row.id.casefold():
        text = f"{quoted(row.id or row.type or 'a row')} is neither an assessment nor a finding"
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {NAME}: {text}")
    resource = _resource(row)
    collector.resources.setdefault(resource)
    collector.kinds.setdefault(_additional_data(row).assessed_resource_type)
    collector.os = collector.os or _os_info(row)
    status = row.properties.status or Status()
    unhealthy, grouped = status.code.casefold() == "unhealthy", _is_grouped(row)
    if _is_machine(row, resource):
        collector.machines += 1
        if _examines_packages(row):
            _collect_proof(status, grouped, collector)
    _note_time(parse_timestamp(row.properties.time_generated) or parse_timestamp(status.status_change_date), collector)
    if unhealthy and not grouped and _may_list_packages(row):
        collector.entries[_severity(row)] += 1
        for finding in _findings(row):
            collector.add(finding)


def _collect_proof(status: Status, grouped: bool, collector: _Collector) -> None:
    """Note what a row about packages shows: that they were examined, or that the machine has findings in other rows."""
    code = status.code.casefold()
    collector.proofs += code == "healthy" or (code == "unhealthy" and not grouped)
    collector.has_grouped |= code == "unhealthy" and grouped
    collector.status_text = collector.status_text or ": ".join(unique((status.cause, status.description)))


def _kind(row: CloudRow) -> str:
    kind = row.type.casefold()
    return kind if kind.startswith("microsoft.security/assessments") else ""


def _is_sub_assessment(row: CloudRow) -> bool:
    return "/subassessments/" in row.id.casefold() or _kind(row).endswith("/subassessments")


def _is_individual(row: CloudRow) -> bool:
    category = row.properties.metadata.recommendation_category if row.properties.metadata else None
    return (category or "").casefold() == _INDIVIDUAL or _additional_data(row).individual_cves is not None


def _is_grouped(row: CloudRow) -> bool:
    return not _is_sub_assessment(row) and not _is_individual(row)


def _may_list_packages(row: CloudRow) -> bool:
    """Whether the row can be about vulnerable packages; assessments of other kinds are not."""
    return _is_sub_assessment(row) or _examines_packages(row)


def _examines_packages(row: CloudRow) -> bool:
    """Whether the row shows that packages were examined; baselines and databases have sub-assessments too."""
    if _is_individual(row) or any(id_ in row.id.casefold() for id_ in _GROUPED_RECOMMENDATIONS):
        return True
    data = _additional_data(row)
    return (
        _assessed_type(row).startswith("servervulnerability")
        or bool(data.cve)
        or data.vulnerability_details is not None
    )


def _resource(row: CloudRow) -> str:
    details = row.properties.resource_details
    named = (details.id or details.Id or "") if details else ""
    return (named or row.id.casefold().partition("/providers/microsoft.security/")[0]).casefold()


def _is_machine(row: CloudRow, resource: str) -> bool:
    if _assessed_type(row).startswith("servervulnerability"):
        return True
    return any(part in f"{resource}/" for part in _MACHINE_TYPES)


def _assessed_type(row: CloudRow) -> str:
    return _additional_data(row).assessed_resource_type.casefold().removeprefix("azure")


_NO_DATA: Final = AdditionalData()


def _additional_data(row: CloudRow) -> AdditionalData:
    return row.properties.additional_data or _NO_DATA


def _os_info(row: CloudRow) -> OsInfo | None:
    software = _additional_data(row).software_details
    details = software.os_details if software else None
    return OsInfo(details.os_platform, details.os_version or "") if details and details.os_platform else None


def _severity(row: CloudRow) -> Severity:
    details, status, metadata = (
        _additional_data(row).vulnerability_details, row.properties.status, row.properties.metadata,
    )  # fmt: skip
    words = (one.severity for one in (details, status, metadata) if one is not None)
    known = (found for word in words if (found := parse_severity(word)) is not Severity.UNKNOWN)
    return next(known, Severity.UNKNOWN)


def _findings(row: CloudRow) -> Iterator[Finding]:
    data = _additional_data(row)
    if data.individual_cves is not None:
        yield from _individual_findings(row, data)
        return
    details = data.vulnerability_details or Vulnerability()
    named = [details.cve_id, *(one.title for one in data.cve or ()), row.properties.id]
    for id_ in find_cves(*named) or (row.properties.id or row.id,):
        yield _finding(row, data, details, id_)


def _individual_findings(row: CloudRow, data: AdditionalData) -> Iterator[Finding]:
    """The CVEs of a package to update. A recommendation without CVEs is one finding, by its own name."""
    cves = [DeviceRow.from_columns(as_object(one)) for one in json_list(data.individual_cves) if isinstance(one, dict)]
    versions = ", ".join(unique(str(version) for version in json_list(data.individual_versions)))
    for one in cves or [DeviceRow({})]:
        fixed = one.text("fixedversion") or ", ".join(unique(str(fix) for fix in json_list(data.individual_fix)))
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
            fix_state=FixState.FIXED if fixed else _fix_state_of_word(one.text("fixstatus")),
            published=parse_timestamp(one.text("publisheddate")),
            check=row.id.rpartition("/")[2],
        )


def _finding(row: CloudRow, data: AdditionalData, details: Vulnerability, id_: str) -> Finding:
    properties = row.properties
    software = data.software_details or Software()
    rated, vector = _best_score(data, details)
    version = software.version or ", ".join(unique(str(one) for one in json_list(data.software_version)))
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


def _fix_state(software: Software, data: AdditionalData) -> FixState:
    if software.fixed_version or data.recommended_version or data.patchable:
        return FixState.FIXED
    return FixState.NOT_FIXED if data.patchable is False else _fix_state_of_word(software.fix_status or "")


def _fix_state_of_word(word: str) -> FixState:
    if not word:
        return FixState.UNKNOWN
    return FixState.FIXED if word.casefold().replace(" ", "") == "fixavailable" else FixState.NOT_FIXED


def _best_score(data: AdditionalData, details: Vulnerability) -> tuple[float | None, str]:
    by_version: dict[str, Any] = {**(data.cvss or {}), **(details.cvss or {})}
    for version in sorted(by_version, reverse=True):
        one = by_version[version]
        if one is not None and (one.base is not None or one.vector):
            return cvss_score(one.base, one.vector), one.vector or ""
    return parse_score(data.cvss_v30_score), ""
