"""Amazon Inspector's findings as it writes them, and as Security Hub's are made to look before they are judged."""

from __future__ import annotations

from typing import Any

from shared.scanners.json_body import WireStruct


class Cvss(WireStruct, rename="camel"):
    """A score."""

    base_score: float | None = None
    scoring_vector: str = ""
    source: str = ""
    version: str = ""


class Package(WireStruct, rename="camel"):
    """A package that is vulnerable."""

    name: str = ""
    version: str = ""
    release: str | None = None
    fixed_in_version: str | None = None
    package_manager: str = ""
    file_path: str | None = None


class Epss(WireStruct):
    """The chance of exploitation."""

    score: float | None = None


class Details(WireStruct, rename="camel"):
    """A vulnerability, and the packages that have it."""

    vulnerability_id: str
    source: str = ""
    vendor_severity: str | None = None
    related_vulnerabilities: list[str] | None = None
    cvss: list[Cvss] | None = None
    vulnerable_packages: list[Package] | None = None
    vendor_created_at: Any = None
    fix_available: str = ""
    """Here and ``epss``: where Security Hub writes them; Inspector itself has them in the finding."""
    epss: Epss | None = None


class Resource(WireStruct):
    """What was looked at."""

    id: str
    type: str = ""
    details: dict[str, Any] | None = None


class Inspected(WireStruct, rename="camel"):
    """A finding as Inspector writes it."""

    finding_arn: str
    type: str
    severity: str = ""
    status: str = ""
    title: str = ""
    epss: Epss | None = None
    fix_available: str = ""
    resources: list[Resource] | None = None
    package_vulnerability_details: Details | None = None
    vulnerabilities: list[Details] | None = None
    """Where Security Hub passes the finding on."""
    last_observed_at: Any = None
    updated_at: Any = None

    @property
    def details(self) -> list[Details]:
        """Its vulnerabilities; none for a finding of another kind."""
        own = self.package_vulnerability_details
        return [own] if own is not None else self.vulnerabilities or []
