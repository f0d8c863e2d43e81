"""Bodies that are too large for a queue, and delays as a queue takes them: the same for every adapter."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from hashlib import sha256
from typing import Final

from shared.codec import Malformed, Pointer, decode_pointer, encode_pointer
from shared.domain.messages import Command

LONGEST_DELAY: Final = timedelta(days=7) - timedelta(hours=1)
"""A queue hides a message for at most seven days; the hour is for clocks that differ."""
_NAME: Final = re.compile(r"[0-9a-f]{64}\.json")


def whole_seconds(delay: timedelta) -> int:
    """A delay as a queue takes it: whole seconds, never less than asked for, within what it allows."""
    return max(0, math.ceil(min(delay, LONGEST_DELAY).total_seconds()))


def body_name(body: bytes) -> str:
    """The blob for a body: named by its content, so that sending twice writes once."""
    return f"{sha256(body).hexdigest()}.json"


def body_reference(body: bytes) -> str | None:
    """The blob that a message points to, None when it is the body itself. Raises CodecError.

    A name that ``body_name`` could not have given is refused: it must not lead to other blobs.
    """
    pointer = decode_pointer(body)
    if pointer is None:
        return None
    if not _NAME.fullmatch(pointer.name):
        raise Malformed(
            f"the queue message points to {pointer.name[:100]!r}, which is no body of ours: send the command again"
        )
    return pointer.name


def pointer_to(name: str, command: Command) -> bytes:
    """The message for a command whose body lies in the blob of that name."""
    return encode_pointer(Pointer(name, command.not_after))


def check_body(name: str, body: bytes | None) -> bytes:
    """The body of that name. Raises Malformed when it is gone or is another."""
    if body is None:
        raise Malformed(f"the queue message points to the body {name}, which is gone: send the command again")
    if body_name(body) != name:
        raise Malformed(f"the body {name} is not what was written under this name: send the command again")
    return body
