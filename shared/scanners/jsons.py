"""JSON bodies: typed decoding that keeps only what is asked for, and refuses the rest in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from shared.scanners.report import Refusal, RefusalReason

Named = Annotated[str, msgspec.Meta(min_length=1)]
"""A name that must be there: findings without one would all count as one."""


class Wire(msgspec.Struct, gc=False):
    """What is decoded of an object of a report; everything else costs nothing. No collector needs to watch it."""


class Skipped(Wire):
    """An object that is counted and not read."""


def decode[T](decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, name: str) -> T:
    """The body as the decoder's type. ``name`` is what it should be, in words. Raises Refusal."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise broken(body, error) from error


def each[T](decoder: msgspec.json.Decoder[T], pieces: list[msgspec.Raw] | None, name: str) -> Iterator[T]:
    """Pieces of a list, one after the other: of a long list never more than one stands decoded in memory."""
    for index, piece in enumerate(pieces or (), 1):
        yield decode(decoder, piece, f"{name} (entry {index})")


def broken(body: bytes | msgspec.Raw, error: Exception) -> Refusal:
    """What to say of a body that is no JSON, or not to its end."""
    told = str(error)
    if "truncated" in told:
        return Refusal(RefusalReason.TRUNCATED, f"the report ends in the middle, after {memoryview(body).nbytes} bytes")
    return Refusal(RefusalReason.NOT_JSON, f"not JSON: {told}")


def present(piece: msgspec.Raw) -> bool:
    """Whether a key was there: an undecoded value is at least one byte. Looks without copying."""
    return memoryview(piece).nbytes > 0
