"""Converts a queue message to the body and trigger metadata of an invocation, as the Storage Queue extension does."""

import base64
import binascii
import json
from typing import Any

from azure.storage.queue import QueueMessage

from local.host.worker import Datum


class UndecodableBody(ValueError):
    """The body is not base64, although `messageEncoding` is base64."""


def body_of(message: QueueMessage, base64_bodies: bool) -> bytes:
    """The decoded body. Raises UndecodableBody; such a message goes to the poison queue without reaching a function."""
    text = message.content or ""
    if not base64_bodies:
        return text.encode()
    try:
        # .NET's Convert.FromBase64String ignores white space and requires exact padding.
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise UndecodableBody(f"message {message.id} is not base64: {fault}") from fault


def trigger_value(body: bytes) -> Datum:
    """A string if the body is UTF-8, otherwise bytes: the two types that `azure.functions.QueueMessage` accepts."""
    try:
        return Datum(body.decode("utf-8"), "string")
    except UnicodeDecodeError:
        return Datum(body, "bytes")


def trigger_metadata(message: QueueMessage, value: Datum) -> dict[str, Datum]:
    """Id, DequeueCount, times, PopReceipt and QueueTrigger, and the JSON fields of the body.

    A field of the body overrides metadata of the same name, in any casing (the host's dictionary ignores case): a body
    with a key "id" hides the message id (ApplyBindingData of the host, QueueTriggerBinding.CreateBindingData).
    """
    metadata = {
        "Id": _text(message.id),
        "DequeueCount": Datum(message.dequeue_count, "int"),
        "ExpirationTime": _moment(message.expires_on),
        "InsertionTime": _moment(message.inserted_on),
        "NextVisibleTime": _moment(message.next_visible_on),
        "PopReceipt": _text(message.pop_receipt),
    }
    if value.type == "string":
        metadata["QueueTrigger"] = value
        _apply_body_fields(str(value.value), metadata)
    return metadata


def _text(text: str | None) -> Datum:
    return Datum(text, None if text is None else "string")


def _moment(moment: Any) -> Datum:
    return Datum(moment.strftime("%Y-%m-%dT%H:%M:%S+00:00"), "string")


def _apply_body_fields(text: str, metadata: dict[str, Datum]) -> None:
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")):
        return
    try:
        fields: dict[str, Any] = json.loads(stripped)
    except ValueError:
        return  # a body does not need to be JSON
    canonical: dict[str, str] = {name.lower(): name for name in metadata}
    for name, field in fields.items():
        if field is None or isinstance(field, list):
            continue
        key = canonical.get(name.lower(), name)
        if isinstance(field, dict):
            metadata[key] = Datum(json.dumps(field), "json")
        else:
            metadata[key] = Datum(field if isinstance(field, str) else json.dumps(field), "string")
