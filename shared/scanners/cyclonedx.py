"""CycloneDX with vulnerabilities (a VDR), JSON and XML; ``cyclonedx_xml`` reads the XML into what is judged here.

Facts of the format (CycloneDX 1.4 to 1.7, ``bom-*.schema.json``; documents of Trivy, Grype, Dependency-Track, jake):

* ``vulnerabilities`` came with 1.4. Before it there was an extension of the XML, which older Grype and jake write.
* One entry of ``vulnerabilities`` is one vulnerability, of every component under ``affects``: as many findings.
  ``ScanReport.counts`` counts entries.
* ``ratings`` are many: by NVD, by distributions, by others. The one that counts is by the entry's own ``source`` (what
  the scanner itself goes by), then NVD's, then the worst; of several by one source the newest CVSS version.
* An SBOM and a report of vulnerabilities are the same document type, and Trivy writes an empty list of
  vulnerabilities also when it looked for none. Proof of a scan: packages of an operating system among the components,
  *and* at least one vulnerability, or a maker that writes no plain SBOMs (Grype).
* A document of vulnerabilities without components is a VEX statement: it says what somebody thinks of findings, and
  nothing of what was scanned.
* ``analysis.state`` is a VEX statement within the report. What it declares harmless is kept apart from the findings.
* There is no field for a fixed version. Trivy writes ``Upgrade X to version Y`` into ``recommendation``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

import msgspec
from packageurl import PackageURL

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport, VexState
from shared.domain.identifiers import is_guid
from shared.domain.policy import Severity
from shared.domain.scan_formats import CYCLONEDX
from shared.scanners import cyclonedx_xml
from shared.scanners.collector import FindingCollector
from shared.scanners.cyclonedx_bom import (
    VERSIONS,
    Affected,
    Analysis,
    Bom,
    Component,
    Metadata,
    Rating,
    Reference,
    Source,
    Vulnerability,
)
from shared.scanners.json_body import WireStruct, decode, decode_each
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted
from shared.scanners.values import (
    canonical_purl,
    cvss_score,
    find_cves,
    parse_severity,
    parse_timestamp,
    severity_for_score,
    unique,
)

_ONLY_VULNERABILITIES: Final = frozenset({"grype"})
_SYSTEM_PURLS: Final = ("pkg:deb/", "pkg:rpm/", "pkg:apk/", "pkg:alpm/")
_VEX: Final = {
    "not_affected": VexState.NOT_AFFECTED,
    "false_positive": VexState.NOT_AFFECTED,
    "resolved": VexState.FIXED,
    "resolved_with_pedigree": VexState.FIXED,
    "exploitable": VexState.AFFECTED,
    "in_triage": VexState.UNDER_INVESTIGATION,
}
_HARMLESS: Final = frozenset({VexState.NOT_AFFECTED, VexState.FIXED})
_UPGRADE: Final = re.compile(r"[Uu]pgrade (\S+) to version ([^;]+)")
_NEAREST: Final = ("cvssv4", "cvssv31", "cvssv3", "cvssv2")


class _Bom(WireStruct, rename="camel"):
    spec_version: str
    metadata: Metadata | None = None
    components: list[Component] | None = None
    vulnerabilities: list[msgspec.Raw] | None = None


class _Head(WireStruct, rename="camel"):
    bom_format: Any = None
    spec_version: Any = None


_BOMS: Final = msgspec.json.Decoder(_Bom)
_VULNERABILITIES: Final = msgspec.json.Decoder(Vulnerability)
_HEADS: Final = msgspec.json.Decoder(_Head)


def read(body: bytes) -> ScanReport:
    """Read a CycloneDX document. Raises Refusal when it isn't one, isn't whole, or has nothing to scan."""
    if body.lstrip()[:1] == b"<":
        return report_of(cyclonedx_xml.read_bom(body))
    head = decode(_HEADS, body, "a CycloneDX document")
    if not isinstance(head.bom_format, str) or head.bom_format.casefold() != "cyclonedx":
        raise Refusal(RefusalReason.WRONG_SHAPE, "not a CycloneDX document: bomFormat is not CycloneDX")
    if head.spec_version not in VERSIONS:
        known = ", ".join(VERSIONS)
        told = f"CycloneDX {quoted(head.spec_version)} is not known here, or has no vulnerabilities; known are: {known}"
        raise Refusal(RefusalReason.WRONG_SCHEMA, told)
    read = decode(_BOMS, body, "a CycloneDX document")
    entries = decode_each(_VULNERABILITIES, read.vulnerabilities, "a CycloneDX document")
    return report_of(Bom(read.spec_version, read.metadata or Metadata(), read.components or [], entries))


def report_of(bom: Bom) -> ScanReport:
    """The report that a document makes. Raises Refusal when it has neither components nor vulnerabilities."""
    subject = bom.metadata.component
    components = list(_flat(bom.components))
    tools = list(_tools(bom.metadata.tools))
    by_ref = {component.bom_ref: component for component in (*([subject] if subject else ()), *components)}
    seen = FindingCollector()
    for entry in _with_ids(bom.vulnerabilities):
        _take(entry, by_ref, _trivy(tools), subject, seen)
    if not components and not seen.entries:
        raise Refusal(RefusalReason.NOT_SCANNED, "there are no components and no vulnerabilities: nothing was scanned")
    os_info = _os(components, subject)
    return ScanReport(
        format=CYCLONEDX,
        scanner=", ".join(unique(name for name, _ in tools)) or "unknown",
        scanner_version=", ".join(unique(version for _, version in tools)),
        schema_version=bom.version,
        target=(subject.name if subject else ""),
        target_kind=(subject.type if subject else ""),
        os=os_info,
        created_at=parse_timestamp(bom.metadata.timestamp),
        packages_seen=sum(component.type != "operating-system" for component in components),
        findings=tuple(seen.findings),
        suppressed=tuple(seen.suppressed),
        not_scanned=_not_scanned(components, bool(seen.entries), os_info, tools),
        entries=seen.entries,
    )


def _flat(components: Iterable[Component] | None) -> Iterator[Component]:
    waiting = list(components or ())[::-1]
    while waiting:
        component = waiting.pop()
        yield component
        waiting.extend((component.components or ())[::-1])


def _tools(tools: Any) -> Iterator[tuple[str, str]]:
    """Name and version of every tool; a list up to 1.4, an object with components since 1.5."""
    lists = (tools.get("components"), tools.get("services")) if isinstance(tools, dict) else (tools,)
    for tool in (tool for listed in lists if isinstance(listed, list) for tool in listed):
        if isinstance(tool, dict) and isinstance(tool.get("name"), str):
            yield tool["name"], str(tool.get("version") or "")


def _trivy(tools: Iterable[tuple[str, str]]) -> bool:
    return any(name.casefold() == "trivy" for name, _ in tools)


def _os(components: Iterable[Component], subject: Component | None) -> OsInfo | None:
    for component in (*([subject] if subject else ()), *components):
        if component.type == "operating-system" and component.name:
            return OsInfo(component.name, component.version or "")
    named = (_distribution(component.purl or "") for component in components if _of_system(component))
    return next((found for found in named if found is not None), None)


def _distribution(purl: str) -> OsInfo | None:
    """The system in a package URL: ``distro=debian-12``, or its version alone, with the name before the package's."""
    try:
        read = PackageURL.from_string(purl)
    except ValueError:
        return None
    told = read.qualifiers.get("distro", "") if isinstance(read.qualifiers, dict) else ""
    name, _, version = told.rpartition("-")
    if name:
        return OsInfo(name, version)
    return OsInfo(read.namespace, told) if told and read.namespace else None


def _not_scanned(components: list[Component], found: bool, os_info: OsInfo | None, tools: list[tuple[str, str]]) -> str:
    if not components:
        return "there are vulnerabilities and no components: these are statements (VEX), and no scan"
    if os_info is None and any(_of_system(component) for component in components):
        return "there are packages of an operating system among the components, and nothing says of which"
    if os_info is None:
        return "no operating system is among the components, only packages of applications"
    if not any(_of_system(component) for component in components):
        return f"{os_info} is named, but none of its packages"
    if not found and not any(name.casefold() in _ONLY_VULNERABILITIES for name, _ in tools):
        return "this is a list of packages without any vulnerability: nothing shows that any were looked for"
    return ""


def _of_system(component: Component) -> bool:
    return (component.purl or "").startswith(_SYSTEM_PURLS)


def _with_ids(entries: Iterable[Vulnerability]) -> Iterator[Vulnerability]:
    """Entries may go without an id; then another name stands for it, lest all such count as one."""
    for index, entry in enumerate(entries):
        references = [reference.id for reference in entry.references or () if reference.id]
        cves = find_cves(*references)
        if not entry.id or (is_guid(entry.id) and len(cves) == 1):
            old = entry.id
            entry.id = next(iter((*cves, *references, entry.bom_ref)), None) or f"unnamed-{index + 1}"
            entry.references = [*(entry.references or ()), Reference(old)]
        yield entry


def _take(
    entry: Vulnerability,
    by_ref: dict[str | None, Component],
    trivy: bool,
    subject: Component | None,
    seen: FindingCollector,
) -> None:
    analysis = entry.analysis or Analysis()
    finding = _finding(entry, analysis, trivy)
    seen.entries[finding.severity] += 1
    for affected in entry.affects or [Affected(subject.bom_ref or "" if subject else "")]:
        component = by_ref.get(affected.ref) or by_ref.get(affected.ref.rpartition("#")[2]) or _by_purl(affected.ref)
        one = _in_component(finding, affected, component)
        if one.vex in _HARMLESS:
            seen.add(one, (one.vex or VexState.NOT_AFFECTED).value, _told(analysis), "analysis")
        else:
            seen.add(one)


def _by_purl(ref: str) -> Component:
    """Some tools write package URLs as references without listing the component."""
    canonical = canonical_purl(ref)
    if not canonical:
        return Component(name=ref or "(no component named)")
    name, _, version = canonical.split("?", 1)[0].partition("@")
    return Component(name=name.rpartition("/")[2], version=version, purl=canonical)


def _finding(entry: Vulnerability, analysis: Analysis, trivy: bool) -> Finding:
    """What an entry says of its vulnerability, in whatever component."""
    id_, status = entry.id or "", analysis.state or ""
    severity, best = _rated(entry)
    fixed = ", ".join(unique(version.strip(" .") for _, version in _UPGRADE.findall(entry.recommendation or "")))
    return Finding(
        id=id_,
        package="",
        installed="",
        severity=severity,
        aliases=unique((reference.id for reference in entry.references or ()), but=id_),
        fixed=fixed or None,
        severity_source=_name(entry.source),
        cvss_score=_points(best) if best else None,
        status=status,
        severities=_by_source(entry),
        cvss_vector=(best.vector if best else None) or "",
        fix_state=FixState.FIXED if fixed else FixState.NOT_FIXED if trivy else FixState.UNKNOWN,
        published=parse_timestamp(entry.published),
        vex=_VEX.get(status),
    )


def _name(source: Source | None) -> str:
    return (source.name if source else None) or ""


def _in_component(finding: Finding, affected: Affected, component: Component) -> Finding:
    installed = component.version or next((one.version for one in affected.versions or () if one.version), None)
    unaffected = bool(affected.versions) and all(one.status == "unaffected" for one in affected.versions or ())
    return replace(
        finding,
        package=component.name,
        installed=installed or "",
        purl=canonical_purl(component.purl or ""),
        where=unique(_places(component)),
        vex=VexState.NOT_AFFECTED if unaffected else finding.vex,
    )


def _places(component: Component) -> Iterator[str]:
    for one in component.properties or ():
        if one.value and one.name in {"aquasecurity:trivy:FilePath", "syft:location:0:path"}:
            yield one.value


def _by_source(entry: Vulnerability) -> tuple[tuple[str, Severity], ...]:
    said: dict[str, Severity] = {}
    for rating in sorted(entry.ratings or (), key=_age):
        source = _name(rating.source)
        if source and source not in said:
            said[source] = _severity(rating)
    return tuple(said.items())


def _rated(entry: Vulnerability) -> tuple[Severity, Rating | None]:
    """The severity that counts, and the rating from which the score is taken."""
    ratings = sorted(entry.ratings or (), key=_age)
    own = _name(entry.source).casefold().partition(":")[0]
    by_own = _of_source(ratings, own) if own else []
    by_nvd = _of_source(ratings, "nvd")
    scored = next((one for one in (*by_own, *by_nvd, *ratings) if _points(one) is not None), None)
    preferred = [*_known(by_own), *_known(by_nvd)]
    if preferred:
        return preferred[0], scored
    return min(_known(ratings), key=list(Severity).index, default=Severity.UNKNOWN), scored


def _of_source(ratings: list[Rating], source: str) -> list[Rating]:
    return [one for one in ratings if _name(one.source).casefold() == source]


def _known(ratings: list[Rating]) -> list[Severity]:
    return [found for one in ratings if (found := _severity(one)) is not Severity.UNKNOWN]


def _age(rating: Rating) -> int:
    method = (rating.method or "").casefold()
    return _NEAREST.index(method) if method in _NEAREST else len(_NEAREST)


def _severity(rating: Rating) -> Severity:
    if rating.severity:
        return parse_severity(rating.severity)
    return severity_for_score(_points(rating))


def _points(rating: Rating) -> float | None:
    if not (rating.method or "cvss").casefold().startswith("cvss"):
        return None
    return cvss_score(rating.score, rating.vector)


def _told(analysis: Analysis) -> str:
    return "; ".join(unique((analysis.justification, analysis.detail)))
