"""What follows from the answer of a webhook: delivered, again later, or never.

Source: azure-docs event-grid/delivery-and-retry.md.
"""

import random
from dataclasses import dataclass
from http import HTTPStatus

SCHEDULE = (10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600)
"""Seconds to wait after the first, second, … failed attempt; then every twelve hours."""

_AFTERWARDS = 12 * 3600
_AT_LEAST = {408: 120, 503: 30}  # "Retry after 2 minutes or more", "Retry after 30 seconds or more"
_DELIVERED = {200, 201, 202, 203, 204}
_NEVER_AGAIN = {400, 401, 403, 413}  # for webhooks; 403 joined the documented list in 2025
DEAD_LETTER_DELAY = 300
"""Seconds between the last attempt and the dead letter."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The webhook took the event."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try once more after so many seconds of Azure's time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """No further attempt: the event becomes a dead letter, or is dropped where there is no place for one."""

    reason: str


type Verdict = Delivered | Again | Undeliverable


def judge(
    status: int | None, *, attempts: int, max_attempts: int, age: float, ttl: float, dice: random.Random
) -> Verdict:
    """What to do after attempt number `attempts` (from 1) was answered with `status` (None: no answer in time).

    `age` and `ttl` are in seconds of Azure's time since the event was published. Every wait is a little longer than
    the schedule says, never shorter, as the service adds "a small randomization to all retry steps".
    """
    if status in _DELIVERED:
        return Delivered()
    if status in _NEVER_AGAIN:
        return Undeliverable(f"UndeliverableDueToHttp{outcome(status)}")
    if attempts >= max_attempts:
        return Undeliverable("MaxDeliveryAttemptsExceeded")
    step = SCHEDULE[attempts - 1] if attempts <= len(SCHEDULE) else _AFTERWARDS
    wait = max(step, _AT_LEAST.get(status or 0, 0)) * dice.uniform(1.0, 1.1)
    if age + wait > ttl:
        return Undeliverable("TimeToLiveExceeded")
    return Again(wait)


def outcome(status: int | None) -> str:
    """The service's word for an answer, as dead letters carry it: `NotFound`, `TimedOut` …"""
    if status is None:
        return "TimedOut"
    try:
        return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
    except ValueError:
        return f"Http{status}"
