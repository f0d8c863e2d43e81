"""The body of an action as clients send it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.codec import Malformed
from shared.codec.actions import LONGEST_BODY, decode_action
from shared.domain.actions import Action

LEAST = {"version": "/v", "action": "approve"}


def test_what_is_left_out_has_its_default() -> None:
    found = decode_action(json.dumps(LEAST).encode())
    assert (found.version, found.action, found.reason, found.ring, found.incarnation) == (
        "/v",
        Action.APPROVE,
        "",
        None,
        None,
    )
    assert (found.at, found.allow_empty, found.dry_run) == (None, False, False)


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_named_as_its_command(action: Action) -> None:
    assert decode_action(json.dumps({**LEAST, "action": action.value}).encode()).action is action


def test_all_fields_are_read() -> None:
    more = {"reason": "r", "ring": "canary", "incarnation": "i", "allowEmpty": True, "dryRun": True}
    found = decode_action(json.dumps({**LEAST, **more, "at": "2026-12-01T18:00:00+01:00"}).encode())
    assert found.at == datetime(2026, 12, 1, 17, tzinfo=UTC)
    assert (found.reason, found.ring, found.incarnation, found.allow_empty, found.dry_run) == (
        "r",
        "canary",
        "i",
        True,
        True,
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"action": "delete"}, "action"),
        ({"action": None}, "action"),
        ({"version": 7}, "version"),
        ({"version": "v" * 513}, "version"),
        ({"reason": "r" * 2001}, "reason"),
        ({"ring": "r" * 81}, "ring"),
        ({"incarnation": "i" * 81}, "incarnation"),
        ({"at": "soon"}, "at"),
        ({"at": "2026-12-01T18:00:00"}, "at"),
        ({"allowEmpty": "yes"}, "allowEmpty"),
        ({"dryRun": 1}, "dryRun"),
        ({"actor": "somebody"}, "actor"),
        ({"allow_empty": True}, "allow_empty"),
    ],
)
def test_what_is_no_action_is_refused_with_the_field(change: dict[str, Any], says: str) -> None:
    with pytest.raises(Malformed, match=rf"the body is not an action: .*{says}"):
        decode_action(json.dumps({**LEAST, **change}).encode())


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"version": "\xff"}', b"[" * 10_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="the body is not an action"):
        decode_action(body)


def test_a_body_that_is_too_long_is_not_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        decode_action(b" " * (LONGEST_BODY + 1))
