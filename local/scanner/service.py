"""The scanner service: receives events about new image versions, waits for the duration of a scan, and posts a signed
report. It scans again on request.

The content of an image is its behavior profile, which the scanner reads from the ARM simulator. A caller cannot
influence the report.
"""

import asyncio
import contextlib
import ipaddress
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import aiohttp
from aiohttp import web

from local.scanner.image_reader import ArmReader, ArmUnavailable, Image
from local.scanner.report import report_for, words_of
from local.scanner.scan_state import ScanState
from local.scanner.signing import headers_for
from local.scanner.webhook_events import (
    InvalidEvents,
    ScanRequested,
    ValidationRequest,
    VersionsWritten,
    allowed_origin,
    parse_request,
)

_LOG = logging.getLogger(__name__)
_FORMAT = "trivy"
_PASSING = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """Settings of the scanner. `shortest` and `longest` limit the duration of a scan, in simulated seconds."""

    ringmaster_url: str
    key: bytes
    speed: float = 1.0
    seed: int = 1
    shortest: float = 120.0
    longest: float = 480.0
    retry_seconds: float = 1.0
    longest_retry_seconds: float = 30.0
    request_seconds: float = 30.0


class Scanner:
    """A running scanner with its webhook. Use it as an async context manager."""

    def __init__(
        self,
        settings: ScannerSettings,
        arm: ArmReader,
        *,
        state: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings, self._arm, self._clock = settings, arm, clock
        self.host, self.port = host, port
        self._state = ScanState.load(state / "scanner.json" if state else None)
        self._wakeup = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self.posted: list[tuple[str, int]] = []
        self.work: asyncio.Task[None]

    @property
    def webhook_url(self) -> str:
        """The URL for Event Grid: it receives events in Event Grid schema and CloudEvents."""
        return f"http://{self.host}:{self.port}/events"

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._session = await stack.enter_async_context(aiohttp.ClientSession())
            await stack.enter_async_context(self._arm)
            application = web.Application()
            application.add_routes(
                [
                    web.post("/events", self._receive),
                    web.options("/events", self._cloud_events_handshake),
                    web.get("/health", self._health),
                ]
            )
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=2)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, self.host, self.port).start()
            self.port = runner.addresses[0][1]
            self.work = asyncio.create_task(self._run())
            stack.push_async_callback(_cancel, self.work)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"waiting": len(self._state.waiting), "done": len(self._state.done)})

    async def _cloud_events_handshake(self, request: web.Request) -> web.Response:
        """The CloudEvents handshake: Event Grid asks for permission to send."""
        _on_loopback(request)
        return web.Response(headers=allowed_origin(request.headers))

    async def _receive(self, request: web.Request) -> web.Response:
        """Event Grid's webhook. Notifications are stored before the response is sent."""
        _on_loopback(request)
        try:
            found = parse_request(request.headers, await request.read())
        except InvalidEvents as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        match found:
            case ValidationRequest(code):
                return web.json_response({"validationResponse": code})
            case ScanRequested() as asked:
                self._take_request(asked)
            case VersionsWritten(subjects):
                for subject in subjects:
                    self._schedule(subject)
        self._state.save()
        self._wakeup.set()
        return web.Response(status=202)

    def _take_request(self, asked: ScanRequested) -> None:
        """Store a request if it is new and for this scanner. Event Grid may deliver it twice."""
        if asked.formats and _FORMAT not in asked.formats:
            _LOG.info(
                "scan of %s not started: it is requested in the formats %s, not in %s",
                asked.image,
                ", ".join(asked.formats),
                _FORMAT,
            )
        elif asked.event not in self._state.answered:
            self._state.requests[asked.image.lower()] = asked.event
            self._schedule(asked.image)

    def _schedule(self, image: str) -> None:
        self._state.waiting.setdefault(image.lower(), self._clock() + self._duration(image))

    def _duration(self, image: str) -> float:
        dice = random.Random(f"{self.settings.seed}/{image.lower()}")
        return dice.uniform(self.settings.shortest, self.settings.longest) / self.settings.speed

    async def _run(self) -> None:
        while True:
            self._wakeup.clear()
            now = self._clock()
            for image in [image for image, due in self._state.waiting.items() if due <= now]:
                await self._scan(image)
            due = min(self._state.waiting.values(), default=None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(0.0, due - self._clock())):
                    await self._wakeup.wait()

    async def _scan(self, image: str) -> None:
        """Scan an image version if required. If ARM is not available, scan it later."""
        try:
            found = await self._arm.read(image)
        except ArmUnavailable as error:
            _LOG.warning("scan of %s delayed: %s", image, error)
            self._state.waiting[image] = self._clock() + self.settings.retry_seconds
            self._state.save()
            return
        known = found is not None and found.incarnation in self._state.done
        event = self._state.requests.get(image)
        if found is not None and (event is not None or not known):
            if (reason := _skip_reason(found)) is not None:
                _LOG.info("%s is skipped: %s", found.id, reason)
            else:
                await self._report(found, later=known)
            self._state.done.add(found.incarnation)
        self._state.complete(image, event)
        self._state.save()

    async def _report(self, image: Image, *, later: bool) -> None:
        """Post the report until it is accepted or finally refused. Each attempt is signed again."""
        document = report_for(image.character, image.id, datetime.fromtimestamp(self._clock(), UTC), later=later)
        body = json.dumps(document).encode()
        if "scan-unreadable" in words_of(image.character):
            body = body[: len(body) // 2]
        url = f"{self.settings.ringmaster_url}/api/scans/{_FORMAT}?image={quote(image.id, safe='')}"
        wait = self.settings.retry_seconds
        while True:
            status, text = await self._post(url, body)
            self.posted.append((image.id, status))
            if status not in _PASSING and status != 0:
                _LOG.info("report for %s (%s): %s %s", image.id, image.character, status, text[:200])
                return
            _LOG.warning("report for %s: %s; next attempt in %.1f s", image.id, text[:200] or status, wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, self.settings.longest_retry_seconds)

    async def _post(self, url: str, body: bytes) -> tuple[int, str]:
        headers = headers_for(self.settings.key, int(self._clock()), body)
        try:
            async with (
                asyncio.timeout(self.settings.request_seconds),
                self._session.post(url, data=body, headers=headers) as answer,
            ):
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, repr(error)


def _on_loopback(request: web.Request) -> None:
    if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
        raise web.HTTPForbidden(text="the scanner accepts only loopback connections")


def _skip_reason(image: Image) -> str | None:
    """Why an image is not scanned, or None."""
    if image.is_copy:
        return "it is a copy of another version"
    if image.os_type != "Linux":
        return f"Trivy has no vulnerability data for {image.os_type}"
    if "scan-never" in words_of(image.character):
        return "its profile says that it is never scanned"
    return None


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
