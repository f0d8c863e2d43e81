"""The webhook for scan reports. The version is in ``?image=``; the body is the report or a reference to it.

The order of checks is: authenticate the sender, detect replays, authorize the sender for format and image, and only
then read the report. The webhook does no long-running work: reports are stored and evaluated from the queue, and
reports by reference are downloaded from there.
"""

from __future__ import annotations

import asyncio
import logging
from codecs import BOM_UTF8
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import azure.functions as func

from shared.codec import CodecError, Malformed, TooLarge
from shared.codec.gzipped import gunzipped
from shared.codec.report_references import CONTENT_TYPE, decode_reference
from shared.domain.image import InvalidId, VersionId
from shared.domain.messages import ScanFinished
from shared.domain.report_reference import InvalidReference, ReportReference, check_digest, shown
from shared.domain.scan_formats import AUTO_DETECT, SCAN_FORMATS
from shared.domain.senders import Sender
from shared.ports import World
from shared.scan_gate import reports
from shared.scan_gate.refusals import RefusalReason, RefusedReport, refuse
from shared.settings import Settings
from shared.triggers.http_responses import HttpError, json_response, respond
from shared.triggers.runtime import Runtime, utc_now
from shared.triggers.webhook_authentication import Caller, authenticate

log = logging.getLogger("ringmaster.http")

MAX_INLINE_BYTES: Final = 32 * 1024 * 1024
"""Reports up to this size are parsed before the response, so that the scanner learns about errors immediately. Larger
reports are stored without parsing, and the scan gate parses them.
"""
CLOCK_SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """An authenticated request: its sender, format, version and time."""

    sender: Sender
    format: str
    version: VersionId
    at: datetime


def register(http: func.Blueprint, runtime: Runtime) -> None:
    """Add the webhook to a blueprint. It requires no function key, which would be part of URLs that are logged."""

    @http.function_name("receive_scan")
    @http.route(route="scans/{format}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    async def receive_scan(req: func.HttpRequest) -> func.HttpResponse:
        """Accept a scan report for the version in ``?image=``."""
        return await respond(receive(req, runtime, now=utc_now()), include_details=False)


async def receive(req: func.HttpRequest, runtime: Runtime, *, now: datetime) -> func.HttpResponse:
    """Handle a request. Raises HttpError. Nothing about the content is revealed before the sender is authenticated."""
    settings = runtime.settings
    scan_format = req.route_params.get("format", "").lower()
    body = req.get_body()
    if len(body) > settings.max_report_bytes:
        raise HttpError(413, "too_large", f"the body has {len(body)} bytes; the limit is {settings.max_report_bytes}")
    caller = authenticate(req, scan_format, body, settings, now)
    world = await runtime.world()
    await _claim_request(caller, world, settings, now)
    sent = ScanRequest(caller.sender, scan_format, _version(req), now)
    _check_permission(sent)
    if world.policy.covering(sent.version) is None:
        return json_response(202, {"status": f"ignored: the policy does not cover {sent.version.short}"})
    content = await _uncompressed(req, body, sent, world, settings)
    if req.headers.get("content-type", "").partition(";")[0].strip().lower() == CONTENT_TYPE:
        return await _accept_reference(content, sent, world)
    return await _accept_report(content, sent, world)


async def _claim_request(caller: Caller, world: World, settings: Settings, now: datetime) -> None:
    """Accept each request once, across all instances and restarts.

    The claim comes first because the signature covers the body but not the URL: a captured request, even a rejected
    one, must not be usable for another image. A sender that receives no response signs the report again.
    """
    if caller.replay_key is None:
        return
    # A timestamp may be in the future by one tolerance, and is then valid for another one.
    until = now + 2 * settings.webhook_tolerance + CLOCK_SKEW
    if not await world.ledger.claim_once(f"webhook:{caller.replay_key}", until=until, now=now):
        raise HttpError(
            409, "replayed", "this request was received before. Sign each attempt again, with a new timestamp"
        )


def _version(req: func.HttpRequest) -> VersionId:
    try:
        return VersionId.parse(req.params.get("image", ""))
    except InvalidId as error:
        text = f"?image= must be the resource id of the scanned image version: {error}"
        raise HttpError(400, "invalid_image", text) from error


def _check_permission(sent: ScanRequest) -> None:
    name = sent.sender.name
    if not sent.sender.may_send_for(sent.version.definition):
        log.warning("%s may not send reports for %s", name, sent.version.short)
        text = f"{name} may not send reports for {sent.version.definition.gallery.name}/{sent.version.definition.name}"
        raise HttpError(403, "definition_not_allowed", text)
    if sent.format != AUTO_DETECT and not sent.sender.may_send(sent.format):
        raise _not_allowed(sent.sender, sent.format)


def _not_allowed(sender: Sender, scan_format: str) -> HttpError:
    log.warning("%s may not send the format %r", sender.name, scan_format[:40])
    return HttpError(
        403, "format_not_allowed", f"{sender.name} may not send reports in the format {scan_format[:40]!r}"
    )


async def _uncompressed(
    req: func.HttpRequest, body: bytes, sent: ScanRequest, world: World, settings: Settings
) -> bytes:
    encoding = req.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"identity", ""}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise HttpError(
            415, "content_encoding", f"the content encoding {encoding[:40]!r} is not supported; use gzip or none"
        )
    try:
        # zlib releases the GIL, so a thread keeps the event loop free; a large body takes about a second.
        return await asyncio.to_thread(gunzipped, body, most_bytes=settings.max_report_bytes)
    except CodecError as error:
        too_large = isinstance(error, TooLarge)
        why = RefusalReason("too-large" if too_large else "encoding", str(error))
        raise await _refused(why, body, sent, world, status=413 if too_large else 400) from error


async def _accept_reference(content: bytes, sent: ScanRequest, world: World) -> func.HttpResponse:
    _check_known(sent.format)
    reference = _reference(content)
    if (reason := world.report_source.denial_reason(reference.url)) is not None:
        told = RefusedReport(
            sent.version, sent.format, RefusalReason("host", reason), reference.sha256, sender=sent.sender.name
        )
        await refuse(replace(told, reference=shown(reference.url)), world, now=sent.at)
        raise HttpError(422, "reference_refused", reason)
    status = await reports.fetch_report(sent.version, sent.format, reference, sent.sender.name, world, now=sent.at)
    return json_response(202, {"status": status})


def _reference(content: bytes) -> ReportReference:
    try:
        reference = decode_reference(content)
        check_digest(reference.sha256)
    except (Malformed, TooLarge, InvalidReference) as error:
        raise HttpError(400, "invalid_reference", str(error)) from error
    return reference


def _check_known(scan_format: str) -> None:
    """Require a supported format.

    The content of a reference cannot be inspected now, so the format cannot be detected.
    """
    if scan_format not in SCAN_FORMATS:
        known = ", ".join(sorted(SCAN_FORMATS))
        raise HttpError(
            422, "unknown_format", f"a report by reference needs a supported format in the URL path: {known}"
        )


async def _accept_report(content: bytes, sent: ScanRequest, world: World) -> func.HttpResponse:
    scan_format = await _checked_format(content, sent, world)
    name = await world.evidence.save_report(sent.version, scan_format, content, at=sent.at)
    status = await reports.scan_finished(ScanFinished(sent.version, name, sent.at), world, now=sent.at)
    return json_response(202, {"status": status, "report": name})


async def _checked_format(content: bytes, sent: ScanRequest, world: World) -> str:
    """Return the report's format, detecting it if necessary. Raises HttpError for a report that is refused."""
    # Imported late: requests that fail authentication do not need the parsers.
    from shared.scanners.report_refusal import Refusal

    try:
        scan_format = _read(sent.format, content)
    except Refusal as refusal:
        raise await _refused(RefusalReason(refusal.reason.value, str(refusal)), content, sent, world) from refusal
    if not sent.sender.may_send(scan_format):
        raise _not_allowed(sent.sender, scan_format)
    return scan_format


def _read(scan_format: str, content: bytes) -> str:
    """Return the report's format. Also parses the report unless it is large. Raises Refusal."""
    from shared.scanners.registry import detect, read

    if len(content) <= MAX_INLINE_BYTES or scan_format not in {AUTO_DETECT, *SCAN_FORMATS}:
        found = read(None if scan_format == AUTO_DETECT else scan_format, content)
        return found.format if scan_format == AUTO_DETECT else scan_format
    return detect(content.removeprefix(BOM_UTF8)) if scan_format == AUTO_DETECT else scan_format


async def _refused(
    why: RefusalReason, content: bytes, sent: ScanRequest, world: World, *, status: int = 422
) -> HttpError:
    """Record a refused report in the release's history and in the evidence, and return the error response."""
    digest = sha256(content).hexdigest()
    await refuse(
        RefusedReport(sent.version, sent.format[:40], why, digest, sender=sent.sender.name), world, now=sent.at
    )
    log.warning("scan report for %s from %s refused: %s", sent.version.short, sent.sender.name, why)
    return HttpError(status, "report_refused", str(why))
