"""Text from scanners, policies and people is text on a page, whatever it says."""

import base64
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from shared.web import site
from shared.web.templating import Page, advisory_link, headers, web_link
from tests.flow.rehearsal import BEGIN, SMALL, Rehearsal
from tests.unit.web.scene import Read, exception, finding, judged

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% include 'base.html' %}",
    "javascript:alert(1)",
    "&lt;script&gt;",
)
HARMLESS_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "section", "details"),
    *("a", "h1", "h2", "h3", "p", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td", "div", "span"),
    *("small", "b", "strong", "br", "time", "code", "pre", "dl", "dt", "dd", "summary"),
}
HARMLESS_ATTRIBUTES = {
    *("lang", "charset", "name", "content", "class", "id", "href", "rel", "scope", "tabindex", "role", "datetime"),
    *("aria-label", "aria-labelledby", "aria-current"),
}


async def pages(hostile: str) -> list[Page]:
    """Every page of a release in which everything that others write is this text."""
    found = [
        finding(hostile, hostile, InstalledVersion=hostile, FixedVersion=hostile),
        finding("CVE-2026-0002", hostile, Severity="LOW"),
        finding("CVE-2026-0003", "other"),
    ]
    excused = exception("CVE-2026-0003", owner=hostile, reason=hostile, source=hostile)
    play, version = judged(found, exceptions=(excused, exception(hostile, days=-5, owner=hostile)))
    stored = play.stored(version)
    release = replace(stored.release, warnings=(hostile,)).with_history(BEGIN, hostile)
    await play.cloud.ledger.replace(stored, release)
    names = [each.evidence.rpartition("/")[2].removesuffix(".json") for each in release.gates]
    asked = [("releases", {}), ("releases", {"definition": hostile}), ("release", {"version": str(version)})]
    asked += [("scan", {"version": str(version), **more}) for more in ({}, {"group": "0"}, {"decided": "only"})]
    asked += [("evidence", {"version": str(version), "evidence": each}) for each in names]
    asked += [("scan", {"version": hostile}), ("scan", {"version": str(version), "page": hostile}), (hostile, {})]
    return [await site.page(name, query, play.cloud.world, now=BEGIN) for name, query in asked]


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_it_makes_no_tag_no_attribute_and_no_address(hostile: str) -> None:
    shown = 0
    for page in await pages(hostile):
        read = Read(page)
        assert {each.tag for each in read.elements} <= HARMLESS_TAGS
        assert {name for each in read.elements for name in each.attributes} <= HARMLESS_ATTRIBUTES
        for href in read.links().values():
            assert href.startswith(("releases", "release?", "scan?", "evidence?", "#", "https://www.cve.org/")), href
        shown += " ".join(hostile.split()) in read.text
    assert shown >= 5, "the text itself is there to be read"


async def test_no_page_has_a_script_or_a_style_of_its_own() -> None:
    for page in await pages(SCRIPT):
        read = Read(page)
        assert not read.all("script")
        assert len(read.all("style")) == 1


async def test_the_style_sheet_is_the_one_that_the_policy_names() -> None:
    (page, *_) = await pages(SCRIPT)
    (style,) = Read(page).all("style")
    digest = base64.b64encode(sha256("".join(style.text).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in headers()["content-security-policy"]


@pytest.mark.parametrize("steering", ["\x1b[31m", "\u202e", "\u2066", "\x00"], ids=ascii)
async def test_characters_that_steer_are_written_out(steering: str) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    stored = play.stored(version)
    await play.cloud.ledger.replace(stored, stored.release.with_history(BEGIN, f"a{steering}b"))
    page = await site.page("release", {"version": str(version)}, play.cloud.world, now=BEGIN)
    assert steering not in page.body
    assert f"a{repr(steering)[1:-1]}b" in Read(page).text


async def test_no_address_on_a_page_ever_has_a_key() -> None:
    play, version = judged([finding()])
    asked = {"version": str(version), "code": "the-key", "clientId": "the-key"}
    for name in site.PAGES:
        page = await site.page(name, asked, play.cloud.world, now=BEGIN + timedelta(days=1))
        assert "the-key" not in page.body


@pytest.mark.parametrize(
    "url", ["https://example.com/a?b=c#d", "http://example.com", "https://example.com:8443/vex.json"]
)
def test_addresses_of_the_web_may_be_followed(url: str) -> None:
    assert web_link(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "file:///etc/passwd", "//example.com"),
        *("https://", "https:example.com", "ftp://example.com", "vex/openssl.json", "https://a@example.com", ""),
        *(
            "https://exa mple.com",
            "https://example.com/\n",
            "\x01javascript:alert(1)",
            "http://[",
            "https://еxample.com",
        ),
    ],
)
def test_others_may_not(url: str) -> None:
    assert web_link(url) == ""


@pytest.mark.parametrize("name", ["CVE-2026-1", "CVE-2026-0001/..", "cve-2026-0001", "RHSA-2026:1", "CVE-٢٠٢٦-0001"])
def test_only_names_of_a_known_form_become_addresses(name: str) -> None:
    assert advisory_link(name) == ""
