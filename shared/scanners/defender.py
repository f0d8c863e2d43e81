"""Microsoft Defender for Cloud's sub-assessments, and Defender for Endpoint's vulnerabilities of a machine.

Taken are the answers of the REST API (``{"value": […]}``), rows of Azure Resource Graph (``{"data": […]}``) and bare
lists of either, for example ``az graph query -q "securityresources | where type =~
'microsoft.security/assessments/subassessments'"``. Facts of the format (Microsoft.Security 2019-01-01-preview,
``subAssessments.json``; learn.microsoft.com, "sub-assessment REST API"; Defender for Endpoint's export API):

* ``status.code`` is Unhealthy for a finding, Healthy for a check that passed, NotApplicable for one that did not run.
* ``additionalData.assessedResourceType`` says what was assessed: a server, a container image, a SQL server.
  The fields beside it differ: ``cve`` and ``cvss`` for servers, ``vulnerabilityDetails`` and ``softwareDetails`` (with
  the package and the fixed version) where Defender's own scanner made it.
* Severities are High, Medium and Low; details of Defender's own scanner know Critical, which then counts.
* An empty answer proves nothing: it is also the answer for a machine that is not assessed. Proof is a finding or a
  passed check of a machine, or the machine's assessment itself (``Microsoft.Security/assessments``, Healthy or
  Unhealthy), which may stand in the same list.
* Answers come in pages. One that names a next page is not the whole report.
* Defender for Endpoint's rows have no time at all, so a policy that asks for one does not take them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from shared.domain.policy import Severity
from shared.scanners.jsons import Wire, decode, each
from shared.scanners.machines import one_machine
from shared.scanners.report import Compact, Finding, FixState, OsInfo, Refusal, RefusalReason, ScanReport, shown
from shared.scanners.values import cves_in, moment, purl_made, score, score_of, severity_of, together

FORMAT: Final = "defender"
_NAME: Final = "an answer of Microsoft Defender"
_MACHINES: Final = (
    "/microsoft.compute/virtualmachines/",
    "/microsoft.hybridcompute/machines/",
    "/virtualmachinescalesets/",
)
_PURL_TYPES: Final = {"python": "pypi", "node.js": "npm", "nodejs": "npm", "javascript": "npm"} | {
    ".net": "nuget", "dotnet": "nuget", "ruby": "gem", "rust": "cargo", "php": "composer"
}  # fmt: skip


class _Status(Wire):
    code: str = ""
    severity: str | None = None
    cause: str | None = None
    description: str | None = None


class _Resource(Wire):
    id: str | None = None
    Id: str | None = None
    source: str | None = None


class _Cve(Wire):
    title: str | None = None


class _Cvss(Wire, rename={"vector": "cvssVectorString"}):
    base: float | None = None
    vector: str | None = None


class _Exploits(Wire, rename="camel"):
    is_in_exploit_kit: bool | None = None


class _Vulnerability(Wire, rename="camel"):
    cve_id: str | None = None
    severity: str | None = None
    published_date: str | None = None
    cvss: dict[str, _Cvss | None] | None = None


class _SystemDetails(Wire, rename="camel"):
    os_platform: str | None = None
    os_version: str | None = None


class _Software(Wire, rename="camel"):
    package_name: str | None = None
    version: str | None = None
    fixed_version: str | None = None
    fix_status: str | None = None
    language: str | None = None
    vendor: str | None = None
    category: str | None = None
    os_details: _SystemDetails | None = None


class _Additional(Wire, rename="camel"):
    assessed_resource_type: str = ""
    cve: list[_Cve] | None = None
    cvss: dict[str, _Cvss | None] | None = None
    patchable: bool | None = None
    published_time: str | None = None
    vulnerability_details: _Vulnerability | None = None
    software_details: _Software | None = None
    cvss_v30_score: float | None = msgspec.field(name="cvssV30Score", default=None)
    image_digest: str | None = None


class _Properties(Wire, rename="camel"):
    id: str | None = None
    display_name: str | None = None
    status: _Status | None = None
    time_generated: str | None = None
    resource_details: _Resource | None = None
    additional_data: _Additional | None = None


class _Row(Wire, rename="camel"):
    """A sub-assessment, an assessment, or a row of Defender for Endpoint."""

    id: str = ""
    type: str = ""
    properties: _Properties | None = None
    cve_id: str | None = None
    machine_id: str | None = None
    product_name: str | None = None
    product_vendor: str | None = None
    product_version: str | None = None
    severity: str | None = None
    fixing_kb_id: str | None = None


@dataclass(slots=True)
class _Seen:
    """What is gathered on the way through the rows."""

    more: bool
    findings: list[Finding] = field(default_factory=list)
    entries: Counter[Severity] = field(default_factory=Counter)
    resources: dict[str, None] = field(default_factory=dict)
    kinds: dict[str, None] = field(default_factory=dict)
    machines: int = 0
    proofs: int = 0
    why: str = ""
    os: OsInfo | None = None
    newest: datetime | None = None
    compact: Compact = field(default_factory=Compact)


class _Answer(Wire):
    value: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    properties: _Properties | None = None
    next_link: Any = msgspec.field(name="nextLink", default=None)
    odata_next: Any = msgspec.field(name="@odata.nextLink", default=None)
    skip_token: Any = msgspec.field(name="$skipToken", default=None)
    cli_skip_token: Any = msgspec.field(name="skip_token", default=None)
    truncated: Any = msgspec.field(name="resultTruncated", default=None)


_NO_DATA: Final = _Additional()
_ANSWERS: Final = msgspec.json.Decoder(_Answer)
_ROWS: Final = msgspec.json.Decoder(_Row)
_LISTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def read(body: bytes) -> ScanReport:
    """Read an answer of Defender. Raises Refusal when it isn't one, isn't whole, or is of nothing."""
    rows, more = _rows(body)
    if not rows:
        told = "there are no rows in it: Defender answers so also for a machine that it doesn't assess"
        raise Refusal(RefusalReason.NOT_SCANNED, told)
    seen = _Seen(more=more)
    for row in each(_ROWS, rows, _NAME):
        _take(row, seen)
    target, several = one_machine(seen.resources)
    return ScanReport(
        format=FORMAT,
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


def _take(row: _Row, seen: _Seen) -> None:
    if not _is_known(row):
        told = f"{shown(row.id or row.type or 'a row')} is neither an assessment nor a finding"
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: {told}")
    resource = _resource(row)
    seen.resources.setdefault(resource)
    if _is_machine(row, resource):
        seen.machines += 1
        seen.proofs += _proves(row)
        seen.why = seen.why or _why(row)
    seen.kinds.setdefault(_additional(row).assessed_resource_type)
    seen.os = seen.os or _os(row)
    if (at := _time(row)) and (seen.newest is None or at > seen.newest):
        seen.newest = at
    if _is_finding(row):
        seen.entries[_severity(row)] += 1
        seen.findings.extend(seen.compact(finding) for finding in _findings(row))


def _rows(body: bytes) -> tuple[list[msgspec.Raw], bool]:
    if body.lstrip()[:1] == b"[":
        return decode(_LISTS, body, _NAME), False
    answer = decode(_ANSWERS, body, _NAME)
    rows = answer.value if answer.value is not None else answer.data
    if rows is None and answer.properties is not None:
        rows = [msgspec.Raw(body)]
    if rows is None:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {_NAME}: a list is expected, or one under value or data")
    more = (answer.next_link, answer.odata_next, answer.skip_token, answer.cli_skip_token)
    return rows, any(more) or str(answer.truncated).casefold() == "true"


def _is_known(row: _Row) -> bool:
    if row.properties is not None:
        return "/providers/microsoft.security/assessments/" in row.id.casefold() or _kind(row) != ""
    return bool(row.cve_id and row.machine_id)


def _kind(row: _Row) -> str:
    kind = row.type.casefold()
    return kind if kind.startswith("microsoft.security/assessments") else ""


def _is_assessment(row: _Row) -> bool:
    return (
        row.properties is not None
        and "/subassessments/" not in row.id.casefold()
        and not _kind(row).endswith("/subassessments")
    )


def _is_finding(row: _Row) -> bool:
    if row.properties is None:
        return True
    status = row.properties.status
    return not _is_assessment(row) and status is not None and status.code.casefold() == "unhealthy"


def _resource(row: _Row) -> str:
    if row.properties is None:
        return row.machine_id or ""
    details = row.properties.resource_details
    named = (details.id or details.Id or "") if details else ""
    return (named or row.id.casefold().partition("/providers/microsoft.security/")[0]).casefold()


def _is_machine(row: _Row, resource: str) -> bool:
    if row.properties is None:
        return True
    if _additional(row).assessed_resource_type.casefold().startswith("servervulnerability"):
        return True
    return any(part in f"{resource}/" for part in _MACHINES)


def _additional(row: _Row) -> _Additional:
    return (row.properties.additional_data if row.properties else None) or _NO_DATA


def _time(row: _Row) -> datetime | None:
    return moment(row.properties.time_generated) if row.properties else None


def _not_scanned(seen: _Seen) -> str:
    if seen.more:
        return "this is one page of an answer, which names a next one. Send all of them as one list"
    if not seen.machines:
        return f"no machine was assessed, only: {', '.join(kind for kind in seen.kinds if kind) or 'other resources'}"
    if not seen.proofs:
        return f"no check ran on the machine{f' ({seen.why})' if seen.why else ''}"
    return ""


def _why(row: _Row) -> str:
    status = row.properties.status if row.properties else None
    return ": ".join(together((status.cause, status.description))) if status else ""


def _proves(row: _Row) -> bool:
    if row.properties is None:
        return True
    status = row.properties.status
    return status is not None and status.code.casefold() in {"healthy", "unhealthy"}


def _os(row: _Row) -> OsInfo | None:
    data = row.properties.additional_data if row.properties else None
    details = data.software_details.os_details if data and data.software_details else None
    return OsInfo(details.os_platform, details.os_version or "") if details and details.os_platform else None


def _severity(row: _Row) -> Severity:
    if row.properties is None:
        return severity_of(row.severity)
    data = row.properties.additional_data
    own = severity_of(data.vulnerability_details.severity) if data and data.vulnerability_details else Severity.UNKNOWN
    status = severity_of(row.properties.status.severity) if row.properties.status else Severity.UNKNOWN
    return own if own is not Severity.UNKNOWN else status


def _findings(row: _Row) -> Iterator[Finding]:
    if not _is_finding(row):
        return
    if row.properties is None:
        yield _of_endpoint(row)
        return
    data = row.properties.additional_data or _Additional()
    details = data.vulnerability_details or _Vulnerability()
    named = [details.cve_id, *(one.title for one in data.cve or ()), row.properties.id]
    cves = cves_in(*named)
    for id_ in cves or (row.properties.id or row.id,):
        yield _of_cloud(row, data, details, id_)


def _of_endpoint(row: _Row) -> Finding:
    return Finding(
        id=row.cve_id or "",
        package=row.product_name or "",
        installed=row.product_version or "",
        severity=severity_of(row.severity),
        fixed=row.fixing_kb_id or None,
        severity_source="Microsoft",
        where=together((row.product_vendor,)),
        fix_state=FixState.FIXED if row.fixing_kb_id else FixState.UNKNOWN,
    )


def _of_cloud(row: _Row, data: _Additional, details: _Vulnerability, id_: str) -> Finding:
    properties = row.properties or _Properties()
    software = data.software_details or _Software()
    points, vector = _score(data, details)
    kind = _PURL_TYPES.get((software.language or "").casefold(), "")
    return Finding(
        id=id_,
        package=software.package_name or properties.display_name or "",
        installed=software.version or "",
        severity=_severity(row),
        fixed=software.fixed_version or None,
        severity_source="Microsoft",
        cvss_score=points,
        purl=purl_made(kind, software.package_name or "", software.version or "")
        if kind not in {"maven", "golang"}
        else "",
        where=together((properties.resource_details.id if properties.resource_details else None,)),
        status=software.fix_status or "",
        cvss_vector=vector,
        fix_state=_fix_state(software, data),
        published=moment(details.published_date) or moment(data.published_time),
        check=properties.id or "",
    )


def _fix_state(software: _Software, data: _Additional) -> FixState:
    word = (software.fix_status or "").casefold()
    if software.fixed_version or word == "fixavailable" or data.patchable:
        return FixState.FIXED
    return FixState.NOT_FIXED if word or data.patchable is False else FixState.UNKNOWN


def _score(data: _Additional, details: _Vulnerability) -> tuple[float | None, str]:
    rated = {**(data.cvss or {}), **(details.cvss or {})}
    for version in sorted(rated, reverse=True):
        one = rated[version]
        if one is not None and (one.base is not None or one.vector):
            return (score(one.base) if one.base is not None else score_of(one.vector or "")), one.vector or ""
    return score(data.cvss_v30_score), ""
