"""Download a report that was sent by reference, and pass it to the scan gate.

This command has no row, because a report can arrive before its version is known. Transient faults are retried until the
command's deadline. Other faults refuse the report, and the refusal is recorded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.codec import Malformed
from shared.domain.hop_states import FetchOrder, UnreadableState
from shared.domain.messages import Command, ScanFinished
from shared.domain.moment import Moment
from shared.domain.outcomes import Dropped, Finished, HopResult
from shared.domain.report_reference import shown
from shared.ports import PassingFault, ReportRefused, World
from shared.scan_gate.refusals import RefusalReason, RefusedReport, refuse
from shared.scan_gate.reports import scan_finished

TIMED_OUT: Final = "not-fetched"


async def run(command: Command, world: World, now: datetime) -> HopResult:
    """Download a report and notify the scan gate, or refuse it. Raises Malformed if the command has no order."""
    order = order_of(command)
    if world.policy.covering(command.release) is None:
        return Dropped("the policy no longer covers this definition")
    try:
        name = await _kept(command, order, world, now)
    except ReportRefused as refusal:
        return await _refused(command, order, RefusalReason(refusal.code, refusal.text), world, now)
    except PassingFault as fault:
        if not Moment(now, world.pace).has_passed(command.not_after):
            raise
        text = f"could not be downloaded by {command.not_after:%Y-%m-%d %H:%M} UTC; last error: {fault}"
        return await _refused(command, order, RefusalReason(TIMED_OUT, text), world, now)
    return Finished(await scan_finished(ScanFinished(command.release, name, now), world, now=now))


async def abandon(command: Command, world: World, now: datetime) -> str:
    """Refuse a report that failed with an unexpected error on every attempt. Returns what was done, for the log.

    Raises Malformed if the command has no order.
    """
    order = order_of(command)
    why = RefusalReason(TIMED_OUT, "every attempt to download it failed; see the app's log. Send it again")
    await _refused(command, order, why, world, now)
    return f"{command.release.short}: the report from {shown(order.reference.url)} is not requested again"


def order_of(command: Command) -> FetchOrder:
    """The order of a command. Raises Malformed with a text that does not contain the URL."""
    match command.state:
        case FetchOrder() as order:
            return order
        case UnreadableState(reason=reason):
            raise Malformed(f"the command to download a report cannot be read ({reason}): send the report again")
        case state:
            raise Malformed(f"the command to download a report is a {type(state).__name__}: send the report again")


async def _kept(command: Command, order: FetchOrder, world: World, now: datetime) -> str:
    """The report's name in the store. The report is downloaded if the store does not have it."""
    scan_format, digest = order.format, order.reference.sha256
    for report in await world.evidence.reports(command.release):
        if report.format == scan_format and digest in report.name:
            return report.name
    async with world.report_source.open(order.reference.url) as pieces:
        return await world.evidence.save_report_pieces(command.release, scan_format, pieces, sha256=digest, at=now)


async def _refused(command: Command, order: FetchOrder, why: RefusalReason, world: World, now: datetime) -> HopResult:
    where = shown(order.reference.url)
    told = RefusedReport(
        command.release, order.format, why, digest=order.reference.sha256, sender=order.sender, reference=where
    )
    await refuse(told, world, now=now)
    return Finished(f"refused: {why}")
