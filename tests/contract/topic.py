"""A topic on loopback that keeps what is published, and answers as it is told."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Topic:
    """What was published; ``status`` and ``headers`` are the next answers."""

    endpoint: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""

    async def receive(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.status == 200:
            self.events += await request.json()
        return web.Response(status=self.status, headers=self.headers, text=self.body)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Topic]:
    topic = Topic()
    app = web.Application()
    app.router.add_post("/api/events", topic.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        topic.endpoint = f"http://{host}:{port}/api/events"
        yield topic
    finally:
        await runner.cleanup()
