"""The scan gate: wait for a report, read it, judge it.

A report that proves nothing (unreadable, not scanned, of another time) is refused: it is named in the history and the
release goes on waiting for another, until the deadline of the policy. *Not scanned is never clean.*
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any, Final

from shared.codec import TooLarge
from shared.domain.judgement import ScanOutcome, ScanVerdict, judge
from shared.domain.messages import Branch, Command, Kind
from shared.domain.policy import DefinitionPolicy, ScanRules
from shared.domain.release import Answer, Gate, Release
from shared.domain.scanning import ScanReport
from shared.ports import StoredReport, World
from shared.scanners.registry import read
from shared.scanners.report import Refusal
from shared.stages.refusals import Refused, Told, record
from shared.stages.steps import Again, Decided, Dropped, Noted, Step

LOOK_AGAIN: Final = timedelta(hours=1)
"""A report announces itself; this is for the one whose announcement was lost."""
REPORTS_READ: Final = 10
LARGE: Final = 16 * 1024 * 1024
"""Bytes of a report of which a worker holds one at a time."""
FINDINGS_KEPT: Final = 200


async def run(command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime) -> Step:
    """Judge the newest usable report, or wait for one."""
    if (told := command.state.get("refused")) is not None:
        return _noted(release, told)
    if str(Branch(Kind.SCAN)) not in release.pending or release.incarnation is None:
        return Dropped("no scan is awaited now; a kept report is found when one is")
    reports = await world.evidence.reports(release.version)
    refused: list[str] = []
    for report in reports[:REPORTS_READ]:
        async with world.large if report.size > LARGE else nullcontext():
            judged = await _judged(report, release, policy.scan, world, now)
        if isinstance(judged, Decided):
            return judged
        digest = report.name.rsplit("/", 1)[-1].removesuffix(".json")
        known = Told(release.version, report.format, judged, digest, report.name, incarnation=release.incarnation)
        await record(known, world, now=now)
        refused.append(f"{digest[:16]} ({report.format}) refused: {judged}")
    if command.is_hint:
        return _noted(release, "; ".join(refused)) if refused else Dropped("the report is not in the store")
    return _waiting(command, refused, now)


def _noted(release: Release, text: str) -> Step:
    """A line of history, unless it is there: a hint may come twice, and the same report again."""
    return Dropped("told before") if any(line.text == text for line in release.history) else Noted(text)


def _waiting(command: Command, refused: Sequence[str], now: datetime) -> Step:
    deadline = datetime.fromisoformat(command.state["deadline"])
    if now >= deadline:
        reasons = (f"no usable scan report arrived by {deadline:%Y-%m-%d %H:%M} UTC", *refused)
        return Decided(Gate.SCAN, Answer.REJECT, reasons, facts={"deadline": deadline.isoformat()})
    note = "; ".join(refused) or f"waiting for a scan until {deadline:%Y-%m-%d %H:%M} UTC"
    return Again(command.state, timedelta(0), note=note, at_least=min(deadline - now, LOOK_AGAIN))


async def _judged(
    report: StoredReport, release: Release, rules: ScanRules, world: World, now: datetime
) -> Decided | Refused:
    """The gate's answer from one report, or why it was refused."""
    try:
        body = await world.evidence.read_report(report.name)
    except TooLarge as error:
        return Refused("too-large", str(error))
    if body is None:
        return Refused("gone", "its body is gone")
    try:
        found = read(report.format, body)
    except Refusal as refusal:
        return Refused(refusal.reason.value, str(refusal))
    published = datetime.fromisoformat(release.incarnation or "")
    verdict = judge(found, rules, version_published=published, now=now)
    if verdict.outcome is ScanOutcome.REFUSED:
        return Refused("+".join(sorted({each.code for each in verdict.reasons})), "; ".join(verdict.texts))
    answer = Answer.PASS if verdict.outcome is ScanOutcome.PASS else Answer.REJECT
    texts = () if answer is Answer.PASS else tuple(verdict.texts)
    return Decided(Gate.SCAN, answer, texts, facts=_facts(report, found, verdict), rules=_rules(rules))


def _facts(report: StoredReport, read: ScanReport, verdict: ScanVerdict) -> dict[str, Any]:
    deciding = [str(finding) for reason in verdict.reasons for finding in reason.findings]
    return {
        "report": report.name,
        "scanner": f"{read.scanner} {read.scanner_version}".strip(),
        "target": read.target,
        "os": str(read.os) if read.os else None,
        "createdAt": read.created_at.isoformat() if read.created_at else None,
        "counts": {severity.value: count for severity, count in verdict.counts.items()},
        "reasons": list(verdict.texts),
        "deciding": deciding[:FINDINGS_KEPT],
        "decidingCount": len(deciding),
        "excused": [f"{used.exception.id} by {used.exception.owner}" for used in verdict.excused],
        "suppressedByScanner": verdict.suppressed,
    }


def _rules(rules: ScanRules) -> dict[str, Any]:
    return {
        "limits": {severity.value: limit for severity, limit in rules.limits.items()},
        "maxAgeHours": rules.max_age.total_seconds() / 3600,
        "onlyFixable": rules.only_fixable,
        "exceptions": [f"{each.id} until {each.expires:%Y-%m-%d} by {each.owner}" for each in rules.exceptions],
    }
