"""The Event Grid webhook: handshakes, notifications, and what it refuses."""

import json
from typing import Any

import aiohttp
import pytest

from local.host import FunctionsHost
from tests.contract.host.conftest import Stage, until

pytestmark = pytest.mark.stack


def url(host: FunctionsHost, function: str = "either_schema") -> str:
    return f"/runtime/webhooks/eventgrid?functionName={function}&code={host.keys.system['eventgrid_extension']}"


def grid_event(name: str, **data: Any) -> dict[str, Any]:
    return {
        "id": name,
        "topic": "/subscriptions/s",
        "subject": "x",
        "eventType": "t",
        "eventTime": "2026-01-02T03:04:05.1234567Z",
        "dataVersion": "2",
        "data": data,
    }


async def post(
    web: aiohttp.ClientSession, where: str, kind: str | None, payload: Any, raw: bytes | None = None
) -> tuple[int, str]:
    headers = {} if kind is None else {"aeg-event-type": kind}
    body = raw if raw is not None else json.dumps(payload).encode()
    async with web.post(where, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_the_handshake_of_the_event_grid_schema_echoes_the_code(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    payload = [{"id": "1", "data": {"validationCode": "abc", "validationUrl": "https://x"}}]
    status, text = await post(web, url(host), "SubscriptionValidation", payload)
    assert (status, json.loads(text)) == (200, {"validationResponse": "abc"})


async def test_the_handshake_takes_one_object_with_data_as_json_in_a_string(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    payload = {"specversion": "1.0", "data": json.dumps({"validationCode": "abc"})}
    status, text = await post(web, url(host), "subscriptionvalidation", payload)
    assert (status, json.loads(text)) == (200, {"validationResponse": "abc"})


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("eventgrid.azure.us", "eventgrid.azure.us"),
        ("eventgrid.azure.cn", "eventgrid.azure.cn"),
        ("evil.example", "eventgrid.azure.net"),
        (None, "eventgrid.azure.net"),
    ],
)
async def test_the_cloud_events_handshake_allows_event_grids_origins_only(
    host: FunctionsHost, web: aiohttp.ClientSession, asked: str | None, answered: str
) -> None:
    headers = {"WebHook-Request-Origin": asked} if asked else {}
    async with web.options(url(host), headers=headers) as answer:
        assert (answer.status, answer.headers["Webhook-Allowed-Origin"]) == (200, answered)


async def test_a_batch_is_one_invocation_for_each_event(
    stage: Stage, host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    status, _ = await post(web, url(host), "Notification", [grid_event("1"), grid_event("2")])
    assert status == 202
    assert sorted(item[1] for item in stage.seen("either_schema")) == ["1", "2"]
    assert len(host.journal.of("either_schema")) == 2


async def test_a_single_object_is_taken_as_one_event_of_its_own_schema(
    stage: Stage, host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    event = {"specversion": "1.0", "id": "c", "type": "t", "source": "/s", "data": {"a": 1}}
    assert (await post(web, url(host), "Notification", event))[0] == 202
    assert stage.seen("either_schema") == [("either_schema", "c", "CloudEvent", {"a": 1})]


async def test_one_failure_fails_the_whole_payload_and_names_the_function_alone(
    stage: Stage, host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    status, text = await post(web, url(host), "Notification", [grid_event("1"), grid_event("2", fail=True)])
    assert (status, text) == (500, "Exception while executing function: Functions.either_schema")
    assert len(stage.seen("either_schema")) == 2


async def test_times_reach_the_function_as_they_were_sent(
    stage: Stage, host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    event = grid_event("1", eventTime="2026-01-02T03:04:05.1234567Z", plain="2026-01-02")
    assert (await post(web, url(host), "Notification", event))[0] == 202
    assert stage.seen("either_schema")[0][3] == {"eventTime": "2026-01-02T03:04:05.1234567Z", "plain": "2026-01-02"}


async def test_a_list_returned_to_a_queue_is_one_message_for_each_item(
    stage: Stage, host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    assert (await post(web, url(host, "fan_out"), "Notification", [grid_event("e")]))[0] == 202
    await until(lambda: sorted(item[1] for item in stage.seen("work")) == ["e-0", "e-1"])


async def test_unsubscribe_is_accepted(host: FunctionsHost, web: aiohttp.ClientSession) -> None:
    assert (await post(web, url(host), "Unsubscribe", []))[0] == 202


@pytest.mark.parametrize("kind", [None, "Nonsense"])
async def test_a_missing_or_unknown_event_type_is_bad(
    host: FunctionsHost, web: aiohttp.ClientSession, kind: str | None
) -> None:
    assert (await post(web, url(host), kind, []))[0] == 400


@pytest.mark.parametrize("raw", [b"", b"{", b"5", b'[{"id": "1"}, 5]'])
async def test_a_body_that_is_no_event_is_a_fault_without_words(
    host: FunctionsHost, web: aiohttp.ClientSession, raw: bytes
) -> None:
    assert await post(web, url(host), "Notification", None, raw) == (500, "")
    assert host.journal.of("either_schema") == []


@pytest.mark.parametrize("function", ["", "none", "work"])
async def test_a_function_that_takes_no_events_is_not_found(
    host: FunctionsHost, web: aiohttp.ClientSession, function: str
) -> None:
    status, text = await post(web, url(host, function), "Notification", [])
    assert (status, text) == (404, f"cannot find function: '{function}'")


async def test_a_wrong_key_is_refused(host: FunctionsHost, web: aiohttp.ClientSession) -> None:
    for code, status in (("", 401), ("wrong", 401), (host.keys.host["default"], 403)):
        where = f"/runtime/webhooks/eventgrid?functionName=either_schema&code={code}"
        assert (await post(web, where, "Notification", []))[0] == status


async def test_a_binding_to_one_schema_conflicts_with_the_handshake_of_the_other(
    host: FunctionsHost, web: aiohttp.ClientSession
) -> None:
    payload = [{"data": {"validationCode": "abc"}}]
    assert (await post(web, url(host, "cloud_event"), "SubscriptionValidation", payload))[0] == 409
    assert (await post(web, url(host, "grid_event"), "SubscriptionValidation", payload))[0] == 200
    async with web.options(url(host, "grid_event")) as answer:
        assert answer.status == 409
    async with web.options(url(host, "cloud_event")) as answer:
        assert answer.status == 200
