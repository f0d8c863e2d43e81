"""Wire structs made from the domain's dataclasses, field by field.

A field that the domain gains is on the wire without another line here; none can be forgotten. Only fields that look
different on the wire are named where the struct is made.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, get_type_hints

import msgspec

type Aware = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its offset; a time without one is refused."""

_ON_THE_WIRE: Mapping[Any, Any] = {datetime: Aware, datetime | None: Aware | None}


def wire_struct(name: str, domain: type, different: Mapping[str, Any]) -> type[Any]:
    """A struct with the fields of a dataclass; ``different`` gives other types for some, and further fields."""
    hints = get_type_hints(domain)
    fields: list[Any] = []
    for field in dataclasses.fields(domain):
        hint = different.get(field.name, _ON_THE_WIRE.get(hints[field.name], hints[field.name]))
        fields.append((field.name, hint, *_default(field)))
    known = {field[0] for field in fields}
    further = [(each, hint) for each, hint in different.items() if each not in known]
    return msgspec.defstruct(name, further + fields, omit_defaults=True, kw_only=True, module=__name__)


def values(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, not of what is in it."""
    return {name: getattr(value, name) for name in _names(type(value))}


def from_wire[T](domain: type[T], wire: Any, **instead: Any) -> T:
    """The dataclass that a struct stands for; ``instead`` gives the values that look different on the wire."""
    taken = {name: instead[name] if name in instead else getattr(wire, name) for name in _names(domain)}
    return domain(**taken)


@functools.cache
def _names(domain: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(domain))


def _default(field: dataclasses.Field[Any]) -> tuple[Any, ...]:
    if field.default is not dataclasses.MISSING:
        return (field.default,)
    if field.default_factory is not dataclasses.MISSING:
        return (msgspec.field(default_factory=field.default_factory),)
    return ()
