"""Message bodies that are too large for a queue, and the delays that a queue supports."""

from __future__ import annotations

import math
from datetime import timedelta
from hashlib import sha256
from typing import Final

from shared.codec import Malformed, Pointer, decode_pointer, encode_pointer
from shared.domain.identifiers import is_sha256
from shared.domain.messages import Command

LONGEST_DELAY: Final = timedelta(days=7) - timedelta(hours=1)
"""A queue hides a message for at most seven days (Azure REST API, "Put Message"). One hour is a margin for clock
differences.
"""
_SUFFIX: Final = ".json"


def whole_seconds(delay: timedelta) -> int:
    """A delay in whole seconds, rounded up, and limited to what a queue supports."""
    return max(0, math.ceil(min(delay, LONGEST_DELAY).total_seconds()))


def body_name(body: bytes) -> str:
    """The blob name of a body. It is a digest of the content, so that sending it twice stores it once."""
    return f"{sha256(body).hexdigest()}{_SUFFIX}"


def body_reference(body: bytes) -> str | None:
    """The blob that a message names, or None when the message contains the body. Raises CodecError.

    A name that ``body_name`` cannot produce is rejected, so that a message cannot refer to other blobs.
    """
    pointer = decode_pointer(body)
    if pointer is None:
        return None
    if not (pointer.name.endswith(_SUFFIX) and is_sha256(pointer.name.removesuffix(_SUFFIX))):
        raise Malformed(
            f"the queue message names the blob {pointer.name[:100]!r}, which is not a message body; "
            "send the command again"
        )
    return pointer.name


def pointer_to(name: str, command: Command) -> bytes:
    """The message for a command whose body is in the blob with this name."""
    return encode_pointer(Pointer(name, command.not_after))


def check_body(name: str, body: bytes | None) -> bytes:
    """Return the body. Raises Malformed when the blob does not exist or its content has changed."""
    if body is None:
        raise Malformed(f"the queue message names the blob {name}, which does not exist; send the command again")
    if body_name(body) != name:
        raise Malformed(f"the content of the blob {name} has changed; send the command again")
    return body
