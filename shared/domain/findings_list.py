"""All findings of a scan verdict, in the order in which people read them.

Rules:

* An entry is one finding and its disposition: it decided the verdict, an exception applies to it, it counts and is
  allowed, it does not count (yet), the scanner suppressed it, or it is in the baseline only. A finding is listed once,
  with the first of these that applies.
* Entries are sorted by disposition, severity, new before known, and group. Entries that are equal in the first three
  form one range, so that a page of a hundred thousand entries is found by counting, without a search.
* A group is what one update fixes: a package in one installed version. Groups with deciding findings come first.
  Suppressed and resolved findings have no group.

Nothing is shortened here; the code that stores the list does that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Final

from shared.domain.findings import Finding
from shared.domain.merging import SEVERITY_RANK
from shared.domain.policy import ScanException, Severity
from shared.domain.remediation import highest_version
from shared.domain.scan_exceptions import MatchedException
from shared.domain.verdicts import Effect, ScanOutcome, ScanVerdict


class Disposition(StrEnum):
    """What became of a finding, in the order of the list. The values are part of evidence and of page addresses."""

    DECIDED = "decided"
    EXCEPTED = "excepted"
    ALLOWED = "counted"
    FIX_IN_GRACE_PERIOD = "fix-too-young"
    NO_FIX = "no-fix"
    SUPPRESSED = "left-out"
    """The scanner was configured to suppress it, and the policy trusts suppressions."""
    RESOLVED = "gone"
    """In the baseline, and not in this version."""


_DISPOSITIONS: Final = tuple(Disposition)
_SEVERITIES: Final = tuple(SEVERITY_RANK)
_UNGROUPED: Final = frozenset({Disposition.SUPPRESSED, Disposition.RESOLVED})

type Run = tuple[int, int]
"""Consecutive entries: the position of the first, counting from 0, and their number."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding and its disposition."""

    finding: Finding
    disposition: Disposition
    new: bool = False
    """Not in the baseline. False also without a baseline."""
    codes: tuple[str, ...] = ()
    """The codes of the rejecting reasons that name the finding."""
    exception: ScanException | None = None
    """The exception that applies to it or, with another disposition, that has expired."""


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive entries of one disposition, severity and newness. ``start`` counts from 0."""

    disposition: Disposition
    severity: Severity
    new: bool
    start: int
    count: int


@dataclass(slots=True)
class Group:
    """A package in one installed version, with the numbers of its findings."""

    package: str
    installed: str
    target: str = ""
    """The highest version that fixes any of the findings; empty when none is fixed."""
    fixable: int = 0
    """Findings that the target fixes."""
    decided: int = 0
    excepted: int = 0
    new: int = 0
    by_rank: list[int] = field(default_factory=lambda: [0] * len(_SEVERITIES))
    """Findings by severity, the highest first."""
    runs: list[Run] = field(default_factory=list[Run])
    """Its entries. A run does not cross the end of a range."""

    @property
    def total(self) -> int:
        """The number of findings."""
        return sum(self.by_rank)

    @property
    def severities(self) -> dict[Severity, int]:
        """The number of findings by severity, the highest first."""
        return {severity: count for severity, count in zip(_SEVERITIES, self.by_rank, strict=True) if count}


@dataclass(frozen=True, slots=True)
class FindingsList:
    """All entries in order, their groups, and their ranges."""

    entries: tuple[Entry, ...]
    groups: tuple[Group, ...]
    ranges: tuple[Range, ...]


type _PackageVersion = tuple[str, str]
type _ByKind = dict[tuple[int, int, bool], list[Entry]]
"""Entries by position of the disposition, rank of the severity, and whether the finding is known: the sort order."""


def list_findings(verdict: ScanVerdict) -> FindingsList:
    """List all findings of a verdict."""
    by_kind = _by_kind(_entries(verdict))
    groups = _groups(by_kind)
    position = {package: index for index, package in enumerate(groups)}
    entries: list[Entry] = []
    ranges: list[Range] = []
    for (order, rank, known), found in sorted(by_kind.items()):
        found.sort(key=lambda each: (position.get(_package_version(each), -1), each.finding.id))
        ranges.append(Range(_DISPOSITIONS[order], _SEVERITIES[rank], not known, len(entries), len(found)))
        if _DISPOSITIONS[order] not in _UNGROUPED:
            _add_runs(found, len(entries), groups)
        entries += found
    return FindingsList(tuple(entries), tuple(groups.values()), tuple(ranges))


def _package_version(entry: Entry) -> _PackageVersion:
    return entry.finding.package, entry.finding.installed


def _entries(verdict: ScanVerdict) -> Iterator[Entry]:
    codes = _deciding_codes(verdict)
    excepted, expired = _by_finding(verdict.excepted), _by_finding(verdict.expired)
    not_counted = {id(finding): Disposition.NO_FIX for finding in verdict.no_fix}
    not_counted.update((id(finding), Disposition.FIX_IN_GRACE_PERIOD) for finding in verdict.in_grace_period)
    new = {id(finding) for finding in verdict.delta.new} if verdict.delta else set[int]()
    for finding in verdict.findings:
        key = id(finding)
        if key in codes:
            disposition = Disposition.DECIDED
        elif key in excepted:
            disposition = Disposition.EXCEPTED
        else:
            disposition = not_counted.get(key, Disposition.ALLOWED)
        yield Entry(finding, disposition, key in new, codes.get(key, ()), excepted.get(key) or expired.get(key))
    yield from (Entry(finding, Disposition.SUPPRESSED) for finding in verdict.suppressed)
    yield from (Entry(finding, Disposition.RESOLVED) for finding in (verdict.delta.resolved if verdict.delta else ()))


def _by_finding(matches: Iterable[MatchedException]) -> dict[int, ScanException]:
    return {id(finding): match.exception for match in matches for finding in match.findings}


def _deciding_codes(verdict: ScanVerdict) -> dict[int, tuple[str, ...]]:
    """The codes of the rejecting reasons by finding. Empty when the version passes."""
    codes: dict[int, tuple[str, ...]] = {}
    if verdict.outcome is not ScanOutcome.REJECT:
        return codes
    for reason in verdict.reasons:
        if reason.effect is not Effect.INFORMS:
            for finding in reason.findings:
                known = codes.get(id(finding), ())
                codes[id(finding)] = known if reason.code in known else (*known, reason.code)
    return codes


def _by_kind(entries: Iterable[Entry]) -> _ByKind:
    by_kind: _ByKind = {}
    # Lookups by enumeration are slow, and the next entry is mostly of the same severity and disposition.
    severity, rank = Severity.UNKNOWN, SEVERITY_RANK[Severity.UNKNOWN]
    disposition, order = Disposition.DECIDED, 0
    for entry in entries:
        if entry.finding.severity is not severity:
            severity, rank = entry.finding.severity, SEVERITY_RANK[entry.finding.severity]
        if entry.disposition is not disposition:
            disposition, order = entry.disposition, _DISPOSITIONS.index(entry.disposition)
        by_kind.setdefault((order, rank, not entry.new), []).append(entry)
    return by_kind


def _groups(by_kind: _ByKind) -> dict[_PackageVersion, Group]:
    """The groups: those with deciding findings first, then by number and severity of the findings."""
    groups: dict[_PackageVersion, Group] = {}
    fixes: dict[_PackageVersion, set[str]] = {}
    for (order, rank, known), entries in by_kind.items():
        disposition = _DISPOSITIONS[order]
        if disposition in _UNGROUPED:
            continue
        decided, excepted = disposition is Disposition.DECIDED, disposition is Disposition.EXCEPTED
        for entry in entries:
            package = _package_version(entry)
            group = groups.get(package)
            if group is None:
                group = groups[package] = Group(*package)
            group.by_rank[rank] += 1
            group.decided += decided
            group.excepted += excepted
            group.new += not known
            if entry.finding.fixed:
                group.fixable += 1
                fixes.setdefault(package, set()).add(entry.finding.fixed)
    for package, versions in fixes.items():
        groups[package].target = highest_version(versions) if len(versions) > 1 else next(iter(versions))
    return dict(sorted(groups.items(), key=lambda each: _sort_key(each[1])))


def _sort_key(group: Group) -> tuple[bool, list[int], str, str]:
    return not group.decided, [-count for count in (group.decided, *group.by_rank)], group.package, group.installed


def _add_runs(entries: Sequence[Entry], start: int, groups: Mapping[_PackageVersion, Group]) -> None:
    """Add the entries of a range, which begins at ``start``, to the runs of their groups."""
    for package, same in groupby(entries, key=_package_version):
        count = sum(1 for _ in same)
        groups[package].runs.append((start, count))
        start += count


def select_ranges(
    ranges: Iterable[Range],
    *,
    dispositions: Collection[Disposition] | None = None,
    severity: Severity | None = None,
    new: bool | None = None,
) -> tuple[Range, ...]:
    """The ranges with any of the dispositions, this severity, and this newness. None accepts any."""
    return tuple(
        each
        for each in ranges
        if (dispositions is None or each.disposition in dispositions)
        and (severity is None or each.severity is severity)
        and (new is None or each.new is new)
    )


def runs_in_ranges(runs: Iterable[Run], ranges: Iterable[Range]) -> tuple[Run, ...]:
    """The runs of a group that are in any of the ranges."""
    bounds = [(each.start, each.start + each.count) for each in ranges]
    return tuple(run for run in runs if any(low <= run[0] < high for low, high in bounds))


def slice_runs(runs: Iterable[Run], first: int, count: int) -> tuple[Run, ...]:
    """Runs of ``count`` of the entries in the given runs, from the ``first`` of them on, counting from 0."""
    found: list[Run] = []
    for start, length in runs:
        skipped = min(first, length)
        first -= skipped
        taken = min(length - skipped, count)
        if taken > 0:
            found.append((start + skipped, taken))
            count -= taken
    return tuple(found)
