"""A CycloneDX document as both of its notations are read: ``cyclonedx`` reads the JSON, ``cyclonedx_xml`` the XML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from shared.scanners.json_body import WireStruct

VERSIONS: Final = ("1.4", "1.5", "1.6", "1.7")


class Property(WireStruct):
    name: str = ""
    value: str | None = None


class Component(WireStruct, rename={"bom_ref": "bom-ref"}):
    name: str = ""
    version: str | None = None
    type: str = ""
    group: str | None = None
    purl: str | None = None
    bom_ref: str | None = None
    components: list[Component] | None = None
    properties: list[Property] | None = None


class Source(WireStruct):
    name: str | None = None


class Reference(WireStruct):
    id: str | None = None


class Rating(WireStruct):
    source: Source | None = None
    score: float | None = None
    severity: str | None = None
    method: str | None = None
    vector: str | None = None


class Analysis(WireStruct):
    state: str | None = None
    justification: str | None = None
    detail: str | None = None


class AffectedVersion(WireStruct):
    version: str | None = None
    range: str | None = None
    status: str | None = None


class Affected(WireStruct):
    ref: str = ""
    versions: list[AffectedVersion] | None = None


class Vulnerability(WireStruct, rename={"bom_ref": "bom-ref"}):
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
    timestamp: str | None = None
    tools: Any = None
    component: Component | None = None


@dataclass(slots=True)
class Bom:
    """A document of either notation; its vulnerabilities can be gone through once."""

    version: str
    metadata: Metadata
    components: list[Component]
    vulnerabilities: Iterable[Vulnerability]
