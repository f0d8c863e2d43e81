"""A scan verdict as plain data, for evidence and for the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from shared.domain.findings import Finding
from shared.domain.scan_exceptions import MatchedException
from shared.domain.verdicts import ScanReason, ScanVerdict

FINDINGS_KEPT: Final = 200
"""Maximum number of findings in the evidence document, over all reasons. The list of findings has all of them."""
EXCEPTIONS_KEPT: Final = 100


def verdict_facts(verdict: ScanVerdict, show: Callable[[Finding], Any] = str) -> dict[str, Any]:
    """A verdict as plain data, every list bounded and counted; ``show`` makes a finding plain."""
    deciding = sum(len(reason.findings) for reason in verdict.reasons)
    share = max(1, FINDINGS_KEPT // max(1, len(verdict.reasons)))
    return {
        "outcome": verdict.outcome.value,
        "found": verdict.found,
        "counts": {severity.value: count for severity, count in verdict.counts.items()},
        "limits": {severity.value: limit for severity, limit in verdict.limits.items()},
        "reasons": [_reason(reason, share, show) for reason in verdict.reasons],
        "decidingCount": deciding,
        "toPass": list(verdict.remediation),
        "comparedWith": verdict.baseline or None,
        "excused": [_used(used) for used in verdict.excepted[:EXCEPTIONS_KEPT]],
        "excusedCount": sum(len(used.findings) for used in verdict.excepted),
        "expired": [
            {**_used(used), "expired": used.exception.expires.isoformat()} for used in verdict.expired[:EXCEPTIONS_KEPT]
        ],
        "notFixable": len(verdict.no_fix),
        "fixTooYoung": len(verdict.in_grace_period),
        "suppressedByScanner": len(verdict.suppressed),
    }


def _reason(reason: ScanReason, share: int, show: Callable[[Finding], Any]) -> dict[str, Any]:
    return {
        "code": reason.code,
        "text": reason.text,
        "effect": reason.effect.value,
        "severity": reason.severity.value if reason.severity else None,
        "count": len(reason.findings),
        "findings": [show(finding) for finding in reason.findings[:share]],
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
