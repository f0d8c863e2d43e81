"""Reports in the store, read and judged: what the scan gate, a ring's own rules and the day after have in common.

Of each scanner its newest usable report counts, and all of them are judged together. A report that proves nothing is
refused, and the refusal is kept as evidence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.codec import TooLarge
from shared.domain.delta import Baseline
from shared.domain.findings import ScanReport
from shared.domain.judgement import ScanOutcome, ScanReason, ScanVerdict, judge, missing_scanners, refusals
from shared.domain.merging import merge_reports
from shared.domain.policy import DefinitionPolicy, ScanRules
from shared.domain.release import Answer, Gate, Release, State
from shared.domain.scan_exceptions import MatchedException
from shared.domain.scan_formats import MULTI_SCANNER_FORMATS
from shared.ports import StoredReport, World
from shared.scanners.report_refusal import Refusal
from shared.stages.refusals import Refused, Told, record
from shared.stages.steps import Decided

REPORTS_READ: Final = 10
"""Reports of one format that are read, newest first."""
LARGE: Final = 16 * 1024 * 1024
"""Bytes of a report of which a worker holds one at a time."""
FINDINGS_KEPT: Final = 200
"""Findings that evidence names itself, over all its reasons; the listing beside it has them all."""
EXCEPTIONS_KEPT: Final = 100
REMEDIES_TOLD: Final = 5


@dataclass(frozen=True, slots=True)
class Usable:
    """A report that may be judged."""

    stored: StoredReport
    report: ScanReport


@dataclass(frozen=True, slots=True)
class OnHand:
    """The newest usable report of each scanner, why others were refused, and which required scanners are missing."""

    usable: tuple[Usable, ...]
    refused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether there is enough to judge."""
        return bool(self.usable) and not self.missing

    @property
    def names(self) -> frozenset[str]:
        """Names of the reports."""
        return frozenset(each.stored.name for each in self.usable)


async def reports_on_hand(release: Release, rules: ScanRules, world: World, now: datetime) -> OnHand:
    """Read the reports of a release's version that are in the store."""
    usable: dict[tuple[str, str], Usable] = {}
    refused: list[str] = []
    seen: Counter[str] = Counter()
    for stored in await world.evidence.reports(release.version):
        known = any(format_ == stored.format for format_, _ in usable)
        if seen[stored.format] >= REPORTS_READ or (known and stored.format not in MULTI_SCANNER_FORMATS):
            continue
        seen[stored.format] += 1
        found = await _read(stored, release, rules, world, now)
        if isinstance(found, ScanReport):
            usable.setdefault((stored.format, found.scanner.casefold()), Usable(stored, found))
        elif not known:
            refused.append(await _refused(stored, found, release, world, now))
    missing = missing_scanners((each.report for each in usable.values()), rules)
    return OnHand(tuple(usable.values()), tuple(refused), missing)


async def _read(
    stored: StoredReport, release: Release, rules: ScanRules, world: World, now: datetime
) -> ScanReport | Refused:
    report = await _parsed(stored, world)
    if isinstance(report, Refused):
        return report
    another = report.image_mismatch(release.version)
    if another:
        return Refused("another-image", another)
    wrong = list(refusals(report, rules, _published(release), now))
    if wrong:
        return Refused("+".join(sorted({each.code for each in wrong})), "; ".join(each.text for each in wrong))
    return report


async def _parsed(stored: StoredReport, world: World) -> ScanReport | Refused:
    async with world.large if stored.size > LARGE else nullcontext():
        return await _opened(stored, world)


async def _opened(stored: StoredReport, world: World) -> ScanReport | Refused:
    # The readers of all formats are imported when the first report is read, not when a process starts.
    from shared.scanners.registry import read

    try:
        body = await world.evidence.read_report(stored.name)
    except TooLarge as error:
        return Refused("too-large", str(error))
    if body is None:
        return Refused("gone", "its body is gone")
    try:
        return read(stored.format, body)
    except Refusal as refusal:
        return Refused(refusal.reason.value, str(refusal))


async def _refused(stored: StoredReport, why: Refused, release: Release, world: World, now: datetime) -> str:
    digest = stored.name.rsplit("/", 1)[-1].removesuffix(".json")
    told = Told(release.version, stored.format, why, digest, stored.name, incarnation=release.incarnation)
    await record(told, world, now=now)
    return f"{digest[:16]} ({stored.format}) refused: {why}"


def judged(
    on_hand: OnHand, release: Release, rules: ScanRules, now: datetime, baseline: Baseline | None
) -> ScanVerdict:
    """Judge what is on hand."""
    reports = [each.report for each in on_hand.usable]
    return judge(reports, rules, version_published=_published(release), now=now, baseline=baseline)


def _published(release: Release) -> datetime:
    return datetime.fromisoformat(release.incarnation or "")


# --- what to compare with ---------------------------------------------------------------------------------------------


async def published_baseline(
    release: Release, policy: DefinitionPolicy, rules: ScanRules, world: World
) -> Baseline | None:
    """The version that is published in the last ring, as last scanned; None when none is, or nobody asks.

    It is the highest number that the ledger says we published there and did not take back.
    """
    if not (rules.no_new or rules.improvement_passes):
        return None
    newest: Release | None = None
    async for stored in world.ledger.rows(definition=policy.source):
        other = stored.release
        if other.version == release.version or not _stands(other, policy.rings[-1].name):
            continue
        if newest is None or other.version.number > newest.version.number:
            newest = other
    if newest is None:
        return None
    return await _as_scanned(newest, [each.name for each in await world.evidence.reports(newest.version)], world)


def _stands(release: Release, ring: str) -> bool:
    if release.state in {State.REVOKING, State.REVOKED} or release.incarnation is None:
        return False
    return release.state is State.RELEASED or release.published_in(ring) is not None


async def passed_baseline(release: Release, rules: ScanRules, world: World) -> Baseline | None:
    """The version as it was when it passed the scan gate; None when nobody asks."""
    if not (rules.no_new or rules.improvement_passes):
        return None
    evidence = await last_scan_evidence(release, world, passed=True)
    names = [str(each["name"]) for each in (evidence or {}).get("facts", {}).get("reports", ())]
    return await _as_scanned(release, names, world, is_same_version=True)


async def last_scan_evidence(release: Release, world: World, *, passed: bool = False) -> Mapping[str, Any] | None:
    """The evidence of the last scan verdict of this incarnation, or (``passed``) of the one that let it pass."""
    gates = {Gate.SCAN} if passed else {Gate.SCAN, Gate.RESCAN}
    found = [each for each in release.gates if each.gate in gates and each.ring is None]
    found = [each for each in found if each.incarnation == release.incarnation and each.evidence]
    if passed:
        found = [each for each in found if each.answer is Answer.PASS]
    last = max(found, key=lambda each: each.at, default=None)
    return await world.evidence.get(last.evidence) if last else None


async def _as_scanned(
    release: Release, names: Sequence[str], world: World, *, is_same_version: bool = False
) -> Baseline:
    """What the newest readable report of each scanner found."""
    reports: dict[tuple[str, str], ScanReport] = {}
    kept = {each.name: each for each in await world.evidence.reports(release.version)}
    for stored in (kept[name] for name in names[: 2 * REPORTS_READ] if name in kept):
        if stored.format not in MULTI_SCANNER_FORMATS and any(format_ == stored.format for format_, _ in reports):
            continue
        report = await _parsed(stored, world)
        if isinstance(report, Refused) or not report.scanned or report.created_at is None:
            continue
        if report.created_at >= _published(release):
            reports.setdefault((stored.format, report.scanner.casefold()), report)
    made = [report.created_at for report in reports.values() if report.created_at is not None]
    together = merge_reports(reports.values())
    found = (*together.findings, *(left.finding for left in together.suppressed))
    return Baseline(release.version.short, found, max(made, default=None), is_same_version=is_same_version)


# --- what becomes evidence --------------------------------------------------------------------------------------------


async def decided(
    gate: Gate, on_hand: OnHand, verdict: ScanVerdict, rules: ScanRules, release: Release, world: World
) -> Decided:
    """A verdict as a gate's answer, with bounded lists; what it is about as a whole is kept beside it."""
    from shared.stages import listing  # as the readers of formats, with the first report

    facts = {**facts_of(on_hand, verdict), "listing": await listing.keep(verdict, release, world)}
    passed = verdict.outcome is ScanOutcome.PASS
    texts = () if passed else (*verdict.texts, *_to_pass(verdict))
    answer = Answer.PASS if passed else Answer.REJECT
    return Decided(gate, answer, texts, facts=facts, rules=rules_of(rules))


def _to_pass(verdict: ScanVerdict) -> tuple[str, ...]:
    lines = verdict.remediation[:REMEDIES_TOLD]
    rest = len(verdict.remediation) - len(lines)
    return (f"to pass: {'; '.join(lines)}" + (f"; and {rest} more" if rest else ""),) if lines else ()


def facts_of(on_hand: OnHand, verdict: ScanVerdict) -> dict[str, Any]:
    """What was seen, for evidence."""
    return {"reports": [_report(each) for each in on_hand.usable], **told(verdict)}


def told(verdict: ScanVerdict) -> dict[str, Any]:
    """A verdict as plain data, every list bounded and counted."""
    deciding = sum(len(reason.findings) for reason in verdict.reasons)
    share = max(1, FINDINGS_KEPT // max(1, len(verdict.reasons)))
    return {
        "outcome": verdict.outcome.value,
        "found": verdict.found,
        "counts": {severity.value: count for severity, count in verdict.counts.items()},
        "reasons": [_reason(reason, share) for reason in verdict.reasons],
        "decidingCount": deciding,
        "toPass": list(verdict.remediation),
        "comparedWith": verdict.baseline or None,
        "excused": [_used(used) for used in verdict.excepted[:EXCEPTIONS_KEPT]],
        "excusedCount": sum(len(used.findings) for used in verdict.excepted),
        "expired": [_used(used) for used in verdict.expired[:EXCEPTIONS_KEPT]],
        "notFixable": len(verdict.no_fix),
        "fixTooYoung": len(verdict.in_grace_period),
        "suppressedByScanner": len(verdict.suppressed),
    }


def _reason(reason: ScanReason, share: int) -> dict[str, Any]:
    return {
        "code": reason.code,
        "text": reason.text,
        "effect": reason.effect.value,
        "severity": reason.severity.value if reason.severity else None,
        "count": len(reason.findings),
        "findings": [str(finding) for finding in reason.findings[:share]],
    }


def _report(usable: Usable) -> dict[str, Any]:
    report = usable.report
    return {
        "name": usable.stored.name,
        "format": report.format,
        "scanner": f"{report.scanner} {report.scanner_version}".strip(),
        "target": report.target,
        "os": str(report.os) if report.os else None,
        "createdAt": report.created_at.isoformat() if report.created_at else None,
    }


def _used(used: MatchedException) -> dict[str, Any]:
    exception = used.exception
    return {
        "id": exception.id,
        "package": exception.package,
        "owner": exception.owner,
        "reason": exception.reason[:500],
        "expires": exception.expires.isoformat(),
        "source": exception.source or "policy",
        "count": len(used.findings),
    }


def rules_of(rules: ScanRules) -> dict[str, Any]:
    """The rules that were applied, for evidence."""
    exceptions = [f"{each.id} until {each.expires:%Y-%m-%d} by {each.owner}" for each in rules.exceptions]
    return {
        "limits": {severity.value: limit for severity, limit in rules.limits.items()},
        "maxScore": rules.max_score,
        "maxEPSS": rules.max_epss,
        "maxAgeHours": rules.max_age.total_seconds() / 3600,
        "onlyFixable": rules.only_fixable,
        "fixGraceHours": rules.fix_grace.total_seconds() / 3600,
        "required": list(rules.required),
        "noNew": [severity.value for severity in rules.no_new],
        "improvementPasses": rules.improvement_passes,
        "dayAfter": rules.day_after.value,
        "exceptions": exceptions[:EXCEPTIONS_KEPT],
        "exceptionsCount": len(exceptions),
    }
