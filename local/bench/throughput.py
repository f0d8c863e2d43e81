"""`throughput`: messages per second for many parallel releases on one worker, divided by the rate of a plain SDK loop
on the same queue service (receive, delete, send).

The complete stack runs: host, Azurite, and ARM over HTTPS at high speed. Each version has its own definition, and all
start at the same time. The figure counts the queue messages that the host processed, from the delivery of the last
event until every release is validated, waits for its scan and has a boot-test machine. The plain loop handles one
message at a time; a concurrent loop is measured for comparison.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from azure.storage.queue.aio import QueueClient

from local.arm.kernel.tokens import identity
from local.bench.figures import Figure, MeasurementFailed
from local.bench.release_run import policy as one_policy
from local.demo.scenario import GALLERY, GROUP, SOURCE, Story, world
from local.stack import Stack, StackOptions

BOUND: Final = 0.5
RELEASES: Final = 300
MESSAGES: Final = 400
"""How many messages the plain loop handles."""
QUEUE_FUNCTIONS: Final = frozenset({"validate", "scan", "boot_test", "replicate", "promote"})
_TIMEOUT_SECONDS: Final = 240.0
_CONCURRENT: Final = 16


async def measure(releases: int = RELEASES) -> Figure:
    """The figure, for ``releases`` parallel releases."""
    stories = [Story(f"image-{index}", "1.0.0", "agent-never-ready", "", "") for index in range(releases)]
    with tempfile.TemporaryDirectory(prefix="ringmaster-bench-") as temporary:
        directory = Path(temporary)
        (directory / "world.json").write_text(json.dumps(_world(stories)), encoding="utf-8")
        (directory / "policy.yaml").write_text(json.dumps(_policy(stories)), encoding="utf-8")
        options = StackOptions(
            speed=60.0,
            policy=directory / "policy.yaml",
            world=directory / "world.json",
            scanner=False,
            duplicate=0.0,
            late=0.0,
            settings={
                "RINGMASTER_OWN_WRITERS": identity("ringmaster").client_id,
                "RINGMASTER_RECONCILE_SCHEDULE": "0 0 3 1 1 *",
            },
        )
        async with Stack(directory / "stack", options) as stack:
            began = await _deliver(stack, stories)
            ended = await _until_begun(stack, releases)
            handled = _handled(stack.log("host"), began, ended)
            # The releases continue to poll. Nothing else may use the queue service during the plain loop.
            await asyncio.to_thread(stack.kill, "host")
            storage = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
            alone = await _bare_loop(storage, concurrent=1)
            together = await _bare_loop(storage, concurrent=_CONCURRENT)
    return _figure(handled, ended - began, releases, alone, together)


def _figure(handled: Mapping[str, int], seconds: float, releases: int, alone: float, together: float) -> Figure:
    rate = sum(handled.values()) / seconds
    return Figure(
        value=rate / alone,
        relation=">=",
        bound=BOUND,
        unit="ratio",
        parts={
            "releases": releases,
            "messages": dict(handled),
            "seconds": seconds,
            "messages_a_second": rate,
            "bare_loop_a_second": alone,
            f"bare_loop_with_{_CONCURRENT}_at_once_a_second": together,
            "ratio_to_the_concurrent_loop": rate / together,
        },
        notes=("host, Azurite and ARM simulator share the CPUs of this machine; in Azure, only the host runs on them",),
    )


def _world(stories: Sequence[Story]) -> dict[str, Any]:
    """Initial resources with existing versions, so that no replication is needed."""
    document = world(stories)
    for story in stories:
        profile = {"excludeFromLatest": True, "targetRegions": [{"name": "westeurope", "regionalReplicaCount": 1}]}
        document["resources"].append(
            {
                "id": story.id,
                "location": "westeurope",
                "character": story.character,
                "properties": {
                    "publishingProfile": profile | {"publishedDate": datetime.now(UTC).isoformat()},
                    "storageProfile": {"source": {"id": story.image}},
                    "provisioningState": "Succeeded",
                },
            }
        )
    return document


def _policy(stories: Sequence[Story]) -> dict[str, Any]:
    document = one_policy()
    (model,) = document["definitions"]
    gallery = f"/subscriptions/{SOURCE}/resourceGroups/{GROUP}/providers/Microsoft.Compute/galleries/{GALLERY}"
    document["definitions"] = [
        {**model, "name": story.definition, "source": f"{gallery}/images/{story.definition}"} for story in stories
    ]
    return document


async def _deliver(stack: Stack, stories: Sequence[Story]) -> float:
    """Deliver all events in batches. Returns when the last one was accepted."""
    url = f"{stack.environment['RINGMASTER_URL']}/runtime/webhooks/eventgrid"
    params = {"functionName": "on_image_version_written", "code": stack.plan.event_grid_key()}
    headers = {"aeg-event-type": "Notification"}
    events = [_event(story) for story in stories]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)) as session:
        for start in range(0, len(events), 25):
            batch = events[start : start + 25]
            async with session.post(url, params=params, headers=headers, json=batch) as answer:
                if answer.status >= 300:
                    raise MeasurementFailed(
                        f"the events received status {answer.status}: {(await answer.text())[:300]}"
                    )
    return time.time()


def _event(story: Story) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "topic": f"/subscriptions/{SOURCE}",
        "subject": story.id,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": datetime.now(UTC).isoformat(),
        "dataVersion": "2",
        "metadataVersion": "1",
        "data": {
            "resourceUri": story.id,
            "operationName": "Microsoft.Compute/galleries/images/versions/write",
            "resourceProvider": "Microsoft.Compute",
            "status": "Succeeded",
            "claims": {},
        },
    }


async def _until_begun(stack: Stack, releases: int) -> float:
    """Wait until every release has its machine, according to the simulator's request counter. Returns the time."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    connector = aiohttp.TCPConnector(ssl=False)
    made = 0
    async with aiohttp.ClientSession(connector=connector) as session:
        while time.monotonic() < deadline:
            async with session.get(f"{stack.environment['ARM_ENDPOINT']}/_sim/calls") as answer:
                made = (await answer.json())["operations"].get("VirtualMachines_CreateOrUpdate", 0)
            if made >= releases:
                return time.time()
            await asyncio.sleep(0.5)
    raise MeasurementFailed(f"after {_TIMEOUT_SECONDS:.0f} s, only {made} of {releases} releases had a machine")


def _handled(log: Path, began: float, ended: float) -> Mapping[str, int]:
    """The number of queue messages by function, from the host's log."""
    found: Counter[str] = Counter()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if '"local.host.invocation"' not in line:
            continue
        record = json.loads(line)
        at = datetime.fromisoformat(record["time"]).timestamp()
        if record["function"] in QUEUE_FUNCTIONS and began <= at <= ended:
            found[record["function"]] += 1
    if not found:
        raise MeasurementFailed("the host's log has no queue message")
    return dict(sorted(found.items()))


async def _bare_loop(storage: str, *, concurrent: int) -> float:
    """Messages per second of a loop that only receives, deletes and sends."""
    async with QueueClient.from_connection_string(storage, f"bench-{uuid.uuid4().hex[:12]}") as queue:
        await queue.create_queue()
        body = "x" * 1500  # about the size of a command
        await asyncio.gather(*(queue.send_message(body) for _ in range(64)))

        async def handle(message: Any) -> None:
            await queue.delete_message(message)
            await queue.send_message(body)

        done, began = 0, time.perf_counter()
        while done < MESSAGES:
            page = queue.receive_messages(messages_per_page=16, visibility_timeout=600).by_page()
            messages = [message async for message in await anext(page)]
            for start in range(0, len(messages), concurrent):
                await asyncio.gather(*(handle(message) for message in messages[start : start + concurrent]))
            done += len(messages)
        rate = done / (time.perf_counter() - began)
        await queue.delete_queue()
        return rate
