"""What every source of reports by reference promises, and what the one over HTTPS must withstand besides."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.azure.report_source import HttpsReportSource
from shared.adapters.memory.report_source import MemoryReportSource
from shared.domain.addresses import why_not_public
from shared.ports import NoReportSource, ReportRefused, ReportSource, Throttled, Unavailable
from tests.contract.report_server import ReportServer, serving, strangers

LIMIT = 300_000
REPORT = bytes(range(256)) * 1000


def here(address: str) -> str | None:
    """The judge for a server on this machine; the app's own would refuse it."""
    return None if address in {"127.0.0.1", "::1"} else "elsewhere"


@dataclass(frozen=True)
class Library:
    """A source, and how to put something where it reads."""

    source: ReportSource
    put: Callable[[str, bytes], str]
    fail: Callable[[str, int], str]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[tuple[ReportServer, Any]]:
    async with serving(tmp_path) as found:
        yield found


@pytest.fixture(params=["memory", "https"])
async def library(request: pytest.FixtureRequest, server: tuple[ReportServer, Any]) -> Library:
    if request.param == "memory":
        bodies: dict[str, bytes | Exception] = {}
        faults = {429: Throttled("busy"), 503: Unavailable("away"), 403: ReportRefused("answer", "answered 403")}

        def put(path: str, body: bytes | Exception) -> str:
            bodies[f"https://reports.example{path}"] = body
            return f"https://reports.example{path}"

        source = MemoryReportSource(bodies, {"reports.example"}, most_bytes=LIMIT)
        return Library(source, put, lambda path, status: put(path, faults[status]))
    real, certificates = server

    def serve(path: str, body: bytes) -> str:
        real.bodies[path] = body
        return real.url(path)

    def fail(path: str, status: int) -> str:
        real.statuses[path] = status
        return real.url(path)

    tls = certificates.client_context()
    return Library(HttpsReportSource({real.host}, most_bytes=LIMIT, address_check=here, tls=tls), serve, fail)


async def fetched(source: ReportSource, url: str) -> bytes:
    async with source.open(url) as pieces:
        return b"".join([piece async for piece in pieces])


async def refusal(source: ReportSource, url: str) -> ReportRefused:
    with pytest.raises(ReportRefused) as caught:
        await fetched(source, url)
    assert caught.value.text
    return caught.value


# --- every source -----------------------------------------------------------------------------------------------------


async def test_what_lies_there_is_fetched_whole(library: Library) -> None:
    assert await fetched(library.source, library.put("/r.json", REPORT)) == REPORT


async def test_a_host_that_is_not_on_the_list_is_refused_before_it_is_asked(library: Library) -> None:
    url = "https://other.example/r.json"
    assert "does not name it" in (library.source.denial_reason(url) or "")
    assert (await refusal(library.source, url)).code == "host"


async def test_nothing_there_is_a_refusal(library: Library) -> None:
    url = library.put("/r.json", b"").replace("r.json", "other.json")
    assert (await refusal(library.source, url)).code == "answer"


async def test_a_final_no_is_a_refusal(library: Library) -> None:
    assert (await refusal(library.source, library.fail("/r.json", 403))).code == "answer"


@pytest.mark.parametrize(("status", "fault"), [(429, Throttled), (503, Unavailable)])
async def test_what_passes_is_a_passing_fault(library: Library, status: int, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        await fetched(library.source, library.fail("/r.json", status))


async def test_more_than_a_report_may_have_is_refused(library: Library) -> None:
    assert await fetched(library.source, library.put("/most", bytes(LIMIT))) == bytes(LIMIT)
    assert (await refusal(library.source, library.put("/more", bytes(LIMIT + 1)))).code == "too-large"


async def test_what_the_reader_raises_passes_through(library: Library) -> None:
    with pytest.raises(KeyError):
        async with library.source.open(library.put("/r.json", REPORT)):
            raise KeyError


async def test_without_hosts_nothing_is_fetched() -> None:
    assert NoReportSource().denial_reason("https://a.example/x")
    assert (await refusal(NoReportSource(), "https://a.example/x")).code == "host"


# --- over HTTPS -------------------------------------------------------------------------------------------------------


def over_https(server: tuple[ReportServer, Any], **options: Any) -> HttpsReportSource:
    real, certificates = server
    given = {"most_bytes": LIMIT, "address_check": here, "tls": certificates.client_context(), **options}
    return HttpsReportSource({real.host}, **given)


async def test_an_address_that_is_not_public_is_never_connected_to(server: tuple[ReportServer, Any]) -> None:
    server[0].bodies["/r.json"] = REPORT
    refused = await refusal(over_https(server, address_check=why_not_public), server[0].url("/r.json"))
    assert (refused.code, server[0].seen) == ("address", [])
    assert "not a public address" in refused.text


async def test_the_judge_is_asked_at_every_connection(server: tuple[ReportServer, Any]) -> None:
    """A name may resolve to a public address first, and to a private one when the redirect is followed."""
    asked: list[str] = []

    def first_only(address: str) -> str | None:
        asked.append(address)
        return None if len(server[0].seen) == 0 else "rebound"

    server[0].redirects["/a"] = "/b"
    server[0].bodies["/b"] = REPORT
    assert (await refusal(over_https(server, address_check=first_only), server[0].url("/a"))).code == "address"
    assert [request.path for request in server[0].seen] == ["/a"]
    assert "127.0.0.1" in asked


async def test_a_redirect_on_the_same_host_is_followed(server: tuple[ReportServer, Any]) -> None:
    server[0].redirects |= {"/a": "/b?x=1", "/b": server[0].url("/c")}
    server[0].bodies["/c"] = REPORT
    assert await fetched(over_https(server), server[0].url("/a")) == REPORT


@pytest.mark.parametrize(
    "target",
    [
        "https://other.example/r.json",
        "//other.example/r.json",
        "https://localhost/r.json",
        "http://localhost:{port}/r.json",
        "https://127.0.0.1:{port}/r.json",
        "https://localhost:{port}@other.example/",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
async def test_a_redirect_to_anywhere_else_is_refused(server: tuple[ReportServer, Any], target: str) -> None:
    server[0].redirects["/a"] = target.format(port=server[0].port)
    server[0].bodies["/r.json"] = REPORT
    assert (await refusal(over_https(server), server[0].url("/a"))).code == "redirect"
    assert len(server[0].seen) == 1


async def test_redirects_without_end_are_refused(server: tuple[ReportServer, Any]) -> None:
    server[0].redirects["/a"] = "/a"
    assert (await refusal(over_https(server), server[0].url("/a"))).code == "redirect"
    assert len(server[0].seen) == 4


async def test_a_certificate_that_is_not_trusted_is_refused(server: tuple[ReportServer, Any]) -> None:
    server[0].bodies["/r.json"] = REPORT
    assert (await refusal(over_https(server, tls=strangers()), server[0].url("/r.json"))).code == "certificate"
    assert server[0].seen == []


async def test_gzip_is_undone_on_the_way(server: tuple[ReportServer, Any]) -> None:
    server[0].bodies["/r.json"] = REPORT
    assert await fetched(over_https(server), server[0].url("/r.json?encoding=gzip")) == REPORT


async def test_gzip_that_grows_over_the_limit_is_refused(server: tuple[ReportServer, Any]) -> None:
    server[0].bodies["/r.json"] = bytes(LIMIT + 1)
    assert (await refusal(over_https(server), server[0].url("/r.json?encoding=gzip"))).code == "too-large"


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
async def test_another_encoding_is_refused(server: tuple[ReportServer, Any], encoding: str) -> None:
    server[0].bodies["/r.json"] = REPORT
    assert (await refusal(over_https(server), server[0].url(f"/r.json?encoding={encoding.replace(', ', '%2C')}"))).code


async def test_a_body_without_a_length_is_bounded_too(server: tuple[ReportServer, Any]) -> None:
    server[0].bodies |= {"/most": bytes(LIMIT), "/more": bytes(LIMIT + 1)}
    assert await fetched(over_https(server), server[0].url("/most?unsized=1")) == bytes(LIMIT)
    assert (await refusal(over_https(server), server[0].url("/more?unsized=1"))).code == "too-large"


@pytest.mark.parametrize("path", ["/trickle", "/silent"])
async def test_an_answer_that_takes_too_long_is_given_up(server: tuple[ReportServer, Any], path: str) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable, match="did not return a complete response"):
        await fetched(over_https(server, seconds=0.3), server[0].url(path))
    assert asyncio.get_running_loop().time() - began < 5


async def test_an_answer_that_breaks_off_is_no_report(server: tuple[ReportServer, Any]) -> None:
    with pytest.raises(Unavailable):
        await fetched(over_https(server), server[0].url("/cut"))


async def test_a_server_that_is_away_is_unavailable(server: tuple[ReportServer, Any]) -> None:
    source = HttpsReportSource({"localhost:1"}, address_check=here)
    with pytest.raises(Unavailable):
        await fetched(source, "https://localhost:1/r.json")


async def test_secrets_in_the_query_are_in_no_fault(server: tuple[ReportServer, Any]) -> None:
    server[0].statuses |= {"/final": 403, "/passing": 500}
    server[0].redirects["/away"] = "https://other.example/?sig=hidden"
    for path in ("/final", "/passing", "/away", "/cut"):
        with pytest.raises((ReportRefused, Unavailable)) as caught:
            await fetched(over_https(server), server[0].url(f"{path}?sig=hidden"))
        assert "hidden" not in str(caught.value)


async def test_nothing_of_ours_is_sent_along(
    server: tuple[ReportServer, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    server[0].bodies["/r.json"] = REPORT
    assert await fetched(over_https(server), server[0].url("/r.json")) == REPORT
    (request,) = server[0].seen
    assert not {"Authorization", "Cookie", "Proxy-Authorization", "Referer"} & set(request.headers)


async def test_a_reader_that_stops_early_leaves_no_connection(server: tuple[ReportServer, Any]) -> None:
    with contextlib.suppress(KeyError):
        async with over_https(server).open(server[0].url("/trickle")) as pieces:
            await anext(pieces)
            raise KeyError
    before = asyncio.get_running_loop().time()
    assert await fetched(over_https(server), _with(server[0], "/r.json")) == REPORT
    assert asyncio.get_running_loop().time() - before < 5


def _with(server: ReportServer, path: str) -> str:
    server.bodies[path] = REPORT
    return server.url(path)
