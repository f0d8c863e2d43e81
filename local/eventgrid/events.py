"""Events in their two schemas: what a topic accepts, and how Event Grid schema becomes CloudEvents on delivery.

Refusals carry the status, code and wording of the service (azure-docs event-grid/troubleshoot-errors.md and
event-schema.md): publishers match on them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_BYTES = 1024 * 1024
"""The largest array of events that a topic takes (azure-docs event-grid/event-schema.md: 1 MB)."""


class Schema(StrEnum):
    """The schemas by the names that event subscriptions use."""

    EVENT_GRID = "EventGridSchema"
    CLOUD_EVENTS = "CloudEventSchemaV1_0"


_NAMES = {Schema.EVENT_GRID: "EventGridEvent", Schema.CLOUD_EVENTS: "CloudEventV10"}
_REQUIRED = {
    Schema.EVENT_GRID: ("id", "subject", "eventType", "eventTime"),
    Schema.CLOUD_EVENTS: ("id", "source", "type", "specversion"),
}


class Refused(Exception):
    """A topic does not take a request: the HTTP status, Event Grid's code and its message."""

    def __init__(self, status: int, code: str, message: str, detail: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.detail = status, code, message, detail or code

    def body(self) -> dict[str, Any]:
        """The error as the service writes it."""
        details = [{"code": self.detail, "message": self.message}]
        return {"error": {"code": self.code, "message": self.message, "details": details}}


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it was published: its schema, and its body as JSON."""

    schema: Schema
    body: dict[str, Any]

    @property
    def id(self) -> str:
        return self.body["id"]

    @property
    def type(self) -> str:
        return self.body["eventType" if self.schema is Schema.EVENT_GRID else "type"]

    @property
    def subject(self) -> str:
        return self.body.get("subject") or ""

    def rendered(self, schema: Schema) -> dict[str, Any] | None:
        """The body for a subscription with this delivery schema, or None where the service cannot translate.

        Event Grid turns its own schema into CloudEvents and not the other way round (azure-docs
        event-grid/input-mappings.md).
        """
        if schema is self.schema:
            return self.body
        return _as_cloud_event(self.body) if schema is Schema.CLOUD_EVENTS else None


def parse_request(content_type: str, raw: bytes, topic_id: str) -> list[Event]:
    """The events of a request to a custom topic, whose resource id is `topic_id`; raises Refused."""
    if len(raw) > MAX_BYTES:
        raise Refused(413, "PayloadTooLarge", f"The maximum size ({MAX_BYTES}) has been exceeded.")
    kind = content_type.split(";")[0].strip().lower()
    if kind == "application/cloudevents-batch+json":
        return parse_cloud_events(_array(_json(raw, Schema.CLOUD_EVENTS), Schema.CLOUD_EVENTS))
    if kind == "application/cloudevents+json":
        return parse_cloud_events([_json(raw, Schema.CLOUD_EVENTS)])
    if kind in ("application/json", ""):
        events = parse_event_grid_events(_array(_json(raw, Schema.EVENT_GRID), Schema.EVENT_GRID))
        return [_stamped(event, topic_id) for event in events]
    raise Refused(415, "UnsupportedMediaType", f"The content type '{kind}' is not supported.")


def parse_cloud_events(bodies: Sequence[Any]) -> list[Event]:
    """CloudEvents 1.0 in structured mode; raises Refused for the first that is none."""
    events = [_checked(body, Schema.CLOUD_EVENTS) for body in bodies]
    for event in events:
        if event.body["specversion"] != "1.0":
            raise _bad(Schema.CLOUD_EVENTS, f"The specversion '{event.body['specversion']}' is not supported.")
    return events


def parse_event_grid_events(bodies: Sequence[Any]) -> list[Event]:
    """Events in Event Grid schema; raises Refused for the first that is none."""
    return [_checked(body, Schema.EVENT_GRID) for body in bodies]


def _json(raw: bytes, schema: Schema) -> Any:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise _bad(schema, f"The body is not JSON: {error}.") from error


def _array(document: Any, schema: Schema) -> list[Any]:
    if not isinstance(document, list):
        raise _bad(schema, "Token Expected: StartArray, Actual Token Received: StartObject.")
    if not document:
        raise _bad(schema, "The array holds no event.")
    return document


def _checked(body: Any, schema: Schema) -> Event:
    if not isinstance(body, dict):
        raise _bad(schema, "Token Expected: StartObject.")
    for name in _REQUIRED[schema]:
        if not isinstance(body.get(name), str) or not body[name]:
            raise _bad(schema, f"Required property '{name}' not found in JSON, or not a text.")
    return Event(schema, body)


def _bad(schema: Schema, why: str) -> Refused:
    text = f"This resource is configured to receive event in '{_NAMES[schema]}' schema. "
    text += f"The JSON received does not conform to the expected schema. {why}"
    return Refused(400, "BadRequest", text, detail="InputJsonInvalid")


def _stamped(event: Event, topic_id: str) -> Event:
    """The event with the two fields that the service fills in; a publisher may repeat the topic, not change it."""
    given = event.body.get("topic") or topic_id
    if str(given).lower() != topic_id.lower():
        raise _bad(event.schema, f"The topic '{given}' is not this one; leave it out.")
    return Event(event.schema, {**event.body, "topic": topic_id, "metadataVersion": "1"})


def _as_cloud_event(body: dict[str, Any]) -> dict[str, Any]:
    """As Event Grid translates (azure-docs event-grid/event-schema-subscriptions.md shows both forms side by side)."""
    return {
        "source": body.get("topic", ""),
        "subject": body["subject"],
        "type": body["eventType"],
        "time": body["eventTime"],
        "id": body["id"],
        "data": body.get("data"),
        "specversion": "1.0",
    }
