"""JSON without loss: which values may be written, and one way to read bytes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

import msgspec

from shared.codec.derive import times
from shared.codec.errors import Malformed, NewerVersion, NotOurs, Unencodable, size_in_words

_DEEPEST = 32
_MAX_ERROR_TEXT = 300
"""Maximum length of an error text in characters: the decoder quotes values of any length."""
_INTEGERS = range(-(2**63), 2**64)


class Head(msgspec.Struct):
    """The fields that all documents of this app have."""

    v: int


_HEAD = msgspec.json.Decoder(Head)


def check_head(body: bytes, what: str, ours: int) -> None:
    """Raise NotOurs, NewerVersion or Malformed unless the body is a JSON object with a version that we read."""
    try:
        version = _HEAD.decode(body).v
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotOurs(
            f"{what} of {size_in_words(len(body))} is not a JSON object with a format version v ({error_text(error)}): "
            "this app did not write it; check which other program writes to this queue or container"
        ) from error
    check_version(version, what, ours)


def check_version(version: int, what: str, ours: int) -> None:
    """Raise NewerVersion, or Malformed for what never was a version."""
    if version > ours:
        raise NewerVersion(what, version, ours)
    if version < 1:
        raise Malformed(f"{what} has format version v={version}; versions start at 1: send it again from its source")


def decode(decoder: msgspec.json.Decoder[Any], body: bytes, what: str, ours: int) -> Any:
    """Decode strictly. Raises NotOurs, NewerVersion or Malformed."""
    try:
        decoded = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        check_head(body, what, ours)
        raise Malformed(
            f"{what} does not match its format: {error_text(error)}; correct it, then send it again"
        ) from error
    check_version(decoded.v, what, ours)
    return decoded


def error_text(error: Exception) -> str:
    """The text of a decoding error. The middle of a long text is cut: the ends are the problem and its place."""
    text = str(error)
    half = _MAX_ERROR_TEXT // 2
    return text if len(text) <= _MAX_ERROR_TEXT else f"{text[:half]} … {text[-half:]}"


class LazyText:
    """Text for a fault that hardly ever happens, made when it does."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], str]) -> None:
        self._make = make

    def __str__(self) -> str:
        return self._make()


def encode(value: Any, what: object) -> bytes:
    """Encode what was checked to be plain. Raises Unencodable for text that is not Unicode."""
    try:
        return msgspec.json.encode(value, enc_hook=as_dict)
    except UnicodeEncodeError as error:
        raise Unencodable(
            f"{what} has text that is not valid Unicode ({error.reason}): remove it at its source"
        ) from error
    except TypeError as error:
        raise Unencodable(f"{what} cannot be written as JSON: {error}") from error


def as_dict(value: Any) -> Any:
    """For msgspec, which knows no mappings but dict."""
    if is_object(value):
        return dict(value)
    raise TypeError(f"{_shown(value)} is not a JSON value")


def is_object(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether a value is what JSON calls an object; its keys and values may be anything."""
    return isinstance(value, Mapping)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a value is what JSON calls an array; its items may be anything."""
    return isinstance(value, list)


def _is_exactly(value: object, kind: type) -> bool:
    """Whether a value is of this very type: an enum of texts comes back from JSON as another."""
    return type(value) is kind


def check_plain(value: Any, where: object, depth: int = 0) -> None:
    """Raise Unencodable unless a value comes back from JSON as it went in: no tuples, times, NaN, keys but text.

    ``where`` is what the text of the fault begins with; it is made into text only when there is one.
    """
    if value is None or isinstance(value, bool) or _is_exactly(value, str):
        return
    if _is_exactly(value, int) and value in _INTEGERS:
        return
    if isinstance(value, float) and math.isfinite(value):
        return
    if depth < _DEEPEST and is_array(value):
        for item in value:
            check_plain(item, where, depth + 1)
    elif depth < _DEEPEST and is_object(value):
        for key, item in value.items():
            if type(key) is not str:
                raise Unencodable(f"{where} has the key {_shown(key)}; keys must be text")
            check_plain(item, where, depth + 1)
    else:
        raise Unencodable(f"{where} holds {_shown(value)}, which JSON cannot represent exactly")


def check_times(holder: Any, where: object) -> None:
    """Raise Unencodable unless every time in a dataclass's fields can be written."""
    for at in times(holder):
        check_time(at, where)


def check_time(at: datetime, where: object) -> None:
    """Raise Unencodable unless a time is aware, with an offset of whole minutes (RFC 3339)."""
    if at.tzinfo is UTC:
        return
    offset = at.utcoffset()
    if offset is None or offset.seconds % 60 or offset.microseconds:
        raise Unencodable(f"{where} has the time {at!r}, which has no UTC offset in whole minutes")


def _shown(value: object) -> str:
    return f"{type(value).__name__} {repr(value)[:80]}"
