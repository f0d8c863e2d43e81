"""Event subscriptions: read from ARM's JSON, kept, and validated by the handshakes.

The body is that of `Microsoft.EventGrid/eventSubscriptions`, so what a Bicep file says can be said here.
"""

import asyncio
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from local.eventgrid.events import Schema
from local.eventgrid.filters import BadFilter, EventFilter, read_filter

ORIGIN = "eventgrid.azure.net"
_DEFAULT_ATTEMPTS, _DEFAULT_TTL = 30, 1440


class BadSubscription(ValueError):
    """An event subscription that Event Grid would not create. The text says what is wrong."""


@dataclass(frozen=True, slots=True)
class EventSubscription:
    """Where events of a topic go, which ones, and for how long delivery is tried (`ttl` in seconds of Azure's time)."""

    topic: str
    name: str
    url: str
    schema: Schema
    filter: EventFilter
    max_attempts: int
    ttl: float
    dead_letter: bool
    document: str

    @property
    def key(self) -> str:
        return f"{self.topic}/{self.name}"


def read_subscription(topic: str, name: str, document: Any) -> EventSubscription:
    """Read the body of a PUT; raises BadSubscription."""
    properties = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(properties, Mapping):
        raise BadSubscription('the body must be {"properties": {…}}')
    retry = properties.get("retryPolicy") or {}
    try:
        chosen = read_filter(properties.get("filter") or {})
        schema = Schema(properties.get("eventDeliverySchema") or Schema.EVENT_GRID)
    except BadFilter as error:
        raise BadSubscription(str(error)) from error
    except ValueError as error:
        raise BadSubscription(f"eventDeliverySchema must be one of {', '.join(Schema)}") from error
    minutes = _whole(retry.get("eventTimeToLiveInMinutes", _DEFAULT_TTL), "eventTimeToLiveInMinutes", 1440)
    return EventSubscription(
        topic=topic,
        name=name,
        url=_webhook_url(properties.get("destination")),
        schema=schema,
        filter=chosen,
        max_attempts=_whole(retry.get("maxDeliveryAttempts", _DEFAULT_ATTEMPTS), "maxDeliveryAttempts", 30),
        ttl=minutes * 60,
        dead_letter=bool(properties.get("deadLetterDestination")),
        document=json.dumps(document),
    )


async def validate_endpoint(session: aiohttp.ClientSession, wanted: EventSubscription, seconds: float) -> None:
    """Prove that the endpoint wants events: raises BadSubscription when its handshake fails.

    Event Grid schema posts a SubscriptionValidationEvent and expects its code back; CloudEvents asks with OPTIONS
    (azure-docs event-grid/end-point-validation-event-grid-events-schema.md and -cloud-events-schema.md).
    """
    shake = _greet if wanted.schema is Schema.EVENT_GRID else _ask
    shown = str(URL(wanted.url).with_query(None))
    try:
        async with asyncio.timeout(seconds):
            fault = await shake(session, wanted)
    except (aiohttp.ClientError, TimeoutError) as error:
        fault = f"no answer: {error!r}"
    if fault:
        raise BadSubscription(f"Webhook validation handshake failed for {shown}: {fault}")


async def _greet(session: aiohttp.ClientSession, wanted: EventSubscription) -> str | None:
    code = str(uuid.uuid4()).upper()
    event = {
        "id": str(uuid.uuid4()),
        "topic": wanted.topic,
        "subject": "",
        "data": {"validationCode": code},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2018-01-25T22:12:19.4556811Z",
        "metadataVersion": "1",
        "dataVersion": "2",
    }
    headers = {"aeg-event-type": "SubscriptionValidation", "aeg-subscription-name": wanted.name.upper()}
    async with session.post(URL(wanted.url, encoded=True), json=[event], headers=headers) as answer:
        text = await answer.text()
        if answer.status != 200:
            return f"POST answered {answer.status}: {text[:300]}"
        try:
            given = json.loads(text).get("validationResponse")
        except (ValueError, AttributeError):
            return f"the answer is not a validation response: {text[:300]}"
        return None if given == code else f"the validation response {given!r} is not the code that was sent"


async def _ask(session: aiohttp.ClientSession, wanted: EventSubscription) -> str | None:
    headers = {"WebHook-Request-Origin": ORIGIN, "WebHook-Request-Rate": "120"}
    async with session.options(URL(wanted.url, encoded=True), headers=headers) as answer:
        allowed = answer.headers.get("WebHook-Allowed-Origin", "")
        if answer.status != 200:
            return f"OPTIONS answered {answer.status}: {(await answer.text())[:300]}"
        return None if allowed in (ORIGIN, "*") else f"WebHook-Allowed-Origin is {allowed!r}, not {ORIGIN}"


def _webhook_url(destination: Any) -> str:
    if not isinstance(destination, Mapping) or destination.get("endpointType") != "WebHook":
        raise BadSubscription("destination.endpointType must be WebHook, the one kind that is delivered to here")
    properties = destination.get("properties") or {}
    if properties.get("maxEventsPerBatch", 1) != 1:
        raise BadSubscription("destination.properties.maxEventsPerBatch must be 1: there is no output batching here")
    url = str(properties.get("endpointUrl") or "")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise BadSubscription(f"destination.properties.endpointUrl must be an http(s) address, not {url!r}")
    return url


def _whole(value: Any, name: str, most: int) -> int:
    if not isinstance(value, int) or not 1 <= value <= most:
        raise BadSubscription(f"retryPolicy.{name} must be a whole number from 1 to {most}, not {value!r}")
    return value
