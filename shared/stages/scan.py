"""The scan gate: wait for reports, read them, judge them.

A report that proves nothing (unreadable, not scanned, of another time) is refused: it is named in the history and the
release goes on waiting for another, until the deadline of the policy. *Not scanned is never clean.* Where nothing is
awaited, what is published is judged again (``day_after``). A held release waits here for a scan that passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from shared.domain.judgement import ScanOutcome
from shared.domain.messages import Branch, Command, Kind
from shared.domain.outcomes import Again, Decided, Dropped, Noted, Step
from shared.domain.policy import DefinitionPolicy
from shared.domain.release import Answer, Gate, Release, State
from shared.ports import World
from shared.scan_gate import rescan_verdict
from shared.scan_gate.refusals import LONGEST_LINE
from shared.scan_gate.verdict import awaited, decided, judged, published_baseline, reports_on_hand

LOOK_AGAIN: Final = timedelta(hours=1)
"""A report announces itself; this is for the one whose announcement was lost."""


async def run(command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime) -> Step:
    """Judge the newest usable report, or wait for one."""
    if isinstance(told := command.state.get("refused"), str):
        return _noted(release, told[:LONGEST_LINE])  # a message may hold anything
    if release.incarnation is None:
        return Dropped("the version is not validated yet; a kept report is found when it is")
    if str(Branch(Kind.SCAN)) not in release.pending:
        return await rescan_verdict.run(command, release, policy, world, now)
    if release.state is State.HELD:
        return await _held(command, release, policy, world, now)
    on_hand = await reports_on_hand(release, policy.scan, world, now)
    if on_hand.complete:
        baseline = await published_baseline(release, policy, policy.scan, world)
        verdict = judged(on_hand, release, policy.scan, now, baseline)
        return await decided(Gate.SCAN, on_hand, verdict, policy.scan, release, world)
    told = awaited(on_hand)
    if command.is_hint:
        return _noted(release, "; ".join(told)) if told else Dropped("the report is not in the store")
    return _waiting(command, release, told, now)


async def _held(command: Command, release: Release, policy: DefinitionPolicy, world: World, now: datetime) -> Step:
    """A scan that passes lets a held release go on; any other leaves it as it is."""
    again = await rescan_verdict.judge_again(release, policy, world, now)
    if again.verdict is not None and again.verdict.outcome is ScanOutcome.PASS:
        return await decided(Gate.SCAN, again.on_hand, again.verdict, again.rules, release, world)
    if command.is_hint:
        return Dropped("held: no scan passes yet")
    told = again.on_hand.refused if again.verdict is None else again.verdict.texts
    return _waiting(command, release, told, now)


def news(note: str, command: Command, release: Release) -> str | None:
    """A note, unless the history has it: what is waited for over days is told once."""
    line = f"{command.branch}: {note}"
    return None if any(each.text == line for each in release.history) else note


def _noted(release: Release, text: str) -> Step:
    """A line of history, unless it is there: a hint may come twice, and the same report again."""
    return Dropped("told before") if any(line.text == text for line in release.history) else Noted(text)


def _waiting(command: Command, release: Release, refused: Sequence[str], now: datetime) -> Step:
    deadline = datetime.fromisoformat(command.state["deadline"])
    if now >= deadline:
        reasons = (f"no usable scan report arrived by {deadline:%Y-%m-%d %H:%M} UTC", *refused)
        return Decided(Gate.SCAN, Answer.REJECT, reasons, facts={"deadline": deadline.isoformat()})
    note = "; ".join(refused) or f"waiting for a scan until {deadline:%Y-%m-%d %H:%M} UTC"
    return Again(
        command.state, timedelta(0), note=news(note, command, release), at_least=min(deadline - now, LOOK_AGAIN)
    )
