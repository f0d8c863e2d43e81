"""Commands as queue messages: ``{v, kind, release, seq, ring?, region?, attempt, not_after, traceparent, state}``.

What else a queue message may be stands in ``shared.codec.wrappings``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from shared.codec import plain
from shared.codec.derive import WithDefault, from_wire, values, wire_struct
from shared.codec.errors import Malformed, TooLarge, Unencodable, size_in_words
from shared.codec.hop_states import check_state, read_state, state_on_wire
from shared.codec.wrappings import VERSION, Count, decode_pointer
from shared.domain.image import InvalidId, VersionId
from shared.domain.messages import Command

LARGEST_IN_QUEUE: Final = 48 * 1024
"""Maximum size of a message in bytes. In base64 it has 64 KiB, the maximum of a storage queue."""
LARGEST_BODY: Final = 1024 * 1024
"""Maximum size of a command in bytes, also in a blob: the state of a hop is small."""

COUNTS: Final = {"seq": Count, "attempt": Count}
STATE: Final = {"state": WithDefault(dict[str, Any], msgspec.field(default_factory=dict))}
_Envelope: Final = wire_struct("Envelope", Command, {**COUNTS, **STATE, "release": str, "v": int})


_ENVELOPE: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_Envelope)


def encode_command(command: Command) -> bytes:
    """A command as UTF-8 JSON. Raises Unencodable or TooLarge."""
    what = plain.LazyText(lambda: f"the command {command.branch} of {command.release.short}")
    check_command(command, what)
    envelope = _Envelope(**command_fields(command), v=VERSION)
    body = plain.encode(envelope, what)
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"{what} has {size_in_words(len(body))}; the maximum is {size_in_words(LARGEST_BODY)}")
    return body


def decode_command(body: bytes) -> Command:
    """Read a command. Raises NotOurs, NewerVersion, Malformed or TooLarge."""
    what = "the queue message"
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"{what} has {size_in_words(len(body))}; the maximum is {size_in_words(LARGEST_BODY)}")
    if (pointer := decode_pointer(body)) is not None:
        raise Malformed(f"{what} is a pointer to the blob {pointer.name!r}: read the blob, then decode its content")
    envelope = plain.decode(_ENVELOPE, body, what, VERSION)
    return read_command(envelope, f"{what} does not name a release")


def command_fields(command: Command) -> dict[str, Any]:
    """The fields of a command as they are written."""
    return {**values(command), "release": str(command.release), "state": state_on_wire(command.state)}


def read_command(wire: Any, no_release: str) -> Command:
    """The command that a struct on the wire stands for. Raises Malformed, which begins with ``no_release``."""
    try:
        release = VersionId.parse(wire.release)
    except InvalidId as error:
        raise Malformed(f"{no_release}: {error}; correct it, then send it again") from error
    return from_wire(Command, wire, release=release, state=read_state(wire.kind, wire.state))


def check_command(command: Command, what: object) -> None:
    """Raise Unencodable for what could not be read back."""
    plain.check_times(command, what)
    check_state(command.kind, command.state, plain.LazyText(lambda: f"the state of {what}"))
    if not (0 <= command.seq <= 2**53 and 0 <= command.attempt <= 2**53):
        raise Unencodable(f"{what} has seq {command.seq} and attempt {command.attempt}; these values are out of range")
