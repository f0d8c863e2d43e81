"""Webhook signatures: what counts, and what is refused for which reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.signature import MAX_SIGNATURES, SignatureCheck, SignatureRefusal, SignatureVerdict, sign, verify

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
STAMP = int(NOW.timestamp())
KEY, OTHER = b"the-key-of-the-scanner", b"the-key-that-comes-next"
BODY = b'{"SchemaVersion": 2}'


def judged(
    timestamp: str | None = str(STAMP),
    signature: str | None = None,
    body: bytes = BODY,
    keys: tuple[bytes, ...] = (KEY,),
    now: datetime = NOW,
) -> SignatureVerdict:
    signature = sign(STAMP, BODY, KEY) if signature is None else signature
    return verify(timestamp, signature or None, body, keys, now=now, tolerance=timedelta(minutes=5))


def test_a_fresh_signature_under_the_key_counts() -> None:
    verdict = judged()
    assert (verdict.ok, verdict.key) == (True, 0)


def test_the_signed_text_is_timestamp_stop_body() -> None:
    # Computed once with: printf '1777636800.{"SchemaVersion": 2}' | openssl dgst -sha256 -hmac the-key-of-the-scanner
    assert STAMP == 1777636800
    assert sign(STAMP, BODY, KEY) == "v1=a79795e7c907d1a1f8b825ae377b52fbd097708eaebf8d6489b4dee117e774d1"


def test_any_of_two_valid_keys_counts_and_says_which() -> None:
    assert judged(keys=(OTHER, KEY)).key == 1
    assert judged(signature=sign(STAMP, BODY, OTHER), keys=(OTHER, KEY)).key == 0


def test_one_right_signature_among_several_is_enough() -> None:
    both = f"{sign(STAMP, BODY, b'unknown')}, {sign(STAMP, BODY, KEY)}"
    assert judged(signature=both).ok


def test_upper_case_digits_are_the_same_signature() -> None:
    assert judged(signature=sign(STAMP, BODY, KEY).upper().replace("V1", "v1")).ok


@pytest.mark.parametrize(
    ("timestamp", "signature"), [(None, None), ("", None), ("  ", None)], ids=["absent", "empty", "blank"]
)
def test_without_a_timestamp_nothing_counts(timestamp: str | None, signature: str | None) -> None:
    assert judged(timestamp=timestamp, signature=signature).refusal is SignatureRefusal.MISSING


@pytest.mark.parametrize("signature", ["", " "])
def test_without_a_signature_nothing_counts(signature: str) -> None:
    assert judged(signature=signature).refusal is SignatureRefusal.MISSING


@pytest.mark.parametrize("timestamp", ["yesterday", "-5", "1.5", "0x10", "9" * 13, "１２３４", "1e9", "\ud800"])
def test_a_timestamp_that_is_not_whole_seconds_is_malformed(timestamp: str) -> None:
    assert judged(timestamp=timestamp).refusal is SignatureRefusal.MALFORMED


@pytest.mark.parametrize(
    "signature",
    [
        "0" * 64,
        "v1=" + "0" * 63,
        "v1=" + "0" * 65,
        "v1=" + "g" * 64,
        "v2=" + "0" * 64,
        "v1=" + "0" * 64 + ",",
        "sha256=" + "0" * 64,
        ",".join(["v1=" + "0" * 64] * (MAX_SIGNATURES + 1)),
        "v1=" + "0" * 5000,
    ],
    ids=lambda text: text[:20],
)
def test_what_is_not_a_list_of_signatures_is_malformed(signature: str) -> None:
    assert judged(signature=signature).refusal is SignatureRefusal.MALFORMED


def test_the_tolerance_counts_both_ways_and_includes_its_end() -> None:
    tolerance = timedelta(minutes=5)
    second = timedelta(seconds=1)
    assert judged(now=NOW + tolerance).ok
    assert judged(now=NOW - tolerance).ok
    assert judged(now=NOW + tolerance + second).refusal is SignatureRefusal.OLD
    assert judged(now=NOW - tolerance - second).refusal is SignatureRefusal.FUTURE


def test_another_body_timestamp_or_key_is_wrong() -> None:
    assert judged(body=BODY + b" ").refusal is SignatureRefusal.WRONG
    assert judged(timestamp=str(STAMP + 1)).refusal is SignatureRefusal.WRONG
    assert judged(keys=(OTHER,)).refusal is SignatureRefusal.WRONG


def test_a_leading_nought_in_the_timestamp_is_another_text() -> None:
    assert judged(timestamp=f"0{STAMP}").refusal is SignatureRefusal.WRONG


def test_a_body_in_pieces_is_judged_like_the_whole() -> None:
    check = SignatureCheck(str(STAMP), sign(STAMP, BODY, KEY), (OTHER, KEY), now=NOW, tolerance=timedelta(minutes=5))
    for byte in BODY:
        check.update(bytes([byte]))
    assert check.finish() == judged(keys=(OTHER, KEY))


def test_bad_headers_condemn_before_the_body_is_read() -> None:
    check = SignatureCheck("1", sign(1, BODY, KEY), (KEY,), now=NOW, tolerance=timedelta(minutes=5))
    assert check.refused is not None
    assert check.refused.refusal is SignatureRefusal.OLD
    assert check.finish() is check.refused


def test_the_same_request_again_has_the_same_name_and_another_one_has_not() -> None:
    assert judged().seen_as == judged(signature=f"{sign(STAMP, BODY, OTHER)},{sign(STAMP, BODY, KEY)}").seen_as
    assert judged(signature=sign(STAMP, BODY, OTHER), keys=(OTHER, KEY)).seen_as == judged().seen_as
    later = verify(str(STAMP + 1), sign(STAMP + 1, BODY, KEY), BODY, (KEY,), now=NOW, tolerance=timedelta(minutes=5))
    assert later.seen_as not in {"", judged().seen_as}


@pytest.mark.parametrize("keys", [(), (b"",), (KEY, b"")])
def test_no_key_or_an_empty_one_is_an_error_of_the_settings(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="key"):
        judged(keys=keys)


def test_no_refusal_shows_a_key_or_the_signature_that_was_expected() -> None:
    expected = sign(STAMP, BODY, KEY)
    for verdict in (
        judged(body=b"x"),
        judged(signature="x"),
        judged(timestamp="x"),
        judged(now=NOW + timedelta(days=1)),
    ):
        assert not verdict.ok
        assert KEY.decode() not in str(verdict)
        assert expected[3:] not in str(verdict)
        assert sign(STAMP, b"x", KEY)[3:] not in str(verdict)
