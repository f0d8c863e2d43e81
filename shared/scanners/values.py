"""Values that all formats have: severities, scores, moments, package URLs, names of vulnerabilities.

CVSS bands are those of the specification (v3.1 §5, v4.0 §6): none 0.0, low from 0.1, medium from 4.0, high from 7.0,
critical from 9.0. CVSS 2 has no critical; NVD's bands for it end at high.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cvss import CVSS2, CVSS3, CVSS4
from cvss.exceptions import CVSSError
from packageurl import PackageURL

from shared.domain.identifiers import CVE_ID
from shared.domain.policy import Severity

_WORDS: Final = {
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
_MORE_DIGITS: Final = re.compile(r"(\.[0-9]{6})[0-9]+")


def parse_severity(word: str | None) -> Severity:
    """A severity in any scanner's words. A word that isn't known is UNKNOWN, never the least."""
    return _WORDS.get((word or "").strip().casefold(), Severity.UNKNOWN)


def severity_for_score(score: float | None) -> Severity:
    """The severity of a CVSS 3 or 4 score; UNKNOWN without one, or for one that is out of range."""
    if score is None or not 0 <= score <= 10:
        return Severity.UNKNOWN
    bands = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
    return next((severity for least, severity in bands if score >= least), Severity.NEGLIGIBLE)


@lru_cache(maxsize=16_384)
def score_of_vector(vector: str) -> float | None:
    """The base score of a CVSS vector of version 2, 3.0, 3.1 or 4.0; None when it can't be read."""
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
    """A number, however it is written; None for anything else."""
    try:
        found = float(text.strip() if isinstance(text, str) else text if text is not None else "")
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def parse_score(value: str | float | None) -> float | None:
    """A CVSS score: a number from 0 to 10, or None."""
    found = parse_number(value)
    return found if found is not None and 0 <= found <= 10 else None


def cvss_score(given: str | float | None, vector: str | None) -> float | None:
    """A CVSS score as it is given, or else that of its vector; None without either."""
    found = parse_score(given)
    return score_of_vector(vector) if found is None and vector else found


def parse_probability(value: str | float | None) -> float | None:
    """An EPSS probability: a number from 0 to 1, or None."""
    found = parse_number(value)
    return found if found is not None and 0 <= found <= 1 else None


def parse_timestamp(text: str | None) -> datetime | None:
    """An ISO 8601 time with a zone, in UTC. Go writes nanoseconds, and year 1 for a time that was never set."""
    try:
        found = datetime.fromisoformat(_MORE_DIGITS.sub(r"\1", (text or "").strip()))
        return to_utc(found) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def parse_date(text: str | None) -> datetime | None:
    """The begin (UTC) of a day that stands at the head of a text; a whole time with a zone is taken as it is."""
    whole = parse_timestamp(text)
    if whole is not None:
        return whole
    try:
        return to_utc(datetime.strptime((text or "").strip()[:10].replace("/", "-"), "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        return None


def to_utc(found: datetime) -> datetime | None:
    """The same moment in UTC; None for years in which no scanner ran."""
    try:
        return found.astimezone(UTC) if found.year >= 1990 else None
    except OverflowError:
        return None


@lru_cache(maxsize=65_536)
def canonical_purl(text: str) -> str:
    """A package URL in canonical form; empty when it can't be read."""
    if not text or len(text) > 4096:
        return ""
    try:
        return PackageURL.from_string(text).to_string()
    except (ValueError, UnicodeError):
        return ""


def build_purl(kind: str, name: str, version: str, namespace: str = "") -> str:
    """The package URL of what a scanner names in other ways; empty when something is missing."""
    if not (kind and name):
        return ""
    try:
        return PackageURL(type=kind, namespace=namespace or None, name=name, version=version or None).to_string()
    except (ValueError, UnicodeError):
        return ""


def find_cves(*texts: str | None) -> tuple[str, ...]:
    """Every CVE that is named, once, in order."""
    return tuple(dict.fromkeys(found.upper() for text in texts if text for found in CVE_ID.findall(text)))


def unique(names: Iterable[str | None], but: str = "") -> tuple[str, ...]:
    """Names once each, without empty ones and without ``but``."""
    return tuple(name for name in dict.fromkeys(names) if name and name != but)
