"""What a client sends to take an action."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from shared.codec import plain
from shared.codec.derive import Aware
from shared.codec.errors import Malformed
from shared.domain.actions import Action

LONGEST_BODY: Final = 16 * 1024
_Text = Annotated[str, msgspec.Meta(max_length=2000)]


class ActionBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The JSON body of an action. Who acts is never in it."""

    version: Annotated[str, msgspec.Meta(max_length=512)]
    action: Action
    reason: _Text = ""
    ring: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    incarnation: Annotated[str, msgspec.Meta(max_length=80)] | None = None
    at: Aware | None = None
    allow_empty: bool = False
    dry_run: bool = False
    users: bool = False
    """Whether the plan of a revocation has the users of the version."""


_BODY: Final = msgspec.json.Decoder(ActionBody)


def decode_action(body: bytes) -> ActionBody:
    """Read the body. Raises Malformed."""
    if len(body) > LONGEST_BODY:
        raise Malformed(f"the body has {len(body)} bytes; at most {LONGEST_BODY} are read")
    try:
        return _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the body is not an action: {plain.error_text(error)}") from error
