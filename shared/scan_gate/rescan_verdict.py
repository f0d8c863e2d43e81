"""A later scan: a report that arrives when the scan gate has passed already.

What is published is judged again, by the policy as it is now and by its rings' own rules, against what it was when it
passed. When it fails, the policy decides. A release that is under way and published nowhere is simply rejected. The
same report twice is judged once.
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
class Rejudged:
    """What came of judging again: the first verdict that is no pass, or the definition's own."""

    on_hand: ReportsOnHand
    rules: ScanRules
    verdict: ScanVerdict | None
    ring: str | None = None

    @property
    def fails(self) -> bool:
        return self.verdict is not None and self.verdict.outcome is ScanOutcome.REJECT


async def run(hop: Hop) -> HopResult:
    """Judge a version again whose scan gate has passed."""
    command, release = hop.command, hop.release
    if release.state not in {State.QUALIFYING, *_IN_A_RING} and not _is_published(release):
        return Dropped("the release does not wait for a scan now; the report is kept and read when it does")
    if release.state is State.REVOKED:
        return Dropped("the version is revoked, so the report is not evaluated")
    before = await last_scan_evidence(release, hop.world)
    known = frozenset(str(each["name"]) for each in (before or {}).get("facts", {}).get("reports", ()))
    if isinstance(command.state, ReportArrived) and command.state.report in known:
        return Dropped("this report has already been evaluated")
    again = await judge_again(hop)
    if again.verdict is None or again.on_hand.names <= known:
        return _nothing_new(release, again.on_hand)
    return await _concluded(hop, again)


async def judge_again(hop: Hop) -> Rejudged:
    """Judge by the definition's rules, and by those of every ring where the version is published.

    Which scanners are required doesn't matter here: whoever finds something has found it.
    """
    release, policy = hop.release, hop.policy
    own = [(None, policy.scan)] + [
        (ring.name, ring.scan) for ring in policy.rings if ring.scan and release.published_in(ring.name)
    ]
    first: Rejudged | None = None
    for ring, given in own:
        rules = replace(given, required=())
        on_hand = await reports_on_hand(hop, rules)
        verdict = None
        if on_hand.usable:
            verdict = judged(hop, on_hand, rules, await passed_baseline(hop, rules))
        again = Rejudged(on_hand, rules, verdict, ring)
        if again.fails:
            return again
        first = first or again
    assert first is not None, "a definition has rules"
    return first


async def _concluded(hop: Hop, again: Rejudged) -> HopResult:
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
        return await _taken_back(hop, rechecked, text)
    if action is FailedRescanAction.HOLD and release.state is State.QUALIFYING:
        # It is judged anew after the policy changed: no ring of this round is under way yet.
        return await decided(hop, Gate.SCAN, again.on_hand, verdict, again.rules)
    held = action is FailedRescanAction.HOLD and release.state in _IN_A_RING
    return Rechecked(rechecked, Outcome.HELD_BACK if held else Outcome.ALERTED, text)


async def _taken_back(hop: Hop, rechecked: Decided, text: str) -> Rechecked:
    if not hop.policy.scan.revoke_to_empty:
        empty = await regions_left_empty(hop.release, hop.policy, hop.world)
        if empty:
            told = f"{text}. Not revoked: latest would be empty in {', '.join(empty)}"
            return Rechecked(rechecked, Outcome.ALERTED, told)
    return Rechecked(rechecked, Outcome.REVOKE_ORDERED, text)


def _is_published(release: Release) -> bool:
    """Whether some ring may resolve to the version; a ring that is being published may already."""
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
