"""The webhook of scanners: a report, or where one lies, for the version named by ``?image=``.

In this order: who sends it, was it sent before, may he say this of that image, and only then what it says. Nothing that
takes long happens here: a report is kept and judged from the queue, and one sent by reference is fetched from there.
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
from shared.codec.fetch_orders import CONTENT_TYPE, decode_reference
from shared.codec.gzipped import gunzipped
from shared.domain.image import InvalidId, VersionId
from shared.domain.messages import ScanFinished
from shared.domain.references import InvalidReference, ReportReference, check_digest, shown
from shared.domain.senders import Sender
from shared.ports import World
from shared.scan_gate import reports
from shared.scan_gate.refusals import Refused, Told, refuse
from shared.settings import Settings
from shared.triggers.http_responses import HttpError, json_response, respond
from shared.triggers.runtime import Runtime, utc_now
from shared.triggers.webhook_authentication import Caller, authenticate

log = logging.getLogger("ringmaster.http")

MAX_INLINE_BYTES: Final = 32 * 1024 * 1024
"""Bytes of a report that is read before the answer, so that a scanner hears at once what is wrong with it. A larger one
is kept unread, and the scan gate reads it."""
AUTO: Final = "auto"
"""In place of a format: it is found from the report."""
CLOCK_SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What an authenticated request says: by whom, of what format, about which version, at what time."""

    sender: Sender
    format: str
    version: VersionId
    at: datetime


def register(http: func.Blueprint, runtime: Runtime) -> None:
    """Add the webhook to a blueprint.

    It asks for no function key, which would stand in logged addresses.
    """

    @http.function_name("receive_scan")
    @http.route(route="scans/{format}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    async def receive_scan(req: func.HttpRequest) -> func.HttpResponse:
        """Take a scan report for the version named by ``?image=``."""
        return await respond(receive(req, runtime, now=utc_now()), include_details=False)


async def receive(req: func.HttpRequest, runtime: Runtime, *, now: datetime) -> func.HttpResponse:
    """Authenticate first; only then say anything about what was sent. Raises Problem."""
    settings = runtime.settings
    scan_format = req.route_params.get("format", "").lower()
    body = req.get_body()
    if len(body) > settings.max_report_bytes:
        raise HttpError(
            413, "too_large", f"a report has at most {settings.max_report_bytes} bytes, this has {len(body)}"
        )
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
    """Take this very request once, over all instances and restarts.

    Before anything is looked at, since the signature covers the body and not the address: a captured request, also one
    that was answered with a refusal, must not come again with another image. A sender who heard nothing signs anew.
    """
    if caller.replay_key is None:
        return
    # A timestamp may lie one tolerance ahead, and then counts for another one.
    until = now + 2 * settings.webhook_tolerance + CLOCK_SKEW
    if not await world.ledger.claim_once(f"webhook:{caller.replay_key}", until=until, now=now):
        raise HttpError(
            409, "replayed", "this very request was taken before: sign each attempt anew, with its own time"
        )


def _version(req: func.HttpRequest) -> VersionId:
    try:
        return VersionId.parse(req.params.get("image", ""))
    except InvalidId as error:
        text = f"?image= must name the image version that was scanned: {error}"
        raise HttpError(400, "invalid_image", text) from error


def _check_permission(sent: ScanRequest) -> None:
    name = sent.sender.name
    if not sent.sender.may_speak_of(sent.version.definition):
        log.warning("%s may not speak of %s", name, sent.version.short)
        text = (
            f"{name} may not send reports about {sent.version.definition.gallery.name}/{sent.version.definition.name}"
        )
        raise HttpError(403, "definition_not_allowed", text)
    if sent.format != AUTO and not sent.sender.may_send(sent.format):
        raise _not_allowed(sent.sender, sent.format)


def _not_allowed(sender: Sender, scan_format: str) -> HttpError:
    log.warning("%s may not send the format %r", sender.name, scan_format[:40])
    return HttpError(
        403, "format_not_allowed", f"{sender.name} may not send reports of the format {scan_format[:40]!r}"
    )


async def _uncompressed(
    req: func.HttpRequest, body: bytes, sent: ScanRequest, world: World, settings: Settings
) -> bytes:
    encoding = req.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"identity", ""}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise HttpError(415, "content_encoding", f"{encoding[:40]!r} is not understood: send gzip, or no encoding")
    try:
        # zlib lets others work meanwhile; a large body takes a second.
        return await asyncio.to_thread(gunzipped, body, most_bytes=settings.max_report_bytes)
    except CodecError as error:
        too_large = isinstance(error, TooLarge)
        why = Refused("too-large" if too_large else "encoding", str(error))
        raise await _refused(why, body, sent, world, status=413 if too_large else 400) from error


async def _accept_reference(content: bytes, sent: ScanRequest, world: World) -> func.HttpResponse:
    _check_known(sent.format)
    reference = _reference(content)
    if (reason := world.report_source.denial_reason(reference.url)) is not None:
        told = Told(sent.version, sent.format, Refused("host", reason), reference.sha256, sender=sent.sender.name)
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
    """What lies elsewhere can't be looked at now, so its format must be named, and be one that is read."""
    from shared.scanners.registry import READERS

    if scan_format not in READERS:
        known = ", ".join(sorted(READERS))
        raise HttpError(
            422, "unknown_format", f"a report by reference needs its format in the address, one of: {known}"
        )


async def _accept_report(content: bytes, sent: ScanRequest, world: World) -> func.HttpResponse:
    scan_format = await _checked_format(content, sent, world)
    name = await world.evidence.save_report(sent.version, scan_format, content, at=sent.at)
    status = await reports.scan_finished(ScanFinished(sent.version, name, sent.at), world, now=sent.at)
    return json_response(202, {"status": status, "report": name})


async def _checked_format(content: bytes, sent: ScanRequest, world: World) -> str:
    """The report's format, found where it is not named. Raises Problem for a report that is refused."""
    # Reading a report needs its parser; refusing a stranger does not.
    from shared.scanners.report import Refusal

    try:
        scan_format = _read(sent.format, content)
    except Refusal as refusal:
        raise await _refused(Refused(refusal.reason.value, str(refusal)), content, sent, world) from refusal
    if not sent.sender.may_send(scan_format):
        raise _not_allowed(sent.sender, scan_format)
    return scan_format


def _read(scan_format: str, content: bytes) -> str:
    """The format of a report, which is read as well unless it is large. Raises Refusal."""
    from shared.scanners.registry import READERS, detect, read

    if len(content) <= MAX_INLINE_BYTES or scan_format not in {AUTO, *READERS}:
        found = read(None if scan_format == AUTO else scan_format, content)
        return found.format if scan_format == AUTO else scan_format
    return detect(content.removeprefix(BOM_UTF8)) if scan_format == AUTO else scan_format


async def _refused(why: Refused, content: bytes, sent: ScanRequest, world: World, *, status: int = 422) -> HttpError:
    """The answer to a refused report, of which people read in the release's history and among the evidence."""
    digest = sha256(content).hexdigest()
    await refuse(Told(sent.version, sent.format[:40], why, digest, sender=sent.sender.name), world, now=sent.at)
    log.warning("a report about %s from %s is refused: %s", sent.version.short, sent.sender.name, why)
    return HttpError(status, "report_refused", str(why))
