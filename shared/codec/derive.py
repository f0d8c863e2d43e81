"""Wire structs made from the domain's dataclasses, field by field.

A field that the domain gains is on the wire without another line here; none can be forgotten. Only fields that look
different on the wire are named where the struct is made.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, get_origin, get_type_hints

import msgspec

type Aware = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its offset; a time without one is refused."""


@dataclasses.dataclass(frozen=True, slots=True)
class WithDefault:
    """A type on the wire whose default is another than the domain's."""

    hint: Any
    default: Any


_ON_THE_WIRE: Mapping[Any, Any] = {datetime: Aware, datetime | None: Aware | None}


def wire_struct(name: str, domain: type, different: Mapping[str, Any], **options: Any) -> type[Any]:
    """A struct with the fields of a dataclass.

    ``different`` gives other types for some fields (with ``WithDefault``, other defaults too), and further fields.
    ``options`` are msgspec's own: ``rename``, ``tag`` and ``tag_field``.
    """
    hints = get_type_hints(domain)
    fields: list[Any] = []
    for field in dataclasses.fields(domain):
        hint = different.get(field.name, _ON_THE_WIRE.get(hints[field.name], hints[field.name]))
        default = _default(field)
        if isinstance(hint, WithDefault):
            hint, default = hint.hint, (hint.default,)
        fields.append((field.name, hint, *default))
    known = {field[0] for field in fields}
    further = [(each, hint) for each, hint in different.items() if each not in known]
    return msgspec.defstruct(name, further + fields, omit_defaults=True, kw_only=True, module=__name__, **options)


def values(value: object) -> dict[str, Any]:
    """The fields of a dataclass, not of what is in it."""
    names, read = _fields(_type_of(value))
    return dict(zip(names, read(value), strict=True))


def from_wire[T](domain: type[T], wire: Any, **instead: Any) -> T:
    """The dataclass that a struct stands for; ``instead`` gives the values that look different on the wire."""
    names, read = _fields(domain)
    return domain(**(dict(zip(names, read(wire), strict=True)) | instead))


def times(holder: Any) -> Iterator[datetime]:
    """Every time in a dataclass's own fields, where it is set."""
    for name in _time_fields(_type_of(holder)):
        at = getattr(holder, name)
        if at is not None:
            yield at


def _type_of(value: object) -> type[object]:
    return type(value)


# Rows and messages are read and written at every hop: which fields there are is found once, and read by C code.
@functools.cache
def _fields(domain: type) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(field.name for field in dataclasses.fields(domain))
    if len(names) > 1:
        return names, operator.attrgetter(*names)
    # attrgetter gives no tuple for a single name, and takes no names at all.
    return names, lambda value: tuple(getattr(value, name) for name in names)


@functools.cache
def _time_fields(domain: type) -> tuple[str, ...]:
    return tuple(name for name, hint in get_type_hints(domain).items() if hint in _ON_THE_WIRE)


def _default(field: dataclasses.Field[Any]) -> tuple[Any, ...]:
    if field.default is not dataclasses.MISSING:
        return (field.default,)
    if field.default_factory is not dataclasses.MISSING:
        # msgspec leaves out what a plain dict, list or set made empty, and nothing that dict[str, int] made.
        factory = get_origin(field.default_factory) or field.default_factory
        return (msgspec.field(default_factory=factory),)
    return ()
