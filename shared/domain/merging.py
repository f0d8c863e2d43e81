"""One finding for one vulnerability of one package, whoever found it and under whatever name.

Rules:

* Names: a vulnerability is known by its CVE; where a finding has another name (GHSA, GO, SNYK …), any report that ties
  that name to exactly one CVE says which. Two different CVEs are never one finding. Names of *bundles* (an RHSA or USN
  fixes many vulnerabilities, a Windows KB too) tie nothing together.
* Packages: equal by package URL without version and qualifiers, in the casing of its type. Packages of operating
  systems are known by their names alone: one scanner says ``pkg:deb/debian/openssl``, another says ``openssl``. A
  finding without a package URL joins one that has it when the names agree.
* What stays: the worst severity, any fix, any mark of exploitation, all places, all names, every source's severity.
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

WORST_FIRST: Final = {
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
"""Unknown could be anything; it stands where the policy counts it."""

_OF_ONE: Final = re.compile(
    r"(cve|ghsa|go|pysec|rustsec|osv|snyk|gms|mal|temp|ghsl|psf|hsec|curl|wordfence|sonatype|cga|bit)-.+"
)
"""Names that stand for one vulnerability. All others may be bundles."""
_SYSTEM_TYPES: Final = frozenset({"deb", "rpm", "apk", "apkv2", "alpm", "portage", "ebuild", "windows", "kb", "swid"})
_SYSTEM: Final = "os"

Package = tuple[str, str]
"""Kind of package ("" when it isn't known) and name."""


@dataclass(frozen=True, slots=True)
class MergedReports:
    """What several scanners say of one version, each vulnerability of each package once."""

    findings: tuple[Finding, ...]
    suppressed: tuple[SuppressedFinding, ...]
    """Left out by every scanner that knew it: what one leaves out and another reports is a finding."""


def merge_reports(reports: Iterable[ScanReport]) -> MergedReports:
    """Make one of what several reports say. Whether each may be believed is not asked here."""
    listed = list(reports)
    # Of one scanner alone there is nothing to tell apart, and a hundred thousand copies would be made to say its name.
    by = (
        [(report.scanner,) for report in listed]
        if len({report.scanner for report in listed}) > 1
        else [()] * len(listed)
    )
    named = list(zip(listed, by, strict=True))
    found = merged(_named(finding, scanners) for report, scanners in named for finding in report.findings)
    left_out = [
        replace(left, finding=_named(left.finding, scanners))
        for report, scanners in named
        for left in report.suppressed
    ]
    if not left_out:
        return MergedReports(found, ())
    groups = _Names([*found, *(left.finding for left in left_out)])
    reported: dict[str, list[Package]] = {}
    for finding in found:
        reported.setdefault(groups.name(finding), []).append(package_key(finding))
    suppressed = tuple(left for left in left_out if not _among(left.finding, reported.get(groups.name(left.finding))))
    return MergedReports(found, suppressed)


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Every vulnerability of a package once. Worst first, then by id."""
    listed = list(findings)
    names = _Names(listed)
    by_name: dict[str, list[Finding]] = {}
    for finding in listed:
        by_name.setdefault(names.name(finding), []).append(finding)
    unique = (_one(name, same) for name, found in by_name.items() for same in _by_package(found))
    return tuple(sorted(unique, key=lambda found: (WORST_FIRST[found.severity], found.identity)))


def package_key(finding: Finding) -> Package:
    """Kind and name of a finding's package, as they are compared."""
    return _purl_key(finding.purl) if finding.purl else ("", finding.package.casefold())


@lru_cache(maxsize=65_536)
def _purl_key(purl: str) -> Package:
    path = purl.removeprefix("pkg:").split("?", 1)[0].split("#", 1)[0]
    kind, _, name = path.rpartition("@")[0].partition("/") if "@" in path else path.partition("/")
    kind, name = kind.casefold(), unquote(name).casefold()
    if kind in _SYSTEM_TYPES:
        return _SYSTEM, name.rsplit("/", 1)[-1]
    return kind, name


*_OTHER_FIELDS, _LAST_FIELD = (field.name for field in fields(Finding))
assert _LAST_FIELD == "scanners", "it is set by its place"
_all_but_scanners: Final = attrgetter(*_OTHER_FIELDS)
_finding: Callable[..., Finding] = Finding


def _named(finding: Finding, scanners: tuple[str, ...]) -> Finding:
    # What dataclasses.replace does, in less than half of its time: it is done a hundred thousand times.
    return finding if finding.scanners or not scanners else _finding(*_all_but_scanners(finding), scanners)


def _among(finding: Finding, packages: Sequence[Package] | None) -> bool:
    return any(_same_package(package_key(finding), package) for package in packages or ())


def _same_package(one: Package, other: Package) -> bool:
    if one[0] and other[0]:
        return one == other
    return one[1] == other[1] or (one[1] in _short(other) or other[1] in _short(one))


def _short(package: Package) -> tuple[str, ...]:
    """Other ways to write a package's name: ``log4j-core``, ``org.apache.logging.log4j:log4j-core``."""
    kind, name = package
    if not kind or "/" not in name:
        return (name,)
    group, _, last = name.rpartition("/")
    return name, f"{group}:{last}", last


class _Names:
    """Under which name each vulnerability goes, given everything that is said of names."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._parent: dict[str, str] = {}
        self._cves: dict[str, set[str]] = {}
        ties: list[tuple[str, str]] = []
        for finding in findings:
            if not finding.aliases:
                continue
            cves, others = _split(finding)
            for other in others[1:]:
                self._join(others[0], other)
            if others and len(cves) == 1:
                ties.append((others[0], cves[0]))
        for name, cve in ties:
            self._cves.setdefault(self._root(name), set()).add(cve)

    def name(self, finding: Finding) -> str:
        """The one name of the vulnerability, in lower case."""
        own = finding.id.casefold()
        if CVE_ID.fullmatch(own):
            return own
        cves, others = _split(finding)
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


def _split(finding: Finding) -> tuple[list[str], list[str]]:
    """A finding's CVEs, and its other names that stand for one vulnerability."""
    names = dict.fromkeys(name.casefold() for name in (finding.id, *finding.aliases))
    cves = [name for name in names if CVE_ID.fullmatch(name)]
    return cves, [name for name in names if name not in cves and _OF_ONE.fullmatch(name)]


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
        by_short.update(dict.fromkeys(_short(key), key))
    for key, found in untyped.items():
        typed.setdefault(by_short.get(key[1], key), []).extend(found)
    yield from typed.values()


def _one(name: str, findings: list[Finding]) -> Finding:
    if len(findings) == 1:
        return _called(findings[0], name)
    ranked = sorted(findings, key=lambda found: WORST_FIRST[found.severity])
    id_, aliases = _id_and_aliases(name, ranked)
    return replace(
        _filled(ranked[0], ranked),
        id=id_,
        aliases=aliases,
        where=tuple(dict.fromkeys(place for found in ranked for place in found.where)),
        scanners=tuple(dict.fromkeys(scanner for found in ranked for scanner in found.scanners)),
        severities=_severities(ranked),
        known_exploited=any(found.known_exploited for found in ranked),
        epss=max((found.epss for found in ranked if found.epss is not None), default=None),
    )


def _id_and_aliases(name: str, ranked: list[Finding]) -> tuple[str, tuple[str, ...]]:
    """The spelling of the common name, and the other names in the order in which the findings have them."""
    worst = ranked[0]
    spelled = {name.casefold(): name for found in reversed(ranked) for name in (*found.aliases, found.id)}
    id_ = worst.id if worst.id.casefold() == name else spelled.get(name, worst.id)
    order = dict.fromkeys(name.casefold() for found in ranked for name in (found.id, *found.aliases))
    return id_, tuple(spelled[each] for each in order if each not in {name, id_.casefold()})


def _called(finding: Finding, name: str) -> Finding:
    """The finding by its CVE, where it has one: a database's own number tells people less."""
    if finding.id.casefold() == name or not finding.aliases:
        return finding
    known = next((alias for alias in finding.aliases if alias.casefold() == name), None)
    if known is None or not CVE_ID.fullmatch(name):
        return finding
    return replace(finding, id=known, aliases=(finding.id, *(alias for alias in finding.aliases if alias != known)))


def _filled(worst: Finding, ranked: list[Finding]) -> Finding:
    """The worst of them, with what it lacks taken from the next that has it."""
    # The highest score, whoever gives it: the order of reports must not decide.
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
    """Somebody's word that there is no fix counts for more than silence; a fix counts for more than both."""
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
