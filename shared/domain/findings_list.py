"""Everything that a scan verdict is about, in the order in which people read it.

Rules:

* A line is one finding and how it stands: it decided, an exception excuses it, it counts and is allowed, it does not
  count (yet), the scanner left it out, or it is of the version compared with and gone here. A finding stands once,
  under the first of these that holds.
* Lines are sorted by standing, severity, new before known, and group, so that each combination of the first three is
  one range: whoever shows a part of a hundred thousand lines counts, and searches nothing.
* A group is what one repair repairs: a package in one installed version. The groups that decide come first. What is
  gone or left out by the scanner has none.

Nothing here is shortened; whoever writes it down does that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Final

from shared.domain.findings import Finding
from shared.domain.merging import WORST_FIRST
from shared.domain.policy import ScanException, Severity
from shared.domain.remediation import newest
from shared.domain.scan_exceptions import UsedException
from shared.domain.verdicts import ScanOutcome, ScanVerdict, Weight


class Standing(StrEnum):
    """What became of a finding, in the order in which people want to read of them."""

    DECIDED = "decided"
    EXCEPTED = "excepted"
    COUNTED = "counted"
    FIX_TOO_YOUNG = "fix-too-young"
    NO_FIX = "no-fix"
    LEFT_OUT = "left-out"
    """The scanner was told to leave it out, and the policy trusts it to."""
    GONE = "gone"
    """In the version compared with, and not in this one."""


_STANDINGS: Final = tuple(Standing)
_SEVERITIES: Final = tuple(WORST_FIRST)
_UNGROUPED: Final = frozenset({Standing.LEFT_OUT, Standing.GONE})


@dataclass(frozen=True, slots=True)
class Line:
    """One finding and how it stands. ``codes`` are those of the reasons that it decided."""

    finding: Finding
    standing: Standing
    new: bool = False
    """Not in the version compared with; False also where there is none."""
    codes: tuple[str, ...] = ()
    exception: ScanException | None = None
    """The exception that excuses it or, where it stands otherwise, that has expired."""


@dataclass(frozen=True, slots=True)
class Range:
    """Lines of one kind, which stand together. ``start`` counts from 0."""

    standing: Standing
    severity: Severity
    new: bool
    start: int
    count: int


@dataclass(slots=True)
class Group:
    """A package in one installed version, and what is found in it."""

    package: str
    installed: str
    target: str = ""
    """The version that has every fix that there is; empty where nothing is fixed."""
    fixable: int = 0
    """Findings that the target removes."""
    decided: int = 0
    excepted: int = 0
    new: int = 0
    by_rank: list[int] = field(default_factory=lambda: [0] * len(_SEVERITIES))
    """Findings by severity, the worst first."""
    runs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Where its lines stand: start and count; none goes beyond its range."""

    @property
    def total(self) -> int:
        return sum(self.by_rank)

    @property
    def severities(self) -> dict[Severity, int]:
        return {severity: count for severity, count in zip(_SEVERITIES, self.by_rank, strict=True) if count}


@dataclass(frozen=True, slots=True)
class Listing:
    """All lines, in order, and the groups that they belong to."""

    lines: tuple[Line, ...]
    groups: tuple[Group, ...]
    ranges: tuple[Range, ...]


type _Package = tuple[str, str]
type _Kinds = dict[tuple[int, int, bool], list[Line]]
"""Lines by standing, rank of severity, and whether they are known: in the order of these."""


def listing(verdict: ScanVerdict) -> Listing:
    """Put everything that the verdict is about in order."""
    kinds = _kinds(_lines(verdict))
    groups = _groups(kinds)
    place = {package: place for place, package in enumerate(groups)}
    lines: list[Line] = []
    ranges: list[Range] = []
    for (standing, rank, known), found in sorted(kinds.items()):
        found.sort(key=lambda line: (place.get((line.finding.package, line.finding.installed), -1), line.finding.id))
        ranges.append(Range(_STANDINGS[standing], _SEVERITIES[rank], not known, len(lines), len(found)))
        if _STANDINGS[standing] not in _UNGROUPED:
            _note_runs(found, len(lines), groups)
        lines += found
    return Listing(tuple(lines), tuple(groups.values()), tuple(ranges))


def _lines(verdict: ScanVerdict) -> Iterator[Line]:
    codes = _codes(verdict)
    excepted, expired = _by_finding(verdict.excused), _by_finding(verdict.expired)
    apart = {id(finding): Standing.NO_FIX for finding in verdict.no_fix}
    apart.update((id(finding), Standing.FIX_TOO_YOUNG) for finding in verdict.young)
    new = {id(finding) for finding in verdict.delta.new} if verdict.delta else set[int]()
    for finding in verdict.findings:
        key = id(finding)
        if key in codes:
            standing = Standing.DECIDED
        elif key in excepted:
            standing = Standing.EXCEPTED
        else:
            standing = apart.get(key, Standing.COUNTED)
        yield Line(finding, standing, key in new, codes.get(key, ()), excepted.get(key) or expired.get(key))
    yield from (Line(finding, Standing.LEFT_OUT) for finding in verdict.left_out)
    yield from (Line(finding, Standing.GONE) for finding in (verdict.delta.gone if verdict.delta else ()))


def _by_finding(exceptions: Iterable[UsedException]) -> dict[int, ScanException]:
    return {id(finding): used.exception for used in exceptions for finding in used.findings}


def _codes(verdict: ScanVerdict) -> dict[int, tuple[str, ...]]:
    """The codes of the reasons that each finding decided; nothing where the version passes."""
    found: dict[int, tuple[str, ...]] = {}
    if verdict.outcome is not ScanOutcome.REJECT:
        return found
    for reason in verdict.reasons:
        if reason.weight is not Weight.TELLS:
            for finding in reason.findings:
                known = found.get(id(finding), ())
                found[id(finding)] = known if reason.code in known else (*known, reason.code)
    return found


def _kinds(lines: Iterable[Line]) -> _Kinds:
    kinds: _Kinds = {}
    # Looking up an enumeration is slow, and the next line is mostly of the same.
    severity, rank = Severity.UNKNOWN, WORST_FIRST[Severity.UNKNOWN]
    standing, order = Standing.DECIDED, 0
    for line in lines:
        if line.finding.severity is not severity:
            severity, rank = line.finding.severity, WORST_FIRST[line.finding.severity]
        if line.standing is not standing:
            standing, order = line.standing, _STANDINGS.index(line.standing)
        kinds.setdefault((order, rank, not line.new), []).append(line)
    return kinds


def _groups(kinds: _Kinds) -> dict[_Package, Group]:
    """The groups, what decides and is worst first, and then what holds most."""
    groups: dict[_Package, Group] = {}
    fixes: dict[_Package, set[str]] = {}
    for (standing, rank, known), lines in kinds.items():
        if _STANDINGS[standing] in _UNGROUPED:
            continue
        decided, excepted = (_STANDINGS[standing] is each for each in (Standing.DECIDED, Standing.EXCEPTED))
        for line in lines:
            package = (line.finding.package, line.finding.installed)
            group = groups.get(package)
            if group is None:
                group = groups[package] = Group(*package)
            group.by_rank[rank] += 1
            group.decided += decided
            group.excepted += excepted
            group.new += not known
            if line.finding.fixed:
                group.fixable += 1
                fixes.setdefault(package, set()).add(line.finding.fixed)
    for package, versions in fixes.items():
        groups[package].target = newest(versions) if len(versions) > 1 else next(iter(versions))
    return dict(sorted(groups.items(), key=lambda each: _weight(each[1])))


def _weight(group: Group) -> tuple[bool, list[int], str, str]:
    return not group.decided, [-count for count in (group.decided, *group.by_rank)], group.package, group.installed


def _note_runs(lines: Sequence[Line], start: int, groups: Mapping[_Package, Group]) -> None:
    """Where these lines of one range, which begins at ``start``, stand by group."""
    for package, same in groupby(lines, key=lambda line: (line.finding.package, line.finding.installed)):
        count = sum(1 for _ in same)
        groups[package].runs.append((start, count))
        start += count


def chosen(
    ranges: Iterable[Range],
    *,
    standings: Collection[Standing] | None = None,
    severity: Severity | None = None,
    new: bool | None = None,
) -> tuple[Range, ...]:
    """The ranges of these kinds; None means any."""
    return tuple(
        each
        for each in ranges
        if (standings is None or each.standing in standings)
        and (severity is None or each.severity is severity)
        and (new is None or each.new is new)
    )


def within(runs: Iterable[tuple[int, int]], ranges: Iterable[Range]) -> tuple[tuple[int, int], ...]:
    """The runs of a group that lie in some of these ranges."""
    bounds = [(each.start, each.start + each.count) for each in ranges]
    return tuple(run for run in runs if any(low <= run[0] < high for low, high in bounds))


def part(runs: Iterable[tuple[int, int]], first: int, count: int) -> tuple[tuple[int, int], ...]:
    """``count`` lines from the ``first`` on (counting from 0), of all that stand in these runs."""
    found: list[tuple[int, int]] = []
    for start, length in runs:
        skipped = min(first, length)
        first -= skipped
        taken = min(length - skipped, count)
        if taken > 0:
            found.append((start + skipped, taken))
            count -= taken
    return tuple(found)
