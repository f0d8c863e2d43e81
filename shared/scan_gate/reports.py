"""A scan report arrived, or was sent by reference: Ringmaster has the scan gate read it, or has it fetched first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from shared.domain.hop_states import FetchOrder, ReportArrived
from shared.domain.image import VersionId
from shared.domain.messages import HINT_LIFE, Command, Kind, ScanFinished
from shared.domain.report_reference import ReportReference, shown
from shared.ports import World

FETCH_WITHIN: Final = timedelta(hours=6)
"""How long Ringmaster tries to download a report that was sent by reference."""


async def scan_finished(event: ScanFinished, world: World, *, now: datetime) -> str:
    """Notify the scan gate of a report that was stored."""
    if world.policy.covering(event.version) is None:
        return f"ignored: the policy does not cover {event.version.short}"
    state = ReportArrived(event.report)
    await world.queues.send(Command(Kind.SCAN, event.version, seq=0, not_after=now + HINT_LIFE, state=state))
    return f"accepted: {event.report}"


async def fetch_report(
    version: VersionId, scan_format: str, reference: ReportReference, sender: str, world: World, *, now: datetime
) -> str:
    """Request the download of a report that was sent by reference. The reference must be allowed."""
    state = FetchOrder(scan_format, reference.url, reference.sha256, sender)
    await world.queues.send(Command(Kind.FETCH_REPORT, version, seq=0, not_after=now + FETCH_WITHIN, state=state))
    return f"accepted: the report is downloaded from {shown(reference.url)}"
