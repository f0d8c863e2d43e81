"""Judgement over every mixture of findings, rules and exceptions: never more lenient for knowing more that is bad."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.delta import Baseline
from shared.domain.findings import Finding, OsInfo, ScanReport
from shared.domain.judgement import ScanOutcome, ScanVerdict, judge
from shared.domain.policy import ScanException, ScanRules, Severity

NOW = datetime(2026, 5, 10, tzinfo=UTC)
IDS = [f"CVE-2026-{number}" for number in range(6)]
AGES = st.none() | st.timedeltas(timedelta(0), timedelta(days=20)).map(lambda age: NOW - age)


def findings(ids: list[str]) -> st.SearchStrategy[Finding]:
    return st.builds(
        Finding,
        id=st.sampled_from(ids),
        package=st.sampled_from(["a", "b"]),
        installed=st.just("1"),
        severity=st.sampled_from(Severity),
        fixed=st.sampled_from([None, "2"]),
        cvss_score=st.none() | st.sampled_from([3.0, 7.0, 9.8]),
        epss=st.none() | st.sampled_from([0.01, 0.5]),
        known_exploited=st.booleans(),
        fix_published=AGES,
    )


SOME = st.lists(findings(IDS), max_size=8, unique_by=lambda found: found.identity)
FURTHER = findings(["CVE-2027-1", "CVE-2027-2"])
EXCEPTIONS = st.lists(
    st.builds(
        ScanException,
        id=st.sampled_from(IDS),
        owner=st.just("o"),
        reason=st.just("r"),
        expires=st.sampled_from([NOW - timedelta(days=1), NOW + timedelta(days=1)]),
        package=st.sampled_from([None, "a"]),
    ),
    max_size=4,
).map(tuple)
RULES = st.builds(
    ScanRules,
    limits=st.dictionaries(st.sampled_from(Severity), st.integers(0, 2)),
    formats=st.just(("trivy", "grype")),
    only_fixable=st.booleans(),
    exceptions=EXCEPTIONS,
    max_score=st.none() | st.just(7.0),
    max_epss=st.none() | st.just(0.1),
    fix_grace=st.sampled_from([timedelta(0), timedelta(days=7)]),
    no_new=st.sampled_from([(), (Severity.CRITICAL,), (Severity.CRITICAL, Severity.HIGH)]),
    improvement_passes=st.booleans(),
)
BASELINES = st.none() | st.builds(
    Baseline,
    version=st.just("v"),
    findings=SOME.map(tuple),
    scanned_at=st.sampled_from([None, NOW]),
    is_same_version=st.booleans(),
)


def report(found: list[Finding], scanner: str = "Trivy") -> ScanReport:
    return ScanReport(scanner.lower(), scanner, "1", "2", "t", OsInfo("ubuntu"), NOW, None, tuple(found))


def judged(rules: ScanRules, baseline: Baseline | None, *reports: ScanReport) -> ScanVerdict:
    return judge(list(reports), rules, version_published=NOW - timedelta(hours=1), now=NOW, baseline=baseline)


@given(SOME, FURTHER, RULES, BASELINES)
def test_a_further_vulnerability_never_turns_a_reject_into_a_pass(
    some: list[Finding], further: Finding, rules: ScanRules, baseline: Baseline | None
) -> None:
    if judged(rules, baseline, report(some)).outcome is ScanOutcome.REJECT:
        assert judged(rules, baseline, report([*some, further])).outcome is ScanOutcome.REJECT


@given(SOME, RULES, BASELINES, st.integers(0, 3))
def test_an_exception_less_never_turns_a_reject_into_a_pass(
    some: list[Finding], rules: ScanRules, baseline: Baseline | None, which: int
) -> None:
    fewer = replace(rules, exceptions=tuple(each for index, each in enumerate(rules.exceptions) if index != which))
    if judged(rules, baseline, report(some)).outcome is ScanOutcome.REJECT:
        assert judged(fewer, baseline, report(some)).outcome is ScanOutcome.REJECT


@given(SOME, SOME, RULES, BASELINES)
def test_the_order_of_reports_and_findings_does_not_matter(
    one: list[Finding], other: list[Finding], rules: ScanRules, baseline: Baseline | None
) -> None:
    first = judged(rules, baseline, report(one), report(other, "Grype"))
    second = judged(rules, baseline, report(other[::-1], "Grype"), report(one[::-1]))
    assert (first.outcome, first.counts, first.found) == (second.outcome, second.counts, second.found)


@given(SOME, RULES, BASELINES)
def test_what_is_exploited_and_not_excepted_never_passes(
    some: list[Finding], rules: ScanRules, baseline: Baseline | None
) -> None:
    verdict = judged(replace(rules, exceptions=()), baseline, report(some))
    if any(found.known_exploited for found in some):
        assert verdict.outcome is ScanOutcome.REJECT


@given(SOME, RULES, BASELINES)
def test_a_reject_has_a_reason_and_says_what_would_have_to_change(
    some: list[Finding], rules: ScanRules, baseline: Baseline | None
) -> None:
    verdict = judged(rules, baseline, report(some))
    assert bool(verdict.remediation) is (verdict.outcome is ScanOutcome.REJECT)
    assert verdict.texts
