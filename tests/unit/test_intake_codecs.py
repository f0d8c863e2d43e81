"""What the webhook reads besides reports: gzip, references, principals. None of them can be used against the app."""

import base64
import gzip
import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from shared.codec import Malformed, TooLarge
from shared.codec.gzipped import MOST_RATIO, RATIO_FROM, Gunzip, gunzipped
from shared.codec.principals import decode_principal
from shared.codec.report_references import decode_reference
from shared.domain.report_reference import ReportReference

MB = 1024 * 1024


# --- gzip -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{}", os.urandom(3 * MB), b"ab" * MB], ids=["empty", "small", "noise", "dull"])
def test_gzip_is_undone(body: bytes) -> None:
    assert gunzipped(gzip.compress(body), most_bytes=4 * MB) == body


def test_gzip_of_several_members_is_one_body() -> None:
    assert gunzipped(gzip.compress(b"one ") + gzip.compress(b"two"), most_bytes=100) == b"one two"


def test_gzip_may_come_byte_by_byte() -> None:
    gunzip = Gunzip(most_bytes=100)
    packed = gzip.compress(b"one") + gzip.compress(b"two")
    out = b"".join(piece for byte in packed for piece in gunzip.feed(bytes([byte])))
    gunzip.finish()
    assert out == b"onetwo"


@pytest.mark.parametrize("cut", [0, 1, 9, 15, -9, -1])
def test_gzip_that_is_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(Malformed):
        gunzipped(gzip.compress(b"a report" * 100)[:cut], most_bytes=MB)


@pytest.mark.parametrize(
    "body",
    [b"{}", zlib.compress(b"{}"), gzip.compress(b"{}") + b"rubbish", gzip.compress(b"{}")[:-8] + b"\0" * 8],
    ids=["plain", "zlib", "rubbish behind", "wrong checksum"],
)
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        gunzipped(body, most_bytes=MB)


def test_a_body_that_grows_over_the_limit_is_refused() -> None:
    assert gunzipped(gzip.compress(b"x" * 100), most_bytes=100) == b"x" * 100
    with pytest.raises(TooLarge, match="100 bytes"):
        gunzipped(gzip.compress(b"x" * 101), most_bytes=100)


def test_a_bomb_is_refused_long_before_the_limit() -> None:
    bomb = gzip.compress(bytes(64 * MB))
    assert len(bomb) * MOST_RATIO < 64 * MB
    sizes: list[int] = []
    with pytest.raises(TooLarge, match="times its size"):
        sizes.extend(len(out) for out in Gunzip(most_bytes=200 * MB).feed(bomb))
    given = sum(sizes)
    assert RATIO_FROM - MB < given <= RATIO_FROM + len(bomb) * MOST_RATIO


def test_members_that_hold_nothing_are_not_worked_through_for_ever() -> None:
    with pytest.raises(TooLarge, match="members"):
        gunzipped(gzip.compress(b"") * 200_000, most_bytes=MB)


def test_as_many_members_as_a_parallel_packer_makes_are_undone() -> None:
    assert gunzipped(gzip.compress(b"x" * 10) * 4000, most_bytes=MB) == b"x" * 40_000


def test_pieces_of_a_bomb_are_small() -> None:
    gunzip = Gunzip(most_bytes=200 * MB)
    assert max(len(out) for out in gunzip.feed(gzip.compress(bytes(MB)))) <= 256 * 1024


# --- references -------------------------------------------------------------------------------------------------------


def test_a_reference_is_an_address_and_a_digest() -> None:
    body = json.dumps({"reportUrl": "https://a.example/x", "sha256": "AB" * 32, "more": 1}).encode()
    assert decode_reference(body) == ReportReference("https://a.example/x", "ab" * 32)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"reportUrl": "https://a.example"}',
        b'{"reportUrl": 1, "sha256": "x"}',
        b"\xff",
        b"[" * 9000,
    ],
)
def test_what_is_no_reference_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_reference(body)


def test_a_report_in_place_of_a_reference_is_refused_by_its_size() -> None:
    with pytest.raises(TooLarge):
        decode_reference(b" " * 16385)


# --- principals -------------------------------------------------------------------------------------------------------


def header(document: Any) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def principal(claims: Mapping[str, str], provider: str = "aad") -> str:
    listed = [{"typ": typ, "val": val} for typ, val in claims.items()]
    return header({"auth_typ": provider, "claims": listed, "name_typ": "n", "role_typ": "r"})


@pytest.mark.parametrize("name", ["oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"])
def test_the_object_id_is_read_under_either_name(name: str) -> None:
    assert decode_principal(principal({name: "ABC"})).ids == ("abc",)


@pytest.mark.parametrize("name", ["azp", "appid"])
def test_the_application_id_is_read_from_tokens_of_either_version(name: str) -> None:
    assert decode_principal(principal({"oid": "o", name: "A"})).ids == ("o", "a")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "not base64!",
        "e30",
        base64.b64encode(b"\xff\xfe").decode(),
        header({}),
        header([]),
        header({"auth_typ": "aad", "claims": "oid"}),
        header({"auth_typ": "aad", "claims": [{"typ": "oid"}]}),
        principal({"oid": "x"}, provider="github"),
        header({"auth_typ": "aad", "claims": [{"typ": "oid", "val": "a"}, {"typ": "oid", "val": "b"}]}),
        principal({"oid": "x"}) + "," + principal({"oid": "y"}),
        "A" * 70_000,
    ],
)
def test_what_the_platform_would_not_write_is_refused(given: str) -> None:
    with pytest.raises(Malformed):
        decode_principal(given)


def test_claims_that_name_nobody_give_no_ids() -> None:
    assert decode_principal(principal({"name": "somebody", "oid": " "})).ids == ()
