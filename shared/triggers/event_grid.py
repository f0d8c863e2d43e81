"""Event Grid triggers: written image versions and finished scans."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import azure.functions as func

from shared.codec import Ignored, ScanReported, decode_cloud_event, decode_event_grid, decode_scan_event
from shared.domain.messages import ScanFinished
from shared.domain.report_reference import ReportReference, shown
from shared.domain.scan_formats import AUTO_DETECT
from shared.engine import intake
from shared.ports import World
from shared.scan_gate import reports
from shared.scan_gate.refusals import RefusalReason, RefusedReport, refuse
from shared.triggers import telemetry
from shared.triggers.runtime import Runtime, utc_now

log = logging.getLogger("ringmaster.events")

SENDER: Final = "an event"
"""The sender of a report that arrives through Event Grid. The topic's role assignments control who may publish."""


def blueprint(runtime: Runtime) -> func.Blueprint:
    """The Event Grid triggers."""
    events = func.Blueprint()

    @events.function_name("on_image_version_written")
    @events.event_grid_trigger(arg_name="event")
    async def on_image_version_written(event: func.EventGridEvent) -> None:
        """Start or re-evaluate the release of the version in an event. Other events are ignored and logged."""
        await version_written(event, runtime, now=utc_now())

    @events.function_name("on_scan_completed")
    @events.event_grid_trigger(arg_name="event")
    async def on_scan_completed(event: func.EventGridEvent) -> None:
        """Store or download the report of a scan event, and start the scan gate."""
        await scan_completed(event, runtime, now=utc_now())

    return events


async def version_written(event: func.EventGridEvent | func.CloudEvent, runtime: Runtime, *, now: datetime) -> None:
    """Start or re-evaluate the release of the version in an event. Other events are ignored and logged."""
    read = _decode_version_event(event)
    if isinstance(read, Ignored):
        log.info("event %.100r ignored: %s", event.id, read.reason)
        return
    world = await runtime.world()
    with telemetry.span("version_written", None, release=str(read.version)):
        answer = await intake.version_written(read, world, now=now, traceparent=telemetry.traceparent())
    log.info("event %.100r of %s: %s", read.event_id, read.at.isoformat(), answer)


async def scan_completed(event: func.EventGridEvent | func.CloudEvent, runtime: Runtime, *, now: datetime) -> None:
    """Store or download the report of a scan event. Other events are ignored and logged."""
    read = decode_scan_event(_cloud_event(event))
    if isinstance(read, Ignored):
        log.info("event %.100r ignored: %s", event.id, read.reason)
        return
    world = await runtime.world()
    if world.policy.covering(read.version) is None:
        log.info("event %.100r ignored: the policy does not cover %s", event.id, read.version.short)
        return
    log.info("event %.100r of %s: %s", read.event_id, read.at.isoformat(), await _scan_reported(read, world, now))


async def _scan_reported(read: ScanReported, world: World, now: datetime) -> str:
    if read.reference is not None:
        return await _fetch_by_reference(read, read.reference, world, now)
    if read.report is not None and read.format == AUTO_DETECT:
        return await _detect(read, read.report, world, now)
    name = await _stored_report(read, world, now)
    if name is None:
        return "ignored: the report that it names does not exist or belongs to another version"
    return await reports.scan_finished(ScanFinished(read.version, name, now), world, now=now)


async def _detect(read: ScanReported, body: bytes, world: World, now: datetime) -> str:
    from shared.scanners.registry import read as read_report
    from shared.scanners.report_refusal import Refusal

    try:
        found = read_report(None, body)
    except Refusal as refusal:
        why = RefusalReason(refusal.reason.value, str(refusal))
        await refuse(
            RefusedReport(read.version, AUTO_DETECT, why, sha256(body).hexdigest(), sender=SENDER), world, now=now
        )
        return f"refused: {refusal}"
    return await _scan_reported(replace(read, format=found.format), world, now)


async def _fetch_by_reference(read: ScanReported, reference: ReportReference, world: World, now: datetime) -> str:
    reason = world.report_source.denial_reason(reference.url)
    if read.format == AUTO_DETECT:
        reason = "the format 'auto' is not supported for a report by reference; send the format"
    if reason is None:
        return await reports.fetch_report(read.version, read.format, reference, SENDER, world, now=now)
    why, where = RefusalReason("host", reason), shown(reference.url)
    told = RefusedReport(read.version, read.format, why, reference.sha256, sender=SENDER, reference=where)
    await refuse(told, world, now=now)
    return f"refused: {reason}"


async def _stored_report(read: ScanReported, world: World, now: datetime) -> str | None:
    """The name of the report in the event, after storing it, or of the stored report that the event names."""
    if read.report is not None:
        return await world.evidence.save_report(read.version, read.format, read.report, at=now)
    kept = {report.name for report in await world.evidence.reports(read.version)}
    return read.report_blob if read.report_blob in kept else None


def _decode_version_event(event: func.EventGridEvent | func.CloudEvent) -> Any:
    if isinstance(event, func.CloudEvent):
        return decode_cloud_event(_cloud_event(event))
    return decode_event_grid(
        {
            "id": event.id,
            "eventType": event.event_type,
            "eventTime": event.event_time.isoformat() if event.event_time else None,
            "subject": event.subject,
            "data": event.get_json(),
        }
    )


def _cloud_event(event: func.EventGridEvent | func.CloudEvent) -> Mapping[str, Any]:
    # The worker library decodes by the event's schema, not by the annotation. An event of the other schema is ignored.
    if not isinstance(event, func.CloudEvent):
        return {"id": event.id, "type": event.event_type, "subject": event.subject, "data": event.get_json()}
    return {
        "id": event.id,
        "type": event.type,
        "time": event.time.isoformat() if event.time else None,
        "subject": event.subject,
        "source": event.source,
        "data": event.get_json(),
    }
