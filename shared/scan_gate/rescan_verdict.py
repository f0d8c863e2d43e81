"""Later scans: reports that arrive after the scan gate has passed.

A published version is evaluated again, by the current policy and the rules of its rings, and compared with its findings
when it passed. If it fails, the policy decides what happens. A release in progress that is not published anywhere is
rejected. A duplicate report is evaluated once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from shared.domain.hop_states import ReportArrived
from shared.domain.judgement import ScanOutcome, ScanVerdict
from shared.domain.lifecycle import Outcome
from shared.domain.outcomes import Annotated, Decided, Dropped, HopResult, Rechecked
from shared.domain.policy import FailedRescanAction, ScanRules
from shared.domain.release import Gate, Release, State
from shared.gallery.revocation_scope import regions_left_empty
from shared.ports import Hop
from shared.scan_gate.baseline import last_scan_evidence, passed_baseline
from shared.scan_gate.usable_reports import ReportsOnHand, reports_on_hand
from shared.scan_gate.verdict import decided, judged

_IN_A_RING: Final = {
    State.REPLICATING,
    State.TESTING,
    State.BAKING,
    State.AWAITING_APPROVAL,
    State.PUBLISHING,
}
_WARNING: Final = 800


@dataclass(frozen=True, slots=True)
class Reevaluation:
    """The result of a reevaluation: the first verdict that does not pass, or the verdict by the definition's rules."""

    on_hand: ReportsOnHand
    rules: ScanRules
    verdict: ScanVerdict | None
    ring: str | None = None

    @property
    def fails(self) -> bool:
        return self.verdict is not None and self.verdict.outcome is ScanOutcome.REJECT


async def run(hop: Hop) -> HopResult:
    """Evaluate a later scan of a version that has passed the scan gate."""
    command, release = hop.command, hop.release
    if release.state not in {State.QUALIFYING, *_IN_A_RING} and not _is_published(release):
        return Dropped("the release does not wait for a scan now; the report is kept and read when it does")
    if release.state is State.REVOKED:
        return Dropped("the version is revoked, so the report is not evaluated")
    before = await last_scan_evidence(release, hop.world)
    known = frozenset(str(each["name"]) for each in (before or {}).get("facts", {}).get("reports", ()))
    if isinstance(command.state, ReportArrived) and command.state.report in known:
        return Dropped("this report has already been evaluated")
    again = await reevaluate(hop)
    if again.verdict is None or again.on_hand.names <= known:
        return _nothing_new(release, again.on_hand)
    return await _result(hop, again)


async def reevaluate(hop: Hop) -> Reevaluation:
    """Evaluate by the rules of the definition, and of every ring where the version is published.

    Required scanners are not checked: findings of any scanner count.
    """
    release, policy = hop.release, hop.policy
    own = [(None, policy.scan)] + [
        (ring.name, ring.scan) for ring in policy.rings if ring.scan and release.published_in(ring.name)
    ]
    first: Reevaluation | None = None
    for ring, given in own:
        rules = replace(given, required=())
        on_hand = await reports_on_hand(hop, rules)
        verdict = None
        if on_hand.usable:
            verdict = judged(hop, on_hand, rules, await passed_baseline(hop, rules))
        again = Reevaluation(on_hand, rules, verdict, ring)
        if again.fails:
            return again
        first = first or again
    assert first is not None, "a definition has rules"
    return first


async def _result(hop: Hop, again: Reevaluation) -> HopResult:
    release, policy, verdict = hop.release, hop.policy, again.verdict
    assert verdict is not None, "there was something to judge"
    if not again.fails:
        return Rechecked(await decided(hop, Gate.RESCAN, again.on_hand, verdict, again.rules))
    if not _is_published(release):
        return await decided(hop, Gate.SCAN, again.on_hand, verdict, again.rules)
    rechecked = await decided(hop, Gate.RESCAN, again.on_hand, verdict, again.rules)
    text = _warning(rechecked, again.ring)
    action = policy.scan.on_failed_rescan
    if action is FailedRescanAction.REVOKE:
        return await _revoked(hop, rechecked, text)
    if action is FailedRescanAction.HOLD and release.state is State.QUALIFYING:
        # The release was restarted by a policy change, so no ring is in progress.
        return await decided(hop, Gate.SCAN, again.on_hand, verdict, again.rules)
    held = action is FailedRescanAction.HOLD and release.state in _IN_A_RING
    return Rechecked(rechecked, Outcome.HELD_BACK if held else Outcome.ALERTED, text)


async def _revoked(hop: Hop, rechecked: Decided, text: str) -> Rechecked:
    if not hop.policy.scan.revoke_to_empty:
        empty = await regions_left_empty(hop.release, hop.policy, hop.world)
        if empty:
            told = f"{text}. Not revoked: latest would be empty in {', '.join(empty)}"
            return Rechecked(rechecked, Outcome.ALERTED, told)
    return Rechecked(rechecked, Outcome.REVOKE_ORDERED, text)


def _is_published(release: Release) -> bool:
    """Whether ``latest`` may resolve to the version in a ring, also one that is being published."""
    return bool(release.published) or release.state is State.PUBLISHING


def _warning(rechecked: Decided, ring: str | None) -> str:
    text = "; ".join(rechecked.reasons)
    text = text if len(text) <= _WARNING else f"{text[: _WARNING - 1]}…"
    return f"by the rules of {ring}: {text}" if ring else text


def _nothing_new(release: Release, on_hand: ReportsOnHand) -> HopResult:
    if not on_hand.refused:
        return Dropped("no report is newer than those already evaluated")
    text = "; ".join(on_hand.refused)
    return Dropped("already in the history") if any(line.text == text for line in release.history) else Annotated(text)
