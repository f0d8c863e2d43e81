"""The `/admin` API for holders of the master key: status, functions, keys and manual runs."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from local.host.functions import FunctionSpec
from local.host.invoker import Result
from local.host.keys import KeyStore

HOST_VERSION = "4.0.0-local"

ManualRun = Callable[[FunctionSpec, str], Awaitable[Result]]


class Admin:
    """The part of the host's admin API that Core Tools, the portal and scripts use."""

    def __init__(self, functions: list[FunctionSpec], keys: KeyStore, host_id: str, run: ManualRun) -> None:
        self._functions = {spec.name.lower(): spec for spec in functions}
        self._keys = keys
        self._host_id = host_id
        self._run = run
        self._started = time.monotonic()
        self._runs: set[asyncio.Task[Result]] = set()

    async def handle(self, request: web.Request, key: str | None) -> web.Response:
        """Handle a request under /admin. Only /admin/host/ping needs no key."""
        parts = request.path.strip("/").split("/")[1:]
        if parts == ["host", "ping"]:
            return web.Response(status=200)
        if not self._keys.opens_admin(key):
            return web.Response(status=401)
        match (request.method, *parts):
            case ("GET", "host", "status"):
                return web.json_response(self._status())
            case ("GET", "host", "keys"):
                return _keys_response(self._keys.host)
            case ("GET", "host", "systemkeys"):
                return _keys_response(self._keys.system)
            case ("GET", "host", "systemkeys", name) if name in self._keys.system:
                return web.json_response({"name": name, "value": self._keys.system[name]})
            case ("GET", "functions"):
                return web.json_response([_describe(spec) for spec in self._functions.values()])
            case (_, "functions", name, *rest) if name.lower() in self._functions:
                return await self._function(request, self._functions[name.lower()], rest)
        return web.Response(status=404)

    async def _function(self, request: web.Request, spec: FunctionSpec, rest: list[str]) -> web.Response:
        match (request.method, *rest):
            case ("GET",):
                return web.json_response(_describe(spec))
            case ("GET", "keys"):
                return _keys_response(self._keys.functions[spec.name])
            case ("POST",):
                return await self._start(request, spec)
        return web.Response(status=404)

    async def _start(self, request: web.Request, spec: FunctionSpec) -> web.Response:
        """Start a manual run. Returns 202 immediately, as the real host does."""
        body = await request.read()
        try:
            document = json.loads(body) if body.strip() else {}
            given = document.get("input", "")
        except (ValueError, AttributeError):
            return web.Response(status=400, text='the body must be a JSON object such as {"input": "..."}')
        text = given if isinstance(given, str) else json.dumps(given)
        if spec.trigger.type == "eventGridTrigger":
            try:
                json.loads(text)
            except ValueError:
                return web.Response(
                    status=400, text="the input of an Event Grid function must be the JSON of one event"
                )
        task = asyncio.create_task(_as_coroutine(self._run, spec, text))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        return web.Response(status=202)

    def _status(self) -> dict[str, Any]:
        return {
            "id": self._host_id,
            "state": "Running",
            "version": HOST_VERSION,
            "versionDetails": "local",
            "processUptime": int((time.monotonic() - self._started) * 1000),
            "functionAppContentEditingState": "NotAllowed",
            "time": datetime.now(UTC).isoformat(),
        }


async def _as_coroutine(run: ManualRun, spec: FunctionSpec, text: str) -> Result:
    return await run(spec, text)


def _keys_response(keys: dict[str, str]) -> web.Response:
    return web.json_response({"keys": [{"name": name, "value": value} for name, value in keys.items()]})


def _describe(spec: FunctionSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "language": "python",
        "isDisabled": False,
        "config": {"name": spec.name, "bindings": [dict(binding.fields) for binding in spec.bindings]},
    }
