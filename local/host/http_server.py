"""The HTTP server of the host: function routes, keys, limits, and conversion of requests to the `http` datum."""

import asyncio
import logging
from http.cookies import SimpleCookie

from aiohttp import web
from multidict import CIMultiDict

from local.host.admin import Admin
from local.host.eventgrid import EventGridWebhook
from local.host.functions import FunctionSpec
from local.host.invoker import Invoker, Result
from local.host.keys import KeyStore
from local.host.routes import Route, RouteError, RouteTable
from local.host.worker import Datum

logger = logging.getLogger("local.host.http")

# The front end of Azure App Service times out after 230 s; the function continues.
REQUEST_SECONDS = 230.0
_HOMEPAGE = (
    "<!DOCTYPE html><html><head><title>Function App</title></head>"
    "<body><h1>Your Functions app is up and running</h1></body></html>"
)
_SERVER_HEADERS = {"content-length", "transfer-encoding", "connection"}  # set by the server from the body


def given_key(request: web.Request) -> str | None:
    """The key in a request: the header `x-functions-key`, or the query parameter `code`."""
    return request.headers.get("x-functions-key") or request.query.get("code")


class HttpFront:
    """Handles all requests to the host."""

    def __init__(
        self,
        functions: list[FunctionSpec],
        invoker: Invoker,
        keys: KeyStore,
        admin: Admin,
        webhook: EventGridWebhook,
        *,
        route_prefix: str,
        request_seconds: float = REQUEST_SECONDS,
        homepage: bool = True,
    ) -> None:
        self._invoker = invoker
        self._keys = keys
        self._admin = admin
        self._webhook = webhook
        self._seconds = request_seconds
        self._homepage = homepage
        self.routes = route_table(functions, route_prefix)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if path == "/" and request.method in ("GET", "HEAD"):
            return (
                web.Response(text=_HOMEPAGE, content_type="text/html") if self._homepage else web.Response(status=204)
            )
        if path.startswith("/admin/"):
            return await self._admin.handle(request, given_key(request))
        if path.rstrip("/").lower() == "/runtime/webhooks/eventgrid":
            return await self._webhook.handle(request, given_key(request))
        found = self.routes.find(request.method, path)
        if found is None:
            return web.Response(status=404)
        spec, parameters = found
        if not self._allowed(spec, given_key(request)):
            return web.Response(status=401)
        return await self._invoke(request, spec, parameters)

    def _allowed(self, spec: FunctionSpec, key: str | None) -> bool:
        level = spec.trigger.text("authLevel", "function").lower()
        if level == "anonymous":
            return True
        if level == "admin":
            return self._keys.opens_admin(key)
        return self._keys.opens_function(key, spec.name)

    async def _invoke(self, request: web.Request, spec: FunctionSpec, parameters: dict[str, str]) -> web.StreamResponse:
        value = await request_datum(request, parameters)
        run = asyncio.create_task(self._invoker.run(spec, value, traceparent=request.headers.get("traceparent", "")))
        done, _ = await asyncio.wait({run}, timeout=self._seconds)
        if not done:
            run.add_done_callback(lambda task: task.cancelled() or task.exception())
            return web.Response(status=504, text="The request timed out.")
        result = run.result()
        if not result.ok:
            return web.Response(status=500)
        return response_of(spec, result)


def route_table(functions: list[FunctionSpec], prefix: str) -> RouteTable[FunctionSpec]:
    """The routes of all HTTP triggers under `prefix`.

    Raises RouteError that names the function with an invalid route.
    """
    table: RouteTable[FunctionSpec] = RouteTable()
    for spec in functions:
        if spec.trigger.type != "httpTrigger":
            continue
        template = spec.trigger.text("route") or spec.name
        methods = spec.trigger.fields.get("methods")
        allowed = frozenset(str(method).upper() for method in methods) if methods else None
        try:
            table.add(Route(f"{prefix}/{template}" if prefix else template), allowed, spec)
        except RouteError as fault:
            raise RouteError(f"function {spec.name}: {fault}") from fault
    return table


async def request_datum(request: web.Request, parameters: dict[str, str]) -> Datum:
    """Convert a request to the worker's `http` datum.

    Repeated headers and query values are joined with commas, as in the real host.
    """
    headers: dict[str, str] = {}
    for name, text in request.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    query: dict[str, str] = {}
    for name, text in request.query.items():
        query[name] = f"{query[name]},{text}" if name in query else text
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(str(request.url), "string"),
            "headers": {name: Datum(text, "string") for name, text in headers.items()},
            "body": Datum(await request.read(), "bytes"),
            "params": {name: Datum(text, "string") for name, text in parameters.items()},
            "query": {name: Datum(text, "string") for name, text in query.items()},
        },
        "http",
    )


def response_of(spec: FunctionSpec, result: Result) -> web.Response:
    """The response that the function returned or set in its `http` output. 204 when there is none."""
    datum = result.returned
    if datum is None:
        names = {binding.name for binding in spec.outputs if binding.type == "http"}
        datum = next((value for name, value in result.outputs if name in names), None)
    if datum is None or datum.type is None:
        return web.Response(status=204)
    if datum.type != "http":
        body = datum.value if isinstance(datum.value, bytes) else str(datum.value).encode()
        return web.Response(body=body, content_type="text/plain", charset="utf-8")
    fields = datum.value
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in fields["headers"].items():
        if name.lower() not in _SERVER_HEADERS:
            headers[name] = value.value
    _add_cookies(headers, fields.get("cookies"))
    body = fields["body"].value
    return web.Response(
        status=int(fields["status_code"].value), headers=headers, body=body.encode() if isinstance(body, str) else body
    )


def _add_cookies(headers: CIMultiDict[str], cookies: list[SimpleCookie] | None) -> None:
    for cookie in cookies or ():
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
