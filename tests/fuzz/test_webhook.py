"""The webhook of scanners as the host calls it: documented answers and no others, and nothing done for strangers."""

from __future__ import annotations

import base64
import contextlib
import functools
import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import azure.functions as func
from hypothesis import given
from hypothesis import strategies as st

from shared.codec.report_references import CONTENT_TYPE
from shared.domain.messages import Kind
from shared.domain.signature import sign
from shared.triggers import scan_webhook
from shared.triggers.http_responses import respond
from tests.fuzz.app import (
    CI_KEY,
    CI_OBJECT,
    KEY,
    REPORT,
    SETTINGS,
    UNKNOWN,
    URLS,
    App,
    addresses_in_place,
    moment,
    run,
    tell_no_secrets,
)
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged, damaged_bytes
from tests.fuzz.reports import IMAGE, bodies

TAKEN = 202
REFUSED = {400, 401, 403, 409, 413, 415, 422, 503}
HEADER = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
"""The host hands headers over as protobuf strings, which are valid Unicode."""
FORMATS = st.sampled_from(
    ["trivy", "auto", "TRIVY", "grype", "sarif", "cyclonedx", "nessus", "qualys", "defender", "ringmaster", "ci", ""]
)
IMAGES = st.sampled_from([str(UNKNOWN), str(UNKNOWN).upper(), *(str(row.version) for row in moment().rows), IMAGE])
REFERENCES = [{"reportUrl": url, "sha256": sha256(REPORT).hexdigest()} for url in URLS]
PRINCIPAL = {
    "auth_typ": "aad",
    "claims": [{"typ": "oid", "val": CI_OBJECT}, {"typ": "tid", "val": "t"}, {"typ": "azp", "val": CI_OBJECT}],
    "name_typ": "n",
    "role_typ": "r",
}
BOMBS = [
    gzip.compress(b" " * 3_000_000, mtime=0),  # more than a report may have
    gzip.compress(b"", mtime=0) * 11_000,
    gzip.compress(gzip.compress(b"[" * 100_000, mtime=0), mtime=0),
    b"[" * 200_000,
    b"x" * 2_000_001,
]
# Whole reports are what most inputs begin with; what is found in them is the readers' own entrance.
BODIES = st.one_of(
    st.just(REPORT),
    damaged_bytes([json.loads(REPORT)]),
    st.sampled_from(["trivy", "grype", "sarif", "cyclonedx", "nessus", "qualys", "ringmaster"]).flatmap(bodies),
    damaged_bytes(REFERENCES),
    st.sampled_from(BOMBS),
    st.binary(max_size=60),
)


@dataclass(frozen=True)
class Post:
    """One request, and whether whoever sent it is one whom the settings name."""

    scan_format: str
    image: str | None
    headers: Mapping[str, str]
    body: bytes
    known: bool

    @functools.cached_property
    def whole(self) -> bytes:
        """The body, unpacked where that can be done."""
        with contextlib.suppress(OSError, EOFError, zlib.error):
            return gzip.decompress(self.body)
        return self.body

    @functools.cached_property
    def secrets(self) -> tuple[str, ...]:
        return addresses_in_place(f"{self.headers} {self.whole!r}")

    @property
    def weight(self) -> int:
        """Bytes that may be held of it: what it may unpack to, also where that ends in a fault."""
        return len(self.body) + (SETTINGS.max_report_bytes if self.body[:2] == b"\x1f\x8b" else 0)

    def request(self) -> func.HttpRequest:
        return func.HttpRequest(
            "POST",
            "https://app.example/api/scans/x",
            headers=dict(self.headers),
            params={} if self.image is None else {"image": self.image},
            route_params={"format": self.scan_format},
            body=self.body,
        )


type Proof = Callable[[st.DrawFn, bytes], tuple[dict[str, str], bool]]
"""Headers that say who sent a body, and whether that is one whom the settings name."""


@functools.cache
def stamp() -> int:
    return int(moment().now.timestamp())


def signed(draw: st.DrawFn, body: bytes) -> tuple[dict[str, str], bool]:
    """Headers of one who holds a key."""
    name, key = draw(st.sampled_from([("trivy", KEY), ("ci", CI_KEY), ("other", CI_KEY), (" CI ", CI_KEY)]))
    at = stamp() + draw(st.integers(-300, 300))
    headers = {"x-ringmaster-scanner": name, "x-ringmaster-timestamp": str(at)}
    return headers | {"x-ringmaster-signature": sign(at, body, key.encode())}, True


def principal(draw: st.DrawFn, body: bytes) -> tuple[dict[str, str], bool]:
    """The header of App Service Authentication, for the principal on the list."""
    return {"x-ms-client-principal": base64.b64encode(json.dumps(PRINCIPAL).encode()).decode()}, True


def stranger(draw: st.DrawFn, body: bytes) -> tuple[dict[str, str], bool]:
    """Headers of one who holds none of the keys, and is not on the list; whatever he writes into them."""
    at = stamp() + draw(st.integers(-900, 900))
    wrong = sign(at, body + draw(st.sampled_from([b"", b" "])), draw(st.binary(min_size=1, max_size=20)))
    somebody = {**PRINCIPAL, "claims": [{"typ": "oid", "val": "somebody"}]}
    named = draw(damaged([somebody]))
    text = json.dumps(named).replace(CI_OBJECT, "somebody").encode()
    choices: dict[str, st.SearchStrategy[str]] = {
        "x-ringmaster-scanner": st.sampled_from(["trivy", "ci", "Trivy ", ""]) | HEADER,
        "x-ringmaster-timestamp": st.sampled_from([str(at), str(stamp()), "9" * 5000, "²"]) | HEADER,
        "x-ringmaster-signature": st.sampled_from([wrong, "v1=" + "0" * 64, ",".join([wrong] * 6)]) | HEADER,
        "x-ms-client-principal": st.sampled_from([base64.b64encode(text).decode(), "=" * 70_000]) | HEADER,
    }
    headers = {name: draw(value) for name, value in choices.items() if draw(st.booleans())}
    return headers, False


@st.composite
def posts(draw: st.DrawFn, proofs: Sequence[Proof] = (signed, signed, signed, principal, stranger)) -> Post:
    scan_format = draw(FORMATS | HEADER)
    image = draw(st.sampled_from([str(UNKNOWN)]) | IMAGES | HEADER | st.none())
    body = draw(BODIES)
    headers: dict[str, str] = {}
    if draw(st.booleans()):
        body = gzip.compress(body[:300_000], compresslevel=1, mtime=0)
        body = body[: len(body) - draw(st.sampled_from([0, 0, 0, 1, 8, 30]))]
        headers["content-encoding"] = draw(
            st.sampled_from(["gzip", "x-gzip", "GZIP ", "deflate", "gzip, gzip"]) | HEADER
        )
    elif draw(st.integers(0, 5)) == 0:
        headers["Content-Encoding"] = draw(st.sampled_from(["gzip", "identity", "", "br"]) | HEADER)
    if draw(st.booleans()):
        kinds = [CONTENT_TYPE, f"{CONTENT_TYPE.upper()} ; charset=utf-8", "application/json", "text/xml"]
        headers["content-type"] = draw(st.sampled_from(kinds) | HEADER)
    proof, known = draw(st.sampled_from(proofs))(draw, body)
    return Post(scan_format, image, headers | proof, body, known)


def send(app: App, post: Post) -> tuple[int, dict[str, Any]]:
    answer = run(
        respond(scan_webhook.receive(post.request(), app.runtime, now=app.now), include_details=False), *post.secrets
    )
    text = answer.get_body().decode()
    tell_no_secrets(text, *post.secrets)
    return answer.status_code, json.loads(text)


@entrance
@given(posts())
def test_a_report_is_taken_or_refused_with_a_documented_status(post: Post) -> None:
    app = App()
    assert isinstance(post.secrets, tuple)  # found before: that is no cost of the app
    with bounded(post.weight):
        status, document = send(app, post)
    assert status == TAKEN or status in REFUSED, document
    if status == TAKEN:
        assert document["status"].startswith(("accepted: ", "ignored: "))
    else:
        error = document["error"]
        assert error["code"]
        assert 0 < len(error["message"]) < 5000
    app.check(*post.secrets)
    assert app.same_rows(), "intake writes no row: the scan gate does"
    assert {kind for kind, _ in app.messages()} <= {Kind.SCAN, Kind.FETCH_REPORT}
    if not post.known:
        assert status in {401, 413}
        assert app.untouched()


@entrance
@given(posts())
def test_what_was_taken_once_is_not_taken_again(post: Post) -> None:
    app = App()
    assert isinstance(post.secrets, tuple)
    with bounded(2 * post.weight):
        status, first = send(app, post)
        sent = app.messages()
        again, second = send(app, post)
    # Larger than any report, or of nobody: then it was not looked at, and is not remembered.
    if status == 401 or first.get("error", {}).get("code") == "too_large":
        assert again == status
    elif "x-ringmaster-signature" in post.headers:
        assert (again, second["error"]["code"]) == (409, "replayed")
        assert app.messages() == sent


@entrance
@given(posts([signed]), st.data())
def test_a_signed_report_that_was_changed_on_its_way_is_refused(post: Post, data: st.DataObject) -> None:
    hurt = bytearray(post.body + b" ")
    hurt[data.draw(st.integers(0, len(post.body)))] ^= data.draw(st.integers(1, 255))
    app = App()
    changed = Post(post.scan_format, post.image, post.headers, bytes(hurt), known=False)
    assert isinstance(changed.secrets, tuple)  # found before: that is no cost of the app
    with bounded(changed.weight):
        status, _ = send(app, changed)
    assert status in {401, 413}
    assert app.untouched()


def test_a_sound_report_and_a_sound_reference_are_taken() -> None:
    for body, kind in ((REPORT, None), (json.dumps(REFERENCES[0]).encode(), CONTENT_TYPE)):
        at = stamp()
        headers = {
            "x-ringmaster-timestamp": str(at),
            "x-ringmaster-signature": sign(at, body, KEY.encode()),
            **({"content-type": kind} if kind else {}),
        }
        app = App()
        status, document = send(app, Post("trivy", str(UNKNOWN), headers, body, known=True))
        assert (status, len(app.messages())) == (TAKEN, 1), document
