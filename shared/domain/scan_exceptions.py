"""Which findings the policy's exceptions apply to, and which they would apply to if they had not expired.

Rules:

* An exception applies until the end of its expiry date.
* It applies to a vulnerability by its id or any alias of either side, in any casing, and by its package if it names
  one: a package name, or a package URL or the beginning of one up to a separator (``pkg:deb/ubuntu/`` is every package
  of Ubuntu, ``pkg:deb/ubuntu/openssl`` every version of one package, ``pkg:deb/ubuntu/openssl@3.0.2`` one version).
* An exception with a package URL never applies to a finding without one: it might be another package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from shared.domain.findings import Finding
from shared.domain.policy import ScanException


@dataclass(frozen=True, slots=True)
class MatchedException:
    """An exception of the policy, and the findings that it applies to (or would apply to if it had not expired)."""

    exception: ScanException
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ExceptionMatches:
    """The findings that no valid exception applies to, the exceptions of the others, and the expired exceptions."""

    remaining: tuple[Finding, ...]
    excepted: tuple[MatchedException, ...]
    expired: tuple[MatchedException, ...]


def apply_exceptions(
    findings: Iterable[Finding], exceptions: Iterable[ScanException], now: datetime
) -> ExceptionMatches:
    """Separate the findings that an exception applies to at the time ``now`` from the remaining ones."""
    by_name: dict[str, list[ScanException]] = {}
    for exception in exceptions:
        for name in dict.fromkeys(name.casefold() for name in (exception.id, *exception.aliases)):
            by_name.setdefault(name, []).append(exception)
    if not by_name:
        return ExceptionMatches(tuple(findings), (), ())
    remaining: list[Finding] = []
    excepted: dict[ScanException, list[Finding]] = {}
    expired: dict[ScanException, list[Finding]] = {}
    for finding in findings:
        matching = _matching(finding, by_name)
        valid = next((exception for exception in matching if now <= exception.expires), None)
        if valid is not None:
            excepted.setdefault(valid, []).append(finding)
            continue
        remaining.append(finding)
        for exception in matching:
            expired.setdefault(exception, []).append(finding)
    return ExceptionMatches(tuple(remaining), _matches(excepted), _matches(expired))


def _matching(finding: Finding, by_name: Mapping[str, list[ScanException]]) -> list[ScanException]:
    names = [finding.id.casefold(), *(name.casefold() for name in finding.aliases)]
    if by_name.keys().isdisjoint(names):
        return []
    found = dict.fromkeys(each for name in names for each in by_name.get(name, ()))
    return [each for each in found if covers_package(each, finding)]


def covers_package(exception: ScanException, finding: Finding) -> bool:
    """Whether an exception applies to the package of a finding. One without a package applies to every package."""
    package = exception.package
    if package is None:
        return True
    if package.casefold().startswith("pkg:"):
        return bool(finding.purl) and _is_prefix(_comparable(package), _comparable(finding.purl))
    return package.casefold() == finding.package.casefold()


def _comparable(purl: str) -> str:
    """A package URL without qualifiers and subpath, decoded, in lowercase. For comparison only."""
    return unquote(purl.split("#", 1)[0].split("?", 1)[0]).casefold()


def _is_prefix(prefix: str, purl: str) -> bool:
    if not purl.startswith(prefix):
        return False
    return prefix.endswith("/") or purl[len(prefix) :][:1] in {"", "@", "/"}


def _matches(found: Mapping[ScanException, list[Finding]]) -> tuple[MatchedException, ...]:
    return tuple(MatchedException(exception, tuple(findings)) for exception, findings in found.items())
