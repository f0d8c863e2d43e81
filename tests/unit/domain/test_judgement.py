"""Judgement of scans: limits, exceptions, and reports that prove nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.findings import Finding, OsInfo, ScanReport, SuppressedFinding
from shared.domain.judgement import ScanOutcome, ScanVerdict, judge
from shared.domain.merging import merge_findings
from shared.domain.policy import ScanException, ScanRules, Severity

NOW = datetime(2026, 5, 10, 12, 0, tzinfo=UTC)
PUBLISHED = NOW - timedelta(hours=2)
RULES = ScanRules(limits={Severity.CRITICAL: 0, Severity.HIGH: 1})


def finding(id_: str = "CVE-2026-1", severity: Severity = Severity.CRITICAL, **changes: Any) -> Finding:
    values: dict[str, Any] = {"package": "openssl", "installed": "1.0", "fixed": "1.1"} | changes
    return Finding(id=id_, severity=severity, **values)


def report(*findings: Finding, **changes: Any) -> ScanReport:
    whole = ScanReport(
        format="trivy", scanner="Trivy", scanner_version="0.70", schema_version="2", target="host",
        os=OsInfo("ubuntu", "22.04"), created_at=NOW - timedelta(hours=1), packages_seen=400, findings=findings,
    )  # fmt: skip
    return replace(whole, **changes)


def judged(*findings: Finding, rules: ScanRules = RULES, now: datetime = NOW, **changes: Any) -> ScanVerdict:
    return judge(report(*findings, **changes), rules, version_published=PUBLISHED, now=now)


def exception(**changes: Any) -> ScanException:
    values = {"id": "CVE-2026-1", "owner": "ada", "reason": "not reachable", "expires": NOW + timedelta(days=1)}
    return ScanException(**(values | changes))


def with_exceptions(*exceptions: ScanException) -> ScanRules:
    return replace(RULES, exceptions=exceptions)


class TestLimits:
    def test_no_findings_pass(self) -> None:
        verdict = judged()
        assert (verdict.outcome, verdict.texts) == (ScanOutcome.PASS, ("no findings, within the limits",))

    def test_as_many_as_the_limit_pass_and_one_more_rejects(self) -> None:
        first, second = (finding(f"CVE-2026-{i}", Severity.HIGH) for i in range(2))
        assert judged(first).outcome is ScanOutcome.PASS
        verdict = judged(first, second)
        assert verdict.outcome is ScanOutcome.REJECT
        assert verdict.counts == {Severity.CRITICAL: 0, Severity.HIGH: 2}
        assert verdict.reasons[0].text.startswith(
            "2 high findings exceed the limit of 1: CVE-2026-0 in openssl 1.0, fixed in 1.1; CVE-2026-1"
        )

    def test_a_severity_without_a_limit_is_unlimited(self) -> None:
        assert judged(*(finding(f"CVE-2026-{i}", Severity.MEDIUM) for i in range(500))).outcome is ScanOutcome.PASS

    def test_reasons_come_worst_first_with_the_findings_behind_them(self) -> None:
        found = [finding("H1", Severity.HIGH), finding("H2", Severity.HIGH), finding("C1")]
        verdict = judged(*found)
        assert [(reason.severity, len(reason.findings)) for reason in verdict.reasons] == [
            (Severity.CRITICAL, 1),
            (Severity.HIGH, 2),
        ]

    def test_a_text_names_ten_findings_and_counts_the_rest(self) -> None:
        (text,) = judged(*(finding(f"CVE-2026-{i:02}") for i in range(25))).texts
        assert text.count("CVE-") == 10
        assert text.endswith(", and 15 more")

    def test_unknown_severity_counts_as_high(self) -> None:
        verdict = judged(finding("H", Severity.HIGH), finding("U", Severity.UNKNOWN))
        assert verdict.outcome is ScanOutcome.REJECT
        assert verdict.reasons[0].severity is Severity.HIGH
        assert "2 high findings exceed the limit of 1 (including 1 of unknown severity)" in verdict.texts[0]

    def test_unknown_severity_has_a_limit_of_its_own_where_the_policy_says_so(self) -> None:
        rules = replace(RULES, limits={**RULES.limits, Severity.UNKNOWN: 1})
        found = [finding("H", Severity.HIGH), finding("U1", Severity.UNKNOWN)]
        assert judged(*found, rules=rules).outcome is ScanOutcome.PASS
        verdict = judged(*found, finding("U2", Severity.UNKNOWN), rules=rules)
        assert (verdict.outcome, verdict.reasons[0].severity) == (ScanOutcome.REJECT, Severity.UNKNOWN)

    def test_only_fixable_leaves_out_what_has_no_fix_and_says_how_many(self) -> None:
        rules = replace(RULES, only_fixable=True)
        verdict = judged(finding(fixed=None), rules=rules)
        assert (verdict.outcome, len(verdict.no_fix)) == (ScanOutcome.PASS, 1)
        assert judged(finding(), rules=rules).outcome is ScanOutcome.REJECT
        assert judged(finding(fixed=None)).outcome is ScanOutcome.REJECT


class TestMerging:
    def test_the_same_id_in_the_same_package_counts_once_at_its_worst(self) -> None:
        low = finding(severity=Severity.LOW, fixed="2", where=("a",), aliases=("X",))
        worst = finding("cve-2026-1", Severity.CRITICAL, fixed=None, where=("b",), package="OpenSSL")
        (one,) = merge_findings([low, worst, low])
        assert (one.severity, one.fixed, set(one.where), one.aliases) == (Severity.CRITICAL, "2", {"a", "b"}, ("X",))

    def test_the_same_id_in_two_packages_counts_twice(self) -> None:
        assert len(merge_findings([finding(), finding(package="libssl")])) == 2

    def test_unknown_severity_outweighs_medium(self) -> None:
        (one,) = merge_findings([finding(severity=Severity.MEDIUM), finding(severity=Severity.UNKNOWN)])
        assert one.severity is Severity.UNKNOWN

    def test_a_duplicate_does_not_break_a_limit(self) -> None:
        assert judged(*[finding("H", Severity.HIGH)] * 3).outcome is ScanOutcome.PASS


class TestExceptions:
    def test_a_valid_exception_excuses_and_is_named(self) -> None:
        verdict = judged(finding(), rules=with_exceptions(exception()))
        assert verdict.outcome is ScanOutcome.PASS
        (used,) = verdict.excepted
        assert (used.exception.owner, [found.id for found in used.findings]) == ("ada", ["CVE-2026-1"])
        assert "1 finding excepted by the policy" in verdict.texts[0]

    @pytest.mark.parametrize("spelling", ["cve-2026-1", "CVE-2026-1"])
    def test_an_exception_matches_in_any_casing(self, spelling: str) -> None:
        assert judged(finding(), rules=with_exceptions(exception(id=spelling))).outcome is ScanOutcome.PASS

    def test_an_exception_matches_an_alias(self) -> None:
        found = finding("GHSA-aaaa", aliases=("CVE-2026-1",))
        assert judged(found, rules=with_exceptions(exception())).outcome is ScanOutcome.PASS

    def test_an_exception_for_another_package_or_id_excuses_nothing(self) -> None:
        for other in (exception(package="curl"), exception(id="CVE-2026-2"), exception(id="CVE-2026")):
            verdict = judged(finding(), rules=with_exceptions(other))
            assert (verdict.outcome, verdict.excepted, verdict.expired) == (ScanOutcome.REJECT, (), ())

    def test_an_expired_exception_excuses_nothing_and_says_when_it_expired(self) -> None:
        gone = exception(expires=datetime(2026, 5, 9, 23, 59, 59, 999999, tzinfo=UTC))
        verdict = judged(finding(), rules=with_exceptions(gone))
        assert verdict.outcome is ScanOutcome.REJECT
        assert [reason.code for reason in verdict.reasons] == ["over-limit", "exception-expired"]
        assert "the exception of ada for CVE-2026-1 expired at the end of 2026-05-09 (UTC)" in verdict.texts[1]

    def test_an_exception_holds_through_the_last_moment_of_its_day(self) -> None:
        last = datetime(2026, 5, 10, 23, 59, 59, 999999, tzinfo=UTC)
        rules = with_exceptions(exception(expires=last))
        assert judged(finding(), rules=rules, now=last).outcome is ScanOutcome.PASS
        assert judged(finding(), rules=rules, now=last + timedelta(microseconds=1)).outcome is ScanOutcome.REJECT

    def test_a_valid_exception_counts_beside_an_expired_one(self) -> None:
        rules = with_exceptions(exception(expires=NOW - timedelta(days=1)), exception(owner="grace"))
        verdict = judged(finding(), rules=rules)
        assert (verdict.outcome, verdict.excepted[0].exception.owner, verdict.expired) == (
            ScanOutcome.PASS,
            "grace",
            (),
        )

    def test_an_expired_exception_alone_does_not_reject_what_is_within_the_limits(self) -> None:
        found = finding(severity=Severity.LOW)
        verdict = judged(found, rules=with_exceptions(exception(expires=NOW - timedelta(days=1))))
        assert verdict.outcome is ScanOutcome.PASS
        assert [reason.code for reason in verdict.reasons] == ["within-limits", "exception-expired"]


class TestSuppressions:
    LEFT_OUT = (SuppressedFinding(finding(), "ignored", source=".trivyignore"),)

    def test_what_the_scanner_left_out_counts_all_the_same(self) -> None:
        assert judged(suppressed=self.LEFT_OUT).outcome is ScanOutcome.REJECT

    def test_unless_the_policy_trusts_it(self) -> None:
        verdict = judged(suppressed=self.LEFT_OUT, rules=replace(RULES, trust_suppressions=True))
        assert (verdict.outcome, len(verdict.suppressed)) == (ScanOutcome.PASS, 1)


class TestEndOfLife:
    OLD = OsInfo("ubuntu", "18.04", end_of_life=True)

    def test_an_operating_system_without_fixes_is_rejected(self) -> None:
        verdict = judged(os=self.OLD)
        assert (verdict.outcome, verdict.reasons[0].code) == (ScanOutcome.REJECT, "end-of-life-os")

    def test_unless_the_policy_allows_it(self) -> None:
        assert judged(os=self.OLD, rules=replace(RULES, allow_end_of_life_os=True)).outcome is ScanOutcome.PASS


class TestRefusals:
    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"not_scanned": "no operating system was found"}, "not-scanned"),
            ({"format": "grype"}, "format-not-allowed"),
            ({"created_at": None}, "no-time"),
            ({"created_at": PUBLISHED - timedelta(seconds=1)}, "before-version"),
            ({"created_at": NOW + timedelta(minutes=6)}, "from-the-future"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_a_report_that_proves_nothing_is_refused_not_rejected(self, changes: dict[str, Any], code: str) -> None:
        for found in ((), (finding(),)):
            verdict = judged(*found, **changes)
            assert (verdict.outcome, [reason.code for reason in verdict.reasons]) == (ScanOutcome.REFUSED, [code])

    def test_a_report_ages(self) -> None:
        made = NOW - timedelta(hours=1)
        assert judged(now=made + RULES.max_age).outcome is ScanOutcome.PASS
        verdict = judged(now=made + RULES.max_age + timedelta(seconds=1))
        assert (verdict.outcome, verdict.reasons[0].code) == (ScanOutcome.REFUSED, "stale")

    def test_a_scan_of_the_very_second_of_publication_counts(self) -> None:
        assert judged(created_at=PUBLISHED).outcome is ScanOutcome.PASS

    def test_a_clock_that_runs_a_little_ahead_is_forgiven(self) -> None:
        assert judged(created_at=NOW + timedelta(minutes=5)).outcome is ScanOutcome.PASS

    def test_all_refusals_are_told_at_once(self) -> None:
        verdict = judged(format="grype", not_scanned="x", created_at=PUBLISHED - timedelta(days=30))
        codes = [reason.code for reason in verdict.reasons]
        assert codes == ["format-not-allowed", "not-scanned", "before-version", "stale"]
