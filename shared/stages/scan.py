"""The scan gate: waits for reports, reads and evaluates them.

A report that is no evidence (unreadable, not a scan, of another time) is refused: the history lists it, and the release
waits for another report until the policy's deadline. *Not scanned is never clean.* If the release does not wait for a
scan, the report is a later scan of a published version (``rescan_verdict``). A held release waits for a scan that
passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from shared.domain.hop_states import AwaitScan, ReportRefused
from shared.domain.judgement import ScanOutcome
from shared.domain.messages import Branch, Command, Kind
from shared.domain.outcomes import Annotated, Decided, Dropped, HopResult, Requeue
from shared.domain.release import Answer, Gate, Release, State
from shared.ports import Hop
from shared.scan_gate import rescan_verdict
from shared.scan_gate.baseline import published_baseline
from shared.scan_gate.refusals import LONGEST_LINE
from shared.scan_gate.usable_reports import outstanding, reports_on_hand
from shared.scan_gate.verdict import decided, judged

LOOK_AGAIN: Final = timedelta(hours=1)
"""A stored report triggers a hint. This interval finds a report whose hint was lost."""


async def run(hop: Hop) -> HopResult:
    """Evaluate the newest usable reports, or wait for one."""
    command, release = hop.command, hop.release
    if isinstance(command.state, ReportRefused):
        return _annotated_once(release, command.state.refused[:LONGEST_LINE])  # a message can have any content
    if release.incarnation is None:
        return Dropped("the version is not validated yet; the report is read after validation")
    if str(Branch(Kind.SCAN)) not in release.pending:
        return await rescan_verdict.run(hop)
    if release.state is State.HELD:
        return await _held(hop)
    rules = hop.policy.scan
    on_hand = await reports_on_hand(hop, rules)
    if on_hand.complete:
        verdict = judged(hop, on_hand, rules, await published_baseline(hop, rules))
        return await decided(hop, Gate.SCAN, on_hand, verdict, rules)
    told = outstanding(on_hand)
    if command.is_hint:
        return _annotated_once(release, "; ".join(told)) if told else Dropped("the report is not in the store")
    return _waiting(hop, told)


async def _held(hop: Hop) -> HopResult:
    """Resume a held release if a scan passes."""
    again = await rescan_verdict.reevaluate(hop)
    if again.verdict is not None and again.verdict.outcome is ScanOutcome.PASS:
        return await decided(hop, Gate.SCAN, again.on_hand, again.verdict, again.rules)
    if hop.command.is_hint:
        return Dropped("the release is held, and no scan has passed yet")
    return _waiting(hop, again.on_hand.refused if again.verdict is None else again.verdict.texts)


def unless_repeated(note: str, command: Command, release: Release) -> str | None:
    """The note, or None if the history has it: a wait of days is recorded once."""
    line = f"{command.branch}: {note}"
    return None if any(each.text == line for each in release.history) else note


def _annotated_once(release: Release, text: str) -> HopResult:
    """A line for the history, unless it has the line: a hint or a report can arrive twice."""
    return Dropped("already in the history") if any(line.text == text for line in release.history) else Annotated(text)


def _waiting(hop: Hop, refused: Sequence[str]) -> HopResult:
    match hop.command.state:
        case AwaitScan(deadline) as state:
            pass
        case state:
            raise TypeError(f"the scan gate cannot wait with {state}")
    over = hop.moment.past(deadline)
    if hop.now >= over:
        reasons = (f"no usable scan report arrived by {deadline:%Y-%m-%d %H:%M} UTC", *refused)
        return Decided(Gate.SCAN, Answer.REJECT, reasons, facts={"deadline": deadline.isoformat()}, retryable=True)
    note = "; ".join(refused) or f"waiting for a scan until {deadline:%Y-%m-%d %H:%M} UTC"
    at_least = min(over - hop.now, LOOK_AGAIN)
    return Requeue(state, timedelta(0), note=unless_repeated(note, hop.command, hop.release), at_least=at_least)
