"""Carries events from the outbox to sinks; what no sink took stays in the outbox and goes again."""

import asyncio
import logging
from typing import Any

import aiohttp

from local.arm.kernel.events import EventSink, SinkUnavailable
from local.arm.kernel.kernel import Kernel

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5
_IDLE_SECONDS = 1.0


class HttpSink:
    """Posts `{"events": […]}` to an address; any answer but 2xx means: later."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        """Post to `url` with `session`."""
        self.url = url
        self._session = session

    async def __call__(self, events: list[dict[str, Any]]) -> None:
        """Send the events; raises SinkUnavailable when they were not taken."""
        try:
            async with self._session.post(self.url, json={"events": events}) as answer:
                if answer.status // 100 != 2:
                    raise SinkUnavailable(f"{self.url} answered {answer.status}")
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise SinkUnavailable(f"{self.url}: {fault!r}") from fault


async def run(kernel: Kernel, sinks: list[EventSink]) -> None:
    """For ever: let due work happen and hand due events to every sink. Without any sink, events go nowhere."""
    while True:
        kernel.settle()
        kernel.woken.clear()
        delivered = await _deliver(kernel, sinks)
        wait = _until_next(kernel) if delivered else _RETRY_SECONDS
        await _wait(kernel, wait, at_least=0 if delivered else _RETRY_SECONDS)


async def _wait(kernel: Kernel, longest: float, *, at_least: float) -> None:
    """Until somebody wakes the kernel or `longest` seconds are over; a sink that refuses gets some rest."""
    await asyncio.sleep(at_least)
    try:
        async with asyncio.timeout(longest):
            await kernel.woken.wait()
    except TimeoutError:
        return


async def _deliver(kernel: Kernel, sinks: list[EventSink]) -> bool:
    due = kernel.events.due(kernel.clock.now())[:50]
    if not due:
        return True
    try:
        for sink in sinks:
            await sink([event for _, event in due])
    except SinkUnavailable as fault:
        _LOG.warning("events wait: %s", fault)
        return False
    kernel.events.sent([key for key, _ in due])
    kernel.store.commit()
    return True


def _until_next(kernel: Kernel) -> float:
    times = [kernel.schedule.next_at(), kernel.events.next_due()]
    due = [one for one in times if one is not None]
    return max(0.001, min(min(due) - kernel.clock.now(), _IDLE_SECONDS)) if due else _IDLE_SECONDS
