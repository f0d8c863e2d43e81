"""The simulator without its sockets: state, time, dice, and one request from admission to answer."""

import asyncio
import importlib
import json
import re
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from local.arm.kernel.clock import Clock
from local.arm.kernel.errors import ArmError, group_not_found, subscription_not_found
from local.arm.kernel.events import DeliveryPlan, Events
from local.arm.kernel.fault_injection import FaultPlan, Rule
from local.arm.kernel.operations import Operations
from local.arm.kernel.routing import Caller, Reply, Request, Router
from local.arm.kernel.schedule import Schedule
from local.arm.kernel.store import Store
from local.arm.kernel.throttling import Limit, Throttle, compute_throttled
from local.arm.kernel.tokens import Tokens

MODULES = (
    "kernel.operations",
    "management.managed_identity",
    "management.cloud_metadata",
    "management.subscriptions",
    "management.resource_groups",
    "management.deployments",
    "galleries.galleries",
    "galleries.definitions",
    "galleries.versions",
    "galleries.soft_delete",
    "galleries.replication",
    "machines.managed_images",
    "machines.virtual_machines",
    "storage.disks",
    "machines.run_commands",
    "machines.boot_diagnostics",
    "networking.networking",
    "storage.storage_accounts",
    "machines.scale_sets",
)
"""Modules of this package with `routes`; one that does not exist is left out."""

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview|-privatepreview|-alpha|-beta|-rc)?")
_NOBODY = Caller("", "", "")


@dataclass(slots=True)
class Call:
    """One answered (or dropped) request, for tests and figures. `seconds` is how long it took; `at` is the epoch."""

    at: float
    method: str
    operation: str
    path: str
    status: int
    seconds: float
    caller: str
    fault: str | None = None
    code: str | None = None


@dataclass(slots=True)
class Incoming:
    """A request as it comes off the wire."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    base_url: str


@dataclass(slots=True)
class Outcome:
    """A reply, and what the fault plan wants done with it."""

    reply: Reply
    operation: str = ""
    caller: str = ""
    latency: float = 0
    drop_after: float | None = None
    fault: str | None = None
    code: str | None = None


@dataclass
class Kernel:
    """All parts of the simulator that handlers and hooks may use."""

    store: Store
    clock: Clock
    seed: int
    delivery: DeliveryPlan = field(default_factory=DeliveryPlan)

    def __post_init__(self) -> None:
        """Put the parts together and load the modules."""
        self.woken = asyncio.Event()
        self.schedule = Schedule(self.store)
        self.events = Events(self, self.delivery)
        self.operations = Operations(self)
        self.throttle = Throttle(self.clock)
        self.faults = FaultPlan(self.store, self.random("faults"))
        self.tokens = Tokens(self.store)
        self.calls: deque[Call] = deque(maxlen=500_000)
        self.router = Router()
        for name in MODULES:
            self._load(f"local.arm.{name}")
        self.store.commit()

    def _load(self, module: str) -> None:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as missing:
            if missing.name != module:
                raise
            return
        self.router.add(found.routes)

    def random(self, *parts: Any) -> Random:
        """Dice for one purpose: the same seed and parts give the same throws, whatever else happens."""
        return Random("/".join([str(self.seed), *map(str, parts)]).lower())

    def wake(self) -> None:
        """Let the background work look again at what is due."""
        self.woken.set()

    def settle(self, now: float | None = None) -> None:
        """Let everything happen that should have happened by `now`, in order, and keep it."""
        until = self.clock.now() if now is None else now
        while (entry := self.schedule.take_due(until)) is not None:
            self.router.hooks[entry["hook"]](self, entry["payload"], entry["at"])
        self.store.commit()

    def handle(self, incoming: Incoming) -> Outcome:
        """Answer one request; everything it changed is durable when this returns."""
        now = self.clock.now()
        self.settle(now)
        correlation = incoming.headers.get("x-ms-correlation-request-id") or str(uuid.uuid4())
        outcome = Outcome(Reply(500))
        try:
            request = self._admit(incoming, now, correlation, outcome)
            headers = self.throttle.admit(request) if not request.route.public else {}
            drawn = self.faults.draw(request)
            self._befall(drawn, request, outcome)
            if outcome.fault != "timeout":
                outcome.reply = self._run(request)
                outcome.reply.headers = headers | outcome.reply.headers
        except ArmError as refusal:
            outcome.code = refusal.code
            outcome.reply = Reply(refusal.status, refusal.body(), dict(refusal.headers))
        self.store.commit()
        self.wake()
        outcome.reply.headers |= _tracing(correlation)
        return outcome

    def on_behalf(self, app_id: str, method: str, path: str, api_version: str, body: str, base_url: str) -> Reply:
        """Send a request from within, as one caller: what a deployment does."""
        caller = self.tokens.find(app_id) or self.tokens.identities[0]
        token = self.tokens.issue(caller, base_url, self.clock.now())[0]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        query = {"api-version": api_version}
        return self.handle(Incoming(method, path, query, headers, body.encode(), base_url)).reply

    def _admit(self, incoming: Incoming, now: float, correlation: str, outcome: Outcome) -> Request:
        method = "GET" if incoming.method == "HEAD" and "/resourcegroups/" not in incoming.path.lower() else None
        route, params = self.router.find(method or incoming.method, incoming.path)
        outcome.operation = route.name
        caller = _NOBODY
        if not route.public:
            caller = self.tokens.check(incoming.headers.get("Authorization"), now)
            outcome.caller = caller.app_id
        query = {key.lower(): value for key, value in incoming.query.items()}
        if route.needs_api_version:
            _check_api_version(query.get("api-version"))
        request = Request(
            kernel=self,
            method=incoming.method,
            path=incoming.path,
            params=params,
            query=query,
            headers=incoming.headers,
            body=_json(incoming),
            raw_body=incoming.body,
            caller=caller,
            now=now,
            base_url=incoming.base_url,
            correlation_id=correlation,
            route=route,
        )
        self._check_scope(request)
        return request

    def _check_scope(self, request: Request) -> None:
        subscription, group = request.params.get("sub"), request.params.get("rg")
        if subscription is not None and f"/subscriptions/{subscription.lower()}" not in self.store.table(
            "subscription"
        ):
            raise subscription_not_found(subscription)
        if group is None or request.route.name.startswith("ResourceGroups_"):
            return
        if self.store.get(f"/subscriptions/{subscription}/resourceGroups/{group}") is None:
            raise group_not_found(group)

    def _befall(self, drawn: Iterable[Rule], request: Request, outcome: Outcome) -> None:
        for rule in drawn:
            outcome.fault = rule.fault
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
        request.existed = self.store.get(request.resource_id) is not None
        described = self.events.describe(request, request.resource_id)
        reply = request.route.handler(request)
        changes = request.method not in ("GET", "HEAD") and not request.route.public
        if changes and not request.operations and not request.silent and reply.status < 300:
            if request.method == "POST":
                described = self.events.describe(request, request.scope)
            self.events.publish(described, succeeded=True, at=request.now)
        return reply


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
        return without_nulls(json.loads(incoming.body))
    except ValueError as fault:
        raise ArmError(
            400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{fault}'."
        ) from fault


def without_nulls(value: Any) -> Any:
    """ARM takes a null for a property that is not there; nulls in lists stay, to be refused."""
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def _tracing(correlation: str) -> dict[str, str]:
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    return {
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-correlation-request-id": correlation,
        "x-ms-routing-request-id": f"LOCAL:{stamp}:{correlation}",
    }
