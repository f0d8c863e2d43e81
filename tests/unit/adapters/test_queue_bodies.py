"""What a message's text may be: JSON, or base64 of it."""

from base64 import b64encode

import pytest

from shared.codec import NotOurs, unwrapped


@pytest.mark.parametrize("body", [b'{"v": 1}', b' \r\n{"v": 1}\n', b"{broken"])
def test_what_begins_like_json_is_left_as_it_is(body: bytes) -> None:
    assert unwrapped(body) == body


@pytest.mark.parametrize("body", [b'{"v": 1}', b"", b"\x00\xff" * 50])
def test_base64_is_decoded_also_when_it_was_folded(body: bytes) -> None:
    text = b64encode(body)
    assert unwrapped(text) == unwrapped(b" " + text[:4] + b"\r\n" + text[4:] + b"\n") == body


@pytest.mark.parametrize("body", [b"hello!", b"abc", b"[1]", "naïve".encode(), b"\xff\xfe"])
def test_what_is_neither_is_refused(body: bytes) -> None:
    with pytest.raises(NotOurs, match="neither JSON nor base64"):
        unwrapped(body)
