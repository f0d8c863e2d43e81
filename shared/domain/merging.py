"""Merging of findings: one finding for one vulnerability of one package, whichever scanners found it by which ids.

Rules:

* Ids: a vulnerability is identified by its CVE. A finding with another id (GHSA, GO, SNYK …) has the CVE that any
  report lists with that id, if it is exactly one. Two different CVEs are never merged. Ids of *bundles* merge nothing:
  an RHSA, a USN or a Windows KB fixes many vulnerabilities.
* Packages: equal by package URL without version and qualifiers, casefolded. Packages of operating systems are equal by
  name: one scanner writes ``pkg:deb/debian/openssl``, another ``openssl``. A finding without a package URL is merged
  with one that has it when the names are equal.
* The merged finding has the highest severity, any fix, any known exploitation, all locations, all ids, and the
  severities of all sources.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from operator import attrgetter
from typing import Final
from urllib.parse import unquote

from shared.domain.findings import Finding, FixState, ScanReport, SuppressedFinding
from shared.domain.identifiers import CVE_ID
from shared.domain.policy import Severity

SEVERITY_RANK: Final = {
    severity: rank
    for rank, severity in enumerate(
        (
            Severity.CRITICAL,
            Severity.HIGH,
            Severity.UNKNOWN,
            Severity.MEDIUM,
            Severity.LOW,
            Severity.NEGLIGIBLE,
        )
    )
}
"""Rank by severity, 0 for the most severe. UNKNOWN ranks next to HIGH, since the policy counts it as high."""

_SINGLE_VULNERABILITY_ID: Final = re.compile(
    r"(cve|ghsa|go|pysec|rustsec|osv|snyk|gms|mal|temp|ghsl|psf|hsec|curl|wordfence|sonatype|cga|bit)-.+"
)
"""Ids that identify one vulnerability. All others may be of bundles."""
_OS_PACKAGE_TYPES: Final = frozenset(
    {"deb", "rpm", "apk", "apkv2", "alpm", "portage", "ebuild", "windows", "kb", "swid"}
)
_OS: Final = "os"

Package = tuple[str, str]
"""Package type (empty when it is unknown) and name."""


@dataclass(frozen=True, slots=True)
class MergedReports:
    """The findings of several reports about one version, each vulnerability of a package once."""

    findings: tuple[Finding, ...]
    suppressed: tuple[SuppressedFinding, ...]
    """Suppressed by every scanner that found them: what one suppresses and another reports is a finding."""


def merge_reports(reports: Iterable[ScanReport]) -> MergedReports:
    """Merge the findings of several reports. Whether a report is usable is not checked here.

    When the reports are of more than one scanner, each finding names its scanners.
    """
    listed = list(reports)
    # With a single scanner, naming it would copy a hundred thousand findings for nothing.
    several = len({report.scanner for report in listed}) > 1
    by_scanner = [(report, (report.scanner,) if several else ()) for report in listed]
    found = merge_findings(
        _with_scanners(finding, scanners) for report, scanners in by_scanner for finding in report.findings
    )
    suppressed = [
        replace(each, finding=_with_scanners(each.finding, scanners))
        for report, scanners in by_scanner
        for each in report.suppressed
    ]
    if not suppressed:
        return MergedReports(found, ())
    ids = _VulnerabilityIds([*found, *(each.finding for each in suppressed)])
    reported: dict[str, list[Package]] = {}
    for finding in found:
        reported.setdefault(ids.common_id(finding), []).append(package_key(finding))
    not_reported = (
        each for each in suppressed if not _is_any_of(each.finding, reported.get(ids.common_id(each.finding)))
    )
    return MergedReports(found, tuple(not_reported))


def merge_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Every vulnerability of a package once, sorted by severity (highest first), then by id and package."""
    listed = list(findings)
    ids = _VulnerabilityIds(listed)
    by_name: dict[str, list[Finding]] = {}
    for finding in listed:
        by_name.setdefault(ids.common_id(finding), []).append(finding)
    unique = (_merge_group(name, same) for name, found in by_name.items() for same in _by_package(found))
    return tuple(sorted(unique, key=lambda found: (SEVERITY_RANK[found.severity], found.identity)))


def package_key(finding: Finding) -> Package:
    """Type and name of a finding's package, casefolded for comparison. Operating system packages have one type."""
    return _purl_key(finding.purl) if finding.purl else ("", finding.package.casefold())


@lru_cache(maxsize=65_536)
def _purl_key(purl: str) -> Package:
    path = purl.removeprefix("pkg:").split("?", 1)[0].split("#", 1)[0]
    kind, _, name = path.rpartition("@")[0].partition("/") if "@" in path else path.partition("/")
    kind, name = kind.casefold(), unquote(name).casefold()
    if kind in _OS_PACKAGE_TYPES:
        return _OS, name.rsplit("/", 1)[-1]
    return kind, name


*_OTHER_FIELDS, _LAST_FIELD = (field.name for field in fields(Finding))
assert _LAST_FIELD == "scanners", "it is set by position"
_fields_without_scanners: Final = attrgetter(*_OTHER_FIELDS)
_new_finding: Callable[..., Finding] = Finding


def _with_scanners(finding: Finding, scanners: tuple[str, ...]) -> Finding:
    # Does what dataclasses.replace does in less than half the time, for a hundred thousand findings.
    return finding if finding.scanners or not scanners else _new_finding(*_fields_without_scanners(finding), scanners)


def _is_any_of(finding: Finding, packages: Sequence[Package] | None) -> bool:
    return any(_same_package(package_key(finding), package) for package in packages or ())


def _same_package(one: Package, other: Package) -> bool:
    if one[0] and other[0]:
        return one == other
    return one[1] == other[1] or (one[1] in _spellings(other) or other[1] in _spellings(one))


def _spellings(package: Package) -> tuple[str, ...]:
    """How scanners write a package's name: ``log4j-core``, ``org.apache.logging.log4j:log4j-core``."""
    kind, name = package
    if not kind or "/" not in name:
        return (name,)
    group, _, last = name.rpartition("/")
    return name, f"{group}:{last}", last


class _VulnerabilityIds:
    """The common id of each vulnerability, from all ids and aliases of the findings.

    Ids that are aliases of each other are joined in a disjoint-set forest, and its root stands for all of them. If
    exactly one CVE is an alias of any of them, the CVE does; if several are, each id stands for itself.
    """

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._parent: dict[str, str] = {}
        self._cves: dict[str, set[str]] = {}
        ties: list[tuple[str, str]] = []
        for finding in findings:
            if not finding.aliases:
                continue
            cves, others = _cves_and_others(finding)
            for other in others[1:]:
                self._join(others[0], other)
            if others and len(cves) == 1:
                ties.append((others[0], cves[0]))
        for name, cve in ties:
            self._cves.setdefault(self._root(name), set()).add(cve)

    def common_id(self, finding: Finding) -> str:
        """The common id of a finding's vulnerability, in lowercase."""
        own = finding.id.casefold()
        if CVE_ID.fullmatch(own):
            return own
        cves, others = _cves_and_others(finding)
        if len(cves) == 1:
            return cves[0]
        if cves or not others:
            return own
        root = self._root(others[0])
        tied = self._cves.get(root, set())
        if len(tied) == 1:
            return next(iter(tied))
        return own if tied else root

    def _root(self, name: str) -> str:
        while (above := self._parent.get(name, name)) != name:
            self._parent[name] = self._parent.get(above, above)
            name = above
        return name

    def _join(self, one: str, other: str) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        if first != second:
            self._parent[second] = first


def _cves_and_others(finding: Finding) -> tuple[list[str], list[str]]:
    """The CVEs of a finding, and its other ids that identify one vulnerability, in lowercase."""
    names = dict.fromkeys(name.casefold() for name in (finding.id, *finding.aliases))
    cves = [name for name in names if CVE_ID.fullmatch(name)]
    return cves, [name for name in names if name not in cves and _SINGLE_VULNERABILITY_ID.fullmatch(name)]


def _by_package(findings: list[Finding]) -> Iterator[list[Finding]]:
    if len(findings) == 1:
        yield findings
        return
    typed: dict[Package, list[Finding]] = {}
    untyped: dict[Package, list[Finding]] = {}
    for finding in findings:
        key = package_key(finding)
        (typed if key[0] else untyped).setdefault(key, []).append(finding)
    by_short: dict[str, Package] = {}
    for key in sorted(typed, reverse=True):
        by_short.update(dict.fromkeys(_spellings(key), key))
    for key, found in untyped.items():
        typed.setdefault(by_short.get(key[1], key), []).extend(found)
    yield from typed.values()


def _merge_group(name: str, findings: list[Finding]) -> Finding:
    if len(findings) == 1:
        return _with_common_id(findings[0], name)
    ranked = sorted(findings, key=lambda found: SEVERITY_RANK[found.severity])
    id_, aliases = _id_and_aliases(name, ranked)
    return replace(
        _completed(ranked[0], ranked),
        id=id_,
        aliases=aliases,
        where=tuple(dict.fromkeys(place for found in ranked for place in found.where)),
        scanners=tuple(dict.fromkeys(scanner for found in ranked for scanner in found.scanners)),
        severities=_severities(ranked),
        known_exploited=any(found.known_exploited for found in ranked),
        epss=max((found.epss for found in ranked if found.epss is not None), default=None),
    )


def _id_and_aliases(name: str, ranked: list[Finding]) -> tuple[str, tuple[str, ...]]:
    """The common id as a finding spells it, and the other ids in the order of the findings."""
    worst = ranked[0]
    spelled = {name.casefold(): name for found in reversed(ranked) for name in (*found.aliases, found.id)}
    id_ = worst.id if worst.id.casefold() == name else spelled.get(name, worst.id)
    order = dict.fromkeys(name.casefold() for found in ranked for name in (found.id, *found.aliases))
    return id_, tuple(spelled[each] for each in order if each not in {name, id_.casefold()})


def _with_common_id(finding: Finding, name: str) -> Finding:
    """The finding with its CVE as id, if the CVE is an alias: people know it rather than a database's own id."""
    if finding.id.casefold() == name or not finding.aliases:
        return finding
    known = next((alias for alias in finding.aliases if alias.casefold() == name), None)
    if known is None or not CVE_ID.fullmatch(name):
        return finding
    return replace(finding, id=known, aliases=(finding.id, *(alias for alias in finding.aliases if alias != known)))


def _completed(worst: Finding, ranked: list[Finding]) -> Finding:
    """The finding of the highest severity, with what it lacks from the next one that has it."""
    # The highest score of any source, so that the order of reports makes no difference.
    scored = max(ranked, key=lambda found: -1.0 if found.cvss_score is None else found.cvss_score)
    typed = next((found for found in ranked if found.purl), worst)
    return replace(
        worst,
        fixed=next((found.fixed for found in ranked if found.fixed), None),
        fix_state=_fix_state(ranked),
        fix_published=min((found.fix_published for found in ranked if found.fix_published), default=None),
        published=min((found.published for found in ranked if found.published), default=None),
        purl=typed.purl,
        installed=worst.installed or typed.installed,
        cvss_score=scored.cvss_score,
        cvss_vector=scored.cvss_vector or worst.cvss_vector,
    )


def _fix_state(ranked: list[Finding]) -> FixState | None:
    """A fix takes precedence over a statement that there is none, which takes precedence over UNKNOWN."""
    states = {found.fix for found in ranked}
    for state in (FixState.FIXED, FixState.WONT_FIX, FixState.NOT_FIXED):
        if state in states:
            return next((found.fix_state for found in ranked if found.fix is state), None)
    return FixState.UNKNOWN


def _severities(ranked: list[Finding]) -> tuple[tuple[str, Severity], ...]:
    if not any(found.severities for found in ranked) and len({found.severity for found in ranked}) == 1:
        return ()
    said: dict[str, Severity] = {}
    for found in ranked:
        own = ((found.severity_source, found.severity),) if found.severity_source else ()
        for source, severity in (*own, *found.severities):
            said.setdefault(source, severity)
    return tuple(said.items())
