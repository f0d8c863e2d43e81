"""The data of CloudEvents on the wire: camel-case names, and the check of what is published."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.codec.derive import wire_struct
from shared.codec.errors import Unencodable
from shared.codec.plain import error_text
from shared.domain.events import TYPES


@functools.cache
def event_wire(event_type: type[Any]) -> type[Any]:
    """The struct for the data of a type of event."""
    return wire_struct(event_type.__name__, event_type, {}, rename="camel", forbid_unknown_fields=True)


def event_data(event_type: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The data of an event, with every field, from the values of a row. Raises Unencodable for what does not fit."""
    try:
        named = {_camel(name): value for name, value in values.items()}
        wire = msgspec.convert(named, event_wire(event_type))
    except msgspec.ValidationError as error:
        raise Unencodable(f"the data of {event_type.TYPE} does not fit its type: {error_text(error)}") from error
    fields = {_camel(name): getattr(wire, name) for name in wire.__struct_fields__}
    return msgspec.json.decode(msgspec.json.encode(fields))


def check_event(name: str, data: Mapping[str, Any]) -> None:
    """Check the data of an event against its type. Raises Unencodable, also for a type that is not documented."""
    event_type = TYPES.get(name)
    if event_type is None:
        raise Unencodable(f"{name} is no type of event")
    try:
        msgspec.convert(dict(data), event_wire(event_type))
    except msgspec.ValidationError as error:
        raise Unencodable(f"the data of {name} does not fit its schema: {error_text(error)}") from error


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
