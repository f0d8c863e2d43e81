"""The host's side of the queues in memory, under a clock that stands until it is moved."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.adapters.common.bodies import whole_seconds
from shared.adapters.memory.queues import RECEIVED_FOR, MemoryQueues
from shared.codec import decode_command
from shared.domain.messages import Kind
from tests.contract.samples import command

SECOND = timedelta(seconds=1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def queues() -> tuple[MemoryQueues, Clock]:
    clock = Clock()
    return MemoryQueues(clock), clock


async def test_a_delayed_message_is_due_when_its_time_has_come() -> None:
    bench, clock = queues()
    await bench.send(command(), delay=90 * SECOND)
    due = clock.now + 90 * SECOND
    assert (bench.take(), bench.next_due()) == (None, due)
    clock.now = due
    assert bench.take() is not None


async def test_a_received_message_hides_and_comes_back_with_one_more_count() -> None:
    bench, clock = queues()
    await bench.send(command())
    first = bench.take()
    assert (first and first.dequeue_count, bench.take()) == (1, None)
    clock.now += RECEIVED_FOR
    again = bench.take()
    assert again is not None
    assert again.dequeue_count == 2


async def test_a_deleted_message_never_comes_back() -> None:
    bench, clock = queues()
    await bench.send(command())
    taken = bench.take()
    assert taken is not None
    bench.delete(taken)
    clock.now += RECEIVED_FOR
    assert (bench.take(), bench.next_due(), len(bench)) == (None, None, 0)


async def test_a_message_received_again_cannot_be_deleted_by_who_had_it_before() -> None:
    bench, clock = queues()
    await bench.send(command())
    first = bench.take()
    clock.now += RECEIVED_FOR
    bench.take()
    assert first is not None
    bench.delete(first)
    assert len(bench) == 1


async def test_a_message_put_back_is_due_at_once() -> None:
    bench, _ = queues()
    await bench.send(command())
    taken = bench.take()
    assert taken is not None
    bench.put_back(taken)
    assert [message.dequeue_count for message in bench.due()] == [1]


async def test_due_messages_can_be_taken_in_any_order() -> None:
    bench, _ = queues()
    for seq in (1, 2, 3):
        await bench.send(replace(command(), seq=seq))
    taken = [bench.take(message) for message in reversed(bench.due())]
    assert [decode_command(message.body).seq for message in taken if message] == [3, 2, 1]


async def test_messages_are_taken_in_the_order_in_which_they_are_due() -> None:
    bench, clock = queues()
    for seq in (3, 1, 2):
        await bench.send(replace(command(), seq=seq), delay=seq * SECOND)
    clock.now += timedelta(minutes=1)
    taken = [bench.take() for _ in range(3)]
    assert [decode_command(message.body).seq for message in taken if message] == [1, 2, 3]


async def test_a_message_that_is_not_due_cannot_be_taken() -> None:
    bench, _ = queues()
    await bench.send(command(), delay=SECOND)
    assert bench.take(bench.waiting()[0]) is None


async def test_a_duplicate_is_a_message_of_its_own() -> None:
    bench, _ = queues()
    await bench.send(command())
    original = bench.due()[0]
    copy = bench.duplicate(original)
    bench.delete(original)
    assert (copy.body, list(bench.due())) == (original.body, [copy])


async def test_anybody_can_put_any_bytes_into_a_queue() -> None:
    bench, _ = queues()
    bench.put(Kind.SCAN, b"hello")
    assert [message.body for message in bench.due()] == [b"hello"]


def test_a_delay_is_rounded_up_so_that_nothing_comes_early() -> None:
    assert [whole_seconds(timedelta(milliseconds=ms)) for ms in (0, 1, 1000, 1001)] == [0, 1, 1, 2]


def test_a_delay_stays_within_what_a_queue_allows() -> None:
    assert whole_seconds(timedelta.max) < 7 * 24 * 3600
    assert whole_seconds(timedelta.min) == 0
