"""Timers on a clock that the test moves: schedule, past due, state, payload."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.functions import meta
from azure.functions.timer import TimerRequestConverter

from local.host.functions import Binding, FunctionSpec
from local.host.host_clock import Clock
from local.host.invoker import Invoker, Result
from local.host.timer_listener import (
    NEVER,
    DirectoryTimerStore,
    MemoryTimerStore,
    TimerListener,
    TimerStatus,
    TimerStore,
)
from local.host.worker import Datum

START = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)


class HandClock(Clock):
    """Moves when a timer sleeps, up to `until`; then the timer is stopped."""

    def __init__(self, now: datetime, until: datetime) -> None:
        super().__init__()
        self._now, self._until = now, until

    def now(self) -> datetime:
        return self._now

    def move(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    async def sleep_until(self, moment: datetime) -> None:
        await asyncio.sleep(0)
        if moment > self._until:
            raise asyncio.CancelledError
        self._now = max(self._now, moment)


class Runs(Invoker):
    """Remembers what was run, and when."""

    def __init__(self, clock: HandClock, during: Callable[[], None]) -> None:
        self._clock, self._during = clock, during
        self.calls: list[tuple[datetime, dict[str, Any]]] = []

    async def run(self, spec: FunctionSpec, value: Datum, *args: Any, **kwargs: Any) -> Result:
        self.calls.append((self._clock.now(), json.loads(value.value)))
        self._during()
        return Result(True)


def spec(schedule: str, **fields: Any) -> FunctionSpec:
    binding = Binding("t", "timerTrigger", "in", {"schedule": schedule, **fields})
    return FunctionSpec("tick", "1", binding, ())


async def fired(
    schedule: str, until: datetime, store: TimerStore | None = None, run_seconds: float = 0, **fields: Any
) -> list[tuple[datetime, dict[str, Any]]]:
    clock = HandClock(START, until)
    runs = Runs(clock, lambda: clock.move(run_seconds))
    listener = TimerListener(spec(schedule, **fields), runs, clock, store or MemoryTimerStore())
    try:
        await listener.run()
    except asyncio.CancelledError:
        return runs.calls
    raise AssertionError("a timer ends only when it is stopped")


def after(minutes: float, seconds: float = 0) -> datetime:
    return START.replace(second=0) + timedelta(minutes=minutes, seconds=seconds)


async def test_a_timer_fires_at_each_occurrence() -> None:
    calls = await fired("0 * * * * *", after(3))
    assert [moment for moment, _ in calls] == [after(1), after(2), after(3)]
    assert not any(payload["IsPastDue"] for _, payload in calls)


async def test_a_start_after_missed_occurrences_fires_once_as_past_due() -> None:
    store = MemoryTimerStore()
    last = START - timedelta(hours=5)
    store.write("tick", TimerStatus(last, (last + timedelta(minutes=1)).replace(second=0), last))
    calls = await fired("0 * * * * *", after(1), store)
    assert [(moment, payload["IsPastDue"]) for moment, payload in calls] == [(START, True), (after(1), False)]


async def test_a_first_start_is_never_past_due() -> None:
    assert await fired("0 0 0 1 1 *", after(10)) == []


async def test_without_monitor_nothing_is_past_due_and_no_state_is_kept() -> None:
    store = MemoryTimerStore()
    last = START - timedelta(hours=5)
    store.write("tick", TimerStatus(last, last + timedelta(seconds=30), last))
    calls = await fired("0 * * * * *", after(1), store, useMonitor=False)
    assert [(moment, payload["ScheduleStatus"]) for moment, payload in calls] == [(after(1), None)]


async def test_schedules_below_a_minute_are_not_monitored() -> None:
    calls = await fired("*/30 * * * * *", after(1))
    assert all(payload["ScheduleStatus"] is None for _, payload in calls)


async def test_run_on_startup_fires_at_once() -> None:
    calls = await fired("0 0 0 1 1 *", after(10), runOnStartup=True)
    assert [(moment, payload["IsPastDue"]) for moment, payload in calls] == [(START, False)]


async def test_a_long_run_never_overlaps_and_makes_up_for_one_occurrence() -> None:
    calls = await fired("0 * * * * *", after(7), run_seconds=150)
    assert [moment for moment, _ in calls] == [after(1), after(3, 30), after(6), after(8, 30)]


async def test_the_status_is_kept_over_restarts(tmp_path: Path) -> None:
    await fired("0 * * * * *", after(2), DirectoryTimerStore(tmp_path, "host"))
    status = DirectoryTimerStore(tmp_path, "host").read("tick")
    assert status == TimerStatus(after(2), after(3), after(2))
    assert (tmp_path / "timers" / "host" / "Host.Functions.tick" / "status").is_file()


async def test_a_changed_schedule_is_taken_up_from_the_stored_status(tmp_path: Path) -> None:
    store = DirectoryTimerStore(tmp_path, "host")
    store.write("tick", TimerStatus(START - timedelta(seconds=10), START + timedelta(days=9), START))
    calls = await fired("0 * * * * *", after(1), store)
    assert [moment for moment, _ in calls] == [after(1)]


async def test_an_unreadable_status_is_started_anew(tmp_path: Path) -> None:
    store = DirectoryTimerStore(tmp_path, "host")
    store.write("tick", TimerStatus(START, START, START))
    (tmp_path / "timers" / "host" / "Host.Functions.tick" / "status").write_text("{")
    assert store.read("tick") is None


async def test_the_function_is_given_schedule_status_and_past_due() -> None:
    calls = await fired("0 * * * * *", after(2))
    request = TimerRequestConverter.decode(meta.Datum(json.dumps(calls[1][1]), "json"), trigger_metadata={})
    assert request.past_due is False
    assert request.schedule_status == {
        "Last": after(1).isoformat(),
        "Next": after(2).isoformat(),
        "LastUpdated": after(1).isoformat(),
    }
    assert request.schedule == {"AdjustForDST": True}
    assert calls[0][1]["ScheduleStatus"]["Last"] == NEVER.isoformat()


async def test_a_clock_of_speed_ten_shows_ten_seconds_for_each_second() -> None:
    clock = Clock(10.0, START)
    assert clock.real_seconds(600) == 60
    await clock.sleep_until(START + timedelta(milliseconds=200))
    assert clock.now() >= START + timedelta(milliseconds=200)
