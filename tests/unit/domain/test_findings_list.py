"""Everything that a verdict is about, in order."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.delta import Baseline
from shared.domain.findings import Finding, OsInfo, ScanReport, VexState
from shared.domain.findings_list import (
    Disposition,
    FindingsList,
    list_findings,
    runs_in_ranges,
    select_ranges,
    slice_runs,
)
from shared.domain.judgement import judge
from shared.domain.merging import SEVERITY_RANK, merge_findings
from shared.domain.policy import ScanException, ScanRules, Severity

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)


def finding(id_: str = "CVE-2026-0001", package: str = "openssl", **changes: Any) -> Finding:
    given: dict[str, Any] = {"severity": Severity.CRITICAL, "fixed": "2", **changes}
    return Finding(id_, package, given.pop("installed", "1"), **given)


def listed(*findings: Finding, baseline: Iterable[Finding] | None = None, **rules: Any) -> FindingsList:
    report = ScanReport("trivy", "Trivy", "1", "2", "disk", OsInfo("ubuntu"), NOW, None, findings)
    compared = None if baseline is None else Baseline("0.9.0", tuple(baseline), NOW)
    limits = rules.pop("limits", {Severity.CRITICAL: 0})
    return list_findings(judge(report, ScanRules(limits, **rules), version_published=None, now=NOW, baseline=compared))


def standings(found: FindingsList) -> dict[str, Disposition]:
    return {line.finding.id: line.disposition for line in found.entries}


class TestStandings:
    @pytest.mark.parametrize(
        ("found", "rules", "standing"),
        [
            (finding(), {}, Disposition.DECIDED),
            (finding(severity=Severity.LOW), {}, Disposition.ALLOWED),
            (finding(fixed=None), {"only_fixable": True}, Disposition.NO_FIX),
            (finding(fix_published=NOW - DAY), {"fix_grace": 2 * DAY}, Disposition.FIX_IN_GRACE_PERIOD),
            (finding(vex=VexState.NOT_AFFECTED), {"trust_suppressions": True}, Disposition.SUPPRESSED),
            (finding(fixed=None, known_exploited=True), {"only_fixable": True}, Disposition.DECIDED),
        ],
        ids=lambda each: each.value if isinstance(each, Disposition) else "",
    )
    def test_a_finding_stands_as_it_was_judged(
        self, found: Finding, rules: dict[str, Any], standing: Disposition
    ) -> None:
        assert standings(listed(found, **rules)) == {found.id: standing}

    @pytest.mark.parametrize(("days", "standing"), [(1, Disposition.EXCEPTED), (-1, Disposition.DECIDED)])
    def test_an_exception_stands_beside_what_it_excuses_or_would_have(self, days: int, standing: Disposition) -> None:
        exception = ScanException("CVE-2026-0001", "owner", "why", NOW + days * DAY)
        (line,) = listed(finding(), exceptions=(exception,)).entries
        assert (line.disposition, line.exception) == (standing, exception)

    def test_what_is_gone_from_the_published_version_is_listed_last(self) -> None:
        found = listed(finding(), baseline=[finding("CVE-2026-0002"), finding()])
        assert list(standings(found).items()) == [
            ("CVE-2026-0001", Disposition.DECIDED),
            ("CVE-2026-0002", Disposition.RESOLVED),
        ]

    def test_what_the_published_version_has_not_is_new(self) -> None:
        found = listed(finding(), finding("CVE-2026-0002"), baseline=[finding()])
        assert {line.finding.id: line.new for line in found.entries} == {"CVE-2026-0001": False, "CVE-2026-0002": True}

    def test_a_finding_names_every_reason_that_it_decided(self) -> None:
        (line,) = listed(finding(known_exploited=True, cvss_score=9.9), max_score=9.0).entries
        assert line.codes == ("known-exploited", "over-limit", "over-score")

    def test_nothing_decided_where_the_version_passes(self) -> None:
        found = listed(finding(), baseline=[finding(), finding("CVE-2026-0002")], improvement_passes=True)
        assert standings(found)["CVE-2026-0001"] is Disposition.ALLOWED


class TestGroups:
    def test_a_group_is_a_package_in_one_installed_version(self) -> None:
        found = listed(finding(), finding("CVE-2026-0002"), finding("CVE-2026-0003", installed="1.1"))
        assert [(group.package, group.installed, group.total) for group in found.groups] == [
            ("openssl", "1", 2),
            ("openssl", "1.1", 1),
        ]

    def test_its_target_has_every_fix_that_there_is(self) -> None:
        fixes = ("1.2", "1.10", "1.9", None)
        (group,) = listed(*(finding(f"CVE-2026-000{at}", fixed=fix) for at, fix in enumerate(fixes))).groups
        assert (group.target, group.fixable, group.total) == ("1.10", 3, 4)

    def test_what_decides_comes_first_then_the_worst_then_the_most(self) -> None:
        low = [finding(f"CVE-2026-100{at}", "low", severity=Severity.LOW) for at in range(3)]
        high = [finding("CVE-2026-2000", "high", severity=Severity.HIGH)]
        more = [finding(f"CVE-2026-300{at}", "more") for at in range(2)]
        found = listed(*low, *high, *more, finding("CVE-2026-4000", "one"))
        assert [group.package for group in found.groups] == ["more", "one", "high", "low"]


SOME = st.lists(
    st.builds(
        lambda number, package, severity, fixed, kev: finding(
            f"CVE-2026-{number}", package, severity=severity, fixed=fixed, known_exploited=kev
        ),
        st.integers(1000, 1040),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(list(Severity)),
        st.sampled_from([None, "2", "10"]),
        st.booleans(),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(SOME, SOME, st.booleans(), st.booleans())
def test_every_finding_stands_once_and_ranges_and_runs_hold_them_all(
    findings: list[Finding], before: list[Finding], only_fixable: bool, some_excused: bool
) -> None:
    exceptions = tuple(ScanException(each.id, "owner", "why", NOW + DAY) for each in findings[::3] if some_excused)
    found = listed(*findings, baseline=merge_findings(before), only_fixable=only_fixable, exceptions=exceptions)
    here = [line for line in found.entries if line.disposition is not Disposition.RESOLVED]
    assert {line.finding.identity for line in here} == {each.identity for each in findings}
    assert len({(line.finding.identity, line.disposition) for line in found.entries}) == len(found.entries)
    held = [found.entries[at] for each in found.ranges for at in range(each.start, each.start + each.count)]
    assert held == list(found.entries)
    for each in found.ranges:
        for line in found.entries[each.start : each.start + each.count]:
            assert (line.disposition, line.finding.severity, line.new) == (each.disposition, each.severity, each.new)
    grouped = sorted(at for group in found.groups for start, count in group.runs for at in range(start, start + count))
    assert grouped == [at for at, line in enumerate(found.entries) if line.disposition is not Disposition.RESOLVED]
    for group in found.groups:
        own = [found.entries[at].finding for start, count in group.runs for at in range(start, start + count)]
        assert {(each.package, each.installed) for each in own} == {(group.package, group.installed)}
        assert len(own) == group.total
        assert runs_in_ranges(group.runs, found.ranges) == tuple(group.runs)


@given(SOME)
def test_lines_are_sorted_by_standing_and_severity(findings: list[Finding]) -> None:
    order = [
        (list(Disposition).index(each.disposition), SEVERITY_RANK[each.finding.severity])
        for each in listed(*findings).entries
    ]
    assert all(one <= other for one, other in pairwise(order))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=6), st.integers(0, 60), st.integers(0, 20))
def test_a_part_of_runs_is_the_same_part_of_their_lines(runs: list[tuple[int, int]], first: int, count: int) -> None:
    whole = [at for start, length in runs for at in range(start, start + length)]
    found = [at for start, length in slice_runs(runs, first, count) for at in range(start, start + length)]
    assert found == whole[first : first + count]


def test_ranges_are_chosen_by_standing_severity_and_novelty() -> None:
    low = finding("CVE-2026-0002", severity=Severity.LOW)
    ranges = listed(finding(), low, baseline=[low]).ranges
    assert [each.severity for each in select_ranges(ranges, severity=Severity.LOW)] == [Severity.LOW]
    assert [each.disposition for each in select_ranges(ranges, new=True)] == [Disposition.DECIDED]
    assert select_ranges(ranges, dispositions={Disposition.RESOLVED}) == ()
