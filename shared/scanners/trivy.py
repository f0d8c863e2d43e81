"""Trivy's JSON report (``trivy … --format json``), schema version 2.

Facts of the format (aquasecurity/trivy, ``pkg/types/report.go``; reports in its integration tests):

* Empty lists are left out: no ``Vulnerabilities`` key in a result means none were found there, and says nothing of
  whether anything was looked at. What was looked at shows in the results' ``Class``: a scan of the operating system's
  packages leaves a result of class ``os-pkgs``. An OS that Trivy doesn't support leaves none, nor does one that it
  didn't find; the family is then absent or ``none``.
* Before version 0.21 results had no ``Class``; those of the system have its family as ``Type``.
* With package lists on (the default of current versions), results carry ``Packages``. Where others carry them and
  ``os-pkgs`` doesn't, the package database of the OS was empty or unreadable. Lists of packages (SBOM) may name an OS
  and none of its packages; they must show some, or findings of them.
* A scan for other things (misconfiguration, secrets, licences) is a report of the same schema.
* Findings left out by an ignore file or VEX stand under ``ExperimentalModifiedFindings`` if the scan showed them.
* The legacy form, before version 0.20 (2021), is a bare list of results. It has neither an operating system nor a time
  nor a version, so it can't be proven to be a whole scan of this image, and is refused. So are reports of clusters
  (``ClusterName``) and of the Kubernetes operator, which are of many things at once.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import TRIVY
from shared.scanners.collector import FindingCollector
from shared.scanners.json_body import CountedObject, NonEmptyName, WireStruct, decode, decode_each
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted
from shared.scanners.values import canonical_purl, cvss_score, parse_timestamp

SCHEMA: Final = 2
_SBOMS: Final = frozenset({"cyclonedx", "spdx"})
"""Kinds of artifacts that are lists of packages themselves, and may name a system without any."""
OS_PACKAGES: Final = "os-pkgs"
LANGUAGE_PACKAGES: Final = "lang-pkgs"

_SEVERITIES: Final = {severity.value.upper(): severity for severity in Severity}
_GRADES: Final = (Severity.UNKNOWN, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
"""``VendorSeverity`` gives numbers (aquasecurity/trivy-db, ``pkg/types/types.go``)."""
_FIX_STATES: Final = {
    "fixed": FixState.FIXED,
    "will_not_fix": FixState.WONT_FIX,
    "end_of_life": FixState.WONT_FIX,
}


class _Wire(WireStruct, rename="pascal"):
    """Trivy writes its keys as Go names its fields."""


class _Identifier(_Wire):
    purl: str = msgspec.field(name="PURL", default="")


class _Score(_Wire):
    v2_score: float | None = msgspec.field(name="V2Score", default=None)
    v3_score: float | None = msgspec.field(name="V3Score", default=None)
    v40_score: float | None = msgspec.field(name="V40Score", default=None)
    v2_vector: str = msgspec.field(name="V2Vector", default="")
    v3_vector: str = msgspec.field(name="V3Vector", default="")
    v40_vector: str = msgspec.field(name="V40Vector", default="")

    @property
    def newest(self) -> tuple[float, str] | None:
        """Score and vector of the newest CVSS version that is there."""
        pairs = (
            (self.v40_score, self.v40_vector),
            (self.v3_score, self.v3_vector),
            (self.v2_score, self.v2_vector),
        )
        for given, vector in pairs:
            found = cvss_score(given, vector)
            if found is not None:
                return found, vector
        return None


class _Vulnerability(_Wire):
    vulnerability_id: NonEmptyName = msgspec.field(name="VulnerabilityID")
    pkg_name: NonEmptyName
    installed_version: str = ""
    fixed_version: str = ""
    status: str = ""
    severity: str = ""
    severity_source: str = ""
    vendor_severity: dict[str, Any] | None = None
    published_date: str = ""
    pkg_path: str = ""
    vendor_ids: list[str] | None = msgspec.field(name="VendorIDs", default=None)
    pkg_identifier: _Identifier | None = None
    cvss: dict[str, _Score] | None = msgspec.field(name="CVSS", default=None)


class _Modified(_Wire):
    type: str = ""
    status: str = ""
    statement: str = ""
    source: str = ""
    finding: msgspec.Raw = msgspec.Raw(b"{}")


class _Result(_Wire):
    target: str = ""
    class_: str = msgspec.field(name="Class", default="")
    type: str = ""
    packages: list[CountedObject] | None = None
    vulnerabilities: list[msgspec.Raw] | None = None
    experimental_modified_findings: list[_Modified] | None = None

    @property
    def of_packages(self) -> bool:
        return self.class_ in {OS_PACKAGES, LANGUAGE_PACKAGES}

    def of_system(self, family: str) -> bool:
        """Whether it is of the system's packages; before ``Class`` came, ``Type`` alone told."""
        return self.class_ == OS_PACKAGES or (not self.class_ and self.type == family)


class _OS(_Wire):
    family: str = ""
    name: str = ""
    eosl: bool = msgspec.field(name="EOSL", default=False)


class _Metadata(_Wire):
    os: _OS | None = msgspec.field(name="OS", default=None)


class _Trivy(_Wire):
    version: str = ""


class _Report(_Wire):
    schema_version: int
    artifact_name: str = ""
    artifact_type: str = ""
    created_at: str = ""
    trivy: _Trivy | None = None
    metadata: _Metadata | None = None
    results: list[_Result] | None = None


class _Head(_Wire):
    """Enough of a JSON object to say what it is, when it isn't what it should be."""

    schema_version: Any = None
    cluster_name: Any = None
    bom_format: Any = msgspec.field(name="bomFormat", default=None)
    spdx_version: Any = msgspec.field(name="spdxVersion", default=None)
    kind: Any = msgspec.field(name="kind", default=None)


_REPORTS: Final = msgspec.json.Decoder(_Report)
_HEADS: Final = msgspec.json.Decoder(_Head)
_FINDINGS: Final = msgspec.json.Decoder(_Vulnerability)


def read(body: bytes) -> ScanReport:
    """Read a Trivy report. Raises Refusal when it isn't one, isn't whole, or shows that nothing was scanned."""
    report = _decoded(body)
    results = report.results or []
    os_info = _os(report.metadata)
    if os_info is None and not any(result.of_packages for result in results):
        raise Refusal(RefusalReason.NOT_SCANNED, _nothing(results))
    gathered = FindingCollector()
    for result in results:
        _take(result, gathered)
    return ScanReport(
        format=TRIVY,
        scanner="Trivy",
        scanner_version=report.trivy.version if report.trivy else "",
        schema_version=str(report.schema_version),
        target=report.artifact_name,
        target_kind=report.artifact_type,
        os=os_info,
        created_at=parse_timestamp(report.created_at),
        packages_seen=_packages_seen(results),
        findings=tuple(gathered.findings),
        suppressed=tuple(gathered.suppressed),
        not_scanned=_not_scanned(os_info, results, report.artifact_type),
    )


def _decoded(body: bytes) -> _Report:
    if body.lstrip()[:1] == b"[":
        told = (
            "not a Trivy report: an object is expected, not a list. If this is the legacy form, it names neither an "
            "operating system nor a time and so proves nothing of this image: scan with Trivy 0.20 or newer"
        )
        raise Refusal(RefusalReason.WRONG_SHAPE, told)
    _check_head(decode(_HEADS, body, "a Trivy report"))
    return decode(_REPORTS, body, "a Trivy report")


def _check_head(head: _Head) -> None:
    if type(head.schema_version) is int and head.schema_version == SCHEMA:
        return
    if head.schema_version is not None:
        told = f"Trivy's schema version {quoted(head.schema_version)} is not known here; {SCHEMA} is"
        raise Refusal(RefusalReason.WRONG_SCHEMA, told)
    other = {
        "a report of a whole cluster": head.cluster_name,
        "a CycloneDX document": head.bom_format,
        "an SPDX document": head.spdx_version,
        f"a Kubernetes object ({quoted(head.kind)})": head.kind,
    }
    named = next((name for name, value in other.items() if value is not None), "not a Trivy report")
    raise Refusal(RefusalReason.WRONG_SHAPE, f"{named}: there is no SchemaVersion. Write the report with --format json")


def _nothing(results: list[_Result]) -> str:
    if not results:
        return "no operating system and no packages were found: nothing was scanned"
    classes = ", ".join(sorted({result.class_ or "unnamed" for result in results}))
    return f"no operating system and no packages were looked at, only: {classes}. Scan with --scanners vuln"


def _os(metadata: _Metadata | None) -> OsInfo | None:
    found = metadata.os if metadata else None
    if found is None or found.family in {"", "none"}:
        return None
    return OsInfo(found.family, found.name, found.eosl)


def _not_scanned(os_info: OsInfo | None, results: list[_Result], kind: str) -> str:
    if os_info is None:
        return "no operating system was found, only packages of applications"
    system = [result for result in results if result.of_system(os_info.family)]
    if not system:
        return f"{os_info} was found, but its packages were not looked at"
    listed = any(result.packages for result in results) or kind in _SBOMS
    if listed and not any(result.packages or result.vulnerabilities for result in system):
        return f"{os_info} was found, but none of its packages"
    return ""


def _packages_seen(results: list[_Result]) -> int | None:
    if not any(result.packages for result in results):
        return None if any(result.of_packages for result in results) else 0
    return sum(len(result.packages or ()) for result in results)


def _take(result: _Result, gathered: FindingCollector) -> None:
    for vulnerability in decode_each(_FINDINGS, result.vulnerabilities, f"a Trivy report: in {quoted(result.target)}"):
        gathered.add(_finding(vulnerability, result.target))
    for modified in result.experimental_modified_findings or ():
        if modified.type == "vulnerability":
            vulnerability = decode(_FINDINGS, modified.finding, "a Trivy report: in ExperimentalModifiedFindings")
            gathered.add(_finding(vulnerability, result.target), modified.status, modified.statement, modified.source)


def _finding(found: _Vulnerability, target: str) -> Finding:
    rated, vector = _score(found)
    return Finding(
        id=found.vulnerability_id,
        package=found.pkg_name,
        installed=found.installed_version,
        severity=_SEVERITIES.get(found.severity.upper(), Severity.UNKNOWN),
        aliases=tuple(found.vendor_ids or ()),
        fixed=found.fixed_version or None,
        severity_source=found.severity_source,
        cvss_score=rated,
        purl=canonical_purl(found.pkg_identifier.purl) if found.pkg_identifier else "",
        where=tuple(place for place in (target, found.pkg_path) if place),
        status=found.status,
        severities=tuple((source, _grade(grade)) for source, grade in (found.vendor_severity or {}).items()),
        cvss_vector=vector,
        fix_state=FixState.FIXED if found.fixed_version else _FIX_STATES.get(found.status, FixState.NOT_FIXED),
        published=parse_timestamp(found.published_date),
    )


def _grade(number: object) -> Severity:
    return _GRADES[number] if isinstance(number, int) and 0 <= number < len(_GRADES) else Severity.UNKNOWN


def _score(found: _Vulnerability) -> tuple[float | None, str]:
    """Score and vector of whoever gave the severity, or NVD's, or the highest of the others."""
    newest = {source: score.newest for source, score in (found.cvss or {}).items()}
    for source in (found.severity_source, "nvd"):
        if (own := newest.get(source)) is not None:
            return own
    return max((pair for pair in newest.values() if pair is not None), default=(None, ""))
