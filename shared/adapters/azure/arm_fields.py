"""Reads ARM's JSON defensively: a value of an unexpected type is treated as missing.

A document may have another API version than was requested, or come from a proxy. Neither may prevent the evaluation of
a release, and neither may be interpreted as more than it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.ports import Unavailable

_LARGEST: Final = 2**53


def document(answer: object, what: str) -> dict[str, Any]:
    """Convert a resource that the SDK returned to JSON values. Raises Unavailable when it is not an object.

    The SDK returns values that are not objects unchanged, for example a string or a number.
    """
    as_dict = getattr(answer, "as_dict", None)
    found = as_dict() if as_dict is not None else None
    if not isinstance(found, dict):
        raise Unavailable(f"{what}: ARM returned {type(answer).__name__} instead of an object")
    return found


def text(value: object) -> str:
    """The value if it is a string; otherwise an empty string."""
    return value if isinstance(value, str) else ""


def text_or_none(value: object) -> str | None:
    """The value if it is a non-empty string; otherwise None."""
    return text(value) or None


def texts(value: object) -> tuple[str, ...]:
    """The strings in a list; empty if it is not a list."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def number(value: object) -> int | None:
    """The value if it is a whole number in JSON (``1.0`` also counts); otherwise None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST else None


def part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A nested object; empty if it is missing."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def parts(document: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """The objects in a nested list; empty if it is missing."""
    found = document.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def tags(document: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a resource."""
    return {name: value for name, value in part(document, "tags").items() if isinstance(value, str)}
