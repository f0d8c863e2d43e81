"""The Event Grid webhook: `/runtime/webhooks/eventgrid?functionName=F&code=<system key>`.

It follows EventGridExtensionConfigProvider.cs and HttpRequestProcessor.cs: the subscription handshake for both schemas,
one invocation per event, all in parallel, and 202 if all succeed or 500 if one fails (Event Grid then sends the whole
payload again). One difference is intended: for a body that is not JSON, this host returns 400 with the reason; the real
host returns 500, and Event Grid retries.

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
from local.host.keys import KeyStore
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
            return web.Response(status=401)
        if request.method not in ("POST", "OPTIONS"):
            return web.Response(status=404)
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
        except (ValueError, RecursionError) as fault:
            return web.Response(status=400, text=f"the body is not valid JSON: {fault}")
        return _validate(payload) if kind == "subscriptionvalidation" else await self._notify(spec, payload)

    async def _notify(self, spec: FunctionSpec, payload: Any) -> web.Response:
        if not isinstance(payload, list | dict):
            return web.Response(status=400, text="the body must be one event or an array of events")
        events = payload if isinstance(payload, list) else [payload]
        results = await asyncio.gather(*(self.dispatch(spec, event) for event in events))
        for result in results:
            if not result.ok:
                return web.Response(
                    status=500, text=f"Exception while executing function: Functions.{spec.name}: {result.error}"
                )
        return web.Response(status=202)

    async def dispatch(self, spec: FunctionSpec, event: Any) -> Result:
        """Run the function for one event. The event's JSON is passed on unchanged, including dates."""
        metadata = {"data": Datum(json.dumps(event.get("data")), "json")} if isinstance(event, dict) else {}
        return await self._invoker.run(spec, Datum(json.dumps(event, ensure_ascii=False), "json"), metadata)


def _options(request: web.Request, spec: FunctionSpec) -> web.Response:
    """The CloudEvents abuse-protection handshake. Only Event Grid's own origins are accepted."""
    if spec.trigger.text("bindingType") == "EventGridEvent":
        return web.Response(
            status=409, text="CloudEvent schema cannot be used for a function that binds to EventGridEvent."
        )
    asked = request.headers.get("WebHook-Request-Origin", _PUBLIC_ORIGIN)
    return web.Response(headers={"Webhook-Allowed-Origin": asked if asked in _ORIGINS else _PUBLIC_ORIGIN})


def _validate(payload: Any) -> web.Response:
    """The Event Grid handshake.

    The code is in an array with one event, or in an object whose data is JSON in a string.
    """
    try:
        if isinstance(payload, list):
            data = payload[0]["data"]
        else:
            data = payload["data"]
            data = json.loads(data) if isinstance(data, str) else data
        code = str(data["validationCode"])
    except (KeyError, IndexError, TypeError, ValueError):
        return web.Response(status=400, text="the validation event has no data.validationCode")
    return web.json_response({"validationResponse": code})
