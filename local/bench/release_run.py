"""One release on the local stack, observed from outside. `end_to_end` and `arm_calls` are computed from it.

The complete stack runs: host, Azurite, Event Grid, ARM over HTTPS. There are three rings with two regions each, one
ring in another gallery, and no bake times, which would hide the overhead of the app.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

from local.arm.kernel.store import Store
from local.arm.kernel.tokens import identity
from local.bench.figures import MeasurementFailed
from local.bench.function_apps import linked_app
from local.demo.builder import builder
from local.demo.follow import Follower
from local.demo.scenario import GROUP, PRODUCTION, SOURCE, TEST_GROUP, Story, world
from local.scanner.report import report_for
from local.scanner.signing import headers_for
from local.stack import Stack, StackOptions
from shared.domain.policy import Ahead

STORY: Final = Story("ubuntu-22-04", "1.0.0", "clean", "clean", "released")
RINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "canary": ("westeurope", "northeurope"),
    "early": ("eastus", "westus2"),
    "production": ("eastus2", "southeastasia"),
}
COPIED: Final = "production"
COPIES: Final = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-prod/providers/Microsoft.Compute/galleries/gal_prod"
DEFINITION: Final = (
    f"/subscriptions/{SOURCE}/resourceGroups/{GROUP}/providers/Microsoft.Compute/galleries/gal_build/images"
    f"/{STORY.definition}"
)
COPY: Final = f"{COPIES}/images/{STORY.definition}/versions/{STORY.number}"
POLLING: Final = 2.0
"""``maxPollingInterval`` of host.json in seconds. It is real time, and must be divided by the speed."""


@dataclass(frozen=True, slots=True)
class ReleaseRun:
    """One release from the version's readiness to its last ring. Times are seconds since the epoch."""

    speed: float
    seed: int
    release: Mapping[str, Any]
    operations: Sequence[Mapping[str, Any]]
    """The simulator's long-running operations: ``resource_id``, ``location``, ``done``, ``begun_at``, ``ended_at``."""
    regions: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Version id (lowercase) -> region -> when its replication began and ended."""
    calls: Sequence[Mapping[str, Any]]
    """The app's requests to ARM: ``at``, ``method``, ``operation``, ``path``, ``status``, ``code``."""
    ahead: Ahead = Ahead.NEXT


def policy(ahead: Ahead = Ahead.NEXT) -> dict[str, Any]:
    """The policy of the release."""
    networks = f"/subscriptions/{SOURCE}/resourceGroups/{TEST_GROUP}/providers/Microsoft.Network/virtualNetworks"
    return {
        "version": 1,
        "test": {
            "subscription": SOURCE,
            "resourceGroup": TEST_GROUP,
            "subnet": f"{networks}/vnet-{{region}}/subnets/default",
        },
        "definitions": [
            {
                "name": STORY.definition,
                "source": DEFINITION,
                "ahead": ahead.value,
                "scan": {"limits": {"critical": 0, "high": 5}, "onlyFixable": True},
                "rings": [
                    {"name": name, "bake": "0", "regions": list(regions)}
                    | ({"gallery": COPIES} if name == COPIED else {})
                    for name, regions in RINGS.items()
                ],
            }
        ],
    }


async def run_release(*, speed: float, seed: int, wait_seconds: float, ahead: Ahead) -> ReleaseRun:
    """Release one clean version on the stack. Raises MeasurementFailed if it is not released after ``wait_seconds``."""
    with tempfile.TemporaryDirectory(prefix="ringmaster-bench-") as temporary:
        directory = Path(temporary)
        (directory / "world.json").write_text(json.dumps(world([STORY])), encoding="utf-8")
        (directory / "policy.yaml").write_text(json.dumps(policy(ahead)), encoding="utf-8")
        interval = max(POLLING / speed, 0.1)
        options = StackOptions(
            speed=speed,
            seed=seed,
            policy=directory / "policy.yaml",
            world=directory / "world.json",
            app=linked_app(directory / "app", {"maxPollingInterval": f"00:00:{interval:09.6f}"}),
            scanner=False,
            duplicate=0.0,
            late=0.0,
            settings={
                # As in a deployment, the app knows its own identity. The timer's requests are not part of a release.
                "RINGMASTER_OWN_WRITERS": identity("ringmaster").client_id,
                "RINGMASTER_RECONCILE_SCHEDULE": "0 0 3 1 1 *",
            },
        )
        async with Stack(directory / "stack", options) as stack:
            release, log = await _release(stack, wait_seconds)
        operations, regions = _read_records(directory / "stack" / "state" / "arm" / "arm.db")
    return ReleaseRun(speed, seed, release, operations, regions, log, ahead)


async def _release(stack: Stack, wait_seconds: float) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    environment = stack.environment
    os.environ.update({name: environment[name] for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")})
    async with AsyncExitStack() as opened:
        trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=environment["SSL_CERT_FILE"]))
        session = await opened.enter_async_context(aiohttp.ClientSession(connector=trusted))
        gallery = await opened.enter_async_context(builder(environment))
        await gallery.publish(STORY)
        await _scan(session, environment)
        release = await _released(Follower(session, environment), wait_seconds)
        address = f"{environment['ARM_ENDPOINT']}/_sim/calls?log=1"
        async with session.get(address) as answer:
            log = (await answer.json())["log"]
    own = identity("ringmaster").client_id
    return release, [call for call in log if call["caller"] == own]


async def _scan(session: aiohttp.ClientSession, environment: Mapping[str, str]) -> None:
    """Post a scan report immediately: the duration of a scan is not part of the measurement."""
    await asyncio.sleep(0.01)  # a report must be newer than the version
    body = json.dumps(report_for(STORY.character, STORY.id, datetime.now(UTC))).encode()
    headers = headers_for(environment["RINGMASTER_WEBHOOK_KEY"].encode(), int(time.time()), body)
    url = f"{environment['RINGMASTER_URL']}/api/scans/trivy"
    async with session.post(url, params={"image": STORY.id}, data=body, headers=headers) as answer:
        if answer.status != 202:
            raise MeasurementFailed(f"the scan report received status {answer.status}: {(await answer.text())[:300]}")


async def _released(follower: Follower, wait_seconds: float) -> Mapping[str, Any]:
    deadline = time.monotonic() + wait_seconds
    found: Mapping[str, Any] = {}
    while time.monotonic() < deadline:
        overview = await follower.all()
        found = next((each for each in overview["releases"] if each["version_id"] == STORY.id.lower()), {})
        if found.get("settled"):
            break
        await asyncio.sleep(2)
    if found.get("state") != "released":
        raise MeasurementFailed(f"not released after {wait_seconds:.0f} s: {json.dumps(found)[:1500]}")
    return await follower.one(STORY)


def _read_records(file: Path) -> tuple[Sequence[Mapping[str, Any]], dict[str, Mapping[str, Any]]]:
    """The simulator's operations and regions, from its database."""
    store = Store(file)
    try:
        operations = [one for _, one in store.table("operation").items()]
        versions = store.of_kind("Microsoft.Compute/galleries/images/versions")
        return operations, {one.id.lower(): one.sim["regions"] for one in versions}
    finally:
        store.close()
