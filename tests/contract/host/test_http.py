"""HTTP triggers: routes, keys, errors, limits, and the admin API."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from local.host import FunctionsHost
from local.host.http_server import body_limit
from tests.contract.host.conftest import Stage, until

pytestmark = pytest.mark.stack

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_a_request_reaches_the_function_whole(web: aiohttp.ClientSession) -> None:
    async with web.post("/api/open/bob?x=1&x=2&y=", data=b"hello", headers={"X-Probe": "p"}) as answer:
        assert answer.status == 200
        assert answer.headers["X-Answer"] == "yes"
        assert answer.cookies["a"].value == "b"
        assert answer.content_type == "application/json"
        assert await answer.json() == {
            "name": "bob",
            "method": "POST",
            "query": {"x": "1,2"},
            "header": "p",
            "body": "hello",
        }


@pytest.mark.parametrize(
    ("path", "text"),
    [("/api/scans/trivy", "format trivy"), ("/api/scans/12", "format 12"), ("/API/Scans/x", "format x")],
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


async def test_an_empty_key_in_the_header_wins_over_a_right_one_in_the_query(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    where = f"/api/guarded?code={host.keys.functions['guarded']['default']}"
    async with web.get(where, headers={"x-functions-key": ""}) as answer:
        assert answer.status == 401


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


async def test_a_body_over_the_limit_ends_the_connection_and_runs_nothing(stage: Stage) -> None:
    host = await stage.host({"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"})
    async with aiohttp.ClientSession(host.url) as web:
        async with web.post("/api/open/big", data=bytes(1000)) as answer:
            assert answer.status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await web.post("/api/open/big", data=bytes(1001))
        assert len(host.journal.of("anonymous")) == 1


def test_the_limit_of_a_body_is_100_mib_unless_a_setting_is_a_number() -> None:
    given = [{}, {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "much"}, {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "7"}]
    assert [body_limit(settings) for settings in given] == [104_857_600, 104_857_600, 7]


async def test_a_body_of_unannounced_length_does_not_reach_the_function(web: aiohttp.ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"hello"

    async with web.post("/api/open/bob", data=pieces()) as answer:
        assert (answer.status, (await answer.json())["body"]) == (200, "")


@pytest.mark.parametrize(
    ("routes", "left"),
    [
        ({"a": "administrators", "b": "/runtime/x", "c": "ok"}, ["c"]),
        ({"b": "same/{x}", "a": "Same/{x}/", "c": "same/{y}"}, ["a", "c"]),
    ],
)
async def test_a_function_whose_route_is_reserved_or_taken_is_left_out(
    stage: Stage, tmp_path: Path, routes: dict[str, str], left: list[str]
) -> None:
    lines = [f"@app.route('{route}')\ndef {name}(req: func.HttpRequest) -> str: ..." for name, route in routes.items()]
    (tmp_path / "function_app.py").write_text(
        "\n".join(["import azure.functions as func", "app = func.FunctionApp()", *lines])
    )
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    async with FunctionsHost(tmp_path, stage.settings) as host:
        assert sorted(spec.name for spec in host.functions) == left


async def test_the_home_page_and_ping_are_open(web: aiohttp.ClientSession) -> None:
    for path in ("/", "/admin/host/ping"):
        async with web.get(path) as answer:
            assert answer.status == 200


async def test_admin_tells_status_functions_and_keys_to_the_master_key(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    async with web.get("/admin/host/status", headers={"x-functions-key": host.keys.host["default"]}) as answer:
        assert answer.status == 403
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
    json_headers = {**headers, "Content-Type": "application/json"}
    for body in (b"[", b"[]", b"", b'{"input": {}}'):
        async with web.post("/admin/functions/tick", data=body, headers=json_headers) as answer:
            assert answer.status == 400


async def test_a_manual_run_without_an_event_is_accepted_and_fails(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    headers = {"x-functions-key": host.keys.master}
    async with web.post("/admin/functions/either_schema", json={"input": "no JSON"}, headers=headers) as answer:
        assert answer.status == 202
    await until(lambda: [record.outcome for record in host.journal.of("either_schema")] == ["failed"])


@pytest.mark.parametrize(("telemetry", "traced"), [({}, ""), ({"telemetryMode": "OpenTelemetry"}, TRACEPARENT)])
async def test_a_trace_reaches_functions_where_telemetry_is_configured(
    stage: Stage, tmp_path: Path, telemetry: dict[str, str], traced: str
) -> None:
    (tmp_path / "function_app.py").write_text(
        "import azure.functions as func\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "@app.route('t')\ndef t(req: func.HttpRequest, context: func.Context) -> str:\n"
        "    return context.trace_context.Traceparent\n"
    )
    (tmp_path / "host.json").write_text(json.dumps({"version": "2.0", **telemetry}))
    async with (
        FunctionsHost(tmp_path, stage.settings) as host,
        aiohttp.ClientSession(host.url) as web,
        web.get("/api/t", headers={"traceparent": TRACEPARENT}) as answer,
    ):
        assert await answer.text() == traced


async def test_a_stop_lets_a_running_request_end(stage: Stage) -> None:
    host = await stage.host()
    async with aiohttp.ClientSession(host.url) as web:
        running = asyncio.create_task(web.get("/api/slow?seconds=0.5"))
        await until(lambda: host.invoker.running == 1)
        await host.stop()
        assert (await running).status == 200
