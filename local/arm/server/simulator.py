"""The simulator on a socket: HTTPS on loopback, in this process or alone (`python -m local.arm`)."""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from local.arm import world
from local.arm.kernel.clock import Clock
from local.arm.kernel.events import DeliveryPlan, EventSink
from local.arm.kernel.fault_injection import read_rules
from local.arm.kernel.messages import Call, Incoming, Outcome
from local.arm.kernel.store import Store
from local.arm.machines import run_command_execution
from local.arm.management.graph_index import GraphIndex
from local.arm.resource_manager import ResourceManager
from local.arm.server import control, delivery, tls

_MAX_BODY = 8 * 1024 * 1024


class ArmSimulator:
    """Azure Resource Manager on loopback: `async with ArmSimulator(speed=600) as sim: … sim.url …`.

    `state_dir` keeps certificate authority, secrets and all resources over restarts; without it they live in a
    temporary directory. `port` 0 takes a free one. `sinks` are addresses or async callables that take Event Grid
    events.
    """

    def __init__(
        self,
        state_dir: Path | None = None,
        *,
        speed: float = 60.0,
        seed: int = 1,
        port: int = 0,
        sinks: tuple[str | EventSink, ...] = (),
        faults: list[dict[str, Any]] | None = None,
        delivery_plan: DeliveryPlan | None = None,
        clock: Clock | None = None,
        graph_lag: float = 0,
    ) -> None:
        """Nothing is opened before `async with`. Resource Graph knows a change after at most `graph_lag` seconds."""
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self._given_dir = state_dir
        self._port = port
        self._seed = seed
        self._clock = clock or Clock(speed)
        self._sinks = list(sinks)
        self._faults = faults
        self._plan = delivery_plan or DeliveryPlan()
        self._graph_lag = graph_lag
        self.on_exchange: Callable[[Incoming, Outcome], None] = lambda _incoming, _outcome: None
        """Hears every request and its answer as they went over the wire, to record or to check them."""
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the state and listen."""
        directory = self._given_dir or Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="arm-")))
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        try:
            await self._open(directory)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def _open(self, directory: Path) -> None:
        self.store = Store(directory / "arm.db" if self._given_dir else None)
        self._stack.callback(self.store.close)
        self._manager = ResourceManager(self.store, self._clock, self._seed, self._plan)
        self.kernel = self._manager.kernel
        self._stack.callback(run_command_execution.stop_all, self.kernel)
        if self._faults is not None:
            self.kernel.faults.replace(read_rules(self._faults))
        if self._graph_lag:
            GraphIndex(self.kernel, self._graph_lag)
        if not len(self.store.table("subscription")):
            world.seed(self.kernel, world.DEFAULT)
        authority, self.ca_file = tls.authority(directory)
        self.port = await self._listen(authority)
        await self._start_background()

    async def _listen(self, authority: Any) -> int:
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(control.web_routes(self.kernel))
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=tls.server_context(authority))
        await site.start()
        return runner.addresses[0][1]

    async def _start_background(self) -> None:
        session = await self._stack.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), trust_env=False)
        )
        sinks = [delivery.HttpSink(one, session) if isinstance(one, str) else one for one in self._sinks]
        self._background = asyncio.create_task(delivery.run(self.kernel, sinks))
        self._stack.push_async_callback(_end, self._background)

    async def __aexit__(self, *_: object) -> None:
        """Stop listening, write what is left."""
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """Where clients find it; the certificate is for `localhost` and for the address."""
        return f"https://localhost:{self.port}"

    @property
    def identity_endpoint(self) -> str:
        """The value of `IDENTITY_ENDPOINT`."""
        return f"{self.url}/msi/token"

    @property
    def identity_header(self) -> str:
        """The value of `IDENTITY_HEADER`."""
        return self.kernel.tokens.endpoint_secret

    @property
    def environment(self) -> dict[str, str]:
        """The variables that clients need: trust (requests, the Azure CLI, aiohttp) and identity."""
        return {
            "ARM_ENDPOINT": self.url,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
            "IDENTITY_ENDPOINT": self.identity_endpoint,
            "IDENTITY_HEADER": self.identity_header,
        }

    @property
    def calls(self) -> list[Call]:
        """Every request since the start, oldest first."""
        return list(self.kernel.calls)

    def seed(self, given: dict[str, Any]) -> None:
        """Put subscriptions, groups, galleries, images and networks there; see `world.seed`."""
        world.seed(self.kernel, given)

    def token(self, lifetime: float = 3600) -> str:
        """A token of the first identity, for tests that speak HTTP themselves."""
        first = self.kernel.tokens.identities[0]
        return self.kernel.tokens.issue(first, self.url, self._clock.now(), lifetime)[0]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if self._background.done():
            self._background.result()  # a simulator whose time has stopped must not go on answering
        began = time.monotonic()
        incoming = Incoming(
            method=request.method,
            path="/" + request.rel_url.raw_path.strip("/"),
            query=dict(request.query),
            headers=request.headers,
            body=await request.read(),
            base_url=f"https://{request.host}",
        )
        outcome = self._manager.handle(incoming)
        await _delay(outcome)
        self._record(incoming, outcome, began)
        self.on_exchange(incoming, outcome)
        if outcome.drop_after is not None and request.transport is not None:
            request.transport.abort()
        return _response(outcome)

    def _record(self, incoming: Incoming, outcome: Outcome, began: float) -> None:
        status = 0 if outcome.drop_after is not None else outcome.reply.status
        self.kernel.calls.append(
            Call(
                at=self._clock.now(),
                method=incoming.method,
                operation=outcome.operation,
                path=incoming.path,
                status=status,
                seconds=time.monotonic() - began,
                caller=outcome.caller,
                fault=outcome.fault,
                code=outcome.code,
            )
        )


async def _delay(outcome: Outcome) -> None:
    wait = outcome.latency + (outcome.drop_after or 0)
    if wait:
        await asyncio.sleep(wait)


def _response(outcome: Outcome) -> web.Response:
    reply = outcome.reply
    if reply.body is None:
        return web.Response(status=reply.status, headers=reply.headers)
    if isinstance(reply.body, bytes):
        return web.Response(
            status=reply.status, body=reply.body, headers=reply.headers, content_type=reply.content_type
        )
    text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
    return web.Response(
        status=reply.status, text=text, headers=reply.headers, content_type=reply.content_type, charset="utf-8"
    )


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
