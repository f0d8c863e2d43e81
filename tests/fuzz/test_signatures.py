"""Webhook signatures: only who holds a key is believed, whatever the headers are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.signature import sign, verify
from tests.fuzz.budget import bounded, entrance

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
KEYS = [b"first-key-0123456789", b"second-key-0123456789"]
TOLERANCE = timedelta(minutes=5)
headers = st.none() | st.text(st.characters(exclude_categories=()), max_size=80) | st.from_regex(r"[0-9+ ]{1,14}")
signatures = (
    headers
    | st.from_regex(r"\A(v1=[0-9a-fA-F]{60,66},? ?){1,10}\Z")
    | st.lists(st.binary(min_size=32, max_size=32).map(lambda raw: f"v1={raw.hex()}"), max_size=12).map(",".join)
)


@entrance
@given(headers, signatures, st.binary(max_size=300))
def test_a_stranger_is_never_believed(timestamp: str | None, signature: str | None, body: bytes) -> None:
    with bounded(len(body)):
        verdict = verify(timestamp, signature, body, KEYS, now=NOW, tolerance=TOLERANCE)
    assert not verdict.ok
    assert verdict.text
    assert not any(key.decode() in verdict.text for key in KEYS)


@entrance
@given(st.integers(-400, 400), st.binary(max_size=200), st.sampled_from(KEYS), st.data())
def test_a_signed_body_is_believed_until_anything_of_it_changes(
    age: int, body: bytes, key: bytes, data: st.DataObject
) -> None:
    timestamp = int(NOW.timestamp()) - age
    signature = sign(timestamp, body, key)
    with bounded(len(body)):
        verdict = verify(str(timestamp), signature, body, KEYS, now=NOW, tolerance=TOLERANCE)
    assert verdict.ok == (abs(age) <= TOLERANCE.total_seconds())
    hurt = bytearray(body + b"\0")
    hurt[data.draw(st.integers(0, len(body)))] ^= data.draw(st.integers(1, 255))
    assert not verify(str(timestamp), signature, bytes(hurt), KEYS, now=NOW, tolerance=TOLERANCE).ok
    moved = str(timestamp + data.draw(st.integers(1, 10)))
    assert not verify(moved, signature, body, KEYS, now=NOW, tolerance=TOLERANCE).ok
