"""What Event Grid says to the scanner: handshakes, versions that were written, scans that are asked for.

Two subscriptions end at the one webhook. That of the subscription's system topic is in Event Grid schema, as ARM's
events are; that of Ringmaster's own topic is in CloudEvents 1.0, each with the handshake of its schema (azure-docs
event-grid/end-point-validation-event-grid-events-schema.md and -cloud-events-schema.md).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_WRITE: Final = "Microsoft.Compute/galleries/images/versions/write"
_REQUESTED: Final = "Ringmaster.ScanRequested"
_CLOUD_EVENT: Final = "application/cloudevents+json"


class InvalidEvents(Exception):
    """A body that is not what Event Grid sends."""


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """The handshake of Event Grid schema: the code is to be answered."""

    code: str


@dataclass(frozen=True, slots=True)
class VersionsWritten:
    """Resource ids of image versions that were written; those of other events are left out."""

    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScanRequested:
    """A scan that Ringmaster asks for. `event` tells one request from its repetition; `formats` are those it takes,
    none when it doesn't say.
    """

    image: str
    event: str
    formats: tuple[str, ...] = ()


def allowed_origin(headers: Mapping[str, str]) -> dict[str, str]:
    """The answer to a CloudEvents handshake: whoever asks may send, as fast as it likes (the webhook's abuse
    protection, section 4 of the CloudEvents HTTP 1.1 Web Hooks).
    """
    origin = headers.get("WebHook-Request-Origin", "")
    return {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"} if origin else {}


def parse_request(headers: Mapping[str, str], body: bytes) -> ValidationRequest | VersionsWritten | ScanRequested:
    """What a POST says; raises BadEvents."""
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
        raise InvalidEvents(f"not a CloudEvent of Ringmaster's: {error!r}") from error


def _is_write(event: dict[str, Any]) -> bool:
    if event["eventType"] != "Microsoft.Resources.ResourceWriteSuccess":
        return False
    return str(event["data"].get("operationName", "")).lower() == _WRITE.lower()
