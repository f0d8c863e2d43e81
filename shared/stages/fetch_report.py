"""Fetch a report that was sent by reference, and hand it to the scan gate.

No row stands behind this command: the report may come before its version is known. What passes by itself is tried
again until the command's deadline; what does not is refused, and told.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.codec.references import FetchOrder, decode_order
from shared.domain.messages import Command, ScanFinished
from shared.domain.report_reference import shown
from shared.ports import PassingFault, ReportRefused, World
from shared.stages.refusals import Refused, Told, refuse
from shared.stages.reports import scan_finished
from shared.stages.steps import Dropped, Finished, Step

TIMED_OUT: Final = "not-fetched"


async def run(command: Command, world: World, now: datetime) -> Step:
    """Fetch, keep and announce one report, or refuse it. Raises Malformed for a command that orders nothing."""
    order = decode_order(command.state)
    if world.policy.covering(command.release) is None:
        return Dropped("the policy covers this definition no more")
    try:
        name = await _kept(command, order, world, now)
    except ReportRefused as refusal:
        return await _refused(command, order, Refused(refusal.code, refusal.text), world, now)
    except PassingFault as fault:
        if now <= command.not_after:
            raise
        text = f"could not be fetched until {command.not_after:%Y-%m-%d %H:%M} UTC, at last: {fault}"
        return await _refused(command, order, Refused(TIMED_OUT, text), world, now)
    return Finished(await scan_finished(ScanFinished(command.release, name, now), world, now=now))


async def given_up(command: Command, world: World, now: datetime) -> str:
    """Refuse a report that failed on every attempt in a way that nobody foresaw. Returns what became of it.

    Raises Malformed for a command that orders nothing.
    """
    order = decode_order(command.state)
    why = Refused(TIMED_OUT, "fetching it failed on every attempt; the app's log says how. Send it again")
    await _refused(command, order, why, world, now)
    return f"{command.release.short}: the report from {shown(order.reference.url)} is given up"


async def _kept(command: Command, order: FetchOrder, world: World, now: datetime) -> str:
    """The report's name in the store, fetched unless it is there."""
    scan_format, digest = order.format, order.reference.sha256
    for report in await world.evidence.reports(command.release):
        if report.format == scan_format and digest in report.name:
            return report.name
    async with world.report_source.open(order.reference.url) as pieces:
        return await world.evidence.save_report_pieces(command.release, scan_format, pieces, sha256=digest, at=now)


async def _refused(command: Command, order: FetchOrder, why: Refused, world: World, now: datetime) -> Step:
    where = shown(order.reference.url)
    told = Told(command.release, order.format, why, digest=order.reference.sha256, sender=order.sender, reference=where)
    await refuse(told, world, now=now)
    return Finished(f"refused: {why}")
