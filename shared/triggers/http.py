"""HTTP: scanners bring their reports, people ask how releases stand.

Scanners authenticate by a signature over timestamp and body; their route asks for no function key, which would stand in
logged addresses. People's routes ask for the function key.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable
from typing import Any, Final

import azure.functions as func

from shared.domain.image import InvalidId, VersionId
from shared.domain.messages import ScanFinished
from shared.domain.signature import verify
from shared.policy_file import PolicyFaults
from shared.ports import PassingFault
from shared.stages import dead_letters, intake, status
from shared.triggers.runtime import Runtime, utc_now

log = logging.getLogger("ringmaster.http")

TIMESTAMP: Final = "x-ringmaster-timestamp"
SIGNATURE: Final = "x-ringmaster-signature"


def blueprint(runtime: Runtime) -> func.Blueprint:
    """The HTTP triggers."""
    http = func.Blueprint()

    @http.function_name("receive_scan")
    @http.route(route="scans/{format}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
    async def receive_scan(req: func.HttpRequest) -> func.HttpResponse:
        """Take a signed scan report for the version named by ``?image=``."""
        return await _now_or_later(_receive_scan(req, runtime), tell=False)

    @http.function_name("releases")
    @http.route(route="releases", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def releases(req: func.HttpRequest) -> func.HttpResponse:
        """Every release in short, or all about the one that ``?version=`` names."""
        return await _now_or_later(_releases(req, runtime), tell=True)

    @http.function_name("resend")
    @http.route(route="releases/resend", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
    async def resend(req: func.HttpRequest) -> func.HttpResponse:
        """Send the stalled commands of the release that ``?version=`` names again."""
        return await _now_or_later(_resend(req, runtime), tell=True)

    return http


async def _now_or_later(answering: Awaitable[func.HttpResponse], *, tell: bool) -> func.HttpResponse:
    """The answer, or 503 for what passes or is being put right. ``tell`` the reason to those who hold a key."""
    try:
        return await answering
    except PolicyFaults as faults:
        reason = f":\n{faults}" if tell else "; its faults stand in the app's log"
        return _problem(503, "policy_unusable", f"nothing is judged until the policy can be used{reason}")
    except PassingFault as fault:
        log.warning("not now: %s", fault)
        return _problem(503, "not_now", str(fault) if tell else "try again")


async def _releases(req: func.HttpRequest, runtime: Runtime) -> func.HttpResponse:
    if "version" not in req.params:
        return _answer(200, await status.overview(await runtime.world()))
    try:
        version = VersionId.parse(req.params["version"])
    except InvalidId as error:
        return _problem(400, "invalid_version", str(error))
    found = await status.explanation(version, await runtime.world())
    return _answer(200, found) if found else _problem(404, "unknown_release", f"no release of {version}")


async def _resend(req: func.HttpRequest, runtime: Runtime) -> func.HttpResponse:
    try:
        version = VersionId.parse(req.params.get("version", ""))
    except InvalidId as error:
        return _problem(400, "invalid_version", str(error))
    world = await runtime.world()
    if await world.ledger.read(version) is None:
        return _problem(404, "unknown_release", f"no release of {version}")
    return _answer(202, {"resent": await dead_letters.resend(version, world, now=utc_now())})


async def _receive_scan(req: func.HttpRequest, runtime: Runtime) -> func.HttpResponse:
    """Authenticate first; only then say anything about what was sent."""
    settings, now = runtime.settings, utc_now()
    body = req.get_body()
    scan_format = req.route_params.get("format", "").lower()
    if len(body) > settings.max_report_bytes:
        return _problem(
            413, "too_large", f"a report has at most {settings.max_report_bytes} bytes, this has {len(body)}"
        )
    keys = settings.webhook_keys.get(scan_format, ())
    if not keys:
        return _problem(401, "unknown_scanner", "no key is configured for this format: set RINGMASTER_WEBHOOK_KEYS")
    verdict = verify(
        req.headers.get(TIMESTAMP),
        req.headers.get(SIGNATURE),
        body,
        keys,
        now=now,
        tolerance=settings.webhook_tolerance,
    )
    if not verdict.ok:
        log.warning("scan webhook refused: %s", verdict.text)
        return _problem(401, f"signature_{verdict.refusal}", verdict.text)
    if req.headers.get("content-encoding", "identity").lower() != "identity":
        return _problem(415, "content_encoding", "send the report as it is, without content encoding")
    return await _take_report(req, runtime, scan_format, body, verdict.seen_as)


async def _take_report(
    req: func.HttpRequest, runtime: Runtime, scan_format: str, body: bytes, seen_as: str
) -> func.HttpResponse:
    # Reading a report needs its parser; refusing a stranger does not.
    from shared.scanners.registry import read
    from shared.scanners.report import Refusal

    now = utc_now()
    try:
        version = VersionId.parse(req.params.get("image", ""))
    except InvalidId as error:
        return _problem(400, "invalid_image", f"?image= must name the image version that was scanned: {error}")
    try:
        read(scan_format, body)
    except Refusal as refusal:
        return _problem(422, "report_refused", str(refusal))
    world = await runtime.world()
    if world.policy.covering(version) is None:
        return _answer(202, {"status": f"ignored: the policy does not cover {version.short}"})
    # Claimed before anything is kept: the signature covers the body and not the address, so a captured request must
    # not come again with another image. A sender who heard nothing signs its next attempt anew.
    until = now + 2 * runtime.settings.webhook_tolerance
    if not await world.ledger.claim_once(f"webhook:{seen_as}", until=until, now=now):
        return _problem(409, "replayed", "this very request was taken before: sign each attempt anew")
    name = await world.evidence.save_report(version, scan_format, body, at=now)
    answer = await intake.scan_finished(ScanFinished(version, name, now), world, now=now)
    return _answer(202, {"status": answer, "report": name})


def _answer(status_code: int, document: Any) -> func.HttpResponse:
    text = json.dumps(document, ensure_ascii=False)
    return func.HttpResponse(text, status_code=status_code, mimetype="application/json")


def _problem(status_code: int, code: str, message: str) -> func.HttpResponse:
    return _answer(status_code, {"error": {"code": code, "message": message}})
