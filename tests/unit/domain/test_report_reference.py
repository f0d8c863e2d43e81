"""Which addresses reports may be fetched from, and which IP addresses may be connected to for it."""

import pytest

from shared.domain.addresses import why_not_public
from shared.domain.report_reference import InvalidReference, check_digest, check_url, host_entry, host_of, shown

HOSTS = {"reports.example.com", "store.example.com:8443"}


@pytest.mark.parametrize(
    "url",
    [
        "https://reports.example.com/a/b.json?sig=x%20y&se=2026",
        "https://REPORTS.example.com",
        "https://reports.example.com.:443/x",
        "https://store.example.com:8443/x",
    ],
)
def test_an_address_at_a_host_on_the_list_may_be_followed(url: str) -> None:
    check_url(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.com/x",
        "https://reports.example.com.evil.example/x",
        "https://evil.example/reports.example.com",
        "https://store.example.com/x",
        "https://reports.example.com:8443/x",
        "http://reports.example.com/x",
        "ftp://reports.example.com/x",
        "//reports.example.com/x",
        "https://reports.example.com@evil.example/x",
        "https://evil.example\\@reports.example.com/x",
        "https://evil.example#@reports.example.com/x",
        "https://reports.example.com/x#y",
        "https://reports.example.com\t/x",
        "https://reports.example.com/x y",
        "https://reports.example.com/x\n",
        " https://reports.example.com/x",
        "https://reports.example.com:99999/x",
        "https://reports.example.com:/x",
        "https://ｒeports.example.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://2130706433/x",
        "https://0x7f.0.0.1/x",
        "https:///x",
        "",
        "https://reports.example.com/" + "a" * 4096,
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidReference):
        check_url(url, HOSTS)


def test_an_ip_address_is_no_host_even_when_it_is_asked_for() -> None:
    with pytest.raises(InvalidReference, match="is an IP address"):
        host_entry("10.0.0.1")


def test_the_usual_port_is_the_same_host() -> None:
    assert host_of("https://a.example:443/x") == host_entry("A.example.") == "a.example"


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://user:password@a.example/x?sig=secret#secret") == "https://a.example/x"
    assert "secret" not in shown("https://[broken?sig=secret")


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n"])
def test_a_digest_is_64_hex_digits(digest: str) -> None:
    with pytest.raises(InvalidReference):
        check_digest(digest)


@pytest.mark.parametrize("address", ["8.8.8.8", "20.60.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_may_be_connected_to(address: str) -> None:
    assert why_not_public(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.4",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1111%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:168.63.129.16",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:808:808::80ff:fffe",
        "",
        "localhost",
        "127.1",
    ],
)
def test_any_other_address_is_never_connected_to(address: str) -> None:
    assert why_not_public(address)


def test_an_address_is_shown_without_what_a_terminal_would_obey() -> None:
    told = shown("https://x/\x1b[2J\x08\u202e?sig=hidden")
    assert told == r"https://x/\x1b[2J\x08\u202e"
