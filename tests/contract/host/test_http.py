"""HTTP triggers: routes, keys, errors, limits, and the admin API."""

import asyncio
import json

import aiohttp
import pytest

from local.host import FunctionsHost
from tests.contract.host.conftest import Stage, until

pytestmark = pytest.mark.stack


async def test_a_request_reaches_the_function_whole(web: aiohttp.ClientSession) -> None:
    async with web.post("/api/open/bob?x=1&x=2&y=", data=b"hello", headers={"X-Probe": "p"}) as answer:
        assert answer.status == 200
        assert answer.headers["X-Answer"] == "yes"
        assert answer.cookies["a"].value == "b"
        assert answer.content_type == "application/json"
        assert await answer.json() == {
            "name": "bob",
            "method": "POST",
            "query": {"x": "1,2", "y": ""},
            "header": "p",
            "body": "hello",
        }


@pytest.mark.parametrize(
    ("path", "text"), [("/api/scans/trivy", "format trivy"), ("/api/scans/12", "id 12"), ("/API/Scans/x", "format x")]
)
async def test_routes_pick_the_function(web: aiohttp.ClientSession, path: str, text: str) -> None:
    async with web.post(path) as answer:
        assert (answer.status, await answer.text()) == (200, text)


async def test_a_catch_all_route_takes_the_rest_of_the_path(web: aiohttp.ClientSession) -> None:
    async with web.get("/api/files/a/b%20c") as answer:
        assert await answer.text() == "rest a/b c"


@pytest.mark.parametrize(("method", "path"), [("GET", "/api/none"), ("PUT", "/api/open/x"), ("GET", "/open/x")])
async def test_what_no_route_takes_is_not_found(web: aiohttp.ClientSession, method: str, path: str) -> None:
    async with web.request(method, path) as answer:
        assert answer.status == 404


async def test_a_function_key_opens_its_function_by_header_or_query(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    key = host.keys.functions["guarded"]["default"]
    statuses = []
    for path, headers in (
        ("/api/guarded", {}),
        ("/api/guarded?code=wrong", {}),
        (f"/api/guarded?code={key}", {}),
        ("/api/guarded", {"x-functions-key": key}),
        ("/api/guarded", {"x-functions-key": host.keys.host["default"]}),
        ("/api/guarded", {"x-functions-key": host.keys.functions["master"]["default"]}),
    ):
        async with web.get(path, headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [401, 401, 200, 200, 200, 401]


async def test_an_admin_function_opens_to_the_master_key_only(host: FunctionsHost, web: aiohttp.ClientSession) -> None:
    statuses = []
    for key in ("", host.keys.functions["master"]["default"], host.keys.host["default"], host.keys.master):
        async with web.get("/api/master", headers={"x-functions-key": key}) as answer:
            statuses.append(answer.status)
    assert statuses == [401, 401, 401, 200]


async def test_a_fault_is_500_and_tells_the_caller_nothing(host: FunctionsHost, web: aiohttp.ClientSession) -> None:
    async with web.get("/api/broken") as answer:
        assert (answer.status, await answer.read()) == (500, b"")
    assert host.journal.of("broken")[0].error == "ValueError('a secret detail')"


async def test_a_function_that_outlives_its_timeout_has_failed(host: FunctionsHost, web: aiohttp.ClientSession) -> None:
    async with web.get("/api/slow?seconds=30") as answer:
        assert answer.status == 500
    assert host.journal.of("slow")[0].outcome == "timed_out"


async def test_a_caller_is_let_go_at_the_front_ends_limit_while_the_function_goes_on(stage: Stage) -> None:
    host = await stage.host(request_seconds=0.2)
    async with aiohttp.ClientSession(host.url) as web, web.get("/api/slow?seconds=0.6") as answer:
        assert answer.status == 504
        await until(lambda: [record.outcome for record in host.journal.of("slow")] == ["succeeded"])


async def test_a_body_over_100_mb_is_refused(web: aiohttp.ClientSession) -> None:
    async def zeros() -> object:
        for _ in range(101):
            yield bytes(1024 * 1024)

    async with web.post("/api/open/big", data=zeros()) as answer:
        assert answer.status == 413


async def test_the_home_page_and_ping_are_open(web: aiohttp.ClientSession) -> None:
    for path in ("/", "/admin/host/ping"):
        async with web.get(path) as answer:
            assert answer.status == 200


async def test_admin_tells_status_functions_and_keys_to_the_master_key(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    async with web.get("/admin/host/status", headers={"x-functions-key": host.keys.host["default"]}) as answer:
        assert answer.status == 401
    headers = {"x-functions-key": host.keys.master}
    async with web.get("/admin/host/status", headers=headers) as answer:
        assert (await answer.json())["state"] == "Running"
    async with web.get("/admin/functions", headers=headers) as answer:
        names = {item["name"] for item in await answer.json()}
    assert {"work", "tick", "guarded", "either_schema"} <= names
    async with web.get("/admin/host/systemkeys/eventgrid_extension", headers=headers) as answer:
        assert (await answer.json())["value"] == host.keys.system["eventgrid_extension"]


@pytest.mark.parametrize(
    ("function", "text", "expected"),
    [
        ("work", "by hand", "by hand"),
        ("either_schema", json.dumps({"id": "e1", "eventType": "t", "data": {}}), "e1"),
        ("tick", "", False),
    ],
)
async def test_a_manual_run_is_accepted_and_runs_the_function(
    stage: Stage, host: FunctionsHost, web: aiohttp.ClientSession, function: str, text: str, expected: object
) -> None:
    headers = {"x-functions-key": host.keys.master}
    async with web.post(f"/admin/functions/{function}", json={"input": text}, headers=headers) as answer:
        assert answer.status == 202
    await until(lambda: [item[1] for item in stage.seen(function)] == [expected])


async def test_a_manual_run_with_bad_input_is_refused(host: FunctionsHost, web: aiohttp.ClientSession) -> None:
    headers = {"x-functions-key": host.keys.master}
    async with web.post("/admin/functions/none", json={}, headers=headers) as answer:
        assert answer.status == 404
    async with web.post("/admin/functions/tick", data=b"[", headers=headers) as answer:
        assert answer.status == 400


async def test_a_stop_lets_a_running_request_end(stage: Stage) -> None:
    host = await stage.host()
    async with aiohttp.ClientSession(host.url) as web:
        running = asyncio.create_task(web.get("/api/slow?seconds=0.5"))
        await until(lambda: host.invoker.running == 1)
        await host.stop()
        assert (await running).status == 200
