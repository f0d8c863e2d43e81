"""Findings of Amazon Inspector: decoded from its own format, or converted from that of Security Hub."""

from __future__ import annotations

from typing import Any

from shared.scanners.json_body import NonEmptyName, WireStruct


class Cvss(WireStruct, rename="camel"):
    """The score of one CVSS version, by one source."""

    base_score: float | None = None
    scoring_vector: str = ""
    source: str = ""
    version: str = ""


class Package(WireStruct, rename="camel"):
    """A vulnerable package."""

    name: str = ""
    version: str = ""
    release: str | None = None
    fixed_in_version: str | None = None
    package_manager: str = ""
    file_path: str | None = None


class Epss(WireStruct):
    """The EPSS probability of exploitation, 0 to 1."""

    score: float | None = None


class Details(WireStruct, rename="camel"):
    """A vulnerability, and the packages that it affects."""

    vulnerability_id: NonEmptyName
    source: str = ""
    vendor_severity: str | None = None
    related_vulnerabilities: list[str] | None = None
    cvss: list[Cvss] | None = None
    vulnerable_packages: list[Package] | None = None
    vendor_created_at: Any = None
    fix_available: str = ""
    """Set here, as ``epss``, when the finding is of Security Hub; Inspector itself has both in the finding."""
    epss: Epss | None = None


class Resource(WireStruct):
    """A resource that was scanned."""

    id: str
    type: str = ""
    details: dict[str, Any] | None = None


class InspectorFinding(WireStruct, rename="camel"):
    """A finding of Inspector."""

    finding_arn: NonEmptyName
    type: str
    severity: str = ""
    status: str = ""
    title: str = ""
    epss: Epss | None = None
    fix_available: str = ""
    resources: list[Resource] | None = None
    package_vulnerability_details: Details | None = None
    vulnerabilities: list[Details] | None = None
    """Set when the finding is of Security Hub."""
    last_observed_at: Any = None
    updated_at: Any = None

    @property
    def details(self) -> list[Details]:
        """The vulnerabilities; empty for a finding of another type."""
        own = self.package_vulnerability_details
        return [own] if own is not None else self.vulnerabilities or []
