"""The simulator on its socket, as the production SDKs and credential see it."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError, ServiceRequestError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.compute.aio import ComputeManagementClient

from local.arm.kernel.events import DeliveryPlan
from local.arm.server.simulator import ArmSimulator
from tests.unit.local.arm.arm_driver import BASE, GROUP, SUBSCRIPTION, version_body

WORLD = {
    "resource_groups": [{"id": GROUP, "location": "westeurope"}],
    "resources": [{"id": BASE, "location": "westeurope"}],
}
DEFINITION_BODY = {
    "location": "westeurope",
    "properties": {
        "osType": "Linux",
        "osState": "Generalized",
        "hyperVGeneration": "V1",
        "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
    },
}
NAMES = ("images", "builds", "ubuntu", "1.0.0")


class Collector:
    """A sink that refuses the first deliveries and keeps the rest."""

    def __init__(self, refuse: int = 0) -> None:
        self.refuse = refuse
        self.events: list[dict[str, Any]] = []
        self.changed = asyncio.Condition()

    async def post(self, request: web.Request) -> web.Response:
        if self.refuse > 0:
            self.refuse -= 1
            return web.Response(status=503)
        async with self.changed:
            self.events += (await request.json())["events"]
            self.changed.notify_all()
        return web.Response(status=202)

    async def holds(self, count: int) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(lambda: len(self.events) >= count)


@pytest.fixture
async def sim() -> AsyncIterator[ArmSimulator]:
    async with ArmSimulator(speed=20_000) as running:
        running.seed(WORLD)
        yield running


@pytest.fixture
async def client(sim: ArmSimulator) -> AsyncIterator[Any]:
    """The SDK with the production credential; the endpoint's variables are put back afterwards."""
    before = {name: os.environ.get(name) for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
    os.environ.update({name: sim.environment[name] for name in before})
    trust: Any = {"connection_verify": str(sim.ca_file)}
    try:
        async with (
            ManagedIdentityCredential(**trust) as credential,
            ComputeManagementClient(
                credential,
                SUBSCRIPTION,
                base_url=sim.url,
                credential_scopes=[f"{sim.url}/.default"],
                retry_total=0,
                **trust,
            ) as made,
        ):
            yield made
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


async def _make_definition(client: Any) -> None:
    await client.galleries.begin_create_or_update("images", "builds", {"location": "westeurope"}, polling=False)
    await client.gallery_images.begin_create_or_update("images", "builds", "ubuntu", DEFINITION_BODY, polling=False)


async def _finished(client: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found = (await client.gallery_image_versions.get(*NAMES, expand="ReplicationStatus")).as_dict()
            states = (
                found["properties"]["provisioningState"],
                found["properties"]["replicationStatus"]["aggregatedState"],
            )
            if states == ("Succeeded", "Completed"):
                return found
            await asyncio.sleep(0.02)


async def test_the_sdk_makes_updates_reads_and_deletes_a_version(client: Any) -> None:
    await _make_definition(client)
    await client.gallery_image_versions.begin_create_or_update(*NAMES, version_body("northeurope"), polling=False)
    await _finished(client)
    profile = {"properties": {"publishingProfile": {"excludeFromLatest": True}}}
    poller = await client.gallery_image_versions.begin_update(*NAMES, profile)  # raises on any status but 200
    updated = (await poller.result()).as_dict()
    assert updated["properties"]["publishingProfile"]["excludeFromLatest"] is True
    listed = [one.name async for one in client.gallery_image_versions.list_by_gallery_image(*NAMES[:3])]
    assert listed == ["1.0.0"]
    await (await client.gallery_image_versions.begin_delete(*NAMES)).result()
    with pytest.raises(ResourceNotFoundError):
        await client.gallery_image_versions.get(*NAMES)


async def test_the_sdk_sees_arm_s_errors(client: Any) -> None:
    await _make_definition(client)
    with pytest.raises(ResourceExistsError) as refused:
        await client.galleries.begin_delete("images", "builds")
    assert refused.value.error is not None
    assert refused.value.error.code == "CannotDeleteResource"


async def test_a_429_carries_its_code_its_detail_and_retry_after(sim: ArmSimulator, client: Any) -> None:
    await _control(sim, "POST", "faults", [{"fault": "throttle", "times": 1, "retry_after": 17}])
    with pytest.raises(HttpResponseError) as refused:
        await client.images.get("images", "base")
    error: Any = refused.value.error
    response: Any = refused.value.response
    assert (error.code, error.details[0].code) == ("OperationNotAllowed", "TooManyRequests")
    assert response.headers["Retry-After"] == "17"
    assert (await client.images.get("images", "base")).name == "base"


async def test_a_response_can_be_lost_after_its_effect(sim: ArmSimulator, client: Any) -> None:
    await client.images.get("images", "base")
    # twice, because aiohttp repeats an idempotent request once by itself when a connection that it reused breaks
    rule = {"match": {"operation": "Galleries_CreateOrUpdate"}, "fault": "drop_response_after_effect", "times": 2}
    await _control(sim, "POST", "faults", [rule])
    with pytest.raises(ServiceRequestError):
        await client.galleries.begin_create_or_update("images", "builds", {"location": "westeurope"}, polling=False)
    assert (await client.galleries.get("images", "builds")).name == "builds"
    assert [call.status for call in sim.calls if call.fault] == [0, 0]


async def test_soft_deleted_versions_are_listed_and_restored(client: Any) -> None:
    await _make_definition(client)
    policy = {"properties": {"softDeletePolicy": {"isSoftDeleteEnabled": True}}}
    await client.galleries.begin_update("images", "builds", policy, polling=False)
    await client.gallery_image_versions.begin_create_or_update(*NAMES, version_body(), polling=False)
    await _finished(client)
    await (await client.gallery_image_versions.begin_delete(*NAMES)).result()
    kept = client.soft_deleted_resource.list_by_artifact_name("images", "builds", "Images", "ubuntu")
    assert [one.name async for one in kept] == ["1.0.0"]
    restore = {"location": "westeurope", "properties": {"restore": True, "storageProfile": {}}}
    await client.gallery_image_versions.begin_create_or_update(*NAMES, restore, polling=False)
    assert (await _finished(client))["name"] == "1.0.0"


async def test_the_token_endpoint_wants_its_secret_and_a_known_identity(sim: ArmSimulator) -> None:
    query = {"resource": sim.url, "api-version": "2019-08-01"}
    secret = {"X-IDENTITY-HEADER": sim.identity_header}
    async with _session(sim) as session:
        for headers, extra, status in (
            ({}, {}, 401),
            ({"X-IDENTITY-HEADER": "guess"}, {}, 401),
            (secret, {"client_id": "nobody"}, 400),
            (secret, {"client_id": sim.kernel.tokens.identities[1].client_id}, 200),
        ):
            async with session.get(sim.identity_endpoint, params=query | extra, headers=headers) as answer:
                assert answer.status == status


async def test_events_reach_a_sink_that_was_away_and_none_is_lost() -> None:
    collector = Collector(refuse=2)
    address, runner = await _listen(collector)
    plan = DeliveryPlan(duplicate=1, late=0, delay_seconds=0)
    try:
        async with ArmSimulator(speed=20_000, sinks=(address,), delivery_plan=plan) as sim:
            await _put_group(sim)
            await collector.holds(2)
    finally:
        await runner.cleanup()
    assert {event["eventType"] for event in collector.events} == {"Microsoft.Resources.ResourceWriteSuccess"}
    assert len({event["id"] for event in collector.events}) == 1
    assert collector.events[0]["subject"] == f"/subscriptions/{SUBSCRIPTION}/resourcegroups/new"


async def test_events_wait_over_a_restart_for_their_sink(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9/_sim/arm-events"
    async with ArmSimulator(tmp_path, sinks=(nobody,)) as sim:
        await _put_group(sim)
    collector = Collector()
    address, runner = await _listen(collector)
    try:
        async with ArmSimulator(tmp_path, sinks=(address,)):
            await collector.holds(1)
    finally:
        await runner.cleanup()
    assert collector.events[0]["data"]["operationName"] == "Microsoft.Resources/subscriptions/resourceGroups/write"


async def test_authority_secret_and_state_survive_a_kill(tmp_path: Path) -> None:
    world = tmp_path / "world.json"
    await asyncio.to_thread(world.write_text, json.dumps(WORLD))
    first = await _alone(tmp_path, "--world", str(world))
    await _finish(first[0], signal.SIGKILL)
    second = await _alone(tmp_path)
    try:
        assert second[1]["IDENTITY_HEADER"] == first[1]["IDENTITY_HEADER"]
        async with aiohttp.ClientSession() as session:
            context = ssl.create_default_context(cafile=first[1]["REQUESTS_CA_BUNDLE"])
            async with session.get(f"{second[1]['ARM_ENDPOINT']}/_sim/state", ssl=context) as answer:
                assert BASE in (await answer.json())["resources"]["Microsoft.Compute/images"]
    finally:
        assert await _finish(second[0], signal.SIGTERM) == 0


async def test_bad_options_end_with_a_reason(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    await asyncio.to_thread(plan.write_text, '[{"fault": "unicorn"}]')
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.arm", "--plan", str(plan), stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"rule 0: 'fault' must be one of" in said


async def test_the_control_endpoints_show_calls_state_and_characters(sim: ArmSimulator) -> None:
    await _control(sim, "POST", "characters", {BASE: "panics-at-boot"})
    assert await _control(sim, "GET", "characters") == {BASE: "panics-at-boot"}
    assert (await _control(sim, "GET", "state"))["resources"]["Microsoft.Compute/images"] == [BASE]
    await _put_group(sim)
    assert (await _control(sim, "GET", "calls"))["operations"] == {"ResourceGroups_CreateOrUpdate": 1}
    await _control(sim, "POST", "reset")
    assert (await _control(sim, "GET", "state"))["resources"] == {}


def _session(sim: ArmSimulator) -> aiohttp.ClientSession:
    context = ssl.create_default_context(cafile=str(sim.ca_file))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


async def _control(sim: ArmSimulator, method: str, what: str, body: Any = None) -> Any:
    async with _session(sim) as session, session.request(method, f"{sim.url}/_sim/{what}", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def _put_group(sim: ArmSimulator) -> None:
    address = f"{sim.url}/subscriptions/{SUBSCRIPTION}/resourceGroups/new?api-version=2022-09-01"
    bearer = {"Authorization": f"Bearer {sim.token()}"}
    async with _session(sim) as session, session.put(address, json={"location": "westus"}, headers=bearer) as answer:
        assert answer.status == 201


async def _listen(collector: Collector) -> tuple[str, web.AppRunner]:
    app = web.Application()
    app.router.add_post("/_sim/arm-events", collector.post)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}/_sim/arm-events", runner


async def _alone(state: Path, *options: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.arm", "--state", str(state / "state"), *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, json.loads(await process.stdout.readline())


async def _finish(process: asyncio.subprocess.Process, number: signal.Signals) -> int:
    process.send_signal(number)
    return await process.wait()
