"""Amazon Inspector's findings, as ``aws inspector2 list-findings`` and its exports write them.

Facts of the format (Inspector2 API, ``Finding``; exports of it):

* A finding is one vulnerability of one resource, in one or more packages: as many findings here. ``counts`` counts
  those of the document.
* ``status`` is ACTIVE, SUPPRESSED (by a filter) or CLOSED (remediated, or gone): only the active ones are found now.
* ``severity`` is UNTRIAGED where nobody has rated it yet, and INFORMATIONAL.
* CODE_VULNERABILITY and NETWORK_REACHABILITY are no vulnerabilities of packages.
* Packages carry ``fixedInVersion``, "NotAvailable" where there is none; ``packageManager`` OS stands for the system's.
* ``exploitAvailable`` speaks of published exploits, not of exploitation; CISA's date is in ``exploitabilityDetails``
  no more than that, so nothing here marks a finding as exploited but a CISA action date, where it is given.
* A list without findings proves nothing: Inspector answers so also for what it doesn't cover.
* Answers come in pages; one with ``nextToken`` is not the whole report.
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
from shared.scanners.inspector_rows import Details, Inspected, Package, Resource
from shared.scanners.json_body import WireStruct, decode, decode_each
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.single_machine import single_machine
from shared.scanners.values import build_purl, cvss_score, parse_probability, parse_severity, parse_timestamp, unique

_NAME: Final = "an export of Amazon Inspector"
_PLATFORM: Final = re.compile(r"_(?=[0-9])")
"""Where the version begins: ``UBUNTU_22_04``, ``AMAZON_LINUX_2``."""
_MANAGERS: Final = {
    "PYTHON": "pypi", "PIP": "pypi", "NODEPKG": "npm", "NPM": "npm", "YARN": "npm", "BUNDLER": "gem",
    "CARGO": "cargo", "COMPOSER": "composer", "NUGET": "nuget",
}  # fmt: skip


@dataclass(slots=True)
class _Seen(FindingCollector):
    resources: dict[str, None] = field(default_factory=dict)
    kinds: dict[str, None] = field(default_factory=dict)
    packages: bool = False
    system: bool = False
    """Packages of the operating system are among the findings."""
    os: OsInfo | None = None
    newest: datetime | None = None


class _Export(WireStruct, rename="camel"):
    findings: list[msgspec.Raw] | None
    next_token: str | None = None


_EXPORTS: Final = msgspec.json.Decoder(_Export)
_FINDINGS: Final = msgspec.json.Decoder(Inspected)


def read(body: bytes) -> ScanReport:
    """Read an export of Inspector. Raises Refusal when it isn't one, isn't whole, or holds nothing."""
    rows, more, from_hub = security_hub.rows(body)
    if not from_hub:
        export = decode(_EXPORTS, body, _NAME)
        rows, more = export.findings or [], bool(export.next_token)
    if not rows:
        told = "there are no findings in it: Inspector answers so also for what it doesn't cover"
        raise Refusal(RefusalReason.NOT_SCANNED, told)
    seen = _Seen()
    for found in security_hub.inspected(rows) if from_hub else decode_each(_FINDINGS, rows, _NAME):
        _take(found, seen)
    target, several = single_machine(seen.resources)
    return ScanReport(
        format=INSPECTOR,
        scanner="Amazon Inspector",
        scanner_version="",
        schema_version="2",
        target=target,
        target_kind=", ".join(kind for kind in seen.kinds if kind),
        os=seen.os,
        created_at=seen.newest,
        packages_seen=None,
        findings=tuple(seen.findings),
        suppressed=tuple(seen.suppressed),
        not_scanned=several or _not_scanned(more, seen),
        entries=seen.entries,
    )


def _take(found: Inspected, seen: _Seen) -> None:
    for resource in found.resources or ():
        seen.resources.setdefault(resource.id)
        seen.kinds.setdefault(resource.type)
        seen.os = seen.os or _os(resource)
    seen.packages |= bool(found.details)
    packages = (package for one in found.details for package in one.vulnerable_packages or ())
    seen.system |= any(package.package_manager == "OS" for package in packages)
    seen.entries[_severity(found)] += 1
    if (at := _time(found)) and (seen.newest is None or at > seen.newest):
        seen.newest = at
    for finding in _findings(found):
        active = found.status.upper() in {"ACTIVE", ""}
        seen.add(finding, "" if active else found.status.casefold(), found.title, "Amazon Inspector")


def _not_scanned(more: bool, seen: _Seen) -> str:
    if more:
        return "this is one page of an answer, which names a next one. Send all of them as one"
    if not seen.packages:
        return "these are no findings of vulnerable packages"
    return "" if seen.system else "no packages of an operating system are among the findings"


def _severity(found: Inspected) -> Severity:
    return parse_severity(found.severity)


def _time(found: Inspected) -> datetime | None:
    given = found.last_observed_at or found.updated_at
    return parse_timestamp(given) if isinstance(given, str) else None


def _os(resource: Resource) -> OsInfo | None:
    for details in (resource.details or {}).values():
        platform = details.get("platform") if isinstance(details, dict) else None
        if isinstance(platform, str) and platform:
            name, version = _PLATFORM.split(platform, maxsplit=1) if _PLATFORM.search(platform) else (platform, "")
            return OsInfo(name.lower().removesuffix("_linux").replace("_", " "), version.replace("_", "."))
    return None


def _findings(found: Inspected) -> Iterator[Finding]:
    if not found.details:
        id_ = found.title or found.finding_arn
        yield Finding(id_, "", "", _severity(found), fix_state=FixState.UNKNOWN, status=found.type)
        return
    for details in found.details:
        for package in details.vulnerable_packages or [Package()]:
            yield _finding(found, details, package)


def _finding(found: Inspected, details: Details, package: Package) -> Finding:
    rated, vector = _score(details)
    fixed = package.fixed_in_version
    fixed = None if not fixed or fixed.casefold() == "notavailable" else fixed
    kind = _MANAGERS.get(package.package_manager.upper(), "")
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
    """Of a package for which no version with the fix is named; PARTIAL is a fix for others of the packages."""
    return {"YES": FixState.FIXED, "NO": FixState.NOT_FIXED, "PARTIAL": FixState.NOT_FIXED}.get(
        available.upper(), FixState.UNKNOWN
    )


def _score(details: Details) -> tuple[float | None, str]:
    for one in sorted(details.cvss or (), key=lambda cvss: cvss.version, reverse=True):
        rated = cvss_score(one.base_score, one.scoring_vector)
        if rated is not None:
            return rated, one.scoring_vector
    return None, ""
