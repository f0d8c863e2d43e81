"""Plays a recorded session against a fresh simulator: the same requests in the same order, on a clock of its own.

What the session needs and did not make itself (resource groups, images, disks) is planted first. Requests to providers
that the simulator does not play are passed over. Polls are sent to the addresses that the simulator gave; its time
jumps to the end of an operation where the recording first shows that end, so that nothing depends on how long Azure
took.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from local.arm.kernel.clock import Clock
from local.arm.kernel.errors import ArmError
from local.arm.kernel.events import DeliveryPlan
from local.arm.kernel.messages import Incoming, Reply, Route
from local.arm.kernel.store import Store
from local.arm.machines import run_command_execution
from local.arm.resource_manager import ResourceManager
from tests.contract.arm import planting
from tests.contract.arm.comparison import leaves
from tests.contract.arm.recordings import Exchange, Session

BASE: Final = "https://management.azure.com"
RUNNING: Final = frozenset({"InProgress", "Creating", "Updating", "Deleting", "Accepted", "Running", "Migrating"})
_POLLED: Final = frozenset(
    {
        "GalleryOperations_Get",
        "Operations_Get",
        "StorageOperations_Get",
        "NetworkOperations_Get",
        "DiskOperations_Get",
        "Deployments_OperationStatus",
        "ResourceGroups_OperationResult",
    }
)
_GENERATED: Final = re.compile(r"_(OsDisk_1|disk\d+|lun_\d+_\d+)_[0-9a-f]{32}$", re.IGNORECASE)
_MOST_JUMPS: Final = 2000
_CLIENTS_POLL_EVERY: Final = 30.0
"""Seconds; a recorded client hears of an end that much later, when agents have reported and disks are there."""
_SCRIPT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded exchange with what the simulator answered."""

    exchange: Exchange
    operation: str
    reply: Reply


@dataclass(slots=True)
class Pending:
    """An operation that runs in the simulator; ``ends`` is the exchange that first shows its end, if any does."""

    address: str
    resource: str
    ends: int | None


@dataclass
class Player:
    """One session's simulator."""

    session: Session
    now: float = 1_700_000_000.0
    passed: list[tuple[Exchange, str]] = field(default_factory=list)
    _pending: list[Pending] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _addresses: dict[tuple[str, bool], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        manager = ResourceManager(Store(None), Clock(1, read=lambda: self.now), 1, DeliveryPlan(0, 0, 0))
        self.kernel, self.router = manager.kernel, manager.router
        planting.plant(self.kernel, self.session)
        first = self.kernel.tokens.identities[0]
        self._token = self.kernel.tokens.issue(first, BASE, self.now, lifetime=10**9)[0]

    def play(self) -> Iterator[Replayed]:
        """Every exchange that the simulator has an operation for; the others are in ``passed``."""
        try:
            for index, exchange in enumerate(self.session.exchanges):
                self._let_end(index, exchange)
                route = self._route(exchange)
                if route is None:
                    self.passed.append((exchange, kind_of(exchange)))
                elif route.name in _POLLED:
                    yield from self._poll(exchange, route)
                else:
                    reply = self._send(exchange)
                    self._begun(index, exchange, reply)
                    self._learn(exchange, reply)
                    yield Replayed(exchange, route.name, reply)
        finally:
            run_command_execution.stop_all(self.kernel)

    def _route(self, exchange: Exchange) -> Route | None:
        group = exchange.path.lower().count("/") == 4
        method = "GET" if exchange.method == "HEAD" and not group else exchange.method
        try:
            return self.router.find(method, exchange.path)[0]
        except ArmError:
            return None

    def _send(self, exchange: Exchange) -> Reply:
        body = b"" if exchange.body is None else self._named_here(json.dumps(exchange.body)).encode()
        return self._request(exchange.method, self._named_here(exchange.path), dict(exchange.query), body)

    def _named_here(self, text: str) -> str:
        """A request with the names that the simulator generated instead of Azure's."""
        for recorded, ours in self._names.items():
            text = text.replace(recorded, ours)
        return text

    def _learn(self, exchange: Exchange, reply: Reply) -> None:
        """Azure makes up names for disks that have none; the simulator makes up others."""
        ours = dict(leaves(reply.body))
        for path, value in leaves(exchange.answer):
            if isinstance(value, str) and _GENERATED.search(value) and isinstance(ours.get(path), str):
                recorded, name = value.rsplit("/", 1)[-1], ours[path].rsplit("/", 1)[-1]
                if path.endswith((".name", ".id")) and recorded != name and _GENERATED.search(name):
                    self._names[recorded] = name

    def _request(self, method: str, path: str, query: dict[str, str], body: bytes = b"") -> Reply:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self.now += 0.01
        reply = self.kernel.handle(Incoming(method, path, query, headers, body, BASE)).reply
        if isinstance(reply.body, dict | list):
            reply.body = json.loads(json.dumps(reply.body))  # the simulator goes on working on what it answered
        return reply

    def _poll(self, exchange: Exchange, route: Route) -> Iterator[Replayed]:
        address = self._addresses.get(_poll_key(exchange.path, exchange.query))
        if address is None:
            self.passed.append((exchange, "a poll of an operation that began elsewhere"))
            return
        reply = self._ask(address)
        if _is_running(exchange) and not _has_ended(reply):
            yield Replayed(exchange, route.name, reply)
        elif _is_running(exchange):
            self.passed.append((exchange, "a poll of an operation that takes less time here"))
        else:
            yield Replayed(exchange, route.name, reply)

    def _ask(self, address: str) -> Reply:
        parts = urlsplit(address)
        return self._request("GET", parts.path, dict(parse_qsl(parts.query)))

    def _begun(self, index: int, exchange: Exchange, reply: Reply) -> None:
        """Remember what runs now, and which of the recorded addresses stand for it."""
        if exchange.method in {"GET", "HEAD"}:
            return
        ours = {name.lower(): value for name, value in reply.headers.items()}
        for name in ("location", "azure-asyncoperation"):
            if name in exchange.headers and name in ours:
                recorded = urlsplit(exchange.headers[name])
                self._addresses[_poll_key(recorded.path, dict(parse_qsl(recorded.query)))] = ours[name]
        address = ours.get("azure-asyncoperation") or ours.get("location")
        if address and reply.status < 300:
            self._pending.append(Pending(address, exchange.path.lower(), self._end_of(index, exchange)))

    def _end_of(self, index: int, exchange: Exchange) -> int | None:
        """The first later exchange that shows the end of the operation that this one began."""
        keys = set()
        for name in ("location", "azure-asyncoperation"):
            if name in exchange.headers:
                recorded = urlsplit(exchange.headers[name])
                keys.add(_poll_key(recorded.path, dict(parse_qsl(recorded.query))))
        for later in range(index + 1, len(self.session.exchanges)):
            found = self.session.exchanges[later]
            if _poll_key(found.path, found.query) in keys and not _is_running(found):
                return later
        return None

    def _let_end(self, index: int, exchange: Exchange) -> None:
        for pending in list(self._pending):
            due = index >= pending.ends if pending.ends is not None else not _shows_running(exchange, pending)
            if due or _shows_end(exchange, pending):
                self._pending.remove(pending)
                self._finish(pending)

    def _finish(self, pending: Pending) -> None:
        """Let time jump from one event to the next until the operation has ended."""
        limit = time.monotonic() + _SCRIPT_SECONDS
        for _ in range(_MOST_JUMPS):
            if _has_ended(self._ask(pending.address)):
                self.now += _CLIENTS_POLL_EVERY
                return
            due = self.kernel.schedule.next_at()
            if due is None or time.monotonic() > limit:
                break
            if due - self.now < 0.1:
                time.sleep(0.02)  # a script runs for real
            self.now = max(self.now, due) + 0.001
            self.kernel.settle()
        raise AssertionError(f"{self.session.name}: {pending.resource} does not end")


def kind_of(exchange: Exchange) -> str:
    """The provider and resource types of a path, e.g. ``Microsoft.Compute/galleries/applications``."""
    if "/providers/" not in exchange.path:
        return "Microsoft.Resources"
    tail = exchange.path.rsplit("/providers/", 1)[-1].split("/")
    parts = [tail[0], *tail[1::2]] if "locations" not in tail[1:2] else [tail[0], "locations", *tail[3::2]]
    return "/".join(parts)


def _poll_key(path: str, query: Any) -> tuple[str, bool]:
    """An operation's own name; recorders replace parts of the path before it in one place and not in the other."""
    return path.lower().rstrip("/").rsplit("/", 1)[1], "monitor" in query


def _is_running(exchange: Exchange) -> bool:
    """Whether a recorded poll says that there is no end yet."""
    if exchange.status == 202:
        return True
    return isinstance(exchange.answer, dict) and exchange.answer.get("status") in RUNNING


def _has_ended(reply: Reply) -> bool:
    status = reply.body.get("status") if isinstance(reply.body, dict) else None
    return reply.status != 202 and status not in RUNNING


def _state(exchange: Exchange) -> str | None:
    properties = exchange.answer.get("properties") if isinstance(exchange.answer, dict) else None
    return properties.get("provisioningState") if isinstance(properties, dict) else None


def _shows_running(exchange: Exchange, pending: Pending) -> bool:
    return exchange.path.lower() == pending.resource and exchange.method == "GET" and _state(exchange) in RUNNING


def _shows_end(exchange: Exchange, pending: Pending) -> bool:
    """A look at the resource that finds it settled or gone, although the polls go on."""
    if exchange.path.lower() != pending.resource or exchange.method != "GET":
        return False
    return exchange.status == 404 or (exchange.status == 200 and _state(exchange) not in (None, *RUNNING))
