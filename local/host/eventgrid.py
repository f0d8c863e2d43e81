"""The Event Grid webhook: `/runtime/webhooks/eventgrid?functionName=F&code=<system key>`.

It follows EventGridExtensionConfigProvider.cs and HttpRequestProcessor.cs: the subscription handshake for both schemas,
one invocation per event, all in parallel, and 202 if all succeed or 500 if one fails (Event Grid then sends the whole
payload again). For a request that the extension cannot read, the response is 500 without a text, with every method.

The real host returns 409 when a function whose parameter is a .NET EventGridEvent or CloudEvent is subscribed with the
other schema. A Python function receives JSON and both schemas, so the rule applies only if its binding has such a type
in `bindingType`.
"""

import asyncio
import json
import logging
from typing import Any

from aiohttp import web

from local.host.functions import FunctionSpec
from local.host.invoker import Invoker, Result
from local.host.keys import KeyStore, refused
from local.host.worker import Datum

logger = logging.getLogger("local.host.eventgrid")

_PUBLIC_ORIGIN = "eventgrid.azure.net"
_ORIGINS = frozenset(
    {
        _PUBLIC_ORIGIN,
        "eventgrid.azure.us",
        "eventgrid.azure.cn",
        "eventgrid.azure.eaglex.ic.gov",
        "eventgrid.azure.microsoft.scloud",
    }
)


class EventGridWebhook:
    """Serves all functions with an eventGridTrigger."""

    def __init__(self, functions: list[FunctionSpec], invoker: Invoker, keys: KeyStore) -> None:
        self._functions = {spec.name: spec for spec in functions if spec.trigger.type == "eventGridTrigger"}
        self._invoker = invoker
        self._keys = keys

    async def handle(self, request: web.Request, key: str | None) -> web.Response:
        """Handle a webhook call."""
        if not self._keys.opens_webhook(key):
            return refused(self._keys, key)
        name = request.query.get("functionName", "")
        spec = self._functions.get(name)
        if spec is None:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if request.method == "OPTIONS":
            return _options(request, spec)
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return web.Response(status=202)
        if kind not in ("subscriptionvalidation", "notification"):
            return web.Response(status=400)
        if kind == "subscriptionvalidation" and spec.trigger.text("bindingType") == "CloudEvent":
            return web.Response(
                status=409, text="EventGridEvent schema cannot be used for a function that binds to CloudEvent."
            )
        try:
            payload = json.loads(await request.read())
            if kind == "subscriptionvalidation":
                return _validated(payload)
            events = _events(payload)
        except (LookupError, RecursionError, TypeError, ValueError) as fault:
            logger.warning("%s for %s cannot be read: %r", kind, name, fault)
            return web.Response(status=500)
        return await self._notify(spec, events)

    async def _notify(self, spec: FunctionSpec, events: list[dict[str, Any]]) -> web.Response:
        results = await asyncio.gather(*(self._dispatch(spec, event) for event in events))
        if all(result.ok for result in results):
            return web.Response(status=202)
        return web.Response(status=500, text=f"Exception while executing function: Functions.{spec.name}")

    async def _dispatch(self, spec: FunctionSpec, event: dict[str, Any]) -> Result:
        """Run the function for one event. The event's JSON is passed on unchanged, including dates."""
        metadata = {"data": Datum(json.dumps(event.get("data")), "json")}
        return await self._invoker.run(spec, Datum(json.dumps(event, ensure_ascii=False), "json"), metadata)


def _events(payload: Any) -> list[dict[str, Any]]:
    """One event or several; raises TypeError for what is neither."""
    events = payload if isinstance(payload, list) else [payload]
    if not all(isinstance(event, dict) for event in events):
        raise TypeError("the body must be one event or an array of events")
    return events


def _options(request: web.Request, spec: FunctionSpec) -> web.Response:
    """The CloudEvents abuse-protection handshake. Only Event Grid's own origins are accepted."""
    if spec.trigger.text("bindingType") == "EventGridEvent":
        return web.Response(
            status=409, text="CloudEvent schema cannot be used for a function that binds to EventGridEvent."
        )
    asked = request.headers.get("WebHook-Request-Origin", _PUBLIC_ORIGIN)
    return web.Response(headers={"Webhook-Allowed-Origin": asked if asked in _ORIGINS else _PUBLIC_ORIGIN})


def _validated(payload: Any) -> web.Response:
    """The Event Grid handshake.

    The code is in an array with one event, or in an object whose data is JSON in a string. Raises LookupError,
    TypeError or ValueError for a payload without a code.
    """
    if isinstance(payload, list):
        data = payload[0]["data"]
    else:
        data = payload["data"]
        data = json.loads(data) if isinstance(data, str) else data
    answer = json.dumps({"validationResponse": str(data["validationCode"])}, separators=(",", ":"))
    return web.Response(text=answer)
