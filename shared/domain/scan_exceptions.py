"""Which findings the policy's exceptions excuse, and which exceptions would have, had they not expired.

Rules:

* An exception excuses until the end of its day and nothing after it.
* It goes by the vulnerability's name or any alias of either side, in any casing, and by its package where it names one:
  a package's name, or a package URL up to one of its joints (``pkg:deb/ubuntu/`` is every package of Ubuntu,
  ``pkg:deb/ubuntu/openssl`` every version of one, ``pkg:deb/ubuntu/openssl@3.0.2`` that version alone).
* A finding whose package URL isn't known is never excused by one: it might be another package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from shared.domain.findings import Finding
from shared.domain.policy import ScanException


@dataclass(frozen=True, slots=True)
class UsedException:
    """An exception of the policy, and the findings that it excuses (or, expired, would have excused)."""

    exception: ScanException
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Excepted:
    """What exceptions leave: findings that stand, exceptions that excused the others, expired ones that would have."""

    standing: tuple[Finding, ...]
    excused: tuple[UsedException, ...]
    expired: tuple[UsedException, ...]


def apply_exceptions(findings: Iterable[Finding], exceptions: Iterable[ScanException], now: datetime) -> Excepted:
    """Sort findings by whether an exception that holds now excuses them."""
    by_name: dict[str, list[ScanException]] = {}
    for exception in exceptions:
        for name in dict.fromkeys(name.casefold() for name in (exception.id, *exception.aliases)):
            by_name.setdefault(name, []).append(exception)
    if not by_name:
        return Excepted(tuple(findings), (), ())
    standing: list[Finding] = []
    excused: dict[ScanException, list[Finding]] = {}
    expired: dict[ScanException, list[Finding]] = {}
    for finding in findings:
        matching = _matching(finding, by_name)
        valid = next((exception for exception in matching if now <= exception.expires), None)
        if valid is not None:
            excused.setdefault(valid, []).append(finding)
            continue
        standing.append(finding)
        for exception in matching:
            expired.setdefault(exception, []).append(finding)
    return Excepted(tuple(standing), _used(excused), _used(expired))


def _matching(finding: Finding, by_name: Mapping[str, list[ScanException]]) -> list[ScanException]:
    names = [finding.id.casefold(), *(name.casefold() for name in finding.aliases)]
    if by_name.keys().isdisjoint(names):
        return []
    found = dict.fromkeys(each for name in names for each in by_name.get(name, ()))
    return [each for each in found if in_scope(each, finding)]


def in_scope(exception: ScanException, finding: Finding) -> bool:
    """Whether an exception's package is the finding's."""
    wanted = exception.package
    if wanted is None:
        return True
    if wanted.casefold().startswith("pkg:"):
        return bool(finding.purl) and _begins_with(_plain(finding.purl), _plain(wanted))
    return wanted.casefold() == finding.package.casefold()


def _plain(purl: str) -> str:
    """A package URL without qualifiers and subpath, unescaped, in lower case: made to be compared, not to be used."""
    return unquote(purl.split("#", 1)[0].split("?", 1)[0]).casefold()


def _begins_with(purl: str, beginning: str) -> bool:
    if not purl.startswith(beginning):
        return False
    return beginning.endswith("/") or purl[len(beginning) :][:1] in {"", "@", "/"}


def _used(found: Mapping[ScanException, list[Finding]]) -> tuple[UsedException, ...]:
    return tuple(UsedException(exception, tuple(findings)) for exception, findings in found.items())
