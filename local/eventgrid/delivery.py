"""Carries pending deliveries to their webhooks until each is taken, dead or dropped."""

import asyncio
import datetime as dt
import json
import logging
import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from local.eventgrid import retries
from local.eventgrid.events import Event, Schema
from local.eventgrid.faults import DeliveryFaults
from local.eventgrid.store import Delivery, Store
from local.eventgrid.subscriptions import ORIGIN, EventSubscription

_LOG = logging.getLogger(__name__)
_IN_FLIGHT = 64
_CONTENT_TYPES = {
    Schema.EVENT_GRID: "application/json; charset=utf-8",
    Schema.CLOUD_EVENTS: "application/cloudevents+json; charset=utf-8",
}


class Deliverer:
    """Queues events for the subscriptions that want them, and delivers.

    `speed` divides every wait of Azure's schedule; the response window is real time, since the webhook's work is.
    """

    def __init__(
        self,
        store: Store,
        session: aiohttp.ClientSession,
        *,
        speed: float,
        seed: int,
        faults: DeliveryFaults,
        clock: Callable[[], float],
        dead_letters: Path | None,
        response_seconds: float = 30.0,
    ) -> None:
        self.subscriptions: dict[str, EventSubscription] = {}
        self.faults = faults
        self._store, self._session, self._clock = store, session, clock
        self._speed, self._seed, self._window = speed, seed, response_seconds
        self._dead_letters = dead_letters
        self._dice = random.Random(seed)
        self._woken = asyncio.Event()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._broken: BaseException | None = None

    def accept(self, topic: str, events: list[Event]) -> None:
        """Queue these events durably; returns after the commit."""
        now = self._clock()
        for event in events:
            self._store.add_event(topic, event.body, now)
            for subscription in self.subscriptions.values():
                body = event.rendered(subscription.schema) if subscription.topic == topic else None
                if body is not None and subscription.filter.matches(event.type, event.subject, body):
                    delays = self.faults.delays(self._seed, subscription.key, event.id)
                    due = [now + delay / self._speed for delay in delays]
                    self._store.add_deliveries(subscription.key, body, now, due)
        self._store.commit()
        self._woken.set()

    async def run(self) -> None:
        """Deliver for ever; on cancellation, deliveries in flight are cut off and stay pending.

        A fault that is not the webhook's (a full disk, a defect) ends it with that fault.
        """
        try:
            while self._broken is None:
                self._woken.clear()
                self._launch()
                await self._sleep()
            raise self._broken
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _launch(self) -> None:
        room = _IN_FLIGHT - len(self._running)
        for one in self._store.due(self._clock(), room, set(self._running)) if room > 0 else ():
            task = asyncio.create_task(self._take_up(one))
            self._running[one.key] = task
            task.add_done_callback(lambda done, key=one.key: self._ended(key, done))

    def _ended(self, key: int, task: asyncio.Task[None]) -> None:
        del self._running[key]
        self._woken.set()
        if not task.cancelled():
            self._broken = self._broken or task.exception()

    async def _sleep(self) -> None:
        due = self._store.next_due(set(self._running)) if len(self._running) < _IN_FLIGHT else None
        wait = None if due is None else max(0.0, due - self._clock())
        try:
            async with asyncio.timeout(wait):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _take_up(self, one: Delivery) -> None:
        subscription = self.subscriptions.get(one.subscription)
        if subscription is None:
            self._store.finish(one, "dropped")
        elif one.dead is not None:
            self._bury(one, subscription)
        else:
            await self._attempt(one, subscription)
        self._store.commit()

    async def _attempt(self, one: Delivery, to: EventSubscription) -> None:
        status = await self._post(one, to)
        now = self._clock()
        age = (now - one.published) * self._speed
        verdict = retries.judge(
            status, attempts=one.attempts + 1, max_attempts=to.max_attempts, age=age, ttl=to.ttl, dice=self._dice
        )
        self._store.log_attempt(one, now, status, type(verdict).__name__)
        match verdict:
            case retries.Delivered():
                self._store.finish(one, "delivered")
            case retries.Again(seconds):
                _LOG.warning("%s: %s answered %s, again in %.0f s", one.subscription, one.body["id"], status, seconds)
                self._store.postpone(one, due=now + seconds / self._speed, status=status, now=now)
            case retries.Undeliverable(reason):
                _LOG.error("%s: %s is undeliverable: %s", one.subscription, one.body["id"], reason)
                due = now + retries.DEAD_LETTER_DELAY / self._speed
                self._store.postpone(one, due=due, status=status, now=now, dead=reason)

    async def _post(self, one: Delivery, to: EventSubscription) -> int | None:
        body: Any = [one.body] if to.schema is Schema.EVENT_GRID else one.body
        try:
            async with (
                asyncio.timeout(self._window),
                self._session.post(
                    URL(to.url, encoded=True), data=json.dumps(body).encode(), headers=_headers(one, to)
                ) as answer,
            ):
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            _LOG.info("%s: %r", one.subscription, error)
            return None

    def _bury(self, one: Delivery, of: EventSubscription) -> None:
        if not of.dead_letter or self._dead_letters is None:
            self._store.finish(one, "dropped")
            return
        now = dt.datetime.fromtimestamp(self._clock(), dt.UTC)
        folder = self._dead_letters / of.topic / of.name.upper() / f"{now:%Y}/{now.month}/{now.day}/{now.hour}"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps([_dead_letter(one, of.schema)], indent=2)
        (folder / f"{uuid.uuid4()}.json").write_text(text, encoding="utf-8")
        self._store.finish(one, "dead-lettered")


def _headers(one: Delivery, to: EventSubscription) -> dict[str, str]:
    headers = {
        "Content-Type": _CONTENT_TYPES[to.schema],
        "aeg-event-type": "Notification",
        "aeg-subscription-name": to.name.upper(),
        "aeg-delivery-count": str(one.attempts),
        "aeg-output-event-id": str(uuid.uuid4()),
        "aeg-metadata-version": str(one.body.get("metadataVersion") or one.body.get("specversion") or "1"),
    }
    if to.schema is Schema.EVENT_GRID:
        headers["aeg-data-version"] = str(one.body.get("dataVersion") or "")
    else:
        headers["WebHook-Request-Origin"] = ORIGIN
    return headers


def _dead_letter(one: Delivery, schema: Schema) -> dict[str, Any]:
    names = ("deadLetterReason", "deliveryAttempts", "lastDeliveryOutcome", "publishTime", "lastDeliveryAttemptTime")
    if schema is Schema.CLOUD_EVENTS:  # attribute names of CloudEvents are lower case
        names = tuple(name.lower() for name in names)
    times = [_iso(one.published), _iso(one.last_attempt or one.published)]
    values = (one.dead, one.attempts, retries.outcome(one.last_status), *times)
    return one.body | dict(zip(names, values, strict=True))


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
