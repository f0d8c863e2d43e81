"""The HTTP API: the state of releases (with the function key), actions, and the webhook for scan reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import azure.functions as func

from shared.domain.image import InvalidId, VersionId
from shared.domain.policy import DefinitionPolicy
from shared.ports import World
from shared.queries import status
from shared.queries.failover import failover_plan
from shared.queries.latest import latest_table, policy_named
from shared.triggers import actions_api, scan_webhook
from shared.triggers.http_responses import error_response, json_response, respond
from shared.triggers.runtime import Runtime

type Query = Callable[[DefinitionPolicy, World], Awaitable[dict[str, Any]]]


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

    @http.function_name("latest")
    @http.route(route="latest", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def latest(req: func.HttpRequest) -> func.HttpResponse:
        """Return what each kind of consumer gets as the latest version of the one in ``?definition=``."""
        return await respond(_of_definition(req, runtime, latest_table), include_details=True)

    @http.function_name("failover")
    @http.route(route="failover", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def failover(req: func.HttpRequest) -> func.HttpResponse:
        """Return what a failover to the standing twins of the one in ``?definition=`` needs."""
        return await respond(_of_definition(req, runtime, failover_plan), include_details=True)

    return http


async def _of_definition(req: func.HttpRequest, runtime: Runtime, query: Query) -> func.HttpResponse:
    name = req.params.get("definition") or ""
    world = await runtime.world()
    policy = policy_named(name, world)
    if policy is None:
        return error_response(404, "unknown_definition", f"the policy has no definition {name[:400]!r}")
    return json_response(200, await query(policy, world))


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
