"""Parses Event Grid's requests to the scanner: handshakes, written versions and requested scans.

Two subscriptions use the webhook. The system topic of the Azure subscription sends events in Event Grid schema, and
Ringmaster's own topic sends CloudEvents 1.0. Each schema has its own handshake (Microsoft Learn, "Endpoint validation
with Event Grid event schema" and "Endpoint validation with CloudEvents schema").
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_WRITE: Final = "Microsoft.Compute/galleries/images/versions/write"
_REQUESTED: Final = "Ringmaster.ScanRequested"
_CLOUD_EVENT: Final = "application/cloudevents+json"


class InvalidEvents(Exception):
    """The body is not a valid request of Event Grid."""


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """The handshake of Event Grid schema. The response must contain the code."""

    code: str


@dataclass(frozen=True, slots=True)
class VersionsWritten:
    """Resource ids of written image versions. Other events are ignored."""

    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanRequested:
    """Ringmaster requests a scan.

    `event` identifies duplicates; `formats` are the accepted formats (empty: not specified).
    """

    image: str
    event: str
    formats: tuple[str, ...] = ()


def allowed_origin(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that answer a CloudEvents handshake: any origin may send, at any rate (CloudEvents HTTP 1.1 Web
    Hooks, section 4, "Abuse protection").
    """
    origin = headers.get("WebHook-Request-Origin", "")
    return {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"} if origin else {}


def parse_request(headers: Mapping[str, str], body: bytes) -> ValidationRequest | VersionsWritten | ScanRequested:
    """Parse a POST request. Raises InvalidEvents."""
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() == _CLOUD_EVENT:
        return _cloud_event(body)
    try:
        events = json.loads(body)
        if headers.get("aeg-event-type") == "SubscriptionValidation":
            return ValidationRequest(events[0]["data"]["validationCode"])
        return VersionsWritten(tuple(one["subject"] for one in events if _is_write(one)))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidEvents(f"not an array of events in Event Grid schema: {error!r}") from error


def _cloud_event(body: bytes) -> VersionsWritten | ScanRequested:
    try:
        event = json.loads(body)
        if event["type"] != _REQUESTED:
            return VersionsWritten()
        data = event["data"]
        formats = tuple(str(each) for each in data.get("formats") or ())
        return ScanRequested(str(data["version"]), f"{event['source']} {event['id']}", formats)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidEvents(f"not a CloudEvent of Ringmaster: {error!r}") from error


def _is_write(event: dict[str, Any]) -> bool:
    if event["eventType"] != "Microsoft.Resources.ResourceWriteSuccess":
        return False
    return str(event["data"].get("operationName", "")).lower() == _WRITE.lower()
