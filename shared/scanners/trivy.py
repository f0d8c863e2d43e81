"""Trivy's JSON report (``trivy … --format json``), schema version 2.

Facts of the format (aquasecurity/trivy, ``pkg/types/report.go``; reports in its integration tests):

* Trivy omits empty lists. A result without the key ``Vulnerabilities`` has none, which does not say whether anything
  was examined. What was examined shows in the ``Class`` of the results: a scan of the packages of an operating system
  has a result of class ``os-pkgs``. There is no such result for an operating system that Trivy does not support or did
  not find; the family is then absent or ``none``.
* Before version 0.21 results had no ``Class``. The result of the operating system has its family as ``Type``.
* With package lists on (the default of current versions), results contain ``Packages``. When other results contain
  them and ``os-pkgs`` does not, the package database was empty or unreadable. An SBOM can name an operating system
  without its packages; such a report must contain some of them, or findings in them.
* A scan for misconfigurations, secrets or licenses has the same schema.
* Findings that an ignore file or a VEX document suppressed are in ``ExperimentalModifiedFindings`` if the scan was
  told to show them.
* Before version 0.20 (2021) a report was a list of results. It names no operating system, time or version, so it does
  not prove a complete scan of the image, and is refused. So are reports of clusters (``ClusterName``) and of the Trivy
  Operator, which cover many resources.
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
_SBOM_TYPES: Final = frozenset({"cyclonedx", "spdx"})
"""Artifact types that are SBOMs, which can name an operating system without its packages."""
OS_PACKAGES: Final = "os-pkgs"
LANGUAGE_PACKAGES: Final = "lang-pkgs"

_SEVERITIES: Final = {severity.value.upper(): severity for severity in Severity}
_VENDOR_SEVERITIES: Final = (Severity.UNKNOWN, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
"""Severities by the numbers in ``VendorSeverity`` (aquasecurity/trivy-db, ``pkg/types/types.go``)."""
_FIX_STATES: Final = {
    "fixed": FixState.FIXED,
    "will_not_fix": FixState.WONT_FIX,
    "end_of_life": FixState.WONT_FIX,
}


class _Wire(WireStruct, rename="pascal"):
    """Base class of the objects: Trivy names its keys as Go names its fields."""


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
        """Score and vector of the newest CVSS version that has a valid score, or None."""
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
        """Whether packages were examined."""
        return self.class_ in {OS_PACKAGES, LANGUAGE_PACKAGES}

    def of_system(self, family: str) -> bool:
        """Whether the packages of the operating system were examined; by ``Type`` in reports without ``Class``."""
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
    """Keys that say what a JSON object is when it is not a Trivy report."""

    schema_version: Any = None
    cluster_name: Any = None
    bom_format: Any = msgspec.field(name="bomFormat", default=None)
    spdx_version: Any = msgspec.field(name="spdxVersion", default=None)
    kind: Any = msgspec.field(name="kind", default=None)


_REPORTS: Final = msgspec.json.Decoder(_Report)
_HEADS: Final = msgspec.json.Decoder(_Head)
_FINDINGS: Final = msgspec.json.Decoder(_Vulnerability)


def read(body: bytes) -> ScanReport:
    """Read a Trivy report. Raises Refusal when the body is not one, is incomplete, or shows no scan at all."""
    report = _decoded(body)
    results = report.results or []
    os_info = _os_info(report.metadata)
    if os_info is None and not any(result.of_packages for result in results):
        raise Refusal(RefusalReason.NOT_SCANNED, _nothing_scanned(results))
    collector = FindingCollector()
    for result in results:
        _collect(result, collector)
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
        findings=tuple(collector.findings),
        suppressed=tuple(collector.suppressed),
        not_scanned=_not_scanned(os_info, results, report.artifact_type),
    )


def _decoded(body: bytes) -> _Report:
    if body.lstrip()[:1] == b"[":
        text = (
            "not a Trivy report: the body is a list, not an object. Reports of Trivy before 0.20 are lists, and name "
            "neither the operating system nor the time of the scan. Scan with Trivy 0.20 or later"
        )
        raise Refusal(RefusalReason.WRONG_SHAPE, text)
    _check_head(decode(_HEADS, body, "a Trivy report"))
    return decode(_REPORTS, body, "a Trivy report")


def _check_head(head: _Head) -> None:
    if type(head.schema_version) is int and head.schema_version == SCHEMA:
        return
    if head.schema_version is not None:
        text = f"Trivy schema version {quoted(head.schema_version)} is not supported. Supported version: {SCHEMA}"
        raise Refusal(RefusalReason.WRONG_SCHEMA, text)
    other = {
        "a report of a Kubernetes cluster": head.cluster_name,
        "a CycloneDX document": head.bom_format,
        "an SPDX document": head.spdx_version,
        f"a Kubernetes object ({quoted(head.kind)})": head.kind,
    }
    what = next((name for name, value in other.items() if value is not None), "an object without SchemaVersion")
    raise Refusal(RefusalReason.WRONG_SHAPE, f"not a Trivy report: the body is {what}. Scan with --format json")


def _nothing_scanned(results: list[_Result]) -> str:
    if not results:
        return "the scanner found no operating system and no packages: nothing was scanned"
    classes = ", ".join(sorted({result.class_ or "unnamed" for result in results}))
    return f"the scanner examined no operating system and no packages, only: {classes}. Scan with --scanners vuln"


def _os_info(metadata: _Metadata | None) -> OsInfo | None:
    found = metadata.os if metadata else None
    if found is None or found.family in {"", "none"}:
        return None
    return OsInfo(found.family, found.name, found.eosl)


def _not_scanned(os_info: OsInfo | None, results: list[_Result], kind: str) -> str:
    if os_info is None:
        return "the scanner found no operating system, only application packages"
    system = [result for result in results if result.of_system(os_info.family)]
    if not system:
        return f"the scanner found {os_info}, but did not examine its packages"
    listed = any(result.packages for result in results) or kind in _SBOM_TYPES
    if listed and not any(result.packages or result.vulnerabilities for result in system):
        return f"the scanner found {os_info}, but none of its packages"
    return ""


def _packages_seen(results: list[_Result]) -> int | None:
    if not any(result.packages for result in results):
        return None if any(result.of_packages for result in results) else 0
    return sum(len(result.packages or ()) for result in results)


def _collect(result: _Result, collector: FindingCollector) -> None:
    for vulnerability in decode_each(
        _FINDINGS, result.vulnerabilities, f"a Trivy report, target {quoted(result.target)}"
    ):
        collector.add(_finding(vulnerability, result.target))
    for modified in result.experimental_modified_findings or ():
        if modified.type == "vulnerability":
            vulnerability = decode(_FINDINGS, modified.finding, "a Trivy report, ExperimentalModifiedFindings")
            collector.add(_finding(vulnerability, result.target), modified.status, modified.statement, modified.source)


def _finding(found: _Vulnerability, target: str) -> Finding:
    rated, vector = _best_score(found)
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
        severities=tuple((source, _vendor_severity(grade)) for source, grade in (found.vendor_severity or {}).items()),
        cvss_vector=vector,
        fix_state=FixState.FIXED if found.fixed_version else _FIX_STATES.get(found.status, FixState.NOT_FIXED),
        published=parse_timestamp(found.published_date),
    )


def _vendor_severity(number: object) -> Severity:
    return (
        _VENDOR_SEVERITIES[number]
        if isinstance(number, int) and 0 <= number < len(_VENDOR_SEVERITIES)
        else Severity.UNKNOWN
    )


def _best_score(found: _Vulnerability) -> tuple[float | None, str]:
    """Score and vector of the source that rated the severity, or of NVD, or the highest of the other sources."""
    newest = {source: score.newest for source, score in (found.cvss or {}).items()}
    for source in (found.severity_source, "nvd"):
        if (own := newest.get(source)) is not None:
            return own
    return max((pair for pair in newest.values() if pair is not None), default=(None, ""))
