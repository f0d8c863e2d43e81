"""The HTTP API: the state of releases (with the function key), actions, and the webhook for scan reports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import azure.functions as func

from shared.domain.image import InvalidId, VersionId
from shared.domain.policy import DefinitionPolicy
from shared.ports import Refused, World
from shared.queries import status, validation
from shared.queries.failover import failover_plan
from shared.queries.in_use import in_use
from shared.queries.latest import latest_table, policy_named
from shared.triggers import actions_api, scan_webhook
from shared.triggers.http_responses import HttpError, error_response, json_response, respond
from shared.triggers.runtime import Runtime, utc_now

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

    @http.function_name("validation")
    @http.route(route="validation", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def validate(req: func.HttpRequest) -> func.HttpResponse:
        """Judge the metadata of the version in ``?version=`` by the present policy, and change nothing."""
        return await respond(judge(req, runtime, now=utc_now()), include_details=True)

    @http.function_name("users")
    @http.route(route="in-use", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
    async def users(req: func.HttpRequest) -> func.HttpResponse:
        """Return who uses the version in ``?version=``, and whether everything could be looked at."""
        return await respond(_in_use(req, runtime, now=utc_now()), include_details=True)

    return http


async def _of_definition(req: func.HttpRequest, runtime: Runtime, query: Query) -> func.HttpResponse:
    name = req.params.get("definition") or ""
    world = await runtime.world()
    policy = policy_named(name, world)
    if policy is None:
        return error_response(404, "unknown_definition", f"the policy has no definition {name[:400]!r}")
    return json_response(200, await query(policy, world))


async def judge(req: func.HttpRequest, runtime: Runtime, *, now: datetime) -> func.HttpResponse:
    """Answer 200 with the verdict, also for a version that would be rejected, or 404 for one that is not covered."""
    version = _version(req)
    world = await runtime.world()
    try:
        found = await validation.validation(version, world, now=now)
    except Refused as refused:
        raise HttpError(502, "azure_refused", str(refused)) from refused
    if found is None:
        raise HttpError(404, "not_covered", f"the policy does not cover {version.short}")
    return json_response(200, found)


def _version(req: func.HttpRequest) -> VersionId:
    try:
        return VersionId.parse(req.params.get("version", ""))
    except InvalidId as error:
        raise HttpError(400, "invalid_version", str(error)) from error


async def _in_use(req: func.HttpRequest, runtime: Runtime, *, now: datetime) -> func.HttpResponse:
    return json_response(200, await in_use(_version(req), await runtime.world(), now=now))


async def _releases(req: func.HttpRequest, runtime: Runtime) -> func.HttpResponse:
    if not req.params.get("version"):  # the host leaves out a parameter without a value
        return json_response(200, await status.overview(await runtime.world()))
    version = _version(req)
    found = await status.explanation(version, await runtime.world())
    return (
        json_response(200, found)
        if found
        else error_response(404, "unknown_release", f"no release exists for {version}")
    )
