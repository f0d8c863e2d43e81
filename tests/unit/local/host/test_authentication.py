"""App Service Authentication in front of a host: who is told to the app, and where people are sent."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from local.host import FunctionsHost
from local.host.authentication import Authentication, is_local_path
from local.host.people import Person
from local.host.sessions import COOKIE, LIFETIME, Sessions
from local.host.tokens import Tokens

READER, GUEST = (
    Person(f"0a0b0c0d-0000-4000-8000-00000000000{digit}", "0a0b0c0d-0000-4000-8000-0000000000ee", account, name)
    for digit, account, name in (("a", "on-call@x.example", "On <call>"), ("b", "guest@x.example", "Guest"))
)
CLAIMED = {
    "X-MS-CLIENT-PRINCIPAL": "eyJhdXRoX3R5cCI6ImFhZCJ9",
    "x-ms-client-principal-id": READER.id,
    "X-Ms-Client-Principal-Name": READER.account,
    "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    "X-MS-TOKEN-AAD-ID-TOKEN": "token",
    "X-MS-TOKEN-AAD-ACCESS-TOKEN": "token",
}
TOKENS = {READER.id: "r" * 32, GUEST.id: "g" * 32}
PAGE = "/api/pages/release?version=%2Fsubscriptions%2Fx&page=2"


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 21, 4, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


async def echo(request: web.Request) -> web.Response:
    """What the host is given behind the authentication."""
    return web.json_response(
        {
            "method": request.method,
            "path": str(request.rel_url),
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": (await request.read()).decode(),
        }
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def browser(clock: Clock) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    authentication = Authentication([READER, GUEST], Sessions(b"k" * 32), clock, tokens=Tokens(TOKENS))
    app = web.Application(middlewares=[authentication.middleware])
    app.router.add_route("*", "/{tail:.*}", echo)
    # The jar keeps cookies of addresses too, as a browser does.
    async with TestClient(TestServer(app), cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        yield client


type Browser = TestClient[web.Request, web.Application]


async def sign_in(browser: Browser, person: Person = READER, target: str = PAGE) -> aiohttp.ClientResponse:
    """Open the page, and choose a person there."""
    offered = await browser.get(f"/.auth/login/aad?post_login_redirect_uri={quote(target, safe='')}")
    assert offered.status == 200
    text = await offered.text()
    (action,) = re.findall(r'action="([^"]+)"', text)
    assert f'name="person" value="{person.id}"' in text
    return await browser.post(unescape(action), data={"person": person.id}, allow_redirects=False)


async def told(browser: Browser, **options: object) -> dict[str, str]:
    """The headers that tell the app who asks."""
    answer = await browser.get("/api/pages/releases", **options)  # type: ignore[arg-type]
    headers = (await answer.json())["headers"]
    return {name: value for name, value in headers.items() if name.startswith("x-ms-")}


def test_the_app_is_told_that_its_platform_vouches_for_callers(tmp_path: Path) -> None:
    host = FunctionsHost(tmp_path, {"WEBSITE_AUTH_ENABLED": "False"}, authentication=Authentication([READER]))
    assert host.settings["WEBSITE_AUTH_ENABLED"] == "True"
    assert FunctionsHost(tmp_path, {}).settings.get("WEBSITE_AUTH_ENABLED") is None


async def test_whoever_has_not_signed_in_goes_through_without_a_principal(browser: Browser) -> None:
    assert await told(browser) == {}


async def test_nobody_is_believed_who_says_of_himself_who_he_is(browser: Browser) -> None:
    assert await told(browser, headers=CLAIMED) == {}


async def test_whoever_signs_in_is_sent_back_to_the_very_page(browser: Browser) -> None:
    answer = await sign_in(browser)
    assert (answer.status, answer.headers["Location"]) == (302, PAGE)


async def test_the_app_is_told_who_has_signed_in(browser: Browser) -> None:
    await sign_in(browser)
    assert await told(browser) == {name.lower(): value for name, value in READER.headers().items()}


async def test_whoever_has_signed_in_cannot_say_to_be_another(browser: Browser) -> None:
    await sign_in(browser, GUEST)
    found = await told(browser, headers=CLAIMED)
    assert found == {name.lower(): value for name, value in GUEST.headers().items()}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_the_app_is_told_whose_token_a_client_sends(browser: Browser, scheme: str) -> None:
    found = await told(browser, headers={**CLAIMED, "Authorization": f"{scheme} {TOKENS[GUEST.id]}"})
    assert found == {name.lower(): value for name, value in GUEST.headers().items()}


async def test_a_token_goes_before_a_session(browser: Browser) -> None:
    await sign_in(browser)
    found = await told(browser, headers={"Authorization": f"Bearer {TOKENS[GUEST.id]}"})
    assert found["x-ms-client-principal-id"] == GUEST.id


@pytest.mark.parametrize("token", ["", "unknown", "r" * 31, "r" * 33, "R" * 32, READER.id, "\u00fc" * 32])
async def test_an_unknown_token_gets_401_and_never_reaches_the_app(browser: Browser, token: str) -> None:
    await sign_in(browser)
    answer = await browser.get("/api/pages/releases", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, await answer.text()) == (401, "")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "SharedKey x", "Bearerx y", ""])
async def test_another_scheme_is_the_apps_own_business(browser: Browser, header: str) -> None:
    answer = await browser.get("/api/pages/releases", headers={"Authorization": header})
    assert (await answer.json())["headers"]["authorization"] == header


async def test_the_cookie_is_for_this_host_alone_and_no_script_reads_it(browser: Browser) -> None:
    cookie = (await sign_in(browser)).headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={int(LIFETIME.total_seconds())}"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_a_session_ends_with_its_time(browser: Browser, clock: Clock) -> None:
    await sign_in(browser)
    clock.time += LIFETIME - timedelta(seconds=1)
    assert await told(browser)
    clock.time += timedelta(seconds=1)
    assert await told(browser) == {}


@pytest.mark.parametrize("key", [b"j" * 32, b"k" * 31])
async def test_a_cookie_that_another_host_signed_is_none(browser: Browser, clock: Clock, key: bytes) -> None:
    forged = Sessions(key).issue(READER.id, clock())
    assert await told(browser, headers={"Cookie": f"{COOKIE}={forged}"}) == {}


async def test_a_cookie_for_somebody_who_is_not_there_is_none(browser: Browser, clock: Clock) -> None:
    signed = Sessions(b"k" * 32).issue(READER.tenant, clock())
    assert await told(browser, headers={"Cookie": f"{COOKIE}={signed}"}) == {}


async def test_signing_out_ends_the_session(browser: Browser) -> None:
    await sign_in(browser)
    answer = await browser.get("/.auth/logout", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/.auth/logout/complete")
    assert await told(browser) == {}


async def test_signing_out_leads_to_a_page_of_choice(browser: Browser) -> None:
    answer = await browser.get("/.auth/logout?post_logout_redirect_uri=/bye", allow_redirects=False)
    assert answer.headers["Location"] == "/bye"


async def test_me_says_who_has_signed_in(browser: Browser) -> None:
    assert (await browser.get("/.auth/me")).status == 401
    await sign_in(browser)
    (found,) = await (await browser.get("/.auth/me")).json()
    assert (found["provider_name"], found["user_id"]) == ("aad", READER.account)
    assert {"typ": "name", "val": READER.name} in found["user_claims"]


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/a\r\nSet-Cookie: a=b",
    " //evil.example",
    "javascript:alert(1)",
    "evil.example",
    "",
    "/päge",
]


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_nobody_is_sent_to_another_place(browser: Browser, target: str) -> None:
    where = quote(target, safe="")
    person = {"person": READER.id}
    answers = [
        await browser.get(f"/.auth/login/aad?post_login_redirect_uri={where}"),
        await browser.post(f"/.auth/login/aad/callback?post_login_redirect_uri={where}", data=person),
        await browser.get(f"/.auth/logout?post_logout_redirect_uri={where}"),
    ]
    for answer in answers:
        assert answer.status == 400
        assert {"Location", "Set-Cookie"}.isdisjoint(answer.headers)
        assert "evil" not in await answer.text()


@pytest.mark.parametrize("target", ["/", "/api/pages/releases", PAGE, "/a?b=//c", "/a#b"])
def test_a_path_of_this_host_is_a_place_to_go_back_to(target: str) -> None:
    assert is_local_path(target)


@pytest.mark.parametrize("person", ["", "nobody", READER.tenant])
async def test_only_people_who_are_there_can_sign_in(browser: Browser, person: str) -> None:
    answer = await browser.post("/.auth/login/aad/callback", data={"person": person})
    assert (answer.status, "Set-Cookie" in answer.headers) == (401, False)


async def test_nobody_signs_in_by_following_a_link(browser: Browser) -> None:
    answer = await browser.get(f"/.auth/login/aad/callback?person={READER.id}")
    assert (answer.status, "Set-Cookie" in answer.headers) == (404, False)


async def test_the_page_writes_names_as_text_and_may_load_nothing(browser: Browser) -> None:
    answer = await browser.get("/.auth/login/aad")
    text = await answer.text()
    assert "On &lt;call&gt;" in text
    assert "<script" not in text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/.auth", "/.auth/", "/.auth/login/github", "/.AUTH/refresh", "/%2eauth/me/x"])
async def test_the_app_never_sees_what_is_below_auth(browser: Browser, path: str) -> None:
    assert (await browser.get(path)).status == 404


async def test_everything_else_reaches_the_app_as_it_came(browser: Browser) -> None:
    answer = await browser.post(
        "/api/scans/trivy?image=/a/b", data=b"report", headers={"X-Probe": "p", "Cookie": "a=b"}
    )
    found = await answer.json()
    assert (found["method"], found["path"], found["body"]) == ("POST", "/api/scans/trivy?image=/a/b", "report")
    assert (found["headers"]["x-probe"], found["headers"]["cookie"]) == ("p", "a=b")
