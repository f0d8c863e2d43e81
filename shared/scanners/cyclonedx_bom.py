"""The types of a CycloneDX document: ``cyclonedx`` decodes them from JSON, ``cyclonedx_xml`` from XML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.scanners.json_body import WireStruct
from shared.scanners.report_refusal import Refusal, RefusalReason, quoted

VERSIONS: Final = ("1.4", "1.5", "1.6", "1.7")
"""Versions of the specification that have vulnerabilities (the XML also has them by an extension)."""


class Property(WireStruct):
    """A name and value that a tool added to a component."""

    name: str = ""
    value: str | None = None


class Component(WireStruct, rename={"bom_ref": "bom-ref"}):
    """A package, an operating system, or what the document is of. Components nest."""

    name: str = ""
    version: str | None = None
    type: str = ""
    group: str | None = None
    purl: str | None = None
    bom_ref: str | None = None
    components: list[Component] | None = None
    properties: list[Property] | None = None


class Source(WireStruct):
    """Who published a vulnerability or rated it."""

    name: str | None = None


class Reference(WireStruct):
    """The id of the same vulnerability in another database."""

    id: str | None = None


class Rating(WireStruct):
    """A severity, or a score with its vector, by one source."""

    source: Source | None = None
    score: float | None = None
    severity: str | None = None
    method: str | None = None
    vector: str | None = None


class Analysis(WireStruct):
    """A VEX statement about a vulnerability."""

    state: str | None = None
    justification: str | None = None
    detail: str | None = None


class AffectedVersion(WireStruct):
    """A version of an affected component, and whether it is affected. Ranges are not evaluated."""

    version: str | None = None
    status: str | None = None


class Affected(WireStruct):
    """A component that a vulnerability affects, by its reference."""

    ref: str = ""
    versions: list[AffectedVersion] | None = None


class Vulnerability(WireStruct, rename={"bom_ref": "bom-ref"}):
    """One vulnerability, of one or more components."""

    id: str | None = None
    bom_ref: str | None = None
    source: Source | None = None
    references: list[Reference] | None = None
    ratings: list[Rating] | None = None
    recommendation: str | None = None
    published: str | None = None
    analysis: Analysis | None = None
    affects: list[Affected] | None = None


class Metadata(WireStruct):
    """When, by which tools and of what the document was written."""

    timestamp: str | None = None
    tools: Any = None
    component: Component | None = None


@dataclass(slots=True)
class Bom:
    """A document. Its vulnerabilities can be iterated once."""

    version: str
    metadata: Metadata
    components: list[Component]
    vulnerabilities: Iterable[Vulnerability]


def unsupported_version(version: object, supported: Iterable[str]) -> Refusal:
    """The refusal of a document in another version of the specification."""
    text = f"CycloneDX version {quoted(version)} is not supported. Supported versions: {', '.join(supported)}"
    return Refusal(RefusalReason.WRONG_SCHEMA, text)
