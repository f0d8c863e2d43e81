"""The HTTP API for people and pipelines that act: ``POST /api/releases/actions`` and ``GET /api/whoami``.

Who acts is known from App Service Authentication alone, which signs people in and validates the Microsoft Entra tokens
of clients. A function key authenticates nobody, so it can only read.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any, Final

import azure.functions as func

from shared.codec import Malformed
from shared.codec.actions import ActionBody, decode_action
from shared.codec.principals import HEADER as PRINCIPAL
from shared.codec.principals import Principal, decode_principal
from shared.domain.access import Actor, Role
from shared.domain.actions import Action, Request
from shared.domain.image import InvalidId, VersionId
from shared.engine.act import Taken, act
from shared.engine.apply_action import ActionDenied, Forbidden, Impossible
from shared.ports import World
from shared.queries import status
from shared.queries.in_use import in_use
from shared.queries.revocation import revocation_plan
from shared.settings import Settings
from shared.triggers.http_responses import HttpError, json_response, respond
from shared.triggers.runtime import Runtime, utc_now

log = logging.getLogger("ringmaster.http")

IDEMPOTENCY_KEY: Final = "idempotency-key"
_KEY: Final = re.compile(r"[-_.:A-Za-z0-9]{8,100}", re.ASCII)
_NOT_FOUND: Final = frozenset({"not_covered", "unknown_release", "unknown_version"})


def register(http: func.Blueprint, runtime: Runtime) -> None:
    """Add the triggers to a blueprint."""
    level = func.AuthLevel.ANONYMOUS if runtime.settings.trusts_platform_auth else func.AuthLevel.FUNCTION

    @http.function_name("actions")
    @http.route(route="releases/actions", methods=["POST"], auth_level=level)
    async def actions(req: func.HttpRequest) -> func.HttpResponse:
        """Take an action on the release of a version, as the signed-in user."""
        return await respond(take_action(req, runtime, now=utc_now()), include_details=True)

    @http.function_name("whoami")
    @http.route(route="whoami", methods=["GET"], auth_level=level)
    async def whoami(req: func.HttpRequest) -> func.HttpResponse:
        """Return who is signed in, and the user's roles for each definition."""
        return await respond(identify(req, runtime), include_details=True)


async def take_action(req: func.HttpRequest, runtime: Runtime, *, now: datetime) -> func.HttpResponse:
    """Answer one request: 200 with the release after the action, or an error that says what to do."""
    actor = _actor(authenticate(req, runtime.settings))
    body, key = _body(req), _key(req)
    try:
        version = VersionId.parse(body.version)
    except InvalidId as error:
        raise HttpError(400, "invalid_version", str(error)) from error
    world = await runtime.world()
    if body.dry_run:
        return json_response(200, await _plan(body, version, actor, world, now))
    request = Request(
        action=body.action,
        actor=actor,
        key=key,
        reason=body.reason,
        ring=body.ring,
        incarnation=body.incarnation,
        at=body.at,
        allow_empty=body.allow_empty,
    )
    try:
        taken = await act(version, request, world, now=now)
    except ActionDenied as denied:
        log.warning("%s of %s by %s denied: %s", body.action.value, version.short, actor.id, denied)
        raise HttpError(_status(denied), denied.code, str(denied)) from denied
    log.info("%s of %s by %s taken", body.action.value, version.short, actor.id)
    return json_response(200, _taken(taken))


async def identify(req: func.HttpRequest, runtime: Runtime) -> func.HttpResponse:
    """Answer 200 with the caller's identity and roles. A definition for which the caller has no role is left out."""
    principal = authenticate(req, runtime.settings)
    actor = _actor(principal)
    policies = (await runtime.world()).policy.definitions.values()
    roles = {each.name: [role.value for role in Role if each.access.allows(actor, role)] for each in policies}
    return json_response(
        200,
        {
            "id": actor.id,
            "name": actor.name,
            "groups": len(principal.groups),
            "groupsLeftOut": actor.groups_left_out,
            "roles": {name: found for name, found in roles.items() if found},
        },
    )


def authenticate(req: func.HttpRequest, settings: Settings) -> Principal:
    """Who calls. Raises HttpError: 403 where nobody can be authenticated, 401 where the caller is not."""
    if not settings.trusts_platform_auth:
        raise HttpError(
            403,
            "no_identity",
            "a function key can only read. Turn on App Service Authentication and set RINGMASTER_TRUST_EASYAUTH, so "
            "that the app knows who acts",
        )
    if PRINCIPAL not in req.headers:
        raise HttpError(
            401, "not_signed_in", "sign in, or send a Microsoft Entra token of this app (Authorization: Bearer)"
        )
    try:
        principal = decode_principal(req.headers[PRINCIPAL])
    except Malformed as error:
        raise HttpError(401, "principal_unreadable", str(error)) from error
    if not principal.ids:
        raise HttpError(401, "principal_unreadable", "the token has neither an object id nor an application id")
    return principal


def _actor(principal: Principal) -> Actor:
    return Actor(
        id=principal.ids[0],
        ids=frozenset({*principal.ids, *principal.groups}),
        name=principal.name,
        groups_left_out=principal.groups_left_out,
    )


def _body(req: func.HttpRequest) -> ActionBody:
    media_type = req.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        # A form of another site cannot send this type without the browser asking first.
        raise HttpError(415, "not_json", "send the action as application/json")
    try:
        return decode_action(req.get_body())
    except Malformed as error:
        raise HttpError(400, "invalid_action", str(error)) from error


def _key(req: func.HttpRequest) -> str:
    key = req.headers.get(IDEMPOTENCY_KEY, "")
    if not _KEY.fullmatch(key):
        raise HttpError(
            400,
            "idempotency_key",
            "send a new Idempotency-Key (8 to 100 letters, digits, - _ . :) with each action, and the same one with a "
            "repetition",
        )
    return key


async def _plan(body: ActionBody, version: VersionId, actor: Actor, world: World, now: datetime) -> Any:
    if body.action is not Action.REVOKE:
        raise HttpError(400, "no_plan", "only revoke has a plan (dryRun)")
    policy = world.policy.covering(version)
    if policy is not None and not policy.access.allows(actor, Role.READER):
        raise HttpError(403, "role_missing", f"a plan needs the role reader for {policy.name}")
    plan = await revocation_plan(version, world, now=now)
    if plan is None:
        raise HttpError(404, "not_covered", f"the policy does not cover {version.short}")
    if body.users:
        assert policy is not None, "a version that no policy covers has no plan"
        plan["inUse"] = await in_use(version, world, now=now)
        plan["descendants"] = policy.revocation.descendants.value
    return plan


def _status(denied: ActionDenied) -> int:
    if denied.code in _NOT_FOUND:
        return 404
    return 403 if isinstance(denied, Forbidden) else 409 if isinstance(denied, Impossible) else 400


def _taken(taken: Taken) -> dict[str, Any]:
    record = taken.record
    return {
        "action": record.action.value,
        "at": record.at.isoformat(),
        "by": {"id": record.by, "name": record.name},
        "evidence": record.evidence,
        "repeated": taken.repeated,
        "release": status.summary(taken.release),
    }
