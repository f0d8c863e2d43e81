"""The running scanner: hears of versions, asks the real ARM simulator what is in them, posts signed reports."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from local.arm.server.simulator import ArmSimulator
from local.eventgrid.server import EventGrid
from local.scanner import Scanner, ScannerSettings
from local.scanner.image_reader import ArmReader
from shared.domain.signature import verify
from shared.scanners.registry import read

KEY = b"a key of sixteen bytes or more"
GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg"
DEFINITION = f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/linux"
WINDOWS = f"{GROUP}/providers/Microsoft.Compute/galleries/g/images/windows"


def _version(definition: str, number: str, **more: Any) -> dict[str, Any]:
    source = more.pop("source", f"{GROUP}/providers/Microsoft.Compute/images/base")
    properties = {
        "publishingProfile": {"publishedDate": f"2026-01-01T00:00:0{number[0]}Z"},
        "storageProfile": {"source": {"id": source}},
    }
    return {"id": f"{definition}/versions/{number}", "location": "westeurope", "properties": properties, **more}


def _definition(name: str, system: str) -> dict[str, Any]:
    properties = {
        "osType": system,
        "osState": "Generalized",
        "hyperVGeneration": "V2",
        "identifier": {"publisher": "p", "offer": "o", "sku": name[-5:]},
    }
    return {"id": name, "location": "westeurope", "properties": properties}


WORLD = {
    "subscriptions": [{"id": "00000000-0000-4000-8000-000000000001", "name": "Images"}],
    "resource_groups": [{"id": GROUP, "location": "westeurope"}],
    "resources": [
        {"id": f"{GROUP}/providers/Microsoft.Compute/galleries/g", "location": "westeurope", "properties": {}},
        _definition(DEFINITION, "Linux"),
        _definition(WINDOWS, "Windows"),
        _version(DEFINITION, "1.0.0", tags={"Sim-Character": "critical-cve"}),
        _version(DEFINITION, "2.0.0", character="critical-cve"),
        _version(DEFINITION, "3.0.0"),
        _version(DEFINITION, "4.0.0", source=f"{DEFINITION}/versions/3.0.0"),
        _version(DEFINITION, "5.0.0", character="scan-never"),
        _version(DEFINITION, "7.0.0", character="critical-cve-later"),
        _version(WINDOWS, "6.0.0"),
    ],
}


class Ringmaster:
    """The receiving side. `answers` are given first, one a report."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, bool, int]] = []
        self.answers: list[int] = []
        self.url = ""
        self._news = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = request.headers["x-ringmaster-timestamp"], request.headers["x-ringmaster-signature"]
        signed = verify(*headers, body, [KEY], now=datetime.now(UTC), tolerance=timedelta(minutes=5)).ok
        critical = sum(finding.severity.value == "critical" for finding in read("trivy", body).findings)
        self.reports.append((request.query["image"].rsplit("/", 1)[1], signed, critical))
        self._news.set()
        return web.Response(status=self.answers.pop(0) if self.answers else 202)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.reports) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def ringmaster() -> AsyncIterator[Ringmaster]:
    receiver = Ringmaster()
    application = web.Application(client_max_size=8 * 1024 * 1024)
    application.add_routes([web.post("/api/scans/trivy", receiver.take)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def arm() -> AsyncIterator[ArmSimulator]:
    async with ArmSimulator(speed=600) as simulator:
        simulator.seed(WORLD)
        yield simulator


@pytest.fixture
def scanner_at(arm: ArmSimulator, ringmaster: Ringmaster, tmp_path: Path) -> Callable[..., Scanner]:
    def make(*, slow: bool = False) -> Scanner:
        settings = ScannerSettings(
            ringmaster.url, KEY, shortest=2.0 if slow else 0.0, longest=2.0 if slow else 0.1, retry_seconds=0.05
        )
        reader = ArmReader(arm.url, arm.identity_endpoint, arm.identity_header, arm.ca_file)
        return Scanner(settings, reader, state=tmp_path)

    return make


async def _tell(scanner: Scanner, *subjects: str, **changes: Any) -> int:
    data = {"operationName": "Microsoft.Compute/galleries/images/versions/write"}
    kind = "Microsoft.Resources.ResourceWriteSuccess"
    events = [{"id": "e", "subject": subject, "eventType": kind, "data": data, **changes} for subject in subjects]
    headers = {"aeg-event-type": "Notification"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(scanner.webhook_url, json=events, headers=headers) as answer,
    ):
        return answer.status


async def _ask(scanner: Scanner, number: str, event: str = "r1", **changes: Any) -> int:
    """Ringmaster's wish for a scan, as Event Grid delivers it."""
    data = {"version": f"{DEFINITION}/versions/{number}", "why": "last judged long ago", "formats": ["trivy"]}
    body = {
        "specversion": "1.0",
        "id": event,
        "source": DEFINITION,
        "type": "Ringmaster.ScanRequested",
        "data": {**data, **changes},
    }
    headers = {"Content-Type": "application/cloudevents+json; charset=utf-8", "aeg-event-type": "Notification"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(scanner.webhook_url, data=json.dumps(body), headers=headers) as answer,
    ):
        return answer.status


async def _idle(scanner: Scanner) -> None:
    url = scanner.webhook_url.replace("/events", "/health")
    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        while True:
            async with session.get(url) as answer:
                if (await answer.json())["waiting"] == 0:
                    return
            await asyncio.sleep(0.02)


async def test_the_report_follows_the_character_and_is_signed(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    async with scanner_at() as scanner:
        await _tell(scanner, *(f"{DEFINITION}/versions/{number}.0.0" for number in (1, 2, 3)))
        await ringmaster.wait_for(3)
    assert sorted(ringmaster.reports) == [("1.0.0", True, 1), ("2.0.0", True, 1), ("3.0.0", True, 0)]


async def test_a_version_is_scanned_once_however_often_it_is_written(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    async with scanner_at() as scanner:
        for spelling in (f"{DEFINITION}/versions/3.0.0", f"{DEFINITION}/VERSIONS/3.0.0"):
            await _tell(scanner, spelling)
            await _idle(scanner)
    assert ringmaster.reports == [("3.0.0", True, 0)]


async def test_copies_windows_and_what_is_gone_are_not_scanned(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    subjects = [f"{DEFINITION}/versions/{number}.0.0" for number in (4, 5, 9)]
    async with scanner_at() as scanner:
        await _tell(scanner, *subjects, f"{WINDOWS}/versions/6.0.0")
        await _idle(scanner)
    assert ringmaster.reports == []


async def test_other_events_are_taken_and_left_alone(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    async with scanner_at() as scanner:
        subject = f"{DEFINITION}/versions/3.0.0"
        assert await _tell(scanner, subject, eventType="Microsoft.Resources.ResourceDeleteSuccess") == 202
        assert await _tell(scanner, subject, data={"operationName": "Microsoft.Compute/disks/write"}) == 202
        assert await _tell(scanner, subject, data=None) == 400
        await _idle(scanner)
    assert ringmaster.reports == []


@pytest.mark.parametrize(("answers", "posts"), [([503, 500, 429], 4), ([401], 1), ([422], 1)])
async def test_a_report_is_sent_again_only_while_that_can_help(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster, answers: list[int], posts: int
) -> None:
    ringmaster.answers = answers
    async with scanner_at() as scanner:
        await _tell(scanner, f"{DEFINITION}/versions/3.0.0")
        await _idle(scanner)
    assert ringmaster.reports == [("3.0.0", True, 0)] * posts


async def test_what_it_was_told_survives_a_restart(scanner_at: Callable[..., Scanner], ringmaster: Ringmaster) -> None:
    async with scanner_at(slow=True) as scanner:
        await _tell(scanner, f"{DEFINITION}/versions/3.0.0")
    assert ringmaster.reports == []
    async with scanner_at() as scanner:
        await ringmaster.wait_for(1)
        await _idle(scanner)
    assert ringmaster.reports == [("3.0.0", True, 0)]


async def test_what_it_is_asked_for_is_scanned_again_with_what_is_known_then(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    async with scanner_at() as scanner:
        await _tell(scanner, f"{DEFINITION}/versions/7.0.0")
        await ringmaster.wait_for(1)
        await _idle(scanner)
        assert await _ask(scanner, "7.0.0") == 202
        await ringmaster.wait_for(2)
    assert ringmaster.reports == [("7.0.0", True, 0), ("7.0.0", True, 1)]


async def test_one_request_that_is_delivered_twice_is_one_scan(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    async with scanner_at() as scanner:
        for event in ("r1", "r1", "r2"):
            assert await _ask(scanner, "3.0.0", event) == 202
            await _idle(scanner)
    assert ringmaster.reports == [("3.0.0", True, 0)] * 2


async def test_a_request_that_comes_first_is_the_one_scan_of_a_new_version(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    async with scanner_at() as scanner:
        await _ask(scanner, "7.0.0")
        await _idle(scanner)
        await _tell(scanner, f"{DEFINITION}/versions/7.0.0")
        await _idle(scanner)
    assert ringmaster.reports == [("7.0.0", True, 0)]


async def test_a_scan_in_other_formats_is_left_to_others(
    scanner_at: Callable[..., Scanner], ringmaster: Ringmaster
) -> None:
    async with scanner_at() as scanner:
        assert await _ask(scanner, "3.0.0", formats=["defender"]) == 202
        await _idle(scanner)
    assert ringmaster.reports == []


async def test_a_request_survives_a_restart(scanner_at: Callable[..., Scanner], ringmaster: Ringmaster) -> None:
    async with scanner_at() as scanner:
        await _ask(scanner, "7.0.0")
        await _idle(scanner)
    async with scanner_at(slow=True) as scanner:
        await _ask(scanner, "7.0.0", "r2")
    async with scanner_at() as scanner:
        await ringmaster.wait_for(2)
        await _idle(scanner)
        await _ask(scanner, "7.0.0", "r2")
        await _idle(scanner)
    assert ringmaster.reports == [("7.0.0", True, 0), ("7.0.0", True, 1)]


async def test_event_grid_validates_both_subscriptions(scanner_at: Callable[..., Scanner]) -> None:
    async with scanner_at() as scanner, EventGrid(key="a key") as grid, aiohttp.ClientSession() as session:
        for topic, schema in (("arm", "EventGridSchema"), ("custom", "CloudEventSchemaV1_0")):
            destination = {"endpointType": "WebHook", "properties": {"endpointUrl": scanner.webhook_url}}
            document = {"properties": {"destination": destination, "eventDeliverySchema": schema}}
            url = f"{grid.control_url}/topics/{topic}/eventSubscriptions/scanner"
            async with session.put(url, json=document) as answer:
                assert answer.status == 200, await answer.text()
