"""CycloneDX with vulnerabilities (a VDR), JSON and XML; ``cyclonedx_xml`` reads the XML into what is judged here.

Facts of the format (CycloneDX 1.4 to 1.7, ``bom-*.schema.json``; documents of Trivy, Grype, Dependency-Track, jake):

* ``vulnerabilities`` was added in 1.4. Before that, older Grype and jake used an extension of the XML.
* An entry of ``vulnerabilities`` is one vulnerability, of every component under ``affects``; each of these is a
  finding. ``ScanReport.counts`` counts entries.
* ``ratings`` come from several sources: NVD, distributions and others. The rating that counts is by the ``source`` of
  the entry, which the scanner itself uses, then by NVD, then the most severe; of one source, the newest CVSS version.
* An SBOM and a vulnerability report are the same document type, and Trivy writes an empty list of vulnerabilities also
  when it did not look for any. A scan is proven by packages of an operating system among the components *and* at least
  one vulnerability, or a tool that does not write SBOMs without vulnerabilities (Grype).
* A document with vulnerabilities and without components is a VEX document. It assesses findings, and does not say what
  was scanned.
* ``analysis.state`` is a VEX statement within the report. Findings that it declares not exploitable are suppressed.
* There is no field for the fixed version. Trivy writes ``Upgrade X to version Y`` into ``recommendation``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
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
    unsupported_version,
)
from shared.scanners.json_body import WireStruct, as_list, as_object, decode, decode_each
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.values import (
    canonical_purl,
    cvss_score,
    find_cves,
    parse_severity,
    parse_timestamp,
    severity_for_score,
    unique,
)

_VULNERABILITY_SCANNERS: Final = frozenset({"grype"})
_OS_PURLS: Final = ("pkg:deb/", "pkg:rpm/", "pkg:apk/", "pkg:alpm/")
_VEX_STATES: Final = {
    "not_affected": VexState.NOT_AFFECTED,
    "false_positive": VexState.NOT_AFFECTED,
    "resolved": VexState.FIXED,
    "resolved_with_pedigree": VexState.FIXED,
    "exploitable": VexState.AFFECTED,
    "in_triage": VexState.UNDER_INVESTIGATION,
}
_NOT_EXPLOITABLE: Final = frozenset({VexState.NOT_AFFECTED, VexState.FIXED})
_UPGRADE: Final = re.compile(r"[Uu]pgrade (\S+) to version ([^;]+)")
_CVSS_METHODS: Final = ("cvssv4", "cvssv31", "cvssv3", "cvssv2")


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
    """Read a CycloneDX document. Raises Refusal when the body is not one, is incomplete, or is empty."""
    if body.lstrip()[:1] == b"<":
        return _report(cyclonedx_xml.read_bom(body))
    head = decode(_HEADS, body, "a CycloneDX document")
    if not isinstance(head.bom_format, str) or head.bom_format.casefold() != "cyclonedx":
        raise Refusal(RefusalReason.WRONG_SHAPE, "not a CycloneDX document: bomFormat is not CycloneDX")
    if head.spec_version not in VERSIONS:
        raise unsupported_version(head.spec_version, VERSIONS)
    document = decode(_BOMS, body, "a CycloneDX document")
    entries = decode_each(_VULNERABILITIES, document.vulnerabilities, "a CycloneDX document")
    return _report(Bom(document.spec_version, document.metadata or Metadata(), document.components or [], entries))


def _report(bom: Bom) -> ScanReport:
    subject = bom.metadata.component
    components = list(_flattened(bom.components))
    tools = list(_tools(bom.metadata.tools))
    context = _Context.of(subject, components, tools)
    collector = FindingCollector()
    for entry in _with_ids(bom.vulnerabilities):
        _collect(entry, context, collector)
    if not components and not collector.entries:
        text = "the document has no components and no vulnerabilities: nothing was scanned"
        raise Refusal(RefusalReason.NOT_SCANNED, text)
    os_info = _os_info(components, subject)
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
        findings=tuple(collector.findings),
        suppressed=tuple(collector.suppressed),
        not_scanned=_not_scanned(components, bool(collector.entries), os_info, tools),
        entries=collector.entries,
    )


def _flattened(components: Iterable[Component] | None) -> Iterator[Component]:
    waiting = list(components or ())[::-1]
    while waiting:
        component = waiting.pop()
        yield component
        waiting.extend((component.components or ())[::-1])


def _tools(tools: Any) -> Iterator[tuple[str, str]]:
    """Name and version of every tool: a list up to version 1.4, an object with components since 1.5."""
    lists = (tools, as_object(tools).get("components"), as_object(tools).get("services"))
    for tool in (as_object(each) for listed in lists for each in as_list(listed)):
        if isinstance(name := tool.get("name"), str):
            yield name, str(tool.get("version") or "")


def _os_info(components: Iterable[Component], subject: Component | None) -> OsInfo | None:
    for component in (*([subject] if subject else ()), *components):
        if component.type == "operating-system" and component.name:
            return OsInfo(component.name, component.version or "")
    named = (_os_of_purl(component.purl or "") for component in components if _is_os_package(component))
    return next((found for found in named if found is not None), None)


def _os_of_purl(purl: str) -> OsInfo | None:
    """The operating system that a package URL names: ``distro=debian-12``, or a version and the namespace."""
    try:
        parsed = PackageURL.from_string(purl)
    except ValueError:
        return None
    distro = parsed.qualifiers.get("distro", "")
    name, _, version = distro.rpartition("-")
    if name:
        return OsInfo(name, version)
    return OsInfo(parsed.namespace, distro) if distro and parsed.namespace else None


def _not_scanned(components: list[Component], found: bool, os_info: OsInfo | None, tools: list[tuple[str, str]]) -> str:
    if not components:
        return "the document has vulnerabilities and no components: it is a VEX document, not a scan"
    if os_info is None and any(_is_os_package(component) for component in components):
        return "the components include packages of an operating system, but the document does not say which one"
    if os_info is None:
        return "the components include no operating system, only application packages"
    if not any(_is_os_package(component) for component in components):
        return f"the document names {os_info}, but none of its packages"
    if not found and not any(name.casefold() in _VULNERABILITY_SCANNERS for name, _ in tools):
        return "the document is an SBOM without vulnerabilities: nothing shows that a scanner looked for any"
    return ""


def _is_os_package(component: Component) -> bool:
    return (component.purl or "").startswith(_OS_PURLS)


def _with_ids(entries: Iterable[Vulnerability]) -> Iterator[Vulnerability]:
    """The entries, each with an id: that of a reference, or a made one, where the entry has none.

    Without it, all entries without an id would count as one vulnerability.
    """
    for index, entry in enumerate(entries):
        references = [reference.id for reference in entry.references or () if reference.id]
        cves = find_cves(*references)
        if not entry.id or (is_guid(entry.id) and len(cves) == 1):
            original = entry.id
            entry.id = next(iter((*cves, *references, entry.bom_ref)), None) or f"unnamed-{index + 1}"
            entry.references = [*(entry.references or ()), Reference(original)]
        yield entry


@dataclass(frozen=True, slots=True)
class _Context:
    """What the entries of a document refer to, and whether Trivy wrote it."""

    subject: Component | None
    by_ref: Mapping[str | None, Component]
    by_trivy: bool

    @classmethod
    def of(
        cls, subject: Component | None, components: Iterable[Component], tools: Iterable[tuple[str, str]]
    ) -> _Context:
        by_ref = {component.bom_ref: component for component in (*([subject] if subject else ()), *components)}
        return cls(subject, by_ref, any(name.casefold() == "trivy" for name, _ in tools))

    def affected(self, entry: Vulnerability) -> Iterable[Affected]:
        """What an entry affects: the subject of the document, when it does not say."""
        return entry.affects or [Affected(self.subject.bom_ref or "" if self.subject else "")]

    def component(self, ref: str) -> Component:
        """The component with a reference, also one in a BOM-Link (``urn:cdx:…#ref``)."""
        return self.by_ref.get(ref) or self.by_ref.get(ref.rpartition("#")[2]) or _component_of_purl(ref)


def _collect(entry: Vulnerability, context: _Context, collector: FindingCollector) -> None:
    analysis = entry.analysis or Analysis()
    finding = _finding(entry, analysis, context.by_trivy)
    collector.entries[finding.severity] += 1
    for affected in context.affected(entry):
        one = _in_component(finding, affected, context.component(affected.ref))
        if one.vex in _NOT_EXPLOITABLE:
            collector.add(one, (one.vex or VexState.NOT_AFFECTED).value, _statement(analysis), "analysis")
        else:
            collector.add(one)


def _component_of_purl(ref: str) -> Component:
    """A component from a reference that is a package URL: some tools do not list the component itself."""
    canonical = canonical_purl(ref)
    if not canonical:
        return Component(name=ref or "(no component named)")
    name, _, version = canonical.split("?", 1)[0].partition("@")
    return Component(name=name.rpartition("/")[2], version=version, purl=canonical)


def _finding(entry: Vulnerability, analysis: Analysis, by_trivy: bool) -> Finding:
    """What an entry states about its vulnerability, independent of the component."""
    id_, status = entry.id or "", analysis.state or ""
    severity, best = _rating_that_counts(entry)
    fixed = ", ".join(unique(version.strip(" .") for _, version in _UPGRADE.findall(entry.recommendation or "")))
    return Finding(
        id=id_,
        package="",
        installed="",
        severity=severity,
        aliases=unique((reference.id for reference in entry.references or ()), excluding=id_),
        fixed=fixed or None,
        severity_source=_source_name(entry.source),
        cvss_score=_cvss_score(best) if best else None,
        status=status,
        severities=_severities_by_source(entry),
        cvss_vector=(best.vector if best else None) or "",
        fix_state=FixState.FIXED if fixed else FixState.NOT_FIXED if by_trivy else FixState.UNKNOWN,
        published=parse_timestamp(entry.published),
        vex=_VEX_STATES.get(status),
    )


def _source_name(source: Source | None) -> str:
    return (source.name if source else None) or ""


def _in_component(finding: Finding, affected: Affected, component: Component) -> Finding:
    installed = component.version or next((one.version for one in affected.versions or () if one.version), None)
    unaffected = bool(affected.versions) and all(one.status == "unaffected" for one in affected.versions or ())
    return replace(
        finding,
        package=component.name,
        installed=installed or "",
        purl=canonical_purl(component.purl or ""),
        where=unique(_locations(component)),
        vex=VexState.NOT_AFFECTED if unaffected else finding.vex,
    )


def _locations(component: Component) -> Iterator[str]:
    for one in component.properties or ():
        if one.value and one.name in {"aquasecurity:trivy:FilePath", "syft:location:0:path"}:
            yield one.value


def _severities_by_source(entry: Vulnerability) -> tuple[tuple[str, Severity], ...]:
    severities: dict[str, Severity] = {}
    for rating in sorted(entry.ratings or (), key=_cvss_age):
        source = _source_name(rating.source)
        if source and source not in severities:
            severities[source] = _severity(rating)
    return tuple(severities.items())


def _rating_that_counts(entry: Vulnerability) -> tuple[Severity, Rating | None]:
    """The severity that counts, and the rating that the score is taken from."""
    ratings = sorted(entry.ratings or (), key=_cvss_age)
    own = _source_name(entry.source).casefold().partition(":")[0]
    by_own = _ratings_by(ratings, own) if own else []
    by_nvd = _ratings_by(ratings, "nvd")
    scored = next((one for one in (*by_own, *by_nvd, *ratings) if _cvss_score(one) is not None), None)
    preferred = [*_known_severities(by_own), *_known_severities(by_nvd)]
    if preferred:
        return preferred[0], scored
    return min(_known_severities(ratings), key=list(Severity).index, default=Severity.UNKNOWN), scored


def _ratings_by(ratings: list[Rating], source: str) -> list[Rating]:
    return [one for one in ratings if _source_name(one.source).casefold() == source]


def _known_severities(ratings: list[Rating]) -> list[Severity]:
    return [found for one in ratings if (found := _severity(one)) is not Severity.UNKNOWN]


def _cvss_age(rating: Rating) -> int:
    """How old the CVSS version of a rating is, 0 for the newest."""
    method = (rating.method or "").casefold()
    return _CVSS_METHODS.index(method) if method in _CVSS_METHODS else len(_CVSS_METHODS)


def _severity(rating: Rating) -> Severity:
    if rating.severity:
        return parse_severity(rating.severity)
    return severity_for_score(_cvss_score(rating))


def _cvss_score(rating: Rating) -> float | None:
    if not (rating.method or "cvss").casefold().startswith("cvss"):
        return None
    return cvss_score(rating.score, rating.vector)


def _statement(analysis: Analysis) -> str:
    return "; ".join(unique((analysis.justification, analysis.detail)))
