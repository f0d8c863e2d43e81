"""The HTTP server of the host: function routes, keys, limits, and conversion of requests to the `http` datum."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from http.cookies import SimpleCookie

from aiohttp import web
from multidict import CIMultiDict

from local.host.admin import Admin
from local.host.eventgrid import EventGridWebhook
from local.host.functions import FunctionSpec
from local.host.invoker import Invoker, Result
from local.host.keys import KeyStore
from local.host.paths import request_path, shown_path
from local.host.routes import Route, RouteError, RouteTable
from local.host.worker import Datum

logger = logging.getLogger("local.host.http")

# The front end of Azure App Service times out after 230 s; the function continues.
REQUEST_SECONDS = 230.0
BODY_LIMIT = 104_857_600
"""Bytes of a request's body (ScriptConstants.DefaultMaxRequestBodySize)."""
_BODY_LIMIT_SETTING = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
_RESERVED = ("admin", "runtime")  # how no route may begin, whatever the prefix (ScriptHost.ValidateHttpFunction)
_HOMEPAGE = (
    "<!DOCTYPE html><html><head><title>Function App</title></head>"
    "<body><h1>Your Functions app is up and running</h1></body></html>"
)
_SERVER_HEADERS = {"content-length", "transfer-encoding", "connection"}  # set by the server from the body


def body_limit(settings: Mapping[str, str]) -> int:
    """The most bytes of a request's body under these app settings; a setting that is no number counts as none."""
    given = settings.get(_BODY_LIMIT_SETTING, "")
    return int(given) if given.isdecimal() else BODY_LIMIT


def given_key(request: web.Request) -> str | None:
    """The key in a request: the header `x-functions-key`, even a wrong one; without it, the query parameter `code`."""
    if "x-functions-key" in request.headers:
        return request.headers["x-functions-key"]
    return CIMultiDict(request.query).get("code")


class HttpFront:
    """Handles all requests to the host."""

    def __init__(
        self,
        routes: RouteTable[FunctionSpec],
        invoker: Invoker,
        keys: KeyStore,
        *,
        admin: Admin,
        webhook: EventGridWebhook,
        most_bytes: int = BODY_LIMIT,
        request_seconds: float = REQUEST_SECONDS,
        homepage: bool = True,
    ) -> None:
        self._routes = routes
        self._invoker = invoker
        self._keys = keys
        self._admin = admin
        self._webhook = webhook
        self._most_bytes = most_bytes
        self._seconds = request_seconds
        self._homepage = homepage

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if (request.content_length or 0) > self._most_bytes:
            return _hang_up(request)
        path = request_path(request.rel_url.raw_path)
        if path == "/" and request.method in ("GET", "HEAD"):
            return (
                web.Response(body=_HOMEPAGE.encode(), content_type="text/html")
                if self._homepage
                else web.Response(status=204)
            )
        if path.lower().startswith("/admin/"):
            return await self._admin.handle(request, given_key(request))
        if path.rstrip("/").lower() == "/runtime/webhooks/eventgrid":
            return await self._webhook.handle(request, given_key(request))
        found = self._routes.find(request.method, path)
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


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection without a response: the body is over the limit ("Request body too large"). Nothing runs."""
    logger.error("request body too large: %s %s", request.method, request.path)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=413)


def load_routes(functions: Iterable[FunctionSpec], prefix: str) -> tuple[RouteTable[FunctionSpec], dict[str, str]]:
    """The routes of all HTTP triggers under `prefix`, and for each function that cannot be loaded the reason. The host
    starts without such a function.

    Raises RouteError that names the function with an invalid route.
    """
    table: RouteTable[FunctionSpec] = RouteTable()
    faults: dict[str, str] = {}
    for spec in sorted(functions, key=lambda each: each.name.upper()):
        if spec.trigger.type != "httpTrigger":
            continue
        route = _route(spec, prefix)
        equal = next((name for name, other, _ in table.entries if route.equals(other)), None)
        if spec.route.lower().startswith(_RESERVED):
            faults[spec.name] = "The specified route conflicts with one or more built in routes."
        elif equal is not None:
            faults[spec.name] = f"The route specified conflicts with the route defined by function '{equal}'."
        else:
            table.add(spec.name, route, spec)
    return table, faults


def _route(spec: FunctionSpec, prefix: str) -> Route:
    methods = spec.trigger.fields.get("methods")
    allowed = frozenset(str(method).upper() for method in methods) if methods else None
    try:
        return Route(f"{prefix}/{spec.route}" if prefix else spec.route, allowed)
    except RouteError as fault:
        raise RouteError(f"function {spec.name}: {fault}") from fault


async def request_datum(request: web.Request, parameters: dict[str, str]) -> Datum:
    """Convert a request to the worker's `http` datum (GrpcMessageConversionExtensions.ToRpcHttp).

    Repeated headers and query values are joined with commas, and query values that are then empty are left out. A body
    without `Content-Length` (`Transfer-Encoding: chunked`) does not reach the function.
    """
    query = request.rel_url.raw_query_string
    path = shown_path(request_path(request.rel_url.raw_path))
    return Datum(
        {
            "method": Datum(request.method, "string"),
            "url": Datum(f"http://{request.host}{path}{f'?{query}' if query else ''}", "string"),
            "headers": _strings({name.lower(): text for name, text in _joined(request.headers.items()).items()}),
            "body": Datum(await request.read() if request.content_length else b"", "bytes"),
            "params": _strings(parameters),
            "query": _strings({name: text for name, text in _joined(request.query.items()).items() if text}),
        },
        "http",
    )


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Values by name; names that differ in casing alone are one, written as it came first."""
    values: dict[str, tuple[str, list[str]]] = {}
    for name, text in pairs:
        values.setdefault(name.lower(), (name, []))[1].append(text)
    return {name: ",".join(texts) for name, texts in values.values()}


def _strings(texts: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(text, "string") for name, text in texts.items()}


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
        return _streamed(web.Response(body=body, content_type="text/plain", charset="utf-8"))
    fields = datum.value
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in fields["headers"].items():
        if name.lower() not in _SERVER_HEADERS:
            headers[name] = value.value
    _add_cookies(headers, fields.get("cookies"))
    body = fields["body"].value
    return _streamed(
        web.Response(
            status=int(fields["status_code"].value),
            headers=headers,
            body=body.encode() if isinstance(body, str) else body,
        )
    )


def _streamed(response: web.Response) -> web.Response:
    """What a function answers goes out in chunks, as the host does not say its length."""
    if response.body:
        response.enable_chunked_encoding()
    return response


def _add_cookies(headers: CIMultiDict[str], cookies: list[SimpleCookie] | None) -> None:
    for cookie in cookies or ():
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
