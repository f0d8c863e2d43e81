"""Forms of a queue message: the JSON of a command, its base64, or a pointer to the blob with its JSON.

A queue takes 64 KiB of base64, which is 48 KiB of JSON. A larger body lies in a blob and the message is
``{v, body_blob, not_after, attempt}``: whoever can't read the blob now knows how long the command is worth trying, and
how often it was tried.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from shared.codec import plain
from shared.codec.derive import Aware
from shared.codec.errors import Malformed, NotOurs

VERSION: Final = 1

type Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


@dataclass(frozen=True, slots=True)
class Pointer:
    """The blob with a command's body, the command's deadline, and how often the blob could not be read."""

    name: str
    not_after: datetime | None = None
    attempt: int = 0


class _Pointer(msgspec.Struct, omit_defaults=True):
    v: int
    body_blob: str
    not_after: Aware | None = None
    attempt: Count = 0


class _Sniffed(msgspec.Struct):
    v: int
    body_blob: Any = None


_POINTER: Final = msgspec.json.Decoder(_Pointer)
_SNIFFED: Final = msgspec.json.Decoder(_Sniffed)


def encode_pointer(pointer: Pointer) -> bytes:
    """The message that points to a body in a blob. Raises Unencodable."""
    what = "a pointer"
    if pointer.not_after is not None:
        plain.check_time(pointer.not_after, what)
    return plain.encode(_Pointer(VERSION, pointer.name, pointer.not_after, pointer.attempt), what)


def decode_pointer(body: bytes) -> Pointer | None:
    """The pointer that a message is, or None when it is the body itself. Raises NotOurs, NewerVersion or Malformed."""
    what = "the queue message"
    sniffed = plain.decode(_SNIFFED, body, what, VERSION)
    if sniffed.body_blob is None:
        return None
    if not isinstance(sniffed.body_blob, str):
        raise Malformed(f"{what} has a body_blob that is not a string: send the command again")
    read = plain.decode(_POINTER, body, what, VERSION)
    return Pointer(read.body_blob, read.not_after, read.attempt)


def unwrapped(body: bytes) -> bytes:
    """The JSON in a message, which may be base64 or as it is: no base64 has braces. Raises NotOurs."""
    text = b"".join(body.split())
    if text.startswith(b"{"):
        return body
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise NotOurs(
            f"the queue message is neither JSON nor base64-encoded JSON ({error}): "
            "this app did not write it; check which other program writes to this queue"
        ) from error
