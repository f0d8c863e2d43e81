"""The scan gate: wait for reports, read them, judge them.

A report that proves nothing (unreadable, not scanned, of another time) is refused: it is named in the history and the
release goes on waiting for another, until the deadline of the policy. *Not scanned is never clean.* Where nothing is
awaited, what is published is judged again (``rescan_verdict``). A held release waits here for a scan that passes.
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
"""A report announces itself; this is for the one whose announcement was lost."""


async def run(hop: Hop) -> HopResult:
    """Judge the newest usable report, or wait for one."""
    command, release = hop.command, hop.release
    if isinstance(command.state, ReportRefused):
        return _noted(release, command.state.refused[:LONGEST_LINE])  # a message may hold anything
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
        return _noted(release, "; ".join(told)) if told else Dropped("the report is not in the store")
    return _waiting(hop, told)


async def _held(hop: Hop) -> HopResult:
    """A scan that passes lets a held release go on; any other leaves it as it is."""
    again = await rescan_verdict.judge_again(hop)
    if again.verdict is not None and again.verdict.outcome is ScanOutcome.PASS:
        return await decided(hop, Gate.SCAN, again.on_hand, again.verdict, again.rules)
    if hop.command.is_hint:
        return Dropped("the release is held, and no scan has passed yet")
    return _waiting(hop, again.on_hand.refused if again.verdict is None else again.verdict.texts)


def news(note: str, command: Command, release: Release) -> str | None:
    """A note, unless the history has it: what is waited for over days is told once."""
    line = f"{command.branch}: {note}"
    return None if any(each.text == line for each in release.history) else note


def _noted(release: Release, text: str) -> HopResult:
    """A line of history, unless it is there: a hint may come twice, and the same report again."""
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
    return Requeue(state, timedelta(0), note=news(note, hop.command, hop.release), at_least=at_least)
