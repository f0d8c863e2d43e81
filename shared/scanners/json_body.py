"""JSON bodies: typed decoding that keeps only what a reader asks for, and refuses everything else in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, cast

import msgspec

from shared.scanners.report_refusal import Refusal, RefusalReason, truncated

NonEmptyName = Annotated[str, msgspec.Meta(min_length=1)]
"""A name that must not be empty: all findings with an empty name would count as one."""

_MAX_SECOND_DECODE: Final = 16 * 1024 * 1024
"""Bodies of up to this many bytes are decoded again without nulls, which takes several times their size in memory."""


class WireStruct(msgspec.Struct, gc=False):
    """Base class of the objects that are decoded from a report.

    Keys that a subclass does not name are skipped and take no memory. The structs hold no reference cycles, so the
    garbage collector need not track them.
    """


class CountedObject(WireStruct):
    """An object that is only counted; none of its keys are read."""


def decode[T](decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, name: str) -> T:
    """Decode a body to the decoder's type.

    ``name`` says what the body should be, for messages ("a Trivy report"). A null in place of an absent key is
    accepted. Raises Refusal when the body is not JSON, is incomplete, or has another structure.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        if "got `null`" in str(error) and memoryview(body).nbytes <= _MAX_SECOND_DECODE:
            return _decode_without_nulls(decoder, body, name)
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_json(body, error) from error


def _decode_without_nulls[T](decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, name: str) -> T:
    """Decode a body in which null stands for an absent key, as serializers of some languages write it."""
    try:
        return decoder.decode(msgspec.json.encode(_without_null_keys(msgspec.json.decode(body))))
    except msgspec.ValidationError as error:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        # The body is broken after the null: a wrong structure is reported before broken JSON.
        raise invalid_json(body, error) from error


def _without_null_keys(value: Any) -> Any:
    """The value without the keys that are null. A null in a list stays: there it is an entry, and entries count."""
    if isinstance(value, dict):
        return {key: _without_null_keys(inner) for key, inner in as_object(value).items() if inner is not None}
    return [_without_null_keys(inner) for inner in as_list(value)] if isinstance(value, list) else value


def decode_each[T](decoder: msgspec.json.Decoder[T], pieces: list[msgspec.Raw] | None, name: str) -> Iterator[T]:
    """Decode the entries of a list one by one, so that only one of them is decoded in memory at a time.

    Raises Refusal as ``decode`` does; the message names the entry, counting from 1.
    """
    for index, piece in enumerate(pieces or (), 1):
        yield decode(decoder, piece, f"{name} (entry {index})")


def invalid_json(body: bytes | msgspec.Raw, error: Exception) -> Refusal:
    """The refusal of a body that the decoder failed on with ``error``: not JSON, or incomplete."""
    text = str(error)
    if "truncated" in text:
        return truncated(memoryview(body).nbytes)
    if "trailing characters" in text:
        return Refusal(RefusalReason.NOT_JSON, f"not a single JSON document: more text follows it ({text})")
    return Refusal(RefusalReason.NOT_JSON, f"not JSON: {text}")


def as_object(value: Any) -> dict[str, Any]:
    """An undefined value of a report as an object; empty when it is not one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """An undefined value of a report as a list; empty when it is not one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_texts(value: Any) -> list[str]:
    """The texts in an undefined value of a report that may be a list."""
    return [each for each in as_list(value) if isinstance(each, str)]


def is_present(piece: msgspec.Raw) -> bool:
    """Whether the key of an undecoded value was in the object. A value has at least one byte; nothing is copied."""
    return memoryview(piece).nbytes > 0
