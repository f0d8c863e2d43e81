"""Rules of judgement beyond counts: exploitation, scores, young fixes, several scanners, and what is new."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from shared.domain.delta import Baseline
from shared.domain.findings import Finding, FixState, OsInfo, VexState
from shared.domain.judgement import ScanOutcome, ScanVerdict, judge
from shared.domain.policy import ScanException, ScanRules, Severity
from shared.domain.remediation import MAX_STEPS, highest_version
from tests.unit.domain.test_judgement import NOW, PUBLISHED, finding, report

OPEN = ScanRules(limits={Severity.CRITICAL: 99})
LOW = {"id_": "CVE-2026-7", "severity": Severity.LOW}
BASE = Baseline("g/d/1.0.0", (finding("CVE-2026-1"), finding("CVE-2026-2")), NOW - timedelta(days=3))


def judged(*findings: Finding, baseline: Baseline | None = None, os: OsInfo | None = None, **rules: Any) -> ScanVerdict:
    changed = report(*findings, **({"os": os} if os else {}))
    return judge(changed, replace(OPEN, **rules), version_published=PUBLISHED, now=NOW, baseline=baseline)


def codes(verdict: ScanVerdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def excepted(id_: str = "CVE-2026-7", **changes: Any) -> ScanException:
    return ScanException(**({"id": id_, "owner": "ada", "reason": "r", "expires": NOW + timedelta(days=1)} | changes))


class TestKnownExploited:
    @pytest.mark.parametrize(
        "changes", [{}, {"fixed": None}, {"fix_published": NOW}, {"severity": Severity.NEGLIGIBLE}], ids=str
    )
    def test_it_rejects_whatever_else_the_policy_allows(self, changes: dict[str, Any]) -> None:
        found = finding(**({**LOW, "known_exploited": True} | changes))
        verdict = judged(found, only_fixable=True, fix_grace=timedelta(days=30), limits={})
        assert (verdict.outcome, codes(verdict)) == (ScanOutcome.REJECT, ["known-exploited"])

    def test_unless_it_is_excepted(self) -> None:
        found = finding(**LOW, known_exploited=True)
        assert judged(found, exceptions=(excepted(),)).outcome is ScanOutcome.PASS
        gone = excepted(expires=NOW - timedelta(seconds=1))
        assert judged(found, exceptions=(gone,)).outcome is ScanOutcome.REJECT

    def test_an_improvement_does_not_carry_it(self) -> None:
        found = finding(known_exploited=True)
        verdict = judged(found, baseline=BASE, improvement_passes=True, limits={Severity.CRITICAL: 0})
        assert verdict.outcome is ScanOutcome.REJECT


class TestScores:
    @pytest.mark.parametrize(("score", "passes"), [(6.9, True), (7.0, True), (7.1, False), (None, True)])
    def test_a_score_may_reach_the_highest_allowed(self, score: float | None, passes: bool) -> None:
        verdict = judged(finding(**LOW, cvss_score=score), max_score=7.0)
        assert (verdict.outcome is ScanOutcome.PASS) is passes

    @pytest.mark.parametrize(("epss", "passes"), [(0.1, True), (0.1001, False), (None, True)])
    def test_a_probability_may_reach_the_highest_allowed(self, epss: float | None, passes: bool) -> None:
        verdict = judged(finding(**LOW, epss=epss), max_epss=0.1)
        assert (verdict.outcome is ScanOutcome.PASS) is passes

    def test_the_highest_are_named_first_with_their_scores(self) -> None:
        found = [finding(f"CVE-2026-{i}", Severity.LOW, cvss_score=float(i), epss=i / 10) for i in (8, 9)]
        score, epss = judged(*found, max_score=5, max_epss=0.5).texts
        assert score.startswith(
            "2 findings exceed the CVSS score limit of 5: CVE-2026-9 in openssl 1.0, fixed in 1.1 (CVSS 9)"
        )
        assert epss.startswith(
            "2 findings exceed the EPSS limit of 50.00% (probability of exploitation within 30 days): CVE-2026-9"
        )

    def test_what_has_no_fix_is_left_out_where_only_fixable_findings_count(self) -> None:
        found = finding(**LOW, fixed=None, cvss_score=9.9, epss=0.9)
        assert judged(found, max_score=5, max_epss=0.1, only_fixable=True).outcome is ScanOutcome.PASS


class TestFixGrace:
    @pytest.mark.parametrize(
        ("age", "passes"),
        [(timedelta(days=7) - timedelta(seconds=1), True), (timedelta(days=7), False), (None, False)],
        ids=["younger", "as old", "unknown"],
    )
    def test_a_fix_counts_from_its_age_on(self, age: timedelta | None, passes: bool) -> None:
        found = finding(fix_published=NOW - age if age is not None else None)
        verdict = judged(found, fix_grace=timedelta(days=7), limits={Severity.CRITICAL: 0})
        assert (verdict.outcome is ScanOutcome.PASS, len(verdict.in_grace_period)) == (passes, int(passes))

    def test_what_has_no_fix_is_not_young(self) -> None:
        found = finding(fixed=None, fix_state=FixState.NOT_FIXED, fix_published=NOW)
        assert judged(found, fix_grace=timedelta(days=7), limits={Severity.CRITICAL: 0}).outcome is ScanOutcome.REJECT


class TestSeveralScanners:
    def test_a_required_scanner_that_is_missing_refuses_and_is_named(self) -> None:
        rules = replace(OPEN, required=("trivy", "Defender"))
        verdict = judge([report()], rules, version_published=PUBLISHED, now=NOW)
        assert (verdict.outcome, codes(verdict)) == (ScanOutcome.REFUSED, ["scanner-missing"])
        assert "no usable report of Defender" in verdict.texts[0]

    def test_a_required_scanner_may_be_named_by_its_format_or_its_own_name(self) -> None:
        for name in ("trivy", "TRIVY"):
            assert judged(required=(name,)).outcome is ScanOutcome.PASS

    def test_the_same_vulnerability_from_two_counts_once(self) -> None:
        rules = ScanRules(limits={Severity.CRITICAL: 1}, formats=("trivy", "grype"))
        other = report(finding("GHSA-1", aliases=("CVE-2026-1",)), format="grype", scanner="Grype")
        verdict = judge([report(finding()), other], rules, version_published=PUBLISHED, now=NOW)
        assert (verdict.outcome, verdict.found) == (ScanOutcome.PASS, 1)

    def test_one_unusable_report_refuses_all_of_them(self) -> None:
        verdict = judge([report(), report(created_at=None)], OPEN, version_published=PUBLISHED, now=NOW)
        assert verdict.outcome is ScanOutcome.REFUSED

    def test_no_report_is_no_pass(self) -> None:
        assert judge([], OPEN, version_published=PUBLISHED, now=NOW).outcome is ScanOutcome.REFUSED


class TestDelta:
    NO_NEW: ClassVar[dict[str, Any]] = {"no_new": (Severity.CRITICAL, Severity.HIGH), "baseline": BASE}

    def test_new_findings_are_told_by_their_severity_the_worst_first(self) -> None:
        severities = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
        found = [finding(f"CVE-2027-{n}", severity=severity) for n, severity in enumerate(severities)]
        verdict = judged(*found, no_new=severities, baseline=BASE)
        told = [reason.severity for reason in verdict.reasons if reason.code == "new"]
        assert told == [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW]

    def test_what_the_published_version_has_is_not_new(self) -> None:
        assert judged(finding("cve-2026-2"), **self.NO_NEW).outcome is ScanOutcome.PASS

    def test_what_it_does_not_have_rejects(self) -> None:
        verdict = judged(finding(), finding("CVE-2026-3"), **self.NO_NEW)
        assert (verdict.outcome, codes(verdict)) == (ScanOutcome.REJECT, ["new"])
        assert verdict.texts[0].startswith(
            "1 new critical finding compared with g/d/1.0.0 (published, scanned on 2026-05-07)"
        )

    def test_the_same_vulnerability_in_another_package_is_new(self) -> None:
        assert judged(finding(package="curl"), **self.NO_NEW).outcome is ScanOutcome.REJECT

    def test_a_version_in_a_package_s_name_makes_nothing_new(self) -> None:
        before = Baseline("v", (finding(package="linux-image-5.15.0-100-generic"),), NOW)
        found = finding(package="linux-image-5.15.0-101-generic")
        assert judged(found, no_new=(Severity.CRITICAL,), baseline=before).outcome is ScanOutcome.PASS

    def test_an_alias_is_the_same_vulnerability(self) -> None:
        assert judged(finding("GHSA-x", aliases=("CVE-2026-1",)), **self.NO_NEW).outcome is ScanOutcome.PASS

    def test_other_severities_may_be_new(self) -> None:
        assert judged(finding(**LOW), **self.NO_NEW).outcome is ScanOutcome.PASS

    def test_unknown_counts_as_high_here_too(self) -> None:
        assert judged(finding("CVE-2026-9", Severity.UNKNOWN), **self.NO_NEW).outcome is ScanOutcome.REJECT

    def test_an_exception_excuses_what_is_new(self) -> None:
        verdict = judged(finding("CVE-2026-3"), **self.NO_NEW, exceptions=(excepted("CVE-2026-3"),))
        assert verdict.outcome is ScanOutcome.PASS

    def test_without_a_published_version_nothing_is_new(self) -> None:
        assert judged(finding("CVE-2026-3"), no_new=(Severity.CRITICAL,)).outcome is ScanOutcome.PASS

    def test_of_a_published_version_whose_scan_is_lost_everything_is_new(self) -> None:
        verdict = judged(finding(), no_new=(Severity.CRITICAL,), baseline=Baseline("g/d/1.0.0"))
        assert verdict.outcome is ScanOutcome.REJECT
        assert "no scan of it is stored, so every finding counts as new" in verdict.texts[0]


class TestImprovement:
    RULES: ClassVar[dict[str, Any]] = {"improvement_passes": True, "baseline": BASE, "limits": {Severity.CRITICAL: 0}}

    def test_fewer_findings_and_none_that_is_new_pass_and_it_is_said(self) -> None:
        verdict = judged(finding(), **self.RULES)
        assert (verdict.outcome, codes(verdict)) == (
            ScanOutcome.PASS,
            ["within-limits", "only-improves", "over-limit"],
        )
        assert "accepted as an improvement" in verdict.texts[0]

    def test_the_same_findings_are_no_improvement(self) -> None:
        assert judged(*BASE.findings, **self.RULES).outcome is ScanOutcome.REJECT

    def test_one_gone_for_one_that_is_new_is_no_improvement(self) -> None:
        assert judged(finding(), finding(**LOW), **self.RULES).outcome is ScanOutcome.REJECT

    def test_not_where_the_policy_does_not_say_so(self) -> None:
        assert judged(finding(), baseline=BASE, limits={Severity.CRITICAL: 0}).outcome is ScanOutcome.REJECT

    def test_nothing_improves_on_what_is_not_known(self) -> None:
        rules = {**self.RULES, "baseline": Baseline("g/d/1.0.0")}
        assert judged(finding(), **rules).outcome is ScanOutcome.REJECT

    def test_an_operating_system_past_its_end_is_not_carried(self) -> None:
        old = OsInfo("ubuntu", "18.04", end_of_life=True)
        assert judged(finding(), os=old, **self.RULES).outcome is ScanOutcome.REJECT

    def test_on_the_day_after_the_same_findings_pass_and_one_more_does_not(self) -> None:
        rules = {**self.RULES, "baseline": replace(BASE, is_same_version=True)}
        assert judged(*BASE.findings, **rules).outcome is ScanOutcome.PASS
        assert judged(*BASE.findings, finding("CVE-2026-3"), **rules).outcome is ScanOutcome.REJECT


class TestExceptionScope:
    OPENSSL = finding(purl="pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.10?arch=amd64", **LOW, known_exploited=True)

    @pytest.mark.parametrize(
        ("package", "excuses"),
        [
            ("openssl", True), ("OpenSSL", True), ("openss", False), ("pkg:deb/ubuntu/openssl", True),
            ("pkg:deb/ubuntu/", True), ("pkg:deb", True), ("pkg:deb/ubuntu/open", False),
            ("pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.10", True), ("pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.1", False),
            ("pkg:deb/debian/openssl", False), ("PKG:DEB/Ubuntu/openssl?arch=x", True),
        ],
    )  # fmt: skip
    def test_a_package_is_a_name_or_the_beginning_of_a_url_up_to_a_joint(self, package: str, excuses: bool) -> None:
        verdict = judged(self.OPENSSL, exceptions=(excepted(package=package),))
        assert (verdict.outcome is ScanOutcome.PASS) is excuses

    def test_a_url_excuses_nothing_whose_url_is_not_known(self) -> None:
        found = replace(self.OPENSSL, purl="")
        assert judged(found, exceptions=(excepted(package="pkg:deb"),)).outcome is ScanOutcome.REJECT

    def test_escapes_in_a_url_do_not_matter(self) -> None:
        found = replace(self.OPENSSL, purl="pkg:npm/%40babel/core@7.0.0")
        assert judged(found, exceptions=(excepted(package="pkg:npm/@babel/core"),)).outcome is ScanOutcome.PASS

    def test_an_exception_goes_by_its_own_aliases_too(self) -> None:
        given = excepted("GHSA-other", aliases=("cve-2026-7",))
        assert judged(self.OPENSSL, exceptions=(given,)).outcome is ScanOutcome.PASS


class TestSaidByTheScanner:
    def test_what_a_report_calls_not_affected_counts_unless_the_policy_trusts_it(self) -> None:
        found = finding(vex=VexState.NOT_AFFECTED)
        assert judged(found, limits={Severity.CRITICAL: 0}).outcome is ScanOutcome.REJECT
        verdict = judged(found, limits={Severity.CRITICAL: 0}, trust_suppressions=True)
        assert (verdict.outcome, len(verdict.suppressed)) == (ScanOutcome.PASS, 1)


class TestRemedies:
    STRICT: ClassVar[dict[str, Any]] = {"limits": {Severity.CRITICAL: 0}}

    def test_each_package_is_told_once_with_the_newest_fix(self) -> None:
        found = [finding(f"CVE-2026-{i}", fixed=f"1.1.{i}") for i in (2, 10, 9)]
        assert judged(*found, **self.STRICT).remediation == (
            "upgrade openssl 1.0 to 1.1.10 or later (CVE-2026-10, CVE-2026-2, CVE-2026-9)",
        )

    def test_what_has_no_fix_is_to_be_removed_or_excepted(self) -> None:
        (line,) = judged(finding(fixed=None), **self.STRICT).remediation
        assert line.startswith(
            "no fix is known for CVE-2026-1 in openssl 1.0: remove the package, or add an exception with an owner"
        )

    def test_an_exception_that_ran_out_is_to_be_renewed(self) -> None:
        gone = excepted("CVE-2026-1", expires=NOW - timedelta(days=1), source="vex.json: statements[0]")
        verdict = judged(finding(), exceptions=(gone,), **self.STRICT)
        assert (
            "ask ada to renew the exception that expired on 2026-05-09 (vex.json: statements[0])"
            in verdict.remediation[-1]
        )

    def test_there_are_none_where_nothing_must_change(self) -> None:
        assert judged(finding()).remediation == ()

    def test_many_packages_are_counted(self) -> None:
        found = [finding(f"CVE-2026-{i}", package=f"package-{i}") for i in range(MAX_STEPS + 5)]
        remedies = judged(*found, **self.STRICT).remediation
        assert (len(remedies), remedies[-1]) == (MAX_STEPS + 1, "and 5 more upgrades")

    def test_numbers_in_versions_are_compared_as_numbers(self) -> None:
        assert (
            highest_version(["1:3.0.2-0ubuntu1.9", "1:3.0.2-0ubuntu1.18", "1:3.0.2-0ubuntu1.2"])
            == "1:3.0.2-0ubuntu1.18"
        )


def test_a_hundred_thousand_findings_stay_readable() -> None:
    found = [finding(f"CVE-2026-{i}", package=f"package-{i % 5000}", epss=0.5, cvss_score=9.0) for i in range(100_000)]
    verdict = judged(*found, limits={Severity.CRITICAL: 0}, max_score=5, max_epss=0.1)
    assert verdict.outcome is ScanOutcome.REJECT
    assert len("\n".join((*verdict.texts, *verdict.remediation))) < 10_000
    assert "and 99,990 more" in verdict.texts[0]
