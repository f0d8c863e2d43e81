"""Scan reports and their findings, independent of the scanner and of the report's format.

``shared.scanners`` reads reports into these types, ``shared.domain.merging`` merges the reports of several scanners,
and ``shared.domain.judgement`` evaluates them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.domain.image import InvalidId, VersionId
from shared.domain.policy import Severity

MAX_TEXT_LENGTH: Final = 500
"""Characters of a text about one finding: names come from outside, and can have any length."""


def shorten(text: str) -> str:
    """The text, cut to ``MAX_TEXT_LENGTH`` characters."""
    return text if len(text) <= MAX_TEXT_LENGTH else f"{text[: MAX_TEXT_LENGTH - 1]}…"


class FixState(StrEnum):
    """Whether there is a fix. UNKNOWN is not NOT_FIXED: it means that the report does not say."""

    FIXED = "fixed"
    NOT_FIXED = "not-fixed"
    WONT_FIX = "wont-fix"
    UNKNOWN = "unknown"


class VexState(StrEnum):
    """The status of a vulnerability in a product, as OpenVEX defines it (OpenVEX specification 0.2.0)."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


@dataclass(frozen=True, slots=True)
class OsInfo:
    """The operating system that a scanner found.

    ``name`` is its version. ``end_of_life`` is True when the scanner reports that it gets no more security fixes.
    """

    family: str
    name: str = ""
    end_of_life: bool = False

    def __str__(self) -> str:
        return f"{self.family} {self.name}".strip()


@dataclass(frozen=True, slots=True)
class Finding:
    """One vulnerability in one package."""

    id: str
    """CVE or advisory id, as the scanner prints it."""
    package: str
    installed: str
    severity: Severity
    aliases: tuple[str, ...] = ()
    fixed: str | None = None
    """The version or versions that contain the fix, or None when there is none or the report does not say (``fix``)."""
    severity_source: str = ""
    """Who rated the severity: nvd, a distribution, an advisory database."""
    cvss_score: float | None = None
    purl: str = ""
    """Package URL in canonical form; empty when the scanner gave none or an invalid one."""
    where: tuple[str, ...] = ()
    """Operating system, files or directories in which the package was found."""
    status: str = ""
    """The vendor's status, as the scanner prints it: fixed, affected, will_not_fix …"""
    severities: tuple[tuple[str, Severity], ...] = ()
    """Severity by source, when the report names several sources."""
    cvss_vector: str = ""
    """The vector behind ``cvss_score``, in the notation of its CVSS version."""
    epss: float | None = None
    """Probability of exploitation in the next 30 days, 0 to 1 (FIRST's EPSS)."""
    known_exploited: bool = False
    """In CISA's KEV catalog. False also when the format does not say."""
    fix_state: FixState | None = None
    """None when ``fixed`` alone decides: a fix when it is set, no fix otherwise."""
    fix_published: datetime | None = None
    """When the fix was published, if the report says so (UTC)."""
    published: datetime | None = None
    """When the vulnerability was published, if the report says so (UTC)."""
    vex: VexState | None = None
    check: str = ""
    """The scanner's id of its check (a Qualys QID, a Nessus plugin), which can cover many CVEs."""
    scanners: tuple[str, ...] = ()
    """The scanners that reported the finding. Set when reports of several scanners are merged."""

    @property
    def identity(self) -> tuple[str, str]:
        """The id and the package, casefolded: equal for two reports of the same finding."""
        return self.id.casefold(), self.package.casefold()

    @property
    def fix(self) -> FixState:
        """Whether there is a fix."""
        if self.fixed:
            return FixState.FIXED
        return self.fix_state or FixState.NOT_FIXED

    @property
    def fixable(self) -> bool:
        """Whether there may be a fix: True unless the report says that there is none."""
        return self.fix in {FixState.FIXED, FixState.UNKNOWN}

    def __str__(self) -> str:
        fix = f", fixed in {self.fixed}" if self.fixed else ""
        return shorten(f"{self.id} in {self.package} {self.installed}".rstrip() + fix)


@dataclass(frozen=True, slots=True)
class SuppressedFinding:
    """A finding that the scanner was configured to suppress."""

    finding: Finding
    status: str
    """The scanner's status word for the suppression."""
    statement: str = ""
    """Why it is suppressed."""
    source: str = ""
    """Where the suppression is declared."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """A scan report of any format."""

    format: str
    scanner: str
    scanner_version: str
    schema_version: str
    target: str
    """What was scanned, as the scanner names it: a host, a disk, a directory."""
    os: OsInfo | None
    created_at: datetime | None
    """When the scan was made (UTC), or None when the report does not say."""
    packages_seen: int | None
    """Number of packages that the scanner examined, or None when the format does not say."""
    findings: tuple[Finding, ...]
    suppressed: tuple[SuppressedFinding, ...] = ()
    target_kind: str = ""
    not_scanned: str = ""
    """Why the report does not prove a scan of the packages of a machine; empty when it does."""
    image: str = ""
    """Resource id of the image version that the report names; empty when it names none."""
    entries: Mapping[Severity, int] | None = None
    """The document's entries by severity when an entry can be several findings (packages or CVEs). None when every
    entry is one finding."""

    @property
    def scanned(self) -> bool:
        """Whether the report proves a scan of the packages of a machine."""
        return not self.not_scanned

    @property
    def counts(self) -> dict[Severity, int]:
        """The document's entries by severity, before merging and exceptions."""
        if self.entries is not None:
            return dict(self.entries)
        return dict(Counter(finding.severity for finding in self.findings))

    def image_mismatch(self, version: VersionId) -> str:
        """Why the report is not of an image version: it names another one. Empty when it names the version or none.

        Most scanners do not know galleries: they name a disk or a host, which proves neither.
        """
        for named in (self.image, self.target):
            try:
                found = VersionId.parse(named)
            except InvalidId:
                continue
            if found != version:
                return f"the report is of another image version: {found}"
        return ""
