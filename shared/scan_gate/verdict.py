"""The verdict on the stored reports, as the result of a gate and as evidence."""

from __future__ import annotations

from typing import Any, Final

from shared.codec.verdicts import EXCEPTIONS_KEPT, verdict_facts
from shared.domain.delta import Baseline
from shared.domain.judgement import ScanOutcome, ScanVerdict, judge
from shared.domain.outcomes import Decided
from shared.domain.policy import ScanRules
from shared.domain.release import Answer, Gate
from shared.ports import Hop
from shared.scan_gate.usable_reports import ReportsOnHand, UsableReport, version_published

REMEDIES_TOLD: Final = 5


def judged(hop: Hop, on_hand: ReportsOnHand, rules: ScanRules, baseline: Baseline | None) -> ScanVerdict:
    """Evaluate the reports."""
    reports = [each.report for each in on_hand.usable]
    return judge(reports, rules, version_published=version_published(hop.release), now=hop.now, baseline=baseline)


async def decided(hop: Hop, gate: Gate, on_hand: ReportsOnHand, verdict: ScanVerdict, rules: ScanRules) -> Decided:
    """A verdict as the result of a gate, with bounded lists. The complete list of findings is stored separately."""
    from shared.scan_gate import listing_pages  # imported with the first report, like the readers of formats

    facts = {**facts_of(on_hand, verdict), "listing": await listing_pages.keep(verdict, hop.release, hop.world)}
    passed = verdict.outcome is ScanOutcome.PASS
    texts = () if passed else (*verdict.texts, *_to_pass(verdict))
    answer = Answer.PASS if passed else Answer.REJECT
    return Decided(gate, answer, texts, facts=facts, rules=rules_of(rules))


def _to_pass(verdict: ScanVerdict) -> tuple[str, ...]:
    lines = verdict.remediation[:REMEDIES_TOLD]
    rest = len(verdict.remediation) - len(lines)
    return (f"to pass: {'; '.join(lines)}" + (f"; and {rest} more" if rest else ""),) if lines else ()


def facts_of(on_hand: ReportsOnHand, verdict: ScanVerdict) -> dict[str, Any]:
    """The facts, for the evidence."""
    return {"reports": [_report(each) for each in on_hand.usable], **verdict_facts(verdict)}


def _report(usable: UsableReport) -> dict[str, Any]:
    report = usable.report
    return {
        "name": usable.stored.name,
        "format": report.format,
        "scanner": f"{report.scanner} {report.scanner_version}".strip(),
        "target": report.target,
        "os": str(report.os) if report.os else None,
        "createdAt": report.created_at.isoformat() if report.created_at else None,
    }


def rules_of(rules: ScanRules) -> dict[str, Any]:
    """The applied rules, for the evidence."""
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
        "dayAfter": rules.on_failed_rescan.value,
        "exceptions": exceptions[:EXCEPTIONS_KEPT],
        "exceptionsCount": len(exceptions),
    }
