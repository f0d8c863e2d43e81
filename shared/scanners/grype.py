"""Grype's JSON report (``grype … --output json``).

Facts of the format (anchore/grype, ``grype/presenter/models``; reports of versions 0.7 to 0.94):

* There is no schema version. The document names the tool that wrote it (``descriptor.name``), since xeol and others
  write the same structure.
* A match is one vulnerability in one package. ``fix`` was added in 0.1x and replaced ``fixedInVersion``. CVSS scores
  were in ``cvssV2`` and ``cvssV3`` first, and are in the list ``cvss`` now. EPSS and known exploitation were added in
  0.91.
* Only matches are listed, not packages. What was examined shows in ``distro``, whose name is empty when Grype found no
  operating system. For a distribution that Grype has no vulnerability data of, it only matches by CPE, which finds
  next to nothing. Such a report is a scan only if a match from the distribution's own data shows that there is some.
* ``source`` is what was scanned: an image, a directory, a file, an SBOM.
* ``descriptor.timestamp`` was added in 0.7x. A report without it has no time.
* Matches that ignore rules or VEX documents suppressed are in ``ignoredMatches``, with the rules that applied.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import GRYPE
from shared.scanners.collector import FindingCollector
from shared.scanners.json_body import NonEmptyName, WireStruct, as_object, decode, decode_each
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted
from shared.scanners.values import (
    canonical_purl,
    cvss_score,
    parse_probability,
    parse_severity,
    parse_timestamp,
    unique,
)

_COVERED_DISTRIBUTIONS: Final = frozenset(
    {
        "alma",
        "almalinux",
        "alpine",
        "amazon",
        "amazonlinux",
        "arch",
        "archlinux",
        "azurelinux",
        "bottlerocket",
        "busybox",
        "centos",
        "chainguard",
        "debian",
        "distroless",
        "echo",
        "fedora",
        "mariner",
        "minimos",
        "ol",
        "oracle",
        "oraclelinux",
        "photon",
        "raspbian",
        "redhat",
        "rhel",
        "rocky",
        "rockylinux",
        "sles",
        "sle_hpc",
        "suse",
        "ubuntu",
        "windows",
        "wolfi",
    }
)
"""Distributions that Grype has vulnerability data of, by ``ID`` in os-release."""
_FIX_STATES: Final = {
    "fixed": FixState.FIXED,
    "not-fixed": FixState.NOT_FIXED,
    "wont-fix": FixState.WONT_FIX,
}
_OTHER_NAMESPACES: Final = ("nvd", "github", "gitlab", "msrc")


class _Metrics(WireStruct, rename="camel"):
    base_score: float | None = None


class _Cvss(WireStruct, rename="camel"):
    version: str = ""
    vector: str = ""
    metrics: _Metrics | None = None
    base_score: float | None = None


class _Available(WireStruct):
    version: str = ""
    date: str = ""


class _Fix(WireStruct):
    versions: list[str] | None = None
    state: str = ""
    available: list[_Available] | None = None


class _Epss(WireStruct):
    epss: float | None = None


class _Known(WireStruct):
    cve: str = ""


class _Vulnerability(WireStruct, rename="camel"):
    id: NonEmptyName
    namespace: str = ""
    severity: str = ""
    cvss: list[_Cvss] | None = None
    cvss_v2: _Cvss | None = msgspec.field(name="cvssV2", default=None)
    cvss_v3: _Cvss | None = msgspec.field(name="cvssV3", default=None)
    fix: _Fix | None = None
    fixed_in_version: str = ""
    epss: list[_Epss] | None = None
    known_exploited: list[_Known] | None = None


class _Location(WireStruct):
    path: str = ""


class _Artifact(WireStruct):
    name: NonEmptyName
    version: str = ""
    type: str = ""
    purl: str = ""
    locations: list[_Location] | None = None


class _Rule(WireStruct, rename="kebab"):
    namespace: str = ""
    reason: str = ""
    vex_status: str = ""
    vex_justification: str = ""
    fix_state: str = ""


class _Match(WireStruct, rename="camel"):
    vulnerability: _Vulnerability
    artifact: _Artifact
    related_vulnerabilities: list[_Vulnerability] | None = None
    applied_ignore_rules: list[_Rule] | None = None


class _Distro(WireStruct):
    name: str = ""
    version: str = ""


class _Source(WireStruct):
    type: str = ""
    target: Any = None


class _Descriptor(WireStruct):
    name: str = ""
    version: str = ""
    timestamp: str = ""


class _Alert(WireStruct):
    type: str = ""


class _PackageAlerts(WireStruct):
    alerts: list[_Alert] | None = None


class _Report(WireStruct, rename="camel"):
    matches: list[msgspec.Raw] | None
    descriptor: _Descriptor
    source: _Source | None = None
    distro: _Distro | None = None
    ignored_matches: list[msgspec.Raw] | None = None
    alerts_by_package: list[_PackageAlerts] | None = None


class _Head(WireStruct):
    descriptor: _Descriptor | None = None


_REPORTS: Final = msgspec.json.Decoder(_Report)
_HEADS: Final = msgspec.json.Decoder(_Head)
_MATCHES: Final = msgspec.json.Decoder(_Match)


def read(body: bytes) -> ScanReport:
    """Read a Grype report. Raises Refusal when the body is not one, is incomplete, or names nothing scanned."""
    head = decode(_HEADS, body, "a Grype report")
    maker = head.descriptor.name if head.descriptor else ""
    if maker.casefold() != "grype":
        why = f"the body was written by {quoted(maker)}" if maker else "the body has no descriptor"
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not a Grype report: {why}")
    report = decode(_REPORTS, body, "a Grype report")
    if report.source is None and report.distro is None:
        raise Refusal(
            RefusalReason.NOT_SCANNED, "the report names neither a source nor a distribution: nothing was scanned"
        )
    collector = FindingCollector()
    for match in decode_each(_MATCHES, report.matches, "a Grype report"):
        collector.add(_finding(match))
    for match in decode_each(_MATCHES, report.ignored_matches, "a Grype report, ignoredMatches"):
        _collect_ignored(match, collector)
    os_info = _os_info(report)
    return ScanReport(
        format=GRYPE,
        scanner="Grype",
        scanner_version=report.descriptor.version,
        schema_version="",
        target=_target(report.source),
        target_kind=report.source.type if report.source else "",
        os=os_info,
        created_at=parse_timestamp(report.descriptor.timestamp),
        packages_seen=None,
        findings=tuple(collector.findings),
        suppressed=tuple(collector.suppressed),
        not_scanned=_not_scanned(os_info, collector.findings),
    )


def _os_info(report: _Report) -> OsInfo | None:
    found = report.distro
    if found is None or not found.name.strip():
        return None
    alerts = [alert.type for package in report.alerts_by_package or () for alert in package.alerts or ()]
    return OsInfo(found.name, found.version, any("eol" in alert.casefold() for alert in alerts))


def _not_scanned(os_info: OsInfo | None, findings: Iterable[Finding]) -> str:
    if os_info is None:
        return "the scanner found no operating system, only application packages"
    if os_info.family.casefold() in _COVERED_DISTRIBUTIONS or any(_is_of_distribution(finding) for finding in findings):
        return ""
    return f"the scanner found {os_info}, but nothing shows that Grype has vulnerability data for it"


def _is_of_distribution(finding: Finding) -> bool:
    source = finding.severity_source.casefold()
    return bool(source) and not source.startswith(_OTHER_NAMESPACES)


def _target(source: _Source | None) -> str:
    if source is None:
        return ""
    details = as_object(source.target)
    named = details.get("userInput") or details.get("path") or details.get("imageID") if details else source.target
    return named if isinstance(named, str) else ""


def _finding(match: _Match) -> Finding:
    found, artifact = match.vulnerability, match.artifact
    related = match.related_vulnerabilities or []
    vector, rated = _best_score([found, *related])
    epss = [entry.epss for entry in (found.epss or ()) if entry.epss is not None]
    dates = [parse_timestamp(entry.date) for entry in (found.fix.available or () if found.fix else ())]
    return Finding(
        id=found.id,
        package=artifact.name,
        installed=artifact.version,
        severity=parse_severity(found.severity),
        aliases=unique((other.id for other in related), excluding=found.id),
        fixed=_fixed(found),
        severity_source=found.namespace,
        cvss_score=rated,
        purl=canonical_purl(artifact.purl),
        where=unique(location.path for location in artifact.locations or ()),
        status=found.fix.state if found.fix else "",
        severities=_severities([found, *related]),
        cvss_vector=vector,
        epss=parse_probability(max(epss, default=None)),
        known_exploited=bool(found.known_exploited),
        fix_state=_fix_state(found),
        fix_published=min((date for date in dates if date), default=None),
    )


def _fixed(found: _Vulnerability) -> str | None:
    versions = unique(found.fix.versions or ()) if found.fix else ()
    return ", ".join(versions) or found.fixed_in_version or None


def _fix_state(found: _Vulnerability) -> FixState:
    if _fixed(found):
        return FixState.FIXED
    # Reports of versions before 0.1x omit the fix when there is none; in later ones an omitted fix is unknown.
    if found.fix is None:
        return FixState.UNKNOWN
    return _FIX_STATES.get(found.fix.state, FixState.UNKNOWN)


def _severities(entries: list[_Vulnerability]) -> tuple[tuple[str, Severity], ...]:
    if len(entries) < 2:
        return ()
    by_source = {entry.namespace: parse_severity(entry.severity) for entry in reversed(entries) if entry.severity}
    return tuple(by_source.items())


def _best_score(entries: list[_Vulnerability]) -> tuple[str, float | None]:
    """Vector and score of the newest CVSS version, from the first of the vulnerabilities that has a valid score."""
    for entry in entries:
        old = (one for one in (entry.cvss_v3, entry.cvss_v2) if one is not None)
        vectors = [(cvss, _cvss_score(cvss)) for cvss in (*(entry.cvss or ()), *old)]
        ranked = [(cvss, rated) for cvss, rated in vectors if rated is not None]
        if ranked:
            best, rated = max(ranked, key=lambda pair: (_cvss_version(pair[0]), pair[1]))
            return best.vector, rated
    return "", None


def _cvss_score(cvss: _Cvss) -> float | None:
    return cvss_score(cvss.metrics.base_score if cvss.metrics else cvss.base_score, cvss.vector)


def _cvss_version(cvss: _Cvss) -> str:
    return cvss.version or ("3" if cvss.vector.startswith("CVSS:3") else "2")


def _collect_ignored(match: _Match, collector: FindingCollector) -> None:
    rules = match.applied_ignore_rules or []
    status = next((rule.vex_status for rule in rules if rule.vex_status), "ignored")
    reasons = unique(text for rule in rules for text in (rule.reason, rule.vex_justification))
    namespace = next((rule.namespace for rule in rules if rule.namespace), "")
    collector.add(_finding(match), status, "; ".join(reasons), namespace)
