"""CycloneDX in XML, decoded to the same types as the JSON.

Facts of the format (CycloneDX ``bom-*.xsd``; ``schema/ext/vulnerability-1.0.xsd``): since 1.4 vulnerabilities are under
the document's root. Before that, an extension put them there or into each component, with the reference in an
attribute, scores under ``score/base`` and capitalized severities. Only the namespace names the version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from shared.scanners import cyclonedx_bom as bom
from shared.scanners.report_refusal import Refusal, RefusalReason
from shared.scanners.values import parse_number
from shared.scanners.xml_body import Element, iterate_elements, read_root

NAMESPACE: Final = "http://cyclonedx.org/schema/bom/"
VERSIONS: Final = ("1.0", "1.1", "1.2", "1.3", *bom.VERSIONS)
_PARTS: Final = frozenset({"component", "timestamp", "tool", "service"})
_HOLDERS: Final = frozenset({"component", "vulnerability"})
_NAME: Final = "a CycloneDX document"


def read_bom(body: bytes) -> bom.Bom:
    """Decode an XML document. Raises Refusal when it is not CycloneDX, is incomplete, or is not safe to parse."""
    root = read_root(body)
    namespaces = [value for name, value in root.attributes.items() if name.startswith("xmlns")] if root else []
    version = next((value.removeprefix(NAMESPACE) for value in namespaces if value.startswith(NAMESPACE)), None)
    if root is None or root.name != "bom" or version is None:
        # Parsing the whole document refuses it with a better reason when it is not valid XML.
        for _ in iterate_elements(body, frozenset(), _NAME):
            pass
        raise Refusal(RefusalReason.WRONG_SHAPE, "not a CycloneDX document: its root is not a CycloneDX bom element")
    if version not in VERSIONS:
        raise bom.unsupported_version(version, VERSIONS)
    return _decoded(body, version)


def _decoded(body: bytes, version: str) -> bom.Bom:
    """The document. Its vulnerabilities may be many, so a second pass over the body decodes them one at a time."""
    metadata = bom.Metadata()
    tools: list[dict[str, str]] = []
    components: list[bom.Component] = []
    for path, element in iterate_elements(body, _PARTS, _NAME):
        inside = path[1:2]
        if element.name == "timestamp" and inside == ("metadata",):
            metadata.timestamp = element.text.strip()
        elif element.name in {"tool", "service"} or "tools" in path:
            tools.append({"name": element.value("name"), "version": element.value("version")})
        elif inside == ("metadata",):
            metadata.component = _component(element)
        elif inside == ("components",):
            components.append(_component(element))
    metadata.tools = tools
    return bom.Bom(version, metadata, components, _vulnerabilities(body))


def _vulnerabilities(body: bytes) -> Iterator[bom.Vulnerability]:
    for path, element in iterate_elements(body, _HOLDERS, _NAME):
        if element.name == "vulnerability":
            yield _vulnerability(element, element.attributes.get("ref", ""))
        elif path[1:2] == ("components",):
            yield from _vulnerabilities_in(element)


def _vulnerabilities_in(component: Element) -> Iterator[bom.Vulnerability]:
    """Vulnerabilities of the extension, which are inside their component."""
    for one in component.all("vulnerabilities", "vulnerability"):
        yield _vulnerability(one, _ref(component))
    for inner in component.all("components", "component"):
        yield from _vulnerabilities_in(inner)


def _ref(element: Element) -> str:
    named = f"{element.value('name')}@{element.value('version')}"
    return element.attributes.get("bom-ref") or element.value("purl") or named


def _component(element: Element) -> bom.Component:
    return bom.Component(
        name=element.value("name"),
        version=element.value("version") or None,
        type=element.attributes.get("type", ""),
        group=element.value("group") or None,
        purl=element.value("purl") or None,
        bom_ref=_ref(element),
        components=[_component(inner) for inner in element.all("components", "component")],
        properties=[
            bom.Property(one.attributes.get("name", ""), one.text.strip())
            for one in element.all("properties", "property")
        ],
    )


def _vulnerability(element: Element, ref: str) -> bom.Vulnerability:
    source = element.find("source")
    affected = [_affected(target) for target in element.all("affects", "target")]
    analysis = element.find("analysis")
    return bom.Vulnerability(
        id=element.value("id") or None,
        bom_ref=element.attributes.get("bom-ref"),
        source=bom.Source(source.value("name") or source.attributes.get("name")) if source else None,
        references=[bom.Reference(one.value("id") or None) for one in element.all("references", "reference")],
        ratings=[_rating(one) for one in element.all("ratings", "rating")],
        recommendation=element.value("recommendation") or element.value("recommendations", "recommendation") or None,
        published=element.value("published") or None,
        analysis=bom.Analysis(analysis.value("state"), analysis.value("justification"), analysis.value("detail"))
        if analysis
        else None,
        affects=affected or ([bom.Affected(ref)] if ref else None),
    )


def _affected(target: Element) -> bom.Affected:
    versions = [
        bom.AffectedVersion(one.value("version") or None, one.value("status") or None)
        for one in target.all("versions", "version")
    ]
    return bom.Affected(target.value("ref"), versions or None)


def _rating(element: Element) -> bom.Rating:
    source = element.find("source")
    return bom.Rating(
        source=bom.Source(source.value("name") or None) if source else None,
        score=parse_number(element.value("score", "base") or element.value("score")),
        severity=element.value("severity") or None,
        method=element.value("method") or None,
        vector=element.value("vector") or None,
    )
