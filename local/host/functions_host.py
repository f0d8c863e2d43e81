"""The host: starts the worker, serves HTTP, listens on queues and timers, and shuts down in order."""

import asyncio
import hashlib
import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from aiohttp import web

from local.host.admin import Admin
from local.host.app_settings import as_environment
from local.host.authentication import Authentication
from local.host.config import HostConfig, load_host_config
from local.host.eventgrid import EventGridWebhook
from local.host.functions import FunctionSpec, is_disabled, parse_function
from local.host.host_clock import Clock
from local.host.host_errors import ConfigError
from local.host.http_server import REQUEST_SECONDS, HttpFront, body_limit, load_routes
from local.host.invoker import Invoker
from local.host.keys import KeyStore, load_keys
from local.host.manual import manual_run
from local.host.ncrontab import ScheduleError
from local.host.outputs import QueueOutputs
from local.host.queue_connections import QueueConnections
from local.host.queue_lease import LEASE_SECONDS
from local.host.queue_trigger import QueueListener
from local.host.records import Journal
from local.host.routes import RouteError, RouteTable
from local.host.timer_listener import DirectoryTimerStore, MemoryTimerStore, TimerListener
from local.host.wakeup import Wakeups
from local.host.worker import IndexedFunction, Worker

logger = logging.getLogger("local.host")

PLATFORM_AUTH = "WEBSITE_AUTH_ENABLED"
"""App Service sets it when its authentication is turned on. Source: Microsoft Learn, "Environment variables and app
settings in Azure App Service".
"""


class FunctionsHost:
    """A running function app. Use `async with FunctionsHost(app_dir, settings) as host:`, or `start` and `stop`.

    `settings` are the app settings. They are environment variables of this process while the host runs, so two hosts in
    one process share them. `port` 0 selects a free port; see `url` and `port`. If `keys_file` or `state_dir` is None,
    keys or timer states are kept in memory. `lease_seconds` shortens the 10-minute lease of received messages, and
    `clock` the time between timers; the rules stay the same. `authentication` turns on App Service Authentication.
    """

    def __init__(
        self,
        app_dir: Path | str,
        settings: Mapping[str, str] | None = None,
        *,
        bind: str = "127.0.0.1",
        port: int = 0,
        keys_file: Path | None = None,
        state_dir: Path | None = None,
        clock: Clock | None = None,
        lease_seconds: int | None = None,
        grace_seconds: float = 30.0,
        request_seconds: float = REQUEST_SECONDS,
        authentication: Authentication | None = None,
    ) -> None:
        self.app_dir = Path(app_dir).resolve()
        self._authentication = authentication
        self._given = {**(settings or {}), **({PLATFORM_AUTH: "True"} if authentication else {})}
        self.settings: Mapping[str, str] = {**os.environ, **self._given}
        self._bind, self.port = bind, port
        self._keys_file, self._state_dir = keys_file, state_dir
        self._clock = clock or Clock()
        self._lease_seconds = lease_seconds or max(2, round(self._clock.real_seconds(LEASE_SECONDS)))
        self._grace = grace_seconds
        self._request_seconds = request_seconds
        self.journal = Journal()
        self.functions: list[FunctionSpec] = []
        self.keys: KeyStore
        self.invoker: Invoker
        self._worker = Worker(self.app_dir)
        self._storage = QueueConnections(self.settings)
        self._wakeups = Wakeups()
        self._listeners: list[QueueListener] = []
        self._loops: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self._environment = ExitStack()

    @property
    def url(self) -> str:
        """The base URL of the host."""
        return f"http://{self._bind}:{self.port}"

    @property
    def host_id(self) -> str:
        """Identifies this host's state, as in Azure: the app setting AzureFunctionsWebHost__hostid, or a hash of the
        app's folder.
        """
        given = self.settings.get("AzureFunctionsWebHost__hostid")
        return given or f"local-{hashlib.sha256(str(self.app_dir).encode()).hexdigest()[:12]}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Index the app and start to listen. After ConfigError or IndexingError, nothing is left running."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        config = load_host_config(self.app_dir)
        self._environment.enter_context(as_environment({"FUNCTIONS_WORKER_RUNTIME": "python", **self._given}))
        routes = self._load(self._specs(await self._worker.start(), config), config)
        self.keys = load_keys(self._keys_file, [spec.name for spec in self.functions])
        outputs = QueueOutputs(self._storage, config.queues.base64, self._wakeups.written)
        traces = config.open_telemetry or bool(self.settings.get("APPLICATIONINSIGHTS_CONNECTION_STRING"))
        self.invoker = Invoker(self._worker, self.journal, config.function_timeout, outputs.write, traces=traces)
        front = self._front(routes, config)
        self._listeners = self._queue_listeners(config)
        timers = self._timer_listeners()
        await self._open(front)
        self._loops = [asyncio.create_task(listener.run()) for listener in (*self._listeners, *timers)]
        logger.info("%d functions are available at %s", len(self.functions), self.url)

    def _specs(self, indexed: list[IndexedFunction], config: HostConfig) -> list[FunctionSpec]:
        specs, faults = [], []
        for item in indexed:
            if is_disabled(item.name, self.settings) or (
                config.only_functions is not None and item.name not in config.only_functions
            ):
                logger.info("function %s is disabled", item.name)
                continue
            try:
                spec = parse_function(item.name, item.function_id, item.raw_bindings, self.settings)
            except ConfigError as fault:
                faults += fault.faults
                continue
            specs.append(spec)
        if faults:
            raise ConfigError(faults)
        return specs

    def _load(self, specs: list[FunctionSpec], config: HostConfig) -> RouteTable[FunctionSpec]:
        """Keep the functions that can be loaded; the host goes on without the others, as Azure's does."""
        try:
            routes, faults = load_routes(specs, config.http.route_prefix)
        except RouteError as fault:
            raise ConfigError([str(fault)]) from fault
        for name, fault in faults.items():
            logger.error("the '%s' function is in error: %s", name, fault)
        for name, other in routes.overlapping():
            logger.warning("routes of %s and %s overlap; %s takes what matches both", name, other, name)
        self.functions = [spec for spec in specs if spec.name not in faults]
        return routes

    def _front(self, routes: RouteTable[FunctionSpec], config: HostConfig) -> HttpFront:
        admin = Admin(
            self.functions,
            self.keys,
            manual_run(self.invoker, self._clock),
            host_id=self.host_id,
            app_dir=self.app_dir,
            route_prefix=config.http.route_prefix,
        )
        return HttpFront(
            routes,
            self.invoker,
            self.keys,
            admin=admin,
            webhook=EventGridWebhook(self.functions, self.invoker, self.keys),
            most_bytes=body_limit(self.settings),
            request_seconds=self._request_seconds,
            homepage=self.settings.get("AzureWebJobsDisableHomepage", "").lower() != "true",
        )

    def _queue_listeners(self, config: HostConfig) -> list[QueueListener]:
        retry = round(self._clock.real_seconds(config.queues.visibility_timeout.total_seconds()))
        return [
            QueueListener(
                spec,
                self._storage,
                config.queues,
                self.invoker,
                self._wakeups,
                lease_seconds=self._lease_seconds,
                retry_seconds=retry,
            )
            for spec in self.functions
            if spec.trigger.type == "queueTrigger"
        ]

    def _timer_listeners(self) -> list[TimerListener]:
        store = DirectoryTimerStore(self._state_dir, self.host_id) if self._state_dir else MemoryTimerStore()
        listeners, faults = [], []
        for spec in self.functions:
            if spec.trigger.type == "timerTrigger":
                try:
                    listeners.append(TimerListener(spec, self.invoker, self._clock, store))
                except ScheduleError as fault:
                    faults.append(f"function {spec.name}: {fault}")
        if faults:
            raise ConfigError(faults)
        return listeners

    async def _open(self, front: HttpFront) -> None:
        middlewares = [self._authentication.middleware] if self._authentication else []
        app = web.Application(client_max_size=body_limit(self.settings), middlewares=middlewares)
        app.router.add_route("*", "/{tail:.*}", front.handle)
        # The real host passes a compressed body to the function unchanged.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=self._grace, auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._bind, self.port)
        try:
            await site.start()
        except OSError as taken:
            raise ConfigError([f"cannot listen on {self._bind}:{self.port}: {taken.strerror}"]) from taken
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Shut down: accept no new work, let running functions end (at most `grace_seconds`), close connections."""
        for listener in self._listeners:
            listener.stop()
        timers = self._loops[len(self._listeners) :]
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
        if self._loops:
            await self._drain(timers)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._storage.close()
        self._worker.stop()
        self._environment.close()

    async def _drain(self, timers: list[asyncio.Task[None]]) -> None:
        polls = self._loops[: len(self._listeners)]
        await asyncio.gather(*polls, return_exceptions=True)  # a fetch in progress completes, and its messages run
        deadline = asyncio.get_running_loop().time() + self._grace
        cancelled = await self.invoker.drain(self._grace)
        if cancelled:
            logger.warning("%d functions did not end within %.0f s and were cancelled", cancelled, self._grace)
        for timer in timers:
            timer.cancel()
        left = max(1.0, deadline - asyncio.get_running_loop().time())
        await asyncio.gather(*(listener.drain(left) for listener in self._listeners))
        await asyncio.gather(*timers, return_exceptions=True)
        self._loops = []
