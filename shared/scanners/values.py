"""Values that reports of all formats contain: severities, scores, times, package URLs, CVE ids.

CVSS severity ratings are those of the specification (v3.1 section 5, v4.0 section 6): none 0.0, low from 0.1, medium
from 4.0, high from 7.0, critical from 9.0. CVSS 2 has no critical; NVD's ratings for it end at high.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cvss import CVSS2, CVSS3, CVSS4  # pyright: ignore[reportMissingTypeStubs]
from cvss.exceptions import CVSSError  # pyright: ignore[reportMissingTypeStubs]
from packageurl import PackageURL

from shared.domain.identifiers import CVE_ID
from shared.domain.policy import Severity

_SEVERITIES: Final = {
    "critical": Severity.CRITICAL,
    "urgent": Severity.CRITICAL,
    "important": Severity.HIGH,
    "high": Severity.HIGH,
    "serious": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "low": Severity.LOW,
    "minor": Severity.LOW,
    "negligible": Severity.NEGLIGIBLE,
    "unimportant": Severity.NEGLIGIBLE,
    "minimal": Severity.NEGLIGIBLE,
    "informational": Severity.NEGLIGIBLE,
    "information": Severity.NEGLIGIBLE,
    "info": Severity.NEGLIGIBLE,
    "none": Severity.NEGLIGIBLE,
}
_NANOSECONDS: Final = re.compile(r"(\.[0-9]{6})[0-9]+")
"""Digits beyond microseconds, which ``datetime`` does not accept."""
_MAX_PURL: Final = 4096


def parse_severity(word: str | None) -> Severity:
    """The severity for any scanner's word, in any casing. An unknown word is UNKNOWN, never the lowest severity."""
    return _SEVERITIES.get((word or "").strip().casefold(), Severity.UNKNOWN)


def severity_for_score(score: float | None) -> Severity:
    """The severity rating of a CVSS 3 or 4 score, or UNKNOWN for None and for a score outside 0 to 10."""
    if score is None or not 0 <= score <= 10:
        return Severity.UNKNOWN
    bands = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
    return next((severity for least, severity in bands if score >= least), Severity.NEGLIGIBLE)


@lru_cache(maxsize=16_384)
def score_of_vector(vector: str) -> float | None:
    """The base score of a CVSS vector of version 2.0, 3.0, 3.1 or 4.0, or None for an invalid vector."""
    try:
        return parse_score(str(_base_score(vector)))
    except (CVSSError, ValueError, KeyError, ArithmeticError):
        return None


def _base_score(vector: str) -> object:
    if vector.startswith("CVSS:4"):
        return CVSS4(vector).base_score
    if vector.startswith("CVSS:3"):
        return CVSS3(vector).scores()[0]
    if "/PR:" in vector:
        return CVSS3(f"CVSS:3.1/{vector}").scores()[0]
    return CVSS2(vector.strip("()").removeprefix("CVSS2#")).scores()[0]


def parse_number(text: str | float | None) -> float | None:
    """A finite number, given as a number or as text, or None for anything else."""
    try:
        found = float(text.strip() if isinstance(text, str) else text if text is not None else "")
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def parse_score(value: str | float | None) -> float | None:
    """A CVSS score from 0 to 10, or None for anything else."""
    found = parse_number(value)
    return found if found is not None and 0 <= found <= 10 else None


def cvss_score(given: str | float | None, vector: str | None) -> float | None:
    """The given CVSS score, or the base score of the vector when no valid score is given, or None without either."""
    found = parse_score(given)
    return score_of_vector(vector) if found is None and vector else found


def parse_probability(value: str | float | None) -> float | None:
    """An EPSS probability from 0 to 1, or None for anything else."""
    found = parse_number(value)
    return found if found is not None and 0 <= found <= 1 else None


def parse_timestamp(text: str | None) -> datetime | None:
    """An ISO 8601 time with a UTC offset, converted to UTC, or None for anything else.

    Go programs write nanoseconds, and the year 1 for a time that was never set.
    """
    try:
        found = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", (text or "").strip()))
        return to_utc(found) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def parse_date(text: str | None) -> datetime | None:
    """Midnight UTC of the date that a text begins with (``2026-05-01`` or ``2026/05/01``), or None.

    A text that is a whole ISO 8601 time with a UTC offset is that time.
    """
    timestamp = parse_timestamp(text)
    if timestamp is not None:
        return timestamp
    try:
        return to_utc(datetime.strptime((text or "").strip()[:10].replace("/", "-"), "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        return None


def to_utc(found: datetime) -> datetime | None:
    """The same time in UTC, or None before 1990: no scanner ran then, so the time was never set."""
    try:
        return found.astimezone(UTC) if found.year >= 1990 else None
    except OverflowError:
        return None


@lru_cache(maxsize=65_536)
def canonical_purl(text: str) -> str:
    """A package URL in canonical form, or an empty text when it is invalid or longer than 4,096 characters."""
    if not text or len(text) > _MAX_PURL:
        return ""
    try:
        return PackageURL.from_string(text).to_string()
    except (ValueError, UnicodeError):
        return ""


def build_purl(kind: str, name: str, version: str) -> str:
    """The package URL of a package type, name and version; empty when type or name is empty or invalid."""
    if not (kind and name):
        return ""
    try:
        return PackageURL(type=kind, name=name, version=version or None).to_string()
    except (ValueError, UnicodeError):
        return ""


def find_cves(*texts: str | None) -> tuple[str, ...]:
    """The CVE ids in the texts, in uppercase, each once, in order of appearance."""
    return tuple(dict.fromkeys(found.upper() for text in texts if text for found in CVE_ID.findall(text)))


def unique(names: Iterable[str | None], excluding: str = "") -> tuple[str, ...]:
    """The names, each once and in order, without empty ones and without ``excluding``."""
    return tuple(name for name in dict.fromkeys(names) if name and name != excluding)
