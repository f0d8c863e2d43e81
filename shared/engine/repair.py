"""Repair of drift: an ended release replicates and publishes a ring again, and stays what it is.

The commands are those of a release under way, with the same lease, proof and read-back. Their verdicts are evidence and
move nothing: a repair that fails must not reject a version that machines run. It stalls instead.
"""

from __future__ import annotations

from dataclasses import replace

from shared.domain.messages import Command, Kind
from shared.domain.moment import Moment
from shared.domain.orders import order_republication, stalled
from shared.domain.outcomes import Decided
from shared.domain.release import Answer, Gate, GateRecord, Release


def is_repair(release: Release, command: Command) -> bool:
    """Whether a command repairs a ring of a release that has ended."""
    return release.state.is_terminal and command.kind in {Kind.REPLICATE, Kind.PROMOTE}


def repaired(release: Release, command: Command, result: Decided, record: GateRecord, moment: Moment) -> Release:
    """The row after a verdict of a repair."""
    if result.answer is Answer.REJECT:
        reason = f"drift was not repaired: {'; '.join(result.reasons)}"
        return stalled(release, command, reason, moment.now)
    others = (
        each
        for each in release.gates
        if (each.gate, each.ring, each.region) != (record.gate, record.ring, record.region)
    )
    moved = replace(release.with_pending(command.branch, None), gates=(*others, record))
    if result.gate is not Gate.PUBLICATION:
        return order_republication(moved, command.ring or "", moment)
    return moved.with_history(moment.now, f"{command.ring} is replicated and published again")


def repair_ended(release: Release, command: Command, why: str, moment: Moment) -> Release:
    """The row after a repair that has become needless or impossible. The next round of the timer compares again."""
    moved = release.with_pending(command.branch, None)
    return moved.with_history(moment.now, f"drift of {command.ring} was not repaired: {why}")
