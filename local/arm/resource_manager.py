"""Azure Resource Manager without its sockets: one request from admission to answer, over all resource providers."""

import json
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from local.arm.galleries import definitions, galleries, replication, soft_delete, versions
from local.arm.kernel import ids, operation_status
from local.arm.kernel.clock import Clock
from local.arm.kernel.conditions import CONDITIONS
from local.arm.kernel.errors import ArmError, group_not_found, subscription_not_found
from local.arm.kernel.events import DeliveryPlan
from local.arm.kernel.fault_injection import Rule
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Caller, Incoming, Outcome, Reply
from local.arm.kernel.routing import Request, Router
from local.arm.kernel.store import Store
from local.arm.kernel.throttling import Limit, compute_throttled
from local.arm.machines import (
    boot_diagnostics,
    listed_types,
    managed_images,
    run_commands,
    scale_set_health,
    scale_sets,
    skus,
    virtual_machines,
)
from local.arm.management import (
    activity_log,
    api_versions,
    cloud_metadata,
    deployments,
    locks,
    managed_identity,
    providers,
    resource_graph,
    resource_groups,
    resources,
    subscriptions,
    tags,
)
from local.arm.networking import load_balancers, networks
from local.arm.storage import disks, storage_accounts

ROUTES = (
    operation_status.routes,
    managed_identity.routes,
    cloud_metadata.routes,
    subscriptions.routes,
    providers.routes,
    resources.routes,
    tags.routes,
    locks.routes,
    activity_log.routes,
    resource_graph.routes,
    skus.routes,
    resource_groups.routes,
    deployments.routes,
    galleries.routes,
    definitions.routes,
    versions.routes,
    soft_delete.routes,
    replication.routes,
    managed_images.routes,
    virtual_machines.routes,
    disks.routes,
    run_commands.routes,
    boot_diagnostics.routes,
    networks.routes,
    load_balancers.routes,
    storage_accounts.routes,
    scale_sets.routes,
    scale_set_health.routes,
    listed_types.routes,
)
"""What the simulator answers, by module."""

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-privatepreview|-alpha|-beta|-rc)?")
_NOBODY = Caller("", "", "")


class ResourceManager:
    """Admits requests, hands them to the resource providers and answers; `kernel` is what they work on."""

    def __init__(self, store: Store, clock: Clock, seed: int, delivery: DeliveryPlan) -> None:
        """Work on the state in `store`."""
        self.router = Router(ROUTES)
        self.kernel = Kernel(
            store=store, clock=clock, seed=seed, delivery=delivery, hooks=self.router.hooks, handle=self.handle
        )

    def handle(self, incoming: Incoming) -> Outcome:
        """Answer one request; everything it changed is durable when this returns."""
        now = self.kernel.clock.now()
        self.kernel.settle(now)
        correlation = incoming.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
        outcome = Outcome(Reply(500))
        try:
            request = self._admit(incoming, now, correlation, outcome)
            headers = self.kernel.throttle.admit(request) if not request.route.public else {}
            drawn = self.kernel.faults.draw(request)
            self._befall(drawn, request, outcome)
            locks.check(request)
            if outcome.fault != "timeout":
                outcome.reply = self._run(request)
                outcome.reply.headers = headers | outcome.reply.headers
        except ArmError as refusal:
            outcome.code = refusal.code
            outcome.reply = Reply(refusal.status, refusal.body(), dict(refusal.headers))
        self.kernel.store.commit()
        self.kernel.wake()
        outcome.reply.headers |= _tracing(correlation)
        return outcome

    def _admit(self, incoming: Incoming, now: float, correlation: str, outcome: Outcome) -> Request:
        path = ids.plain(incoming.path)
        method = "GET" if incoming.method == "HEAD" and "/resourcegroups/" not in path.lower() else None
        route, params = self.router.find(method or incoming.method, path)
        params = _of_scope(params.get("scope", "")) | params
        outcome.operation = route.name
        caller = _NOBODY
        if not route.public:
            caller = self.kernel.tokens.check(incoming.headers.get("Authorization"), now)
            outcome.caller = caller.app_id
        query = {key.lower(): value for key, value in incoming.query.items()}
        if route.needs_api_version:
            _check_api_version(query.get("api-version"))
        request = Request(
            kernel=self.kernel,
            method=incoming.method,
            path=path,
            params=params,
            query=query,
            headers=incoming.headers,
            body=_json(incoming),
            caller=caller,
            now=now,
            base_url=incoming.base_url,
            correlation_id=correlation,
            route=route,
        )
        self._check_scope(request)
        if route.needs_api_version and not route.public:
            api_versions.check(route, request.api_version, self._location(request))
        return request

    def _location(self, request: Request) -> str:
        """Where a request is about, for the refusal of its api-version: as it says itself, or as is known."""
        body = request.body if isinstance(request.body, dict) else {}
        found = self.kernel.store.get(request.resource_id)
        return str(body.get("location") or (found.location if found else "") or "global")

    def _check_scope(self, request: Request) -> None:
        subscription, group = request.params.get("sub"), request.params.get("rg")
        if subscription is not None and f"/subscriptions/{subscription.lower()}" not in self.kernel.store.table(
            "subscription"
        ):
            raise subscription_not_found(subscription)
        if group is None or request.route.name.startswith("ResourceGroups_"):
            return
        if self.kernel.store.get(f"/subscriptions/{subscription}/resourceGroups/{group}") is None:
            raise group_not_found(group)

    def _befall(self, drawn: Iterable[Rule], request: Request, outcome: Outcome) -> None:
        for rule in drawn:
            outcome.fault = rule.fault
            if refusal := self.kernel.faults.refusal(rule, request) if rule.fault in CONDITIONS else None:
                raise refusal
            if rule.fault == "throttle":
                limit = Limit(f"{request.route.bucket or 'HighCostGet'}3Min", 162, 180)
                raise compute_throttled(limit, request.now, rule.retry_after)
            if rule.fault == "error":
                headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
                raise rule.raised(rule.status, headers)
            if rule.fault == "latency":
                outcome.latency += rule.seconds
            elif rule.fault == "timeout":
                outcome.drop_after = rule.seconds
                return
            elif rule.fault == "drop_response_after_effect":
                outcome.drop_after = 0
            elif rule.fault == "fail_operation":
                request.injected_failure = rule.raised(200)

    def _run(self, request: Request) -> Reply:
        request.existed = self.kernel.store.get(request.resource_id) is not None
        changes = request.method not in ("GET", "HEAD") and not request.route.public
        described = self.kernel.events.describe(request, request.resource_id) if changes else {}
        reply = self.router.handlers[request.route](request)
        if changes and not request.operations and not request.silent and reply.status < 300:
            if request.method == "POST":
                described = self.kernel.events.describe(request, request.scope)
            self.kernel.events.publish(described, succeeded=True, at=request.now)
        return reply


def _of_scope(scope: str) -> dict[str, str]:
    """Subscription and group in the scope of an extension."""
    parts = scope.strip("/").split("/")
    names = {"subscriptions": "sub", "resourcegroups": "rg"}
    pairs = zip(parts[:4:2], parts[1:4:2], strict=False)
    return {names[kind.lower()]: value for kind, value in pairs if kind.lower() in names}


def _check_api_version(given: str | None) -> None:
    if not given:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _API_VERSION.fullmatch(given):
        raise ArmError(400, "InvalidApiVersionParameter", f"The api-version '{given}' is invalid.")


def _json(incoming: Incoming) -> Any:
    if not incoming.body or "json" not in incoming.headers.get("Content-Type", "application/json"):
        return None
    try:
        return _without_nulls(json.loads(incoming.body))
    except ValueError as fault:
        raise ArmError(
            400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{fault}'."
        ) from fault


def _without_nulls(value: Any) -> Any:
    """ARM takes a null for a property that is not there; nulls in lists stay, to be refused."""
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _tracing(correlation: str) -> dict[str, str]:
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return {
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-correlation-request-id": correlation,
        "x-ms-routing-request-id": f"LOCAL:{stamp}:{correlation}",
    }
