"""Judgement of a vulnerability scan: what a report says of a version, against what the policy allows.

Rules:

* *Not scanned is never clean.* A report that can't prove that a scanner looked at the operating system's packages is
  refused, however empty its list of findings.
* Refused is not rejected. A refused report leaves the release without a scan, waiting for another one; a reject ends
  it. A report is refused when it says nothing of this version as it is now: not scanned, of an unknown time, before
  the version was published, too old, or in the future.
* The same vulnerability in the same package counts once, at its worst severity, wherever it was found.
* A finding without a known severity could be anything. It has its own limit (``unknown``) if the policy gives one;
  otherwise it counts as high.
* An exception excuses until the end of its day and nothing after it. One that would have excused a finding and has
  expired is named, so that people see why yesterday's pass is today's reject.
* What the scanner itself was told to leave out (an ignore file, a VEX document beside it) counts as found unless the
  policy trusts it: exceptions belong where an owner, a reason and an expiry are asked for.

This module does not read any format; ``shared.scanners`` builds ``ScanReport`` from bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.domain.findings import Finding, OsInfo, ScanReport, SuppressedFinding
from shared.domain.merging import WORST_FIRST, merged
from shared.domain.policy import ScanException, ScanRules, Severity

__all__ = [
    "Finding",
    "OsInfo",
    "ScanOutcome",
    "ScanReason",
    "ScanReport",
    "ScanVerdict",
    "SuppressedFinding",
    "UsedException",
    "judge",
    "merged",
]

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a scanner's clock may run ahead of ours."""

_NAMED: Final = 10


class ScanOutcome(StrEnum):
    """Pass and reject are verdicts on the version; refused is one on the report, and the release waits for another."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REJECT = "reject"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ScanReason:
    """One reason, with the findings behind it. ``code`` is for programs, ``text`` for people."""

    code: str
    text: str
    severity: Severity | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class UsedException:
    """An exception of the policy, and the findings that it excuses (or, expired, would have excused)."""

    exception: ScanException
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """The judgement of one report. ``counts`` is what was held against ``limits``."""

    outcome: ScanOutcome
    reasons: tuple[ScanReason, ...]
    counts: Mapping[Severity, int] = field(default_factory=dict)
    limits: Mapping[Severity, int] = field(default_factory=dict)
    excused: tuple[UsedException, ...] = ()
    expired: tuple[UsedException, ...] = ()
    suppressed: int = 0
    """Findings that the scanner left out and the policy trusts it to."""
    unfixable: int = 0
    """Findings that don't count because the policy counts only what can be fixed."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The reasons for people, the worst first."""
        return tuple(reason.text for reason in self.reasons)


def judge(report: ScanReport, rules: ScanRules, *, version_published: datetime, now: datetime) -> ScanVerdict:
    """Judge a report of a version. ``version_published`` is its ``publishedDate``, the birth of this incarnation."""
    refusals = tuple(_refusals(report, rules, version_published, now))
    if refusals:
        return ScanVerdict(ScanOutcome.REFUSED, refusals, limits=dict(rules.limits))
    left_out = () if rules.trust_suppressions else tuple(left.finding for left in report.suppressed)
    found = (*report.findings, *left_out)
    unique = merged(found)
    counted = [finding for finding in unique if finding.fixable or not rules.only_fixable]
    open_findings, excused, expired = _apply_exceptions(counted, rules.exceptions, now)
    reasons = (*_end_of_life(report, rules), *_over_limit(open_findings, rules.limits), *_expired(expired))
    rejected = any(reason.code != "exception-expired" for reason in reasons)
    return ScanVerdict(
        ScanOutcome.REJECT if rejected else ScanOutcome.PASS,
        reasons if rejected else (_passed(open_findings, excused), *reasons),
        counts=_held_against(open_findings, rules.limits),
        limits=dict(rules.limits),
        excused=excused,
        expired=expired,
        suppressed=len(report.suppressed) if rules.trust_suppressions else 0,
        unfixable=len(unique) - len(counted),
    )


def _refusals(report: ScanReport, rules: ScanRules, version_published: datetime, now: datetime) -> Iterable[ScanReason]:
    if report.format not in rules.formats:
        allowed = ", ".join(rules.formats)
        yield ScanReason("format-not-allowed", f"the policy takes no {report.format} reports here, only {allowed}")
    if not report.scanned:
        yield ScanReason("not-scanned", f"this is no scan of a machine: {report.not_scanned}")
    if report.created_at is None:
        yield ScanReason("no-time", "the report does not say when the scan was made, so it may be of anything")
        return
    made = _moment(report.created_at)
    if report.created_at > now + CLOCK_SKEW:
        yield ScanReason(
            "from-the-future", f"the scan is dated {made}, which is yet to come. Check the scanner's clock"
        )
    if report.created_at < version_published:
        published = _moment(version_published)
        yield ScanReason(
            "before-version", f"the scan of {made} is older than the version, published {published}. Scan it again"
        )
    if now - report.created_at > rules.max_age:
        age, allowed = _span(now - report.created_at), _span(rules.max_age)
        yield ScanReason("stale", f"the scan of {made} is {age} old; {allowed} are allowed. Scan it again")


def _apply_exceptions(
    findings: Iterable[Finding], exceptions: tuple[ScanException, ...], now: datetime
) -> tuple[list[Finding], tuple[UsedException, ...], tuple[UsedException, ...]]:
    """Findings that stay, exceptions that excused the others, and expired ones that would have."""
    by_id: dict[str, list[ScanException]] = {}
    for exception in exceptions:
        by_id.setdefault(exception.id.casefold(), []).append(exception)
    remaining: list[Finding] = []
    excused: dict[ScanException, list[Finding]] = {}
    expired: dict[ScanException, list[Finding]] = {}
    for finding in findings:
        names = dict.fromkeys(name.casefold() for name in (finding.id, *finding.aliases))
        matching = [found for name in names for found in by_id.get(name, ()) if _in_scope(found, finding)]
        valid = next((exception for exception in matching if now <= exception.expires), None)
        if valid is not None:
            excused.setdefault(valid, []).append(finding)
            continue
        remaining.append(finding)
        for exception in matching:
            expired.setdefault(exception, []).append(finding)
    return remaining, _used(excused), _used(expired)


def _in_scope(exception: ScanException, finding: Finding) -> bool:
    return exception.package is None or exception.package.casefold() == finding.package.casefold()


def _used(found: Mapping[ScanException, list[Finding]]) -> tuple[UsedException, ...]:
    return tuple(UsedException(exception, tuple(findings)) for exception, findings in found.items())


def _bucket(severity: Severity, limits: Mapping[Severity, int]) -> Severity:
    """The limit that a severity is held against: unknown is high unless it has a limit of its own."""
    return Severity.HIGH if severity is Severity.UNKNOWN and Severity.UNKNOWN not in limits else severity


def _held_against(findings: Iterable[Finding], limits: Mapping[Severity, int]) -> dict[Severity, int]:
    counts = Counter(_bucket(finding.severity, limits) for finding in findings)
    return {severity: counts[severity] for severity in WORST_FIRST if severity in counts or severity in limits}


def _over_limit(findings: Iterable[Finding], limits: Mapping[Severity, int]) -> Iterable[ScanReason]:
    by_severity: dict[Severity, list[Finding]] = {}
    for finding in findings:
        by_severity.setdefault(_bucket(finding.severity, limits), []).append(finding)
    for severity in WORST_FIRST:
        held, limit = by_severity.get(severity, []), limits.get(severity)
        if limit is not None and len(held) > limit:
            unrated = sum(finding.severity is Severity.UNKNOWN for finding in held)
            note = f" ({unrated} of unknown severity counted in)" if unrated and severity is Severity.HIGH else ""
            yield ScanReason(
                "over-limit", f"{len(held)} {severity}{note}, {limit} allowed: {_names(held)}", severity, tuple(held)
            )


def _end_of_life(report: ScanReport, rules: ScanRules) -> Iterable[ScanReason]:
    if report.os is not None and report.os.end_of_life and not rules.allow_end_of_life_os:
        yield ScanReason(
            "end-of-life-os",
            f"{report.os} gets no security fixes any more, so its vulnerabilities are not even published",
            Severity.CRITICAL,
        )


def _expired(expired: Iterable[UsedException]) -> Iterable[ScanReason]:
    for used in expired:
        exception = used.exception
        yield ScanReason(
            "exception-expired",
            f"the exception of {exception.owner} for {exception.id} expired at the end of "
            f"{exception.expires:%Y-%m-%d} (UTC): {_names(used.findings)}",
            min((finding.severity for finding in used.findings), key=lambda severity: WORST_FIRST[severity]),
            used.findings,
        )


def _passed(findings: list[Finding], excused: tuple[UsedException, ...]) -> ScanReason:
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(f"{counts[severity]} {severity}" for severity in WORST_FIRST if counts[severity])
    also = f"; {sum(len(used.findings) for used in excused)} excused by the policy" if excused else ""
    return ScanReason("within-limits", f"{told or 'no findings'}, within the limits{also}")


def _names(findings: Iterable[Finding]) -> str:
    listed = list(findings)
    rest = f", and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return "; ".join(str(finding) for finding in listed[:_NAMED]) + rest


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S%z}"


def _span(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
