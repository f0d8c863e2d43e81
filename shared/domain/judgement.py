"""Judgement of vulnerability scans: what scan reports state about an image version, evaluated against the policy.

Rules:

* *Not scanned is never clean.* A report that does not prove that a scanner examined the packages of the operating
  system is refused, even if it has no findings.
* Refused is not rejected. A refused report leaves the release without a scan, waiting for another report; a reject ends
  the release. A report is refused when it does not apply to this version as it is now: not scanned, without a time,
  from before the version was published, too old, or in the future. So is a set of reports without a required scanner.
* Reports of several scanners are judged together: a vulnerability of a package counts once, with its highest severity.
* A finding of unknown severity has its own limit (``unknown``) if the policy sets one. Otherwise it counts as high.
* A known exploited vulnerability is rejected, whatever its fix and the limits are, unless an exception applies to it.
* A finding without a fix does not count if the policy counts only what can be fixed. Neither does a finding whose fix
  is more recent than the policy's grace period. A fix without a known time is never within the grace period.
* Compared with the published version, no finding of the named severities may be new. If the policy allows it, a version
  that exceeds limits passes when it is only an improvement. That never applies to known exploited vulnerabilities or to
  an operating system past its end of life.
* Findings that the scanner was configured to suppress (an ignore file, a VEX document) count unless the policy trusts
  suppressions: exceptions belong where an owner, a reason and an expiry are required.
* An additional vulnerability never turns a reject into a pass, and neither does the removal of an exception.

This module reads no format (``shared.scanners`` reads reports) and finds no baseline: both are arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.delta import Baseline, Delta, compare, is_improvement
from shared.domain.display import count
from shared.domain.findings import Finding, FixState, ScanReport, VexState
from shared.domain.merging import SEVERITY_RANK, merge_findings, merge_reports
from shared.domain.policy import ScanRules, Severity
from shared.domain.remediation import remediation_steps
from shared.domain.scan_exceptions import ExceptionMatches, MatchedException, apply_exceptions
from shared.domain.verdicts import Effect, ScanOutcome, ScanReason, ScanVerdict

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the scanner's clock may be ahead of ours."""

MAX_NAMED_FINDINGS: Final = 10
"""Findings that the text of a reason names; the others are counted."""
MAX_NAMED_EXCEPTIONS: Final = 20
"""Expired exceptions that have a reason each; the others are counted in one."""
_NOT_EXPLOITABLE: Final = {VexState.NOT_AFFECTED, VexState.FIXED}


def judge(
    reports: ScanReport | Sequence[ScanReport],
    rules: ScanRules,
    *,
    version_published: datetime | None,
    now: datetime,
    baseline: Baseline | None = None,
) -> ScanVerdict:
    """Judge the scan reports of an image version.

    ``version_published`` is the version's ``publishedDate``, which identifies this incarnation of its number. With
    None, no report is too old for the version. ``baseline`` is None when no version is published yet. Times must be
    aware.
    """
    listed = [reports] if isinstance(reports, ScanReport) else list(reports)
    refused = tuple(reason for report in listed for reason in refusals(report, rules, version_published, now))
    refused += tuple(_missing(listed, rules))
    if refused:
        return ScanVerdict(ScanOutcome.REFUSED, refused, limits=dict(rules.limits))
    return _judged(listed, rules, now, baseline)


def refusals(
    report: ScanReport, rules: ScanRules, version_published: datetime | None, now: datetime
) -> Iterator[ScanReason]:
    """Why a report does not apply to the version as it is now. Nothing when it does."""
    if report.format not in rules.formats:
        accepted = ", ".join(rules.formats)
        yield _refused("format-not-allowed", f"the policy does not accept {report.format} reports, only {accepted}")
    if not report.scanned:
        yield _refused("not-scanned", f"the report is not a scan of a machine: {report.not_scanned}")
    if report.created_at is None:
        yield _refused("no-time", "the report does not say when the scan was made, so it may not be of this version")
        return
    made = _timestamp(report.created_at)
    if report.created_at > now + CLOCK_SKEW:
        yield _refused(
            "from-the-future", f"the scan is dated {made}, which is in the future. Check the scanner's clock"
        )
    if version_published is not None and report.created_at < version_published:
        published = _timestamp(version_published)
        text = f"the scan of {made} is older than the version, which was published {published}. Scan the version again"
        yield _refused("before-version", text)
    if now - report.created_at > rules.max_age:
        age, allowed = _days(now - report.created_at), _days(rules.max_age)
        text = f"the scan of {made} is {age} old, and the policy allows {allowed}. Scan the version again"
        yield _refused("stale", text)


def matches_scanner(report: ScanReport, required: str) -> bool:
    """Whether a report is in the required format or of the required scanner, named in any casing."""
    return required.casefold() in {report.format.casefold(), report.scanner.casefold()}


def missing_scanners(reports: Iterable[ScanReport], rules: ScanRules) -> tuple[str, ...]:
    """The formats or scanners that the policy requires and that have no report."""
    listed = list(reports)
    return tuple(each for each in rules.required if not any(matches_scanner(report, each) for report in listed))


def _missing(reports: list[ScanReport], rules: ScanRules) -> Iterator[ScanReason]:
    if not reports:
        yield _refused("no-report", "there is no scan report")
    for each in missing_scanners(reports, rules):
        text = f"there is no usable report of {each}, which the policy requires. Scan the version with it as well"
        yield _refused("scanner-missing", text)


def _judged(reports: list[ScanReport], rules: ScanRules, now: datetime, baseline: Baseline | None) -> ScanVerdict:
    found, suppressed = _findings(reports, rules)
    no_fix, in_grace_period = _not_counted(found, rules, now)
    # By identity and not by equality: hashing a hundred thousand findings takes seconds.
    not_counted = {id(each) for each in (*no_fix, *in_grace_period)}
    considered = [each for each in found if each.known_exploited or id(each) not in not_counted]
    matches = apply_exceptions(considered, rules.exceptions, now)
    counted = _without(matches.remaining, not_counted)
    comparison = _Comparison.of(found, counted, baseline) if baseline else None
    reasons = list(_rejections(reports, counted, matches, rules))
    if comparison is not None:
        reasons = _after_comparison(reasons, comparison, rules)
    rejected = any(reason.effect in {Effect.REJECTS, Effect.REJECTS_UNLESS_IMPROVED} for reason in reasons)
    summary = () if rejected else (_passed(counted, matches.excepted, reasons),)
    verdict = ScanVerdict(
        ScanOutcome.REJECT if rejected else ScanOutcome.PASS,
        (*summary, *reasons, *_expired(matches.expired)),
        counts=_counts_by_limit(counted, rules.limits),
        limits=dict(rules.limits),
        excepted=matches.excepted,
        expired=matches.expired,
        findings=found,
        suppressed=suppressed,
        no_fix=no_fix,
        in_grace_period=in_grace_period,
        delta=comparison.delta if comparison else None,
        baseline=str(baseline) if baseline else "",
    )
    return replace(verdict, remediation=_remediation(verdict)) if rejected else verdict


def _findings(reports: list[ScanReport], rules: ScanRules) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Every vulnerability of a package once; and the suppressed ones, if the policy trusts suppressions."""
    together = merge_reports(reports)
    suppressed = tuple(each.finding for each in together.suppressed)
    if not rules.trust_suppressions:
        return (merge_findings((*together.findings, *suppressed)) if suppressed else together.findings), ()
    kept = tuple(each for each in together.findings if each.vex not in _NOT_EXPLOITABLE)
    return kept, (*suppressed, *(each for each in together.findings if each.vex in _NOT_EXPLOITABLE))


def _not_counted(
    found: tuple[Finding, ...], rules: ScanRules, now: datetime
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Findings that do not count because they have no fix; and those whose fix is within the grace period."""
    no_fix = tuple(each for each in found if not each.fixable) if rules.only_fixable else ()
    others = _without(found, {id(each) for each in no_fix})
    return no_fix, tuple(each for each in others if _is_in_grace_period(each, rules, now))


def _without(findings: Iterable[Finding], ids: set[int]) -> list[Finding]:
    return [each for each in findings if id(each) not in ids]


def _is_in_grace_period(finding: Finding, rules: ScanRules, now: datetime) -> bool:
    if not rules.fix_grace or finding.fix_published is None or finding.fix is not FixState.FIXED:
        return False
    return now - finding.fix_published < rules.fix_grace


def _rejections(
    reports: list[ScanReport], counted: list[Finding], matches: ExceptionMatches, rules: ScanRules
) -> Iterator[ScanReason]:
    exploited = tuple(each for each in matches.remaining if each.known_exploited)
    if exploited:
        number = count(len(exploited), "known exploited vulnerability", "known exploited vulnerabilities")
        text = f"{number} without an exception: {_named(exploited)}"
        yield ScanReason("known-exploited", text, _highest_severity(exploited), exploited)
    yield from _end_of_life(reports, rules)
    yield from _over_limit(counted, rules.limits)
    yield from _over_score(counted, rules)
    yield from _over_epss(counted, rules)


def _end_of_life(reports: list[ScanReport], rules: ScanRules) -> Iterator[ScanReason]:
    if rules.allow_end_of_life_os:
        return
    for os in dict.fromkeys(report.os for report in reports if report.os is not None and report.os.end_of_life):
        text = f"{os} is past its end of life: it gets no security fixes, and no vulnerabilities are published for it"
        yield ScanReason("end-of-life-os", text, Severity.CRITICAL)


def _limited_as(severity: Severity, limits: Mapping[Severity, int]) -> Severity:
    """The severity whose limit applies: unknown counts as high unless it has a limit of its own."""
    return Severity.HIGH if severity is Severity.UNKNOWN and Severity.UNKNOWN not in limits else severity


def _counts_by_limit(findings: Iterable[Finding], limits: Mapping[Severity, int]) -> dict[Severity, int]:
    counts = Counter(_limited_as(finding.severity, limits) for finding in findings)
    return {severity: counts[severity] for severity in SEVERITY_RANK if severity in counts or severity in limits}


def _over_limit(findings: Iterable[Finding], limits: Mapping[Severity, int]) -> Iterator[ScanReason]:
    by_severity: dict[Severity, list[Finding]] = {}
    for finding in findings:
        by_severity.setdefault(_limited_as(finding.severity, limits), []).append(finding)
    for severity in SEVERITY_RANK:
        these, limit = by_severity.get(severity, []), limits.get(severity)
        if limit is not None and len(these) > limit:
            unknown = sum(finding.severity is Severity.UNKNOWN for finding in these)
            note = f" (including {unknown} of unknown severity)" if unknown and severity is Severity.HIGH else ""
            text = f"{_exceeding(these, f'{severity} finding')} the limit of {limit:,}{note}: {_named(these)}"
            yield ScanReason("over-limit", text, severity, tuple(these), Effect.REJECTS_UNLESS_IMPROVED)


def _over_score(findings: Iterable[Finding], rules: ScanRules) -> Iterator[ScanReason]:
    limit = rules.max_score
    if limit is None:
        return
    over = [each for each in findings if each.cvss_score is not None and each.cvss_score > limit]
    if over:
        over.sort(key=lambda each: -(each.cvss_score or 0))
        named = _named(over, lambda each: f"{each} (CVSS {each.cvss_score:g})")
        text = f"{_exceeding(over, 'finding')} the CVSS score limit of {limit:g}: {named}"
        yield ScanReason("over-score", text, _highest_severity(over), tuple(over), Effect.REJECTS_UNLESS_IMPROVED)


def _over_epss(findings: Iterable[Finding], rules: ScanRules) -> Iterator[ScanReason]:
    limit = rules.max_epss
    if limit is None:
        return
    over = [each for each in findings if each.epss is not None and each.epss > limit]
    if over:
        over.sort(key=lambda each: -(each.epss or 0))
        named = _named(over, lambda each: f"{each} (EPSS {each.epss:.2%})")
        what = f"the EPSS limit of {limit:.2%} (probability of exploitation within 30 days)"
        text = f"{_exceeding(over, 'finding')} {what}: {named}"
        yield ScanReason("over-epss", text, _highest_severity(over), tuple(over), Effect.REJECTS_UNLESS_IMPROVED)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The findings compared with the baseline. ``new`` are the new findings that count."""

    baseline: Baseline
    delta: Delta
    new: list[Finding]

    @classmethod
    def of(cls, found: Iterable[Finding], counted: Iterable[Finding], baseline: Baseline) -> _Comparison:
        delta = compare(found, baseline)
        new = {id(each) for each in delta.new}
        return cls(baseline, delta, [each for each in counted if id(each) in new])


def _after_comparison(reasons: list[ScanReason], comparison: _Comparison, rules: ScanRules) -> list[ScanReason]:
    """The reasons with those for new findings. When the version is an improvement, exceeded limits do not reject it."""
    reasons = [*reasons, *_new_findings(comparison, rules)]
    baseline, resolved = comparison.baseline, len(comparison.delta.resolved)
    exceeded = any(reason.effect is Effect.REJECTS_UNLESS_IMPROVED for reason in reasons)
    if not exceeded or not rules.improvement_passes or not is_improvement(comparison.new, resolved, baseline):
        return reasons
    what = "no finding is new" if baseline.is_same_version else f"no finding is new and {resolved:,} are resolved"
    text = f"limits are exceeded, but {what} compared with {baseline}"
    informing = (
        replace(each, effect=Effect.INFORMS) if each.effect is Effect.REJECTS_UNLESS_IMPROVED else each
        for each in reasons
    )
    return [ScanReason("only-improves", text, effect=Effect.INFORMS), *informing]


def _new_findings(comparison: _Comparison, rules: ScanRules) -> Iterator[ScanReason]:
    for severity in sorted(rules.no_new, key=lambda each: SEVERITY_RANK[each]):
        these = tuple(each for each in comparison.new if _limited_as(each.severity, rules.limits) is severity)
        if these:
            number = count(len(these), f"new {severity} finding")
            text = f"{number} compared with {comparison.baseline}: {_named(these)}"
            yield ScanReason("new", text, severity, these, Effect.REJECTS)


def _expired(expired: Sequence[MatchedException]) -> Iterator[ScanReason]:
    for match in expired[:MAX_NAMED_EXCEPTIONS]:
        exception = match.exception
        yield ScanReason(
            "exception-expired",
            f"the exception of {exception.owner} for {exception.id} expired at the end of "
            f"{exception.expires:%Y-%m-%d} (UTC): {_named(match.findings)}",
            _highest_severity(match.findings),
            match.findings,
            Effect.INFORMS,
        )
    if len(expired) > MAX_NAMED_EXCEPTIONS:
        number = count(len(expired) - MAX_NAMED_EXCEPTIONS, "more exception has", "more exceptions have")
        yield ScanReason("exception-expired", f"{number} expired", effect=Effect.INFORMS)


def _remediation(verdict: ScanVerdict) -> tuple[str, ...]:
    deciding = verdict.deciding
    ids = {id(each) for each in deciding}
    expired = [match for match in verdict.expired if any(id(each) in ids for each in match.findings)]
    steps = remediation_steps(deciding, expired)
    if any(reason.code == "end-of-life-os" for reason in verdict.reasons):
        return ("build the image from a supported release of the operating system", *steps)
    return steps


def _passed(
    findings: list[Finding], excepted: tuple[MatchedException, ...], reasons: Iterable[ScanReason]
) -> ScanReason:
    counts = Counter(finding.severity for finding in findings)
    counted = ", ".join(f"{counts[severity]:,} {severity}" for severity in SEVERITY_RANK if counts[severity])
    improved = any(each.code == "only-improves" for each in reasons)
    how = "accepted as an improvement" if improved else "within the limits"
    number = sum(len(match.findings) for match in excepted)
    also = f"; {count(number, 'finding')} excepted by the policy" if excepted else ""
    return ScanReason("within-limits", f"{counted or 'no findings'}, {how}{also}", effect=Effect.INFORMS)


def _refused(code: str, text: str) -> ScanReason:
    return ScanReason(code, text, effect=Effect.REFUSES)


def _highest_severity(findings: Iterable[Finding]) -> Severity:
    return min((finding.severity for finding in findings), key=lambda severity: SEVERITY_RANK[severity])


def _exceeding(findings: Sequence[Finding], noun: str) -> str:
    return count(len(findings), f"{noun} exceeds", f"{noun}s exceed")


def _named(findings: Sequence[Finding], shown: Callable[[Finding], str] = str) -> str:
    more = len(findings) - MAX_NAMED_FINDINGS
    return "; ".join(map(shown, findings[:MAX_NAMED_FINDINGS])) + (f", and {more:,} more" if more > 0 else "")


def _timestamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S%z}"


def _days(duration: timedelta) -> str:
    hours = duration.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
