"""Where reports are fetched from: an address is judged, and a redirect leads to the same host or nowhere."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure import report_source
from shared.domain.report_reference import InvalidReference, check_url, shown
from shared.ports import ReportRefused
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import STRINGS

HOST = "reports.example.com"
AT = f"https://{HOST}/a/r.json?sig=hidden"
PIECES = st.sampled_from(
    ["https://", "http://", "//", "/", "\\", "@", ":", ":443", ":8443", ":99999", "?", "#", "%00", "[", "]", "[::1]",
     "..", ".", HOST, HOST.upper(), "reports.example.com.", "x", "127.0.0.1", "0x7f.1", "℀", "。", "\t", "\n", " ", "é",
     "sig=hidden", "user:pass"]
)  # fmt: skip
ADDRESSES = st.lists(PIECES | STRINGS, max_size=8).map("".join) | st.just("https://" + "a" * 5000)


@entrance
@given(ADDRESSES)
def test_a_redirect_leads_to_the_same_host_or_is_refused(location: str) -> None:
    target = None
    with bounded(len(location)):
        try:
            target = report_source._redirected(AT, location, HOST)
        except ReportRefused as refused:
            str(refused).encode()
    if target is not None:
        assert (urlsplit(target).hostname or "").removesuffix(".") == HOST
        assert urlsplit(target).port in {None, 443}


@entrance
@given(ADDRESSES)
def test_only_addresses_of_hosts_on_the_list_are_fetched(address: str) -> None:
    with bounded(len(address)), suppress(InvalidReference):
        check_url(address, {HOST})
        parts = urlsplit(address)
        # A stop at its end makes a name absolute; it is the same host.
        assert (parts.scheme, (parts.hostname or "").removesuffix("."), parts.username) == ("https", HOST, None)


@entrance
@given(ADDRESSES)
def test_an_address_is_shown_in_short_plain_text_without_its_query(address: str) -> None:
    with bounded(len(address)):
        told = shown(address)
    assert len(told) <= 201
    assert told.isprintable()
    assert "?" not in told
