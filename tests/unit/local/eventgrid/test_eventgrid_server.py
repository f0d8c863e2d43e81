"""The running Event Grid: real SDK in, real webhook out, over loopback."""

import asyncio
import base64
import datetime as dt
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from azure.core.credentials import AccessToken, AzureKeyCredential, AzureSasCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient, generate_sas

from local.certificates import ensure_ca
from local.eventgrid import ARM_TOPIC, CUSTOM_TOPIC, DeliveryFaults, EventGrid

KEY = base64.b64encode(b"a key of the topic, 32 bytes long").decode()
FAST = 3600.0  # an hour of Azure's time per second
EVENT = {
    "id": "e1",
    "subject": "/subscriptions/s/resourcegroups/rg/providers/Microsoft.Compute/galleries/g/images/d/versions/1.0.0",
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2026-01-01T00:00:00Z",
    "data": {"operationName": "Microsoft.Compute/galleries/images/versions/write"},
    "dataVersion": "2",
    "metadataVersion": "1",
    "topic": "/subscriptions/s",
}


class Webhook:
    """A webhook that behaves; `answers` are given first, one a notification."""

    def __init__(self) -> None:
        self.notified: list[tuple[dict[str, str], Any]] = []
        self.answers: list[int] = []
        self.handshakes: list[str] = []
        self.refuses_handshake = False
        self.url = ""
        self._news = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            self.handshakes.append("OPTIONS")
            allowed = "elsewhere" if self.refuses_handshake else request.headers["WebHook-Request-Origin"]
            return web.Response(headers={"WebHook-Allowed-Origin": allowed})
        body = await request.json()
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            self.handshakes.append("POST")
            code = "wrong" if self.refuses_handshake else body[0]["data"]["validationCode"]
            return web.json_response({"validationResponse": code})
        self.notified.append((dict(request.headers), body))
        self._news.set()
        return web.Response(status=self.answers.pop(0) if self.answers else 202)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.notified) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    hook = Webhook()
    application = web.Application()
    application.router.add_route("*", "/hook", hook.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?code=a%2Fb%3D%3D"
    yield hook
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


def _subscription(url: str, schema: str = "EventGridSchema", **properties: Any) -> dict[str, Any]:
    destination = {"endpointType": "WebHook", "properties": {"endpointUrl": url}}
    return {"properties": {"destination": destination, "eventDeliverySchema": schema, **properties}}


async def _subscribe(
    session: aiohttp.ClientSession, grid: EventGrid, topic: str, body: dict[str, Any], name: str = "hook"
) -> None:
    url = f"{grid.control_url}/topics/{topic}/eventSubscriptions/{name}"
    async with session.put(url, json=body) as answer:
        assert answer.status == 200, await answer.text()


async def _arm(session: aiohttp.ClientSession, grid: EventGrid, *events: dict[str, Any]) -> None:
    async with session.post(f"{grid.control_url}/arm-events", json={"events": list(events)}) as answer:
        assert answer.status == 200, await answer.text()


async def _counts(session: aiohttp.ClientSession, grid: EventGrid) -> dict[str, dict[str, int]]:
    async with session.get(f"{grid.control_url}/status") as answer:
        return (await answer.json())["subscriptions"]


async def _until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await check():  # noqa: ASYNC110 - what is waited for is known to another process alone
            await asyncio.sleep(0.01)


async def _publish(grid: EventGrid, credential: Any, ca: Path, events: Any) -> None:
    """Publish with the SDK. Its client drops the options it is made with, so they go along with the call."""
    with EventGridPublisherClient(grid.topic_endpoint, credential) as client:
        await asyncio.to_thread(client.send, events, connection_verify=str(ca), retry_total=0)


class _Token:
    """A credential like the identity platform's: a readable token with audience and end."""

    def __init__(self, audience: str = "https://eventgrid.azure.net", seconds: float = 3600) -> None:
        self._claims = {"aud": audience, "exp": int(time.time() + seconds), "appid": "a"}

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(jwt.encode(self._claims, "k" * 32, algorithm="HS256"), int(time.time()) + 3600)


async def test_the_sdk_publishes_over_tls_with_key_signature_or_token(
    tmp_path: Path, webhook: Webhook, session: aiohttp.ClientSession
) -> None:
    certificates = ensure_ca(tmp_path)
    async with EventGrid(key=KEY, certificates=certificates) as grid:
        await _subscribe(session, grid, CUSTOM_TOPIC, _subscription(webhook.url, "CloudEventSchemaV1_0"))
        sas = generate_sas(grid.topic_endpoint, KEY, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
        for credential in (AzureKeyCredential(KEY), AzureSasCredential(sas), _Token()):
            event = CloudEvent(source="ringmaster", type="Ringmaster.Released", subject="v", data={"ring": "prod"})
            await _publish(grid, credential, certificates.ca_file, [event])
        await webhook.wait_for(3)
    headers, body = webhook.notified[0]
    assert webhook.handshakes == ["OPTIONS"]
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert (headers["aeg-event-type"], headers["aeg-delivery-count"]) == ("Notification", "0")
    assert (body["type"], body["subject"], body["data"]) == ("Ringmaster.Released", "v", {"ring": "prod"})


async def test_event_grid_schema_is_delivered_as_an_array_of_one(
    tmp_path: Path, webhook: Webhook, session: aiohttp.ClientSession
) -> None:
    certificates = ensure_ca(tmp_path)
    async with EventGrid(key=KEY, certificates=certificates) as grid:
        await _subscribe(session, grid, CUSTOM_TOPIC, _subscription(webhook.url))
        events = [EventGridEvent(subject=name, event_type="T", data={}, data_version="1.0") for name in "ab"]
        await _publish(grid, AzureKeyCredential(KEY), certificates.ca_file, events)
        await webhook.wait_for(2)
    assert {body[0]["subject"] for _, body in webhook.notified} == {"a", "b"}
    assert {len(body) for _, body in webhook.notified} == {1}
    headers = webhook.notified[0][0]
    assert (headers["aeg-subscription-name"], headers["aeg-data-version"], headers["aeg-metadata-version"]) == (
        "HOOK",
        "1.0",
        "1",
    )


def _expired_sas(endpoint: str) -> AzureSasCredential:
    return AzureSasCredential(generate_sas(endpoint, KEY, dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)))


def _forged_sas(endpoint: str) -> AzureSasCredential:
    other = base64.b64encode(b"another key").decode()
    return AzureSasCredential(generate_sas(endpoint, other, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)))


@pytest.mark.parametrize(
    ("credential", "says"),
    [
        (lambda _: AzureKeyCredential("wrong"), "does not match"),
        (_expired_sas, "expired"),
        (_forged_sas, "does not verify"),
        (lambda _: AzureSasCredential("nonsense"), "does not verify"),
        (lambda _: _Token(audience="https://management.azure.com"), "audience"),
        (lambda _: _Token(seconds=-5), "expired"),
    ],
)
async def test_a_publisher_without_proof_is_refused(
    tmp_path: Path, credential: Callable[[str], Any], says: str
) -> None:
    certificates = ensure_ca(tmp_path)
    async with EventGrid(key=KEY, certificates=certificates) as grid:
        event = CloudEvent(source="x", type="t", data={})
        with pytest.raises(ClientAuthenticationError, match=says):
            await _publish(grid, credential(grid.topic_endpoint), certificates.ca_file, event)


async def test_no_proof_at_all_is_refused_and_nothing_is_kept(session: aiohttp.ClientSession) -> None:
    async with EventGrid(key=KEY) as grid:
        async with session.post(grid.topic_endpoint, json=[EVENT]) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == "Unauthorized"
        async with session.get(f"{grid.control_url}/events") as answer:
            assert (await answer.json())["events"] == []


async def test_a_batch_that_is_too_large_is_refused(tmp_path: Path) -> None:
    certificates = ensure_ca(tmp_path)
    async with EventGrid(key=KEY, certificates=certificates) as grid:
        event = CloudEvent(source="x", type="t", data={"much": "x" * 1_100_000})
        with pytest.raises(HttpResponseError, match="maximum size") as refusal:
            await _publish(grid, AzureKeyCredential(KEY), certificates.ca_file, event)
        assert refusal.value.status_code == 413


async def test_one_bad_event_refuses_the_whole_batch(webhook: Webhook, session: aiohttp.ClientSession) -> None:
    async with EventGrid(key=KEY) as grid:
        await _subscribe(session, grid, CUSTOM_TOPIC, _subscription(webhook.url))
        good = {name: value for name, value in EVENT.items() if name != "topic"}
        async with session.post(
            grid.topic_endpoint, json=[good, {**good, "id": ""}], headers={"aeg-sas-key": KEY}
        ) as answer:
            assert answer.status == 400
        assert await _counts(session, grid) == {}


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
async def test_arm_events_arrive_in_the_schema_of_the_subscription(
    webhook: Webhook, session: aiohttp.ClientSession, schema: str
) -> None:
    async with EventGrid(key=KEY) as grid:
        await _subscribe(session, grid, ARM_TOPIC, _subscription(webhook.url, schema))
        await _arm(session, grid, EVENT)
        await webhook.wait_for(1)
    body = webhook.notified[0][1]
    if schema == "EventGridSchema":
        assert body == [EVENT]
    else:
        assert (body["source"], body["time"], body["data"]) == (EVENT["topic"], EVENT["eventTime"], EVENT["data"])


async def test_only_wanted_events_are_delivered(webhook: Webhook, session: aiohttp.ClientSession) -> None:
    chosen = {
        "includedEventTypes": ["Microsoft.Resources.ResourceWriteSuccess"],
        "advancedFilters": [
            {
                "operatorType": "StringIn",
                "key": "data.operationName",
                "values": ["microsoft.compute/GALLERIES/images/versions/write"],
            }
        ],
    }
    async with EventGrid(key=KEY) as grid:
        await _subscribe(session, grid, ARM_TOPIC, _subscription(webhook.url, filter=chosen))
        other = {**EVENT, "id": "e2", "data": {"operationName": "Microsoft.Compute/virtualMachines/write"}}
        await _arm(
            session, grid, other, {**EVENT, "id": "e3", "eventType": "Microsoft.Resources.ResourceDeleteSuccess"}
        )
        await _arm(session, grid, EVENT)
        await webhook.wait_for(1)
        assert await _counts(session, grid) == {"arm/hook": {"delivered": 1}}
    assert [body[0]["id"] for _, body in webhook.notified] == ["e1"]


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
async def test_an_endpoint_that_fails_the_handshake_is_not_subscribed(
    webhook: Webhook, session: aiohttp.ClientSession, schema: str
) -> None:
    webhook.refuses_handshake = True
    async with EventGrid(key=KEY) as grid:
        url = f"{grid.control_url}/topics/arm/eventSubscriptions/hook"
        async with session.put(url, json=_subscription(webhook.url, schema)) as answer:
            assert answer.status == 400
            text = await answer.text()
        assert "handshake failed" in text
        assert "code=" not in text, "the address carries a key, which no message shows"
        async with session.get(f"{grid.control_url}/eventSubscriptions") as answer:
            assert (await answer.json())["value"] == []


async def test_a_failing_webhook_is_tried_again_with_a_rising_count(
    webhook: Webhook, session: aiohttp.ClientSession
) -> None:
    webhook.answers = [500, 404, 503]
    async with EventGrid(key=KEY, speed=FAST) as grid:
        await _subscribe(session, grid, ARM_TOPIC, _subscription(webhook.url))
        await _arm(session, grid, EVENT)
        await webhook.wait_for(4)
        await _until(lambda: _is(session, grid, {"arm/hook": {"delivered": 1}}))
    assert [headers["aeg-delivery-count"] for headers, _ in webhook.notified] == ["0", "1", "2", "3"]


async def _is(session: aiohttp.ClientSession, grid: EventGrid, wanted: dict[str, dict[str, int]]) -> bool:
    return await _counts(session, grid) == wanted


async def test_a_refused_event_becomes_a_dead_letter_with_its_reason(
    tmp_path: Path, webhook: Webhook, session: aiohttp.ClientSession
) -> None:
    webhook.answers = [400]
    async with EventGrid(tmp_path, key=KEY, speed=FAST) as grid:
        blob = {"endpointType": "StorageBlob"}
        await _subscribe(session, grid, ARM_TOPIC, _subscription(webhook.url, deadLetterDestination=blob))
        await _arm(session, grid, EVENT)
        await _until(lambda: _is(session, grid, {"arm/hook": {"dead-lettered": 1}}))
    [file] = (tmp_path / "deadletter" / "arm" / "HOOK").rglob("*.json")
    [letter] = json.loads(file.read_text())
    assert letter["id"] == "e1"
    assert letter["deadLetterReason"] == "UndeliverableDueToHttpBadRequest"
    assert (letter["deliveryAttempts"], letter["lastDeliveryOutcome"]) == (1, "BadRequest")


async def test_a_refused_event_is_dropped_where_there_is_no_place_for_it(
    tmp_path: Path, webhook: Webhook, session: aiohttp.ClientSession
) -> None:
    webhook.answers = [413]
    async with EventGrid(tmp_path, key=KEY, speed=FAST) as grid:
        await _subscribe(session, grid, ARM_TOPIC, _subscription(webhook.url))
        await _arm(session, grid, EVENT)
        await _until(lambda: _is(session, grid, {"arm/hook": {"dropped": 1}}))
    assert not (tmp_path / "deadletter").exists()


async def test_a_webhook_that_does_not_answer_in_time_is_tried_again(session: aiohttp.ClientSession) -> None:
    seen: list[str] = []

    async def slow(request: web.Request) -> web.Response:
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            return web.json_response({"validationResponse": (await request.json())[0]["data"]["validationCode"]})
        seen.append(request.headers["aeg-delivery-count"])
        if len(seen) == 1:
            await asyncio.sleep(5)
        return web.Response(status=202)

    application = web.Application()
    application.router.add_post("/slow", slow)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/slow"
    async with EventGrid(key=KEY, speed=FAST, response_seconds=0.5) as grid:
        await _subscribe(session, grid, ARM_TOPIC, _subscription(url))
        await _arm(session, grid, EVENT)
        await _until(lambda: _is(session, grid, {"arm/hook": {"delivered": 1}}))
    await runner.cleanup()
    assert seen == ["0", "1"]


async def test_duplicates_and_disorder_lose_nothing(webhook: Webhook, session: aiohttp.ClientSession) -> None:
    faults = DeliveryFaults(duplicate=0.5, late=0.5, max_delay=1800)
    async with EventGrid(key=KEY, speed=FAST, faults=faults) as grid:
        await _subscribe(session, grid, ARM_TOPIC, _subscription(webhook.url))
        names = [f"e{number}" for number in range(40)]
        await _arm(session, grid, *({**EVENT, "id": name} for name in names))
        wanted = sum(len(faults.delays(1, "arm/hook", name)) for name in names)
        await webhook.wait_for(wanted)
        await _until(lambda: _is(session, grid, {"arm/hook": {"delivered": wanted}}))
    arrived = [body[0]["id"] for _, body in webhook.notified]
    assert set(arrived) == set(names)
    assert len(arrived) == wanted > len(names)
    assert list(dict.fromkeys(arrived)) != names


async def test_a_removed_subscription_gets_nothing_more(webhook: Webhook, session: aiohttp.ClientSession) -> None:
    webhook.answers = [500]
    async with EventGrid(key=KEY) as grid:
        await _subscribe(session, grid, ARM_TOPIC, _subscription(webhook.url))
        await _arm(session, grid, EVENT)
        await webhook.wait_for(1)
        url = f"{grid.control_url}/topics/arm/eventSubscriptions/hook"
        for status in (200, 204):
            async with session.delete(url) as answer:
                assert answer.status == status
        assert "pending" not in (await _counts(session, grid)).get("arm/hook", {})


async def _start(state: Path, *options: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    command = [sys.executable, "-m", "local.eventgrid", "--state", str(state), *options]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "EVENTGRID_TOPIC_KEY": KEY},
    )
    assert process.stdout is not None
    return process, json.loads(await process.stdout.readline())


async def _end(process: asyncio.subprocess.Process, number: int) -> int:
    process.send_signal(number)
    async with asyncio.timeout(10):
        return await process.wait()


async def test_what_was_accepted_survives_a_kill(
    tmp_path: Path, webhook: Webhook, session: aiohttp.ClientSession
) -> None:
    webhook.answers = [503, 503]
    process, where = await _start(tmp_path, "--speed", "60")
    async with session.put(
        f"{where['control']}/topics/arm/eventSubscriptions/hook", json=_subscription(webhook.url)
    ) as answer:
        assert answer.status == 200
    async with session.post(f"{where['control']}/arm-events", json={"events": [EVENT]}) as answer:
        assert answer.status == 200
    await webhook.wait_for(1)
    await _end(process, signal.SIGKILL)
    process, where = await _start(tmp_path, "--speed", "60")
    await webhook.wait_for(3)
    assert await _end(process, signal.SIGTERM) == 0
    assert [body[0]["id"] for _, body in webhook.notified] == ["e1", "e1", "e1"]
