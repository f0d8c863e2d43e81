"""The listening side: the custom topic over HTTPS, and the simulator's own endpoints below `/_sim/` over plain HTTP."""

import asyncio
import contextlib
import ipaddress
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from local.certificates import Certificates
from local.eventgrid import events as wire
from local.eventgrid.delivery import Deliverer
from local.eventgrid.events import MAX_BYTES, Refused
from local.eventgrid.faults import DeliveryFaults
from local.eventgrid.publishers import authorize
from local.eventgrid.store import Store
from local.eventgrid.subscriptions import BadSubscription, EventSubscription, read_subscription, validate_endpoint

ARM_TOPIC, CUSTOM_TOPIC = "arm", "custom"
_TOPIC_ID = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-ringmaster/"
    "providers/Microsoft.EventGrid/topics/ringmaster"
)

type _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class EventGrid:
    """One running Event Grid; an async context manager. `directory` None keeps everything in memory.

    The custom topic answers at both ports; `azure-eventgrid` with a token credential insists on the one with TLS, which
    listens when `certificates` are given. `deliveries` is the task that delivers: it ends only by a defect.
    """

    deliveries: asyncio.Task[None]

    def __init__(
        self,
        directory: Path | None = None,
        *,
        key: str,
        speed: float = 1.0,
        seed: int = 1,
        faults: DeliveryFaults | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        control_port: int = 0,
        certificates: Certificates | None = None,
        clock: Callable[[], float] = time.time,
        response_seconds: float = 30.0,
    ) -> None:
        self.host, self.port, self.control_port = host, port, control_port
        self._directory, self._key, self._certificates, self._clock = directory, key, certificates, clock
        self._speed, self._seed, self._faults, self._window = speed, seed, faults or DeliveryFaults(), response_seconds
        self._stack = contextlib.AsyncExitStack()

    @property
    def topic_endpoint(self) -> str:
        """Where to publish: what the setting of a real topic would hold."""
        if self._certificates is None:
            return f"http://{self.host}:{self.control_port}/api/events"
        return f"https://localhost:{self.port}/api/events"

    @property
    def control_url(self) -> str:
        return f"http://{self.host}:{self.control_port}/_sim"

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._store = Store(self._directory / "eventgrid.sqlite" if self._directory else None)
            stack.callback(self._store.close)
            self._session = await stack.enter_async_context(aiohttp.ClientSession())
            self._deliverer = Deliverer(
                self._store,
                self._session,
                speed=self._speed,
                seed=self._seed,
                faults=self._faults,
                clock=self._clock,
                dead_letters=self._directory / "deadletter" if self._directory else None,
                response_seconds=self._window,
            )
            for topic, name, document in self._store.subscriptions():
                self._keep(read_subscription(topic, name, document))
            self.deliveries = asyncio.create_task(self._deliverer.run())
            stack.push_async_callback(_cancel, self.deliveries)
            await self._listen(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=5)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        plain = web.TCPSite(runner, self.host, self.control_port)
        await plain.start()
        self.control_port = _bound_port(plain)
        if self._certificates is not None:
            secure = web.TCPSite(runner, self.host, self.port, ssl_context=self._certificates.server_context())
            await secure.start()
            self.port = _bound_port(secure)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=16 * MAX_BYTES)
        subscription = "/_sim/topics/{topic}/eventSubscriptions/{name}"
        application.add_routes(
            [
                web.post("/api/events", self._publish),
                web.post("/_sim/arm-events", _local(self._take_arm_events)),
                web.put(subscription, _local(self._put_subscription)),
                web.delete(subscription, _local(self._delete_subscription)),
                web.get("/_sim/eventSubscriptions", _local(self._list_subscriptions)),
                web.get("/_sim/status", _local(self._status)),
                web.get("/_sim/events", _local(self._events)),
                web.get("/_sim/attempts", _local(self._attempts)),
                web.put("/_sim/faults", _local(self._put_faults)),
            ]
        )
        return application

    async def _publish(self, request: web.Request) -> web.Response:
        try:
            authorize(request.headers, key=self._key, host=request.host, now=self._clock())
            published = wire.parse_request(request.headers.get("Content-Type", ""), await request.read(), _TOPIC_ID)
        except Refused as refusal:
            return web.json_response(refusal.body(), status=refusal.status)
        self._deliverer.accept(CUSTOM_TOPIC, published)
        return web.Response(status=200)

    async def _take_arm_events(self, request: web.Request) -> web.Response:
        """Body: `{"events": […]}` in Event Grid schema, from the ARM simulator."""
        document = await _json(request)
        bodies = document.get("events") if isinstance(document, dict) else None
        if not isinstance(bodies, list):
            raise web.HTTPBadRequest(text='the body must be {"events": […]}')
        try:
            self._deliverer.accept(ARM_TOPIC, wire.parse_event_grid_events(bodies))
        except Refused as refusal:
            raise web.HTTPBadRequest(text=refusal.message) from refusal
        return web.json_response({"accepted": len(bodies)})

    async def _put_subscription(self, request: web.Request) -> web.Response:
        """Create or replace an event subscription once its endpoint has passed the handshake."""
        topic, name = _names(request)
        try:
            wanted = read_subscription(topic, name, await _json(request))
            await validate_endpoint(self._session, wanted, self._window)
        except BadSubscription as fault:
            body = {"error": {"code": "Url validation", "message": str(fault)}}
            return web.json_response(body, status=400)
        self._store.put_subscription(topic, name, wanted.document)
        self._store.commit()
        self._keep(wanted)
        return web.json_response({"name": name, "topic": topic, "properties": {"provisioningState": "Succeeded"}})

    async def _delete_subscription(self, request: web.Request) -> web.Response:
        topic, name = _names(request)
        known = self._store.remove_subscription(topic, name)
        self._store.commit()
        self._deliverer.subscriptions.pop(f"{topic}/{name}", None)
        return web.Response(status=200 if known else 204)

    async def _list_subscriptions(self, request: web.Request) -> web.Response:
        found = [{"topic": topic, "name": name, **document} for topic, name, document in self._store.subscriptions()]
        return web.json_response({"value": found})

    async def _status(self, request: web.Request) -> web.Response:
        """Per subscription `pending`, `delivered`, `dead-lettered` and `dropped`; the faults in force."""
        body = {"subscriptions": self._store.counts(), "faults": asdict(self._deliverer.faults), "speed": self._speed}
        return web.json_response(body)

    async def _events(self, request: web.Request) -> web.Response:
        """The latest events received, oldest first; `?topic=custom` or `?topic=arm` for one topic."""
        return web.json_response({"events": list(self._store.events(request.query.get("topic")))})

    async def _attempts(self, request: web.Request) -> web.Response:
        """The latest attempts of delivery, oldest first."""
        return web.json_response({"attempts": self._store.attempts()})

    async def _put_faults(self, request: web.Request) -> web.Response:
        """Replace the misfortunes: `{"duplicate": 0.2, "late": 0.1, "max_delay": 30}`."""
        document = await _json(request)
        try:
            self._deliverer.faults = DeliveryFaults(**document)
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response(asdict(self._deliverer.faults))

    def _keep(self, subscription: EventSubscription) -> None:
        self._deliverer.subscriptions[subscription.key] = subscription


def _names(request: web.Request) -> tuple[str, str]:
    topic = request.match_info["topic"]
    if topic not in (ARM_TOPIC, CUSTOM_TOPIC):
        raise web.HTTPNotFound(text=f"there is no topic {topic!r}; there are {ARM_TOPIC!r} and {CUSTOM_TOPIC!r}")
    return topic, request.match_info["name"]


def _local(handler: _Handler) -> _Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
            raise web.HTTPForbidden(text="the control endpoints answer on loopback only")
        return await handler(request)

    return guarded


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"the body is not JSON: {error}") from error


async def _cancel(task: asyncio.Task[None]) -> None:
    """End the task; what broke it, if anything did, is raised here."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _bound_port(site: web.TCPSite) -> int:
    server = site._server  # noqa: SLF001 - aiohttp has no public way to learn the port of one site
    assert isinstance(server, asyncio.Server)
    return server.sockets[0].getsockname()[1]
