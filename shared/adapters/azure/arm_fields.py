"""ARM's JSON, read without trust in its types: what isn't of the expected type reads as if it were missing.

A document is of another API version than was asked for, or comes from something between us and ARM; neither may keep a
release from being judged, and neither may be taken for more than it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.ports import Unavailable

_LARGEST: Final = 2**53


def document(answer: object, what: str) -> dict[str, Any]:
    """A resource that the SDK read, as JSON's values. Raises Unavailable for an answer that is no object.

    The SDK hands out what is no object as it came: a text, a number.
    """
    as_dict = getattr(answer, "as_dict", None)
    found = as_dict() if as_dict is not None else None
    if not isinstance(found, dict):
        raise Unavailable(f"{what}: ARM answered {type(answer).__name__} where an object is expected")
    return found


def text(value: object) -> str:
    """A string, or an empty one."""
    return value if isinstance(value, str) else ""


def text_or_none(value: object) -> str | None:
    """A string that is not empty, or None."""
    return text(value) or None


def number(value: object) -> int | None:
    """A whole number as JSON writes it (also ``1.0``), or None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST else None


def part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in an object, or an empty one."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def parts(document: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """The objects in a list, or none."""
    found = document.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def tags(document: Mapping[str, Any]) -> dict[str, str]:
    """A resource's tags."""
    return {name: value for name, value in part(document, "tags").items() if isinstance(value, str)}
