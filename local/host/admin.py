"""The `/admin` API for holders of the master key: status, functions, keys and manual runs.

Statuses, headers and documents are those of HostController.cs, FunctionsController.cs and KeysController.cs.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from local.host.functions import FunctionSpec
from local.host.invoker import Result
from local.host.keys import KeyStore, refused
from local.host.worker import script_name

HOST_VERSION = "4.0.0-local"

ManualRun = Callable[[FunctionSpec, str], Awaitable[Result]]

_JSON = ("application/json", "text/json")
_compact = partial(json.dumps, separators=(",", ":"), ensure_ascii=False)


class Admin:
    """The part of the host's admin API that Core Tools, the portal and scripts use."""

    def __init__(
        self,
        functions: list[FunctionSpec],
        keys: KeyStore,
        run: ManualRun,
        *,
        host_id: str,
        app_dir: Path,
        route_prefix: str,
    ) -> None:
        self._functions = {spec.name.lower(): spec for spec in sorted(functions, key=lambda each: each.name.upper())}
        self._keys = keys
        self._run = run
        self._host_id = host_id
        self._app_dir = app_dir
        self._prefix = route_prefix
        self._started = time.monotonic()
        self._runs: set[asyncio.Task[Result]] = set()

    async def handle(self, request: web.Request, key: str | None) -> web.Response:
        """Handle a request under /admin. Only /admin/host/ping needs no key."""
        parts = request.path.strip("/").lower().split("/")[1:]
        if parts == ["host", "ping"]:
            return web.Response(headers={"Cache-Control": "no-store,no-cache", "Pragma": "no-cache"})
        if not self._keys.opens_admin(key):
            return refused(self._keys, key)
        match (request.method, *parts):
            case ("GET", "host", "status"):
                return _answer(self._status())
            case ("GET", "host", "keys"):
                return _keys_answer(request, self._keys.host)
            case ("GET", "host", "systemkeys"):
                return _keys_answer(request, self._keys.system)
            case ("GET", "host", "systemkeys", name) if name in self._keys.system:
                return _linked(request, {"name": name, "value": self._keys.system[name]})
            case ("GET", "functions"):
                return _answer([self._describe(request, spec) for spec in self._functions.values()])
            case (_, "functions", name, *rest):
                return await self._function(request, self._functions.get(name), rest)
        return web.Response(status=404)

    async def _function(self, request: web.Request, spec: FunctionSpec | None, rest: list[str]) -> web.Response:
        match (request.method, *rest):
            case ("POST",):
                return await self._start(request, spec)
            case ("GET",) if spec:
                return _answer(self._describe(request, spec))
            case ("GET", "keys") if spec:
                return _keys_answer(request, self._keys.functions[spec.name])
        return web.Response(status=404)

    async def _start(self, request: web.Request, spec: FunctionSpec | None) -> web.Response:
        """Start a manual run. Returns 202 immediately. The body is validated before the function is looked up."""
        if request.content_type not in _JSON:  # also where none is given
            return web.Response(status=415)
        try:
            given = json.loads(await request.read())["input"]
        except KeyError:
            given = ""
        except (ValueError, TypeError):
            return web.Response(status=400)
        if isinstance(given, dict | list):
            return web.Response(status=400)
        if spec is None:
            return web.Response(status=404)
        task = asyncio.create_task(_as_coroutine(self._run, spec, "" if given is None else str(given)))
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

    def _describe(self, request: web.Request, spec: FunctionSpec) -> dict[str, Any]:
        base = f"http://{request.host}"
        script = script_name()
        return {
            "name": spec.name,
            "script_root_path_href": None,
            "script_href": f"{base}/admin/vfs{self._app_dir.as_posix()}/{script}",
            "config_href": None,
            "test_data_href": f"{base}/admin/vfs/data/Functions/sampledata/{spec.name}.dat",
            "href": f"{base}/admin/functions/{spec.name}",
            "invoke_url_template": self._invoke_url(base, spec),
            "language": "python",
            "config": {
                "name": spec.name,
                "entryPoint": spec.name,
                "scriptFile": script,
                "language": "python",
                "functionDirectory": str(self._app_dir),
                "bindings": [dict(binding.raw) for binding in spec.bindings],
            },
            "files": None,
            "test_data": "",
            "isDisabled": False,
            "isDirect": False,
            "isProxy": False,
        }

    def _invoke_url(self, base: str, spec: FunctionSpec) -> str | None:
        if spec.trigger.type != "httpTrigger":
            return None
        return "/".join(part for part in (base, self._prefix, spec.route) if part).lower()


async def _as_coroutine(run: ManualRun, spec: FunctionSpec, text: str) -> Result:
    return await run(spec, text)


def _answer(document: Any) -> web.Response:
    return web.json_response(document, dumps=_compact)


def _keys_answer(request: web.Request, keys: dict[str, str]) -> web.Response:
    return _linked(request, {"keys": [{"name": name, "value": value} for name, value in keys.items()]})


def _linked(request: web.Request, document: dict[str, Any]) -> web.Response:
    return _answer({**document, "links": [{"rel": "self", "href": f"http://{request.host}{request.path}"}]})
