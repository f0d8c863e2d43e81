"""Judgement of vulnerability scans: what reports say of a version, against what the policy allows.

Rules:

* *Not scanned is never clean.* A report that can't prove that a scanner looked at the operating system's packages is
  refused, however empty its list of findings.
* Refused is not rejected. A refused report leaves the release without a scan, waiting for another one; a reject ends
  it. A report is refused when it says nothing of this version as it is now: not scanned, of an unknown time, before
  the version was published, too old, or in the future. So is a judgement that lacks a required scanner.
* Reports of several scanners are judged as one: a vulnerability of a package counts once, at its worst severity.
* A finding without a known severity could be anything. It has its own limit (``unknown``) if the policy gives one;
  otherwise it counts as high.
* What is known to be exploited always rejects, whatever is fixable, young or allowed, unless an exception excuses it.
* What has no fix doesn't count where the policy counts only what can be fixed, nor does a fix that is younger than the
  policy's grace. A fix of unknown age is no young one.
* Compared with what is published: nothing new of the named severities; and, where the policy says so, a version that
  breaks limits passes when it only improves. Neither exploited vulnerabilities nor an operating system past its end of
  life pass that way.
* What the scanner itself was told to leave out (an ignore file, a VEX document beside it) counts as found unless the
  policy trusts it: exceptions belong where an owner, a reason and an expiry are asked for.
* A further vulnerability never turns a reject into a pass, nor does an exception less.

This module reads no format (``shared.scanners`` builds reports from bytes) and finds no baseline: both are arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from shared.domain.delta import Baseline, Delta, compare, improves
from shared.domain.findings import Finding, FixState, ScanReport, VexState
from shared.domain.merging import WORST_FIRST, merge_reports, merged
from shared.domain.policy import ScanRules, Severity
from shared.domain.remediation import remedies
from shared.domain.scan_exceptions import Excepted, UsedException, apply_exceptions
from shared.domain.verdicts import ScanOutcome, ScanReason, ScanVerdict, Weight

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a scanner's clock may run ahead of ours."""

NAMED: Final = 10
"""Findings that a reason names; the others are counted."""
EXPIRED_NAMED: Final = 20
_LEFT_OUT: Final = {VexState.NOT_AFFECTED, VexState.FIXED}


def judge(
    reports: ScanReport | Sequence[ScanReport],
    rules: ScanRules,
    *,
    version_published: datetime | None,
    now: datetime,
    baseline: Baseline | None = None,
) -> ScanVerdict:
    """Judge what scanners say of a version.

    ``version_published`` is its ``publishedDate``, the birth of this incarnation; None where nobody knows it, and then
    no report is too old for the version. ``baseline`` is None when nothing is published yet.
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
    """Why a report says nothing of the version as it is now; nothing when it does."""
    if report.format not in rules.formats:
        allowed = ", ".join(rules.formats)
        yield _refused("format-not-allowed", f"the policy takes no {report.format} reports here, only {allowed}")
    if not report.scanned:
        yield _refused("not-scanned", f"this is no scan of a machine: {report.not_scanned}")
    if report.created_at is None:
        yield _refused("no-time", "the report does not say when the scan was made, so it may be of anything")
        return
    made = _moment(report.created_at)
    if report.created_at > now + CLOCK_SKEW:
        yield _refused("from-the-future", f"the scan is dated {made}, which is yet to come. Check the scanner's clock")
    if version_published is not None and report.created_at < version_published:
        published = _moment(version_published)
        yield _refused(
            "before-version", f"the scan of {made} is older than the version, published {published}. Scan it again"
        )
    if now - report.created_at > rules.max_age:
        age, allowed = _span(now - report.created_at), _span(rules.max_age)
        yield _refused("stale", f"the scan of {made} is {age} old; {allowed} are allowed. Scan it again")


def answers_to(report: ScanReport, required: str) -> bool:
    """Whether a report is one of a required format or scanner."""
    wanted = required.casefold()
    return wanted in {report.format.casefold(), report.scanner.casefold()}


def missing_scanners(reports: Iterable[ScanReport], rules: ScanRules) -> tuple[str, ...]:
    """Required formats or scanners of which there is no report."""
    listed = list(reports)
    return tuple(each for each in rules.required if not any(answers_to(report, each) for report in listed))


def _missing(reports: list[ScanReport], rules: ScanRules) -> Iterator[ScanReason]:
    if not reports:
        yield _refused("no-report", "there is no scan report")
    for each in missing_scanners(reports, rules):
        yield _refused("scanner-missing", f"no usable report of {each}, which the policy requires. Scan with it, too")


def _judged(reports: list[ScanReport], rules: ScanRules, now: datetime, baseline: Baseline | None) -> ScanVerdict:
    found, left_out = _found(reports, rules)
    no_fix, young = _not_counted(found, rules, now)
    # Told apart by what they are, not by what they hold: hashing a hundred thousand findings takes seconds.
    apart = {id(each) for each in (*no_fix, *young)}
    considered = [each for each in found if each.known_exploited or id(each) not in apart]
    excepted = apply_exceptions(considered, rules.exceptions, now)
    standing = _without(excepted.standing, apart)
    comparison = _Comparison.of(found, standing, baseline) if baseline else None
    reasons = list(_rejections(reports, standing, excepted, rules))
    if comparison is not None:
        reasons = _after_comparison(reasons, comparison, rules)
    rejected = any(reason.weight in {Weight.REJECTS, Weight.LIMITS} for reason in reasons)
    told = () if rejected else (_passed(standing, excepted.excused, reasons),)
    verdict = ScanVerdict(
        ScanOutcome.REJECT if rejected else ScanOutcome.PASS,
        (*told, *reasons, *_expired(excepted.expired)),
        counts=_held_against(standing, rules.limits),
        limits=dict(rules.limits),
        excused=excepted.excused,
        expired=excepted.expired,
        findings=found,
        left_out=left_out,
        no_fix=no_fix,
        young=young,
        delta=comparison.delta if comparison else None,
        baseline=str(baseline) if baseline else "",
    )
    return replace(verdict, remedies=_remedies(verdict)) if rejected else verdict


def _found(reports: list[ScanReport], rules: ScanRules) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Every vulnerability of a package once; and what the scanner left out that the policy trusts it to."""
    together = merge_reports(reports)
    suppressed = tuple(left.finding for left in together.suppressed)
    if not rules.trust_suppressions:
        return (merged((*together.findings, *suppressed)) if suppressed else together.findings), ()
    kept = tuple(each for each in together.findings if each.vex not in _LEFT_OUT)
    return kept, (*suppressed, *(each for each in together.findings if each.vex in _LEFT_OUT))


def _not_counted(
    found: tuple[Finding, ...], rules: ScanRules, now: datetime
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What does not count because it has no fix; and of the others, what does not count yet: its fix is too young."""
    no_fix = tuple(each for each in found if not each.fixable) if rules.only_fixable else ()
    apart = {id(each) for each in no_fix}
    return no_fix, tuple(each for each in _without(found, apart) if _is_young(each, rules, now))


def _without(findings: Iterable[Finding], ids: set[int]) -> list[Finding]:
    return [each for each in findings if id(each) not in ids]


def _is_young(finding: Finding, rules: ScanRules, now: datetime) -> bool:
    if not rules.fix_grace or finding.fix_published is None or finding.fix is not FixState.FIXED:
        return False
    return now - finding.fix_published < rules.fix_grace


def _rejections(
    reports: list[ScanReport], standing: list[Finding], excepted: Excepted, rules: ScanRules
) -> Iterator[ScanReason]:
    exploited = tuple(each for each in excepted.standing if each.known_exploited)
    if exploited:
        yield ScanReason(
            "known-exploited",
            f"{len(exploited)} known to be exploited, none allowed without an exception: {_names(exploited)}",
            _worst(exploited),
            exploited,
        )
    yield from _end_of_life(reports, rules)
    yield from _over_limit(standing, rules.limits)
    yield from _over_score(standing, rules)
    yield from _over_epss(standing, rules)


def _end_of_life(reports: list[ScanReport], rules: ScanRules) -> Iterator[ScanReason]:
    if rules.allow_end_of_life_os:
        return
    for os in dict.fromkeys(report.os for report in reports if report.os is not None and report.os.end_of_life):
        yield ScanReason(
            "end-of-life-os",
            f"{os} gets no security fixes any more, so its vulnerabilities are not even published",
            Severity.CRITICAL,
        )


def _bucket(severity: Severity, limits: Mapping[Severity, int]) -> Severity:
    """The limit that a severity is held against: unknown is high unless it has a limit of its own."""
    return Severity.HIGH if severity is Severity.UNKNOWN and Severity.UNKNOWN not in limits else severity


def _held_against(findings: Iterable[Finding], limits: Mapping[Severity, int]) -> dict[Severity, int]:
    counts = Counter(_bucket(finding.severity, limits) for finding in findings)
    return {severity: counts[severity] for severity in WORST_FIRST if severity in counts or severity in limits}


def _over_limit(findings: Iterable[Finding], limits: Mapping[Severity, int]) -> Iterator[ScanReason]:
    by_severity: dict[Severity, list[Finding]] = {}
    for finding in findings:
        by_severity.setdefault(_bucket(finding.severity, limits), []).append(finding)
    for severity in WORST_FIRST:
        held, limit = by_severity.get(severity, []), limits.get(severity)
        if limit is not None and len(held) > limit:
            unrated = sum(finding.severity is Severity.UNKNOWN for finding in held)
            note = f" ({unrated} of unknown severity counted in)" if unrated and severity is Severity.HIGH else ""
            text = f"{len(held)} {severity}{note}, {limit} allowed: {_names(held)}"
            yield ScanReason("over-limit", text, severity, tuple(held), Weight.LIMITS)


def _over_score(findings: Iterable[Finding], rules: ScanRules) -> Iterator[ScanReason]:
    most = rules.max_score
    if most is None:
        return
    over = [each for each in findings if each.cvss_score is not None and each.cvss_score > most]
    if over:
        over.sort(key=lambda each: -(each.cvss_score or 0))
        listed = _names(over, lambda each: f"{each} (CVSS {each.cvss_score:g})")
        text = f"{len(over)} with a CVSS score above {most:g}: {listed}"
        yield ScanReason("over-score", text, _worst(over), tuple(over), Weight.LIMITS)


def _over_epss(findings: Iterable[Finding], rules: ScanRules) -> Iterator[ScanReason]:
    most = rules.max_epss
    if most is None:
        return
    over = [each for each in findings if each.epss is not None and each.epss > most]
    if over:
        over.sort(key=lambda each: -(each.epss or 0))
        listed = _names(over, lambda each: f"{each} (EPSS {each.epss:.2%})")
        text = f"{len(over)} more likely to be exploited in 30 days than {most:.2%}: {listed}"
        yield ScanReason("over-epss", text, _worst(over), tuple(over), Weight.LIMITS)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What is found, compared with what is published. ``new`` holds those of the new findings that count."""

    baseline: Baseline
    delta: Delta
    new: list[Finding]

    @classmethod
    def of(cls, found: Iterable[Finding], standing: Iterable[Finding], baseline: Baseline) -> _Comparison:
        delta = compare(found, baseline)
        new = {id(each) for each in delta.new}
        return cls(baseline, delta, [each for each in standing if id(each) in new])


def _after_comparison(reasons: list[ScanReason], comparison: _Comparison, rules: ScanRules) -> list[ScanReason]:
    """The reasons, and those of what is new; broken limits are only told where the version is an improvement."""
    reasons = [*reasons, *_new(comparison, rules)]
    baseline, gone = comparison.baseline, len(comparison.delta.gone)
    broken = any(reason.weight is Weight.LIMITS for reason in reasons)
    if not broken or not rules.improvement_passes or not improves(comparison.new, gone, baseline):
        return reasons
    went = "nothing new since" if baseline.itself else f"none that is new, and {gone} fewer, than in"
    told = ScanReason("only-improves", f"over the limits, but {went} {baseline}", weight=Weight.TELLS)
    return [told, *(replace(each, weight=Weight.TELLS) if each.weight is Weight.LIMITS else each for each in reasons)]


def _new(comparison: _Comparison, rules: ScanRules) -> Iterator[ScanReason]:
    for severity in sorted(rules.no_new, key=lambda each: WORST_FIRST[each]):
        these = tuple(each for each in comparison.new if _bucket(each.severity, rules.limits) is severity)
        if these:
            text = f"{len(these)} {severity} not in {comparison.baseline}: {_names(these)}"
            yield ScanReason("new", text, severity, these, Weight.REJECTS)


def _expired(expired: Sequence[UsedException]) -> Iterator[ScanReason]:
    for used in expired[:EXPIRED_NAMED]:
        exception = used.exception
        yield ScanReason(
            "exception-expired",
            f"the exception of {exception.owner} for {exception.id} expired at the end of "
            f"{exception.expires:%Y-%m-%d} (UTC): {_names(used.findings)}",
            _worst(used.findings),
            used.findings,
            Weight.TELLS,
        )
    if len(expired) > EXPIRED_NAMED:
        rest = f"and {len(expired) - EXPIRED_NAMED} more exceptions that have expired"
        yield ScanReason("exception-expired", rest, weight=Weight.TELLS)


def _remedies(verdict: ScanVerdict) -> tuple[str, ...]:
    deciding = verdict.deciding
    decided = {id(each) for each in deciding}
    expired = [used for used in verdict.expired if any(id(each) in decided for each in used.findings)]
    return (*_scope(verdict.reasons), *remedies(deciding, expired))


def _scope(reasons: Iterable[ScanReason]) -> Iterator[str]:
    if any(reason.code == "end-of-life-os" for reason in reasons):
        yield "build the image from a release of the operating system that is still supported"


def _passed(
    findings: list[Finding], excused: tuple[UsedException, ...], reasons: Iterable[ScanReason] = ()
) -> ScanReason:
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(f"{counts[severity]} {severity}" for severity in WORST_FIRST if counts[severity])
    also = f"; {sum(len(used.findings) for used in excused)} excused by the policy" if excused else ""
    within = (
        "passes as an improvement" if any(each.code == "only-improves" for each in reasons) else "within the limits"
    )
    return ScanReason("within-limits", f"{told or 'no findings'}, {within}{also}", weight=Weight.TELLS)


def _refused(code: str, text: str) -> ScanReason:
    return ScanReason(code, text, weight=Weight.REFUSES)


def _worst(findings: Iterable[Finding]) -> Severity:
    return min((finding.severity for finding in findings), key=lambda severity: WORST_FIRST[severity])


def _names(findings: Iterable[Finding], shown: Callable[[Finding], str] = str) -> str:
    listed = list(findings)
    rest = f", and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return "; ".join(shown(finding) for finding in listed[:NAMED]) + rest


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S%z}"


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
