"""What a scanner found, in the form that the reports of all scanners are read into.

``shared.scanners`` builds these from bytes, ``shared.domain.merging`` makes one of what two scanners say, and
``shared.domain.judgement`` judges. Nothing here knows any format.
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

LONGEST_TOLD: Final = 500
"""Characters of what people are told of one finding: names come from outside, and may be of any length."""


def shortened(text: str) -> str:
    """The text, cut where it is too long to be told."""
    return text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD - 1]}…"


class FixState(StrEnum):
    """What is known of a fix. UNKNOWN is what a format says that doesn't speak of fixes; it is not NOT_FIXED."""

    FIXED = "fixed"
    NOT_FIXED = "not-fixed"
    WONT_FIX = "wont-fix"
    UNKNOWN = "unknown"


class VexState(StrEnum):
    """What somebody says of a vulnerability in this very product, in the words of OpenVEX."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


@dataclass(frozen=True, slots=True)
class OsInfo:
    """The operating system that a scanner found. ``end_of_life`` when it says that fixes are no longer published."""

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
    """The version, or versions, that have the fix; None when there is none or the format doesn't say (``fix``)."""
    severity_source: str = ""
    """Who rated it: nvd, a distribution, an advisory database."""
    cvss_score: float | None = None
    purl: str = ""
    """Package URL in its canonical form; empty when the scanner gave none, or none that can be read."""
    where: tuple[str, ...] = ()
    """Operating system, file or directory in which the package was found."""
    status: str = ""
    """The vendor's word on it, as the scanner prints it: fixed, affected, will_not_fix …"""
    severities: tuple[tuple[str, Severity], ...] = ()
    """Severity by source, where the report names several."""
    cvss_vector: str = ""
    """The vector behind ``cvss_score``, in the notation of its CVSS version."""
    epss: float | None = None
    """Probability of exploitation in the next 30 days, 0 to 1 (FIRST's EPSS)."""
    known_exploited: bool = False
    """Listed as exploited in the wild (CISA's KEV catalogue). False also when the format has no word for it."""
    fix_state: FixState | None = None
    """None when ``fixed`` says it all."""
    fix_published: datetime | None = None
    """When the fix came out, where the report says so."""
    published: datetime | None = None
    """When the vulnerability was published, where the report says so."""
    vex: VexState | None = None
    check: str = ""
    """The scanner's own name for what it tested (a Qualys QID, a Nessus plugin), which may cover many CVEs."""
    scanners: tuple[str, ...] = ()
    """Who reported it, after reports of several scanners were merged."""

    @property
    def identity(self) -> tuple[str, str]:
        """The id and the package in any casing: what makes two findings of one report one."""
        return self.id.casefold(), self.package.casefold()

    @property
    def fix(self) -> FixState:
        """What is known of a fix."""
        if self.fixed:
            return FixState.FIXED
        return self.fix_state or FixState.NOT_FIXED

    @property
    def fixable(self) -> bool:
        """Whether there may be a fix. Where a format says nothing of fixes, there may."""
        return self.fix in {FixState.FIXED, FixState.UNKNOWN}

    def __str__(self) -> str:
        fix = f", fixed in {self.fixed}" if self.fixed else ""
        return shortened(f"{self.id} in {self.package} {self.installed}".rstrip() + fix)


@dataclass(frozen=True, slots=True)
class SuppressedFinding:
    """A finding that the scanner was told to leave out, with the word given for it."""

    finding: Finding
    status: str
    statement: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """A scanner's report in the form that all formats are read into."""

    format: str
    scanner: str
    scanner_version: str
    schema_version: str
    target: str
    """What the scanner was pointed at, in its own words: a host, a disk, a directory."""
    os: OsInfo | None
    created_at: datetime | None
    packages_seen: int | None
    """How many packages the scanner looked at; None when the format doesn't say."""
    findings: tuple[Finding, ...]
    suppressed: tuple[SuppressedFinding, ...] = ()
    target_kind: str = ""
    not_scanned: str = ""
    """Why this doesn't prove a scan of a machine's packages; empty when it does."""
    image: str = ""
    """Resource id of the image version that the report itself says it is of; empty when it names none."""
    entries: Mapping[Severity, int] | None = None
    """The document's own entries by severity, where one entry is of several packages or CVEs and so is several
    findings; None where every entry is one finding."""

    @property
    def scanned(self) -> bool:
        return not self.not_scanned

    @property
    def counts(self) -> dict[Severity, int]:
        """The document's entries by severity, as a plain count of it finds them: nothing merged, nothing excused."""
        if self.entries is not None:
            return dict(self.entries)
        return dict(Counter(finding.severity for finding in self.findings))

    def of_another_image(self, version: VersionId) -> str:
        """Why this report can't be of that version: it names another image version. Empty when it does not.

        Most scanners know nothing of galleries and name a disk or a host, which says neither yes nor no.
        """
        for named in (self.image, self.target):
            try:
                found = VersionId.parse(named)
            except InvalidId:
                continue
            if found != version:
                return f"the report is of another image version: {found}"
        return ""
