"""What the examples read of a ``Ringmaster.Release.Published`` event (docs/events.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

PUBLISHED = "Ringmaster.Release.Published"
_VERSION = re.compile(
    r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft\.compute"
    r"/galleries/(?P<gallery>[^/]+)/images/(?P<definition>[^/]+)/versions/(?P<number>\d+\.\d+\.\d+)",
    re.IGNORECASE,
)


class NotForUs(Exception):
    """The event asks nothing of this consumer; the text says why."""


@dataclass(frozen=True, slots=True)
class Publication:
    """An image version that is ``latest`` in every region of a ring."""

    image: str
    ring: str
    regions: tuple[str, ...]

    @classmethod
    def of(cls, event: Mapping[str, Any], *, ring: str) -> Self:
        """Read a CloudEvent. Raises NotForUs for another type or ring, and for what names no image version."""
        if event.get("type") != PUBLISHED:
            raise NotForUs(f"its type is {event.get('type')}")
        data = event["data"]
        if data["ring"] != ring:
            raise NotForUs(f"it is about the ring {data['ring']}")
        if not _VERSION.fullmatch(data["image"]):
            raise NotForUs("it names no image version")
        return cls(data["image"], data["ring"], tuple(data["regions"]))

    @property
    def definition(self) -> str:
        """The name of the image definition."""
        return definition_of(self.image)

    @property
    def number(self) -> str:
        """The version number."""
        return self.image.rpartition("/")[2]


def definition_of(image: str) -> str:
    """The name of the definition of an image version; empty for another id."""
    found = _VERSION.fullmatch(image)
    return found["definition"].lower() if found else ""


def is_newer(image: str, than: str) -> bool:
    """Whether an image version replaces another id: a higher number, or one that is not of the same definition.

    Event Grid delivers in any order, so an older event can come after a newer one.
    """
    if definition_of(image) != definition_of(than):
        return True
    return _number(image) > _number(than)


def _number(image: str) -> tuple[int, ...]:
    return tuple(int(part) for part in image.rpartition("/")[2].split("."))
