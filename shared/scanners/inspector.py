"""Amazon Inspector's findings, as ``aws inspector2 list-findings`` and its exports write them.

Facts of the format (Inspector2 API, ``Finding``; exports of it):

* A finding is one vulnerability of one resource, in one or more packages; each package is a finding here. ``counts``
  counts the findings of the document.
* ``status`` is ACTIVE, SUPPRESSED (by a filter) or CLOSED (remediated, or no longer there). Only active findings count.
* ``severity`` can also be UNTRIAGED, when nobody has rated it yet, and INFORMATIONAL.
* CODE_VULNERABILITY and NETWORK_REACHABILITY are not vulnerabilities of packages.
* Packages have ``fixedInVersion``, which is "NotAvailable" when there is no fix. ``packageManager`` OS is a package of
  the operating system.
* ``exploitAvailable`` is about published exploits, not about exploitation. No finding is marked as exploited.
* A list without findings proves nothing: Inspector also returns it for a resource that it does not cover.
* Responses are paged. One with ``nextToken`` is not the complete report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport
from shared.domain.policy import Severity
from shared.domain.scan_formats import INSPECTOR
from shared.scanners import security_hub
from shared.scanners.collector import FindingCollector
from shared.scanners.inspector_rows import Details, InspectorFinding, Package, Resource
from shared.scanners.json_body import WireStruct, as_object, decode, decode_each
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.single_machine import single_machine
from shared.scanners.values import build_purl, cvss_score, parse_probability, parse_severity, parse_timestamp, unique

_NAME: Final = "an export of Amazon Inspector"
_PLATFORM_VERSION: Final = re.compile(r"_(?=[0-9])")
"""The separator before the version: ``UBUNTU_22_04``, ``AMAZON_LINUX_2``."""
_PURL_TYPES: Final = {
    "PYTHON": "pypi", "PIP": "pypi", "NODEPKG": "npm", "NPM": "npm", "YARN": "npm", "BUNDLER": "gem",
    "CARGO": "cargo", "COMPOSER": "composer", "NUGET": "nuget",
}  # fmt: skip


@dataclass(slots=True)
class _Collector(FindingCollector):
    resources: dict[str, None] = field(default_factory=dict[str, None])
    kinds: dict[str, None] = field(default_factory=dict[str, None])
    packages: bool = False
    """The findings include vulnerabilities of packages."""
    os_packages: bool = False
    """The findings include packages of an operating system."""
    os: OsInfo | None = None
    newest: datetime | None = None


class _Export(WireStruct, rename="camel"):
    findings: list[msgspec.Raw] | None
    next_token: str | None = None


_EXPORTS: Final = msgspec.json.Decoder(_Export)
_FINDINGS: Final = msgspec.json.Decoder(InspectorFinding)


def read(body: bytes) -> ScanReport:
    """Read an export of Inspector. Raises Refusal when the body is not one, is incomplete, or has no findings."""
    rows, more, from_hub = security_hub.unwrap_findings(body)
    if not from_hub:
        export = decode(_EXPORTS, body, _NAME)
        rows, more = export.findings or [], bool(export.next_token)
    if not rows:
        text = "the export has no findings. Inspector also returns none for a resource that it does not cover"
        raise Refusal(RefusalReason.NOT_SCANNED, text)
    collector = _Collector()
    for found in security_hub.inspector_findings(rows) if from_hub else decode_each(_FINDINGS, rows, _NAME):
        _collect(found, collector)
    target, several = single_machine(collector.resources)
    return ScanReport(
        format=INSPECTOR,
        scanner="Amazon Inspector",
        scanner_version="",
        schema_version="2",
        target=target,
        target_kind=", ".join(kind for kind in collector.kinds if kind),
        os=collector.os,
        created_at=collector.newest,
        packages_seen=None,
        findings=tuple(collector.findings),
        suppressed=tuple(collector.suppressed),
        not_scanned=several or _not_scanned(more, collector),
        entries=collector.entries,
    )


def _collect(found: InspectorFinding, collector: _Collector) -> None:
    for resource in found.resources or ():
        collector.resources.setdefault(resource.id)
        collector.kinds.setdefault(resource.type)
        collector.os = collector.os or _os_info(resource)
    collector.packages |= bool(found.details)
    packages = (package for one in found.details for package in one.vulnerable_packages or ())
    collector.os_packages |= any(package.package_manager == "OS" for package in packages)
    collector.entries[_severity(found)] += 1
    if (at := _observed_at(found)) and (collector.newest is None or at > collector.newest):
        collector.newest = at
    for finding in _findings(found):
        active = found.status.upper() in {"ACTIVE", ""}
        collector.add(finding, "" if active else found.status.casefold(), found.title, "Amazon Inspector")


def _not_scanned(more: bool, collector: _Collector) -> str:
    if more:
        return "the report is one page of several. Send the findings of all pages as one list"
    if not collector.packages:
        return "the findings are not of vulnerable packages"
    return "" if collector.os_packages else "the findings include no packages of an operating system"


def _severity(found: InspectorFinding) -> Severity:
    return parse_severity(found.severity)


def _observed_at(found: InspectorFinding) -> datetime | None:
    given = found.last_observed_at or found.updated_at
    return parse_timestamp(given) if isinstance(given, str) else None


def _os_info(resource: Resource) -> OsInfo | None:
    for details in (resource.details or {}).values():
        platform = as_object(details).get("platform")
        if isinstance(platform, str) and platform:
            name, *rest = _PLATFORM_VERSION.split(platform, maxsplit=1)
            version = "".join(rest)
            return OsInfo(name.lower().removesuffix("_linux").replace("_", " "), version.replace("_", "."))
    return None


def _findings(found: InspectorFinding) -> Iterator[Finding]:
    if not found.details:
        id_ = found.title or found.finding_arn
        yield Finding(id_, "", "", _severity(found), fix_state=FixState.UNKNOWN, status=found.type)
        return
    for details in found.details:
        for package in details.vulnerable_packages or [Package()]:
            yield _finding(found, details, package)


def _finding(found: InspectorFinding, details: Details, package: Package) -> Finding:
    rated, vector = _best_score(details)
    fixed = package.fixed_in_version
    fixed = None if not fixed or fixed.casefold() == "notavailable" else fixed
    kind = _PURL_TYPES.get(package.package_manager.upper(), "")
    vendor = ((details.source, parse_severity(details.vendor_severity)),) if details.vendor_severity else ()
    created = details.vendor_created_at
    epss = details.epss or found.epss
    return Finding(
        id=details.vulnerability_id,
        package=package.name,
        installed="-".join(unique((package.version, package.release))),
        severity=_severity(found),
        aliases=unique(details.related_vulnerabilities or (), excluding=details.vulnerability_id),
        fixed=fixed,
        severity_source="Amazon Inspector",
        cvss_score=rated,
        purl=build_purl(kind, package.name, package.version) if "/" not in package.name else "",
        where=unique((package.file_path,)),
        status=found.status,
        severities=vendor,
        cvss_vector=vector,
        epss=parse_probability(epss.score if epss else None),
        fix_state=FixState.FIXED if fixed else _fix_state(details.fix_available or found.fix_available),
        published=parse_timestamp(created) if isinstance(created, str) else None,
    )


def _fix_state(available: str) -> FixState:
    """The fix state of a package without a fixed version. PARTIAL is a fix for other packages of the finding."""
    return {"YES": FixState.FIXED, "NO": FixState.NOT_FIXED, "PARTIAL": FixState.NOT_FIXED}.get(
        available.upper(), FixState.UNKNOWN
    )


def _best_score(details: Details) -> tuple[float | None, str]:
    for one in sorted(details.cvss or (), key=lambda cvss: cvss.version, reverse=True):
        rated = cvss_score(one.base_score, one.scoring_vector)
        if rated is not None:
            return rated, one.scoring_vector
    return None, ""
