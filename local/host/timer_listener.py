"""Timer triggers: fire on schedule, without overlap, and once after downtime.

As in azure-webjobs-sdk-extensions: with `useMonitor` (the default; only for intervals of at least one minute), the last
and next occurrence are stored. If the host starts after the stored next occurrence, the function runs once immediately
with `IsPastDue`, however many occurrences were missed. The state is written after the run, so after a crash during a
run the function runs again at the next start.
"""

import itertools
import json
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from local.host.functions import FunctionSpec
from local.host.host_clock import Clock
from local.host.invoker import Invoker
from local.host.ncrontab import Schedule, parse_schedule
from local.host.worker import Datum

logger = logging.getLogger("local.host.timer")

NEVER = datetime(1, 1, 1, tzinfo=UTC)
_LEAST_MONITORED = timedelta(minutes=1)


@dataclass(frozen=True)
class TimerStatus:
    """Last and next occurrence of a schedule, and when this was written. `last` is NEVER before the first run."""

    last: datetime
    next: datetime
    updated: datetime

    def as_json(self) -> dict[str, str]:
        return {"Last": self.last.isoformat(), "Next": self.next.isoformat(), "LastUpdated": self.updated.isoformat()}


class TimerStore(Protocol):
    """Stores the state of timers across restarts."""

    def read(self, name: str) -> TimerStatus | None: ...

    def write(self, name: str, status: TimerStatus) -> None: ...


class MemoryTimerStore:
    """Stores the state in memory."""

    def __init__(self) -> None:
        self._statuses: dict[str, TimerStatus] = {}

    def read(self, name: str) -> TimerStatus | None:
        return self._statuses.get(name)

    def write(self, name: str, status: TimerStatus) -> None:
        self._statuses[name] = status


class DirectoryTimerStore:
    """Stores the state in `<dir>/timers/<hostId>/Host.Functions.<name>/status`, the layout of the host's blobs."""

    def __init__(self, directory: Path, host_id: str) -> None:
        self._root = directory / "timers" / host_id

    def _path(self, name: str) -> Path:
        return self._root / f"Host.Functions.{name}" / "status"

    def read(self, name: str) -> TimerStatus | None:
        """The stored state. An invalid file is logged and counts as missing."""
        path = self._path(name)
        if not path.exists():
            return None
        try:
            fields = json.loads(path.read_text())
            return TimerStatus(*(datetime.fromisoformat(fields[key]) for key in ("Last", "Next", "LastUpdated")))
        except (ValueError, KeyError, TypeError) as fault:
            logger.warning("the timer state %s is invalid and is reset: %r", path, fault)
            return None

    def write(self, name: str, status: TimerStatus) -> None:
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(status.as_json()))
        scratch.replace(path)


class TimerListener:
    """Runs a timer function on its schedule."""

    def __init__(self, spec: FunctionSpec, invoker: Invoker, clock: Clock, store: TimerStore) -> None:
        self.spec = spec
        self.schedule: Schedule = parse_schedule(spec.trigger.text("schedule"))
        self._invoker = invoker
        self._clock = clock
        self._store = store
        self._run_on_startup = bool(spec.trigger.fields.get("runOnStartup"))
        asked = spec.trigger.fields.get("useMonitor")
        self.monitored = (asked is None or bool(asked)) and _interval(self.schedule, clock.now()) >= _LEAST_MONITORED

    async def run(self) -> None:
        """Run until cancelled. Runs do not overlap; of the occurrences during a run, one is made up for."""
        status = self._starting_status()
        if self.monitored and status.next < self._clock.now():
            status = await self._fire(status, past_due=True)
        elif self._run_on_startup:
            status = await self._fire(status, past_due=False)
        while True:
            await self._clock.sleep_until(status.next)
            status = await self._fire(status, past_due=False)

    def _starting_status(self) -> TimerStatus:
        now = self._clock.now()
        stored = self._store.read(self.spec.name) if self.monitored else None
        if stored is None:
            status = TimerStatus(NEVER, self.schedule.next_after(now), now)
        else:
            since = stored.updated if stored.last == NEVER else stored.last
            expected = self.schedule.next_after(since)
            if expected == stored.next:
                return stored
            # The schedule has changed. Occurrences that were missed under the new one still count as past due.
            status = TimerStatus(stored.last, expected if expected < now else self.schedule.next_after(now), now)
        if self.monitored:
            self._store.write(self.spec.name, status)
        return status

    async def _fire(self, status: TimerStatus, *, past_due: bool) -> TimerStatus:
        started = self._clock.now()
        await self._invoker.run(self.spec, Datum(self.payload(status, past_due=past_due), "json"))
        # Counted from the start of the run: if the run took longer than the interval, one occurrence is due now.
        status = TimerStatus(started, self.schedule.next_after(started), started)
        if self.monitored:
            self._store.write(self.spec.name, status)
        return status

    def payload(self, status: TimerStatus, *, past_due: bool) -> str:
        """The trigger value that the worker library decodes to `func.TimerRequest`."""
        return json.dumps(
            {
                "Schedule": {"AdjustForDST": True},
                "ScheduleStatus": status.as_json() if self.monitored else None,
                "IsPastDue": past_due,
            }
        )


def _interval(schedule: Schedule, now: datetime) -> timedelta:
    """The shortest interval between the next few occurrences."""
    moments = [schedule.next_after(now)]
    for _ in range(5):
        moments.append(schedule.next_after(moments[-1]))
    return min(later - earlier for earlier, later in itertools.pairwise(moments))
