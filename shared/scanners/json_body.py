"""JSON bodies: typed decoding that keeps only what is asked for, and refuses the rest in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec

from shared.scanners.report_refusal import Refusal, RefusalReason

NonEmptyName = Annotated[str, msgspec.Meta(min_length=1)]
"""A name that must be there: findings without one would all count as one."""


_SMALL: Final = 16 * 1024 * 1024
"""Bodies up to this size are decoded once more without nulls; larger ones would take several times their size."""


class WireStruct(msgspec.Struct, gc=False):
    """What is decoded of an object of a report; everything else costs nothing. No collector needs to watch it."""


class CountedObject(WireStruct):
    """An object that is counted and not read."""


def decode[T](decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, name: str) -> T:
    """The body as the decoder's type. ``name`` is what it should be, in words. Raises Refusal."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        if "got `null`" in str(error) and memoryview(body).nbytes <= _SMALL:
            return _without_nulls(decoder, body, name)
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken_json(body, error) from error


def _without_nulls[T](decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, name: str) -> T:
    """The same for a body in which null stands for what could have been left out, as some languages write it."""
    try:
        return decoder.decode(msgspec.json.encode(_pruned(msgspec.json.decode(body))))
    except msgspec.ValidationError as error:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        # Behind the null: what is of the wrong shape is told before what is broken.
        raise broken_json(body, error) from error


def _pruned(value: Any) -> Any:
    """A value without the keys that are null. Nulls in lists stay: there they are entries, and those must count."""
    if isinstance(value, dict):
        return {key: _pruned(inner) for key, inner in value.items() if inner is not None}
    return [_pruned(inner) for inner in value] if isinstance(value, list) else value


def decode_each[T](decoder: msgspec.json.Decoder[T], pieces: list[msgspec.Raw] | None, name: str) -> Iterator[T]:
    """Pieces of a list, one after the other: of a long list never more than one stands decoded in memory."""
    for index, piece in enumerate(pieces or (), 1):
        yield decode(decoder, piece, f"{name} (entry {index})")


def broken_json(body: bytes | msgspec.Raw, error: Exception) -> Refusal:
    """What to say of a body that is no JSON, or not to its end."""
    told = str(error)
    if "truncated" in told:
        return Refusal(RefusalReason.TRUNCATED, f"the report ends in the middle, after {memoryview(body).nbytes} bytes")
    if "trailing characters" in told:
        return Refusal(RefusalReason.NOT_JSON, f"not one JSON document: another one, or text, follows it ({told})")
    return Refusal(RefusalReason.NOT_JSON, f"not JSON: {told}")


def is_present(piece: msgspec.Raw) -> bool:
    """Whether a key was there: an undecoded value is at least one byte. Looks without copying."""
    return memoryview(piece).nbytes > 0
