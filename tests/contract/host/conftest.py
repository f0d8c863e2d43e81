"""A host that runs the sample app in this process against Azurite."""

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.azurite import Azurite
from local.host import FunctionsHost

SAMPLE_APP = Path(__file__).resolve().parents[2] / "apps" / "sample_app"


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for `condition`; fails when it does not come in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come in time"
        await asyncio.sleep(0.02)


@dataclass
class Stage:
    """Storage, and hosts that are stopped with it. The queue of each test has a name of its own."""

    connection_string: str
    service: QueueServiceClient
    queue_name: str = field(default_factory=lambda: f"work-{uuid.uuid4().hex[:12]}")
    hosts: list[FunctionsHost] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "AzureWebJobsStorage": self.connection_string,
            "WORK_QUEUE": self.queue_name,
            "TICK_SCHEDULE": "0 0 0 1 1 *",
        }

    def queue(self, suffix: str = "") -> QueueClient:
        return self.service.get_queue_client(self.queue_name + suffix)

    async def host(self, settings: dict[str, str] | None = None, **options: Any) -> FunctionsHost:
        host = FunctionsHost(SAMPLE_APP, {**self.settings, **(settings or {})}, **options)
        await host.start()
        self.hosts.append(host)
        return host

    def seen(self, function: str) -> list[tuple[Any, ...]]:
        """What the sample app noted under `function`."""
        return [item for item in sys.modules["function_app"].seen if item[0] == function]

    async def texts(self, suffix: str = "") -> list[str]:
        """The bodies that are visible in a queue now."""
        return [message.content for message in await self.queue(suffix).peek_messages(max_messages=32)]


@pytest.fixture
async def stage(azurite: Azurite) -> AsyncIterator[Stage]:
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        made = Stage(azurite.connection_string, service)
        await made.queue().create_queue()
        try:
            yield made
        finally:
            for host in made.hosts:
                await host.stop()


@pytest.fixture
async def host(stage: Stage) -> FunctionsHost:
    return await stage.host()


@pytest.fixture
async def web(host: FunctionsHost) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(host.url) as session:
        yield session
