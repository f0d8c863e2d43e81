"""The HTTP API: the state of releases (with the function key), actions, and the webhook for scan reports."""

from __future__ import annotations

from datetime import datetime

import azure.functions as func

from shared.domain.image import InvalidId, VersionId
from shared.queries import status
from shared.queries.in_use import in_use
from shared.triggers import actions_api, scan_webhook
from shared.triggers.http_responses import error_response, json_response, respond
from shared.triggers.runtime import Runtime, utc_now


def blueprint(runtime: Runtime) -> func.Blueprint:
    """The HTTP triggers."""
    http = func.Blueprint()

    scan_webhook.register(http, runtime)
    actions_api.register(http, runtime)

    @http.function_name("releases")
    @http.route(route="releases", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def releases(req: func.HttpRequest) -> func.HttpResponse:
        """Return all releases, or the details of the one in ``?version=``."""
        return await respond(_releases(req, runtime), include_details=True)

    @http.function_name("users")
    @http.route(route="in-use", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def users(req: func.HttpRequest) -> func.HttpResponse:
        """Return who uses the version in ``?version=``, and whether everything could be looked at."""
        return await respond(_in_use(req, runtime, now=utc_now()), include_details=True)

    return http


async def _in_use(req: func.HttpRequest, runtime: Runtime, *, now: datetime) -> func.HttpResponse:
    try:
        version = VersionId.parse(req.params.get("version") or "")
    except InvalidId as error:
        return error_response(400, "invalid_version", str(error))
    return json_response(200, await in_use(version, await runtime.world(), now=now))


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
