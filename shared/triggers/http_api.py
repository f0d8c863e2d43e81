"""The HTTP API: the state of releases (with the function key), and the webhook for scan reports."""

from __future__ import annotations

import azure.functions as func

from shared.domain.image import InvalidId, VersionId
from shared.engine import poison
from shared.queries import status
from shared.triggers import scan_webhook
from shared.triggers.http_responses import error_response, json_response, respond
from shared.triggers.runtime import Runtime, utc_now


def blueprint(runtime: Runtime) -> func.Blueprint:
    """The HTTP triggers."""
    http = func.Blueprint()

    scan_webhook.register(http, runtime)

    @http.function_name("releases")
    @http.route(route="releases", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def releases(req: func.HttpRequest) -> func.HttpResponse:
        """Return all releases, or the details of the one in ``?version=``."""
        return await respond(_releases(req, runtime), include_details=True)

    @http.function_name("resend")
    @http.route(route="releases/resend", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
    async def resend(req: func.HttpRequest) -> func.HttpResponse:
        """Send the stalled commands of the release in ``?version=`` again."""
        return await respond(_resend(req, runtime), include_details=True)

    return http


async def _releases(req: func.HttpRequest, runtime: Runtime) -> func.HttpResponse:
    if not req.params.get("version"):  # the host leaves out a parameter without a value
        return json_response(200, await status.overview(await runtime.world()))
    try:
        version = VersionId.parse(req.params["version"])
    except InvalidId as error:
        return error_response(400, "invalid_version", str(error))
    found = await status.explanation(version, await runtime.world())
    return (
        json_response(200, found)
        if found
        else error_response(404, "unknown_release", f"no release exists for {version}")
    )


async def _resend(req: func.HttpRequest, runtime: Runtime) -> func.HttpResponse:
    try:
        version = VersionId.parse(req.params.get("version", ""))
    except InvalidId as error:
        return error_response(400, "invalid_version", str(error))
    world = await runtime.world()
    if await world.ledger.read(version) is None:
        return error_response(404, "unknown_release", f"no release exists for {version}")
    return json_response(202, {"resent": await poison.resend(version, world, now=utc_now())})
