"""What a VEX document says, whatever its format, and what the models of its formats share.

The formats are read by pydantic: ``openvex`` and ``cyclonedx_vex`` have the parts of a document of which something is
read, with the rules that make a statement one that somebody answers for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

MAX_STATEMENTS: Final = 5_000
"""Entries of a list."""
_UNDATED: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a statement is about: a package in whatever product (``product`` is None), or a product, or a part of it."""

    product: str | None
    package: str | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody says of a vulnerability. ``excuses`` unless it is affected or still looked into."""

    names: tuple[str, ...]
    """The vulnerability's id, then its aliases."""
    scopes: tuple[Scope, ...]
    excuses: bool
    reason: str
    at: datetime
    place: str
    """Where it stands in the document: ``statements[3]``."""


@dataclass(frozen=True, slots=True)
class VexDocument:
    """A document's statements, and who made it; ``author`` is empty when it does not say."""

    author: str
    statements: tuple[Statement, ...]


class Part(BaseModel):
    """A part of a document: what is read of it. Null is the same as not there."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, defer_build=True)


def needed() -> Any:
    """A field that must be there. Its default is refused as null would be, and in the same words."""
    return Field(None, validate_default=True)


def dated(value: datetime | None, info: ValidationInfo, *, unless: str) -> datetime | None:
    """The last time of a statement: it is needed ``unless`` another field, or the document, has one.

    A field that can't be read counts as one: it is told by itself.
    """
    if value is None and not (info.context or {}).get("dated") and info.data.get(unless, "unreadable") is None:
        raise ValueError("has no time: add a timestamp here or to the document")
    return value


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _time(value: object) -> datetime | None:
    """A time, in UTC where it does not say; not of a year that nothing can be added to."""
    text = _stripped(value)
    if text is None or text == "":
        return None
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else _UNDATED
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        at = _UNDATED
    if not 1970 <= at.year < 9000:
        raise ValueError(f"{str(text)[:40]!r} is not a plausible time")
    return at


def _null_as_empty(value: object) -> object:
    return () if value is None else value


def _few(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_STATEMENTS:
        raise ValueError(f"has {len(value)} entries; the maximum is {MAX_STATEMENTS}")
    return value


Text = Annotated[str, Field(min_length=1)]
Word = BeforeValidator(_stripped)
Time = Annotated[datetime | None, BeforeValidator(_time)]
type All[T] = Annotated[tuple[T, ...], BeforeValidator(_null_as_empty)]
type Needed[T] = Annotated[tuple[T, ...], BeforeValidator(_few)]
type Items[T] = Annotated[Needed[T], BeforeValidator(_null_as_empty)]
