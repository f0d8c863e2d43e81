"""A message becomes a command, or is sent again while its blob can't be read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.memory.queues import MemoryQueues
from shared.codec import Pointer, decode_pointer, encode_command, encode_pointer
from shared.domain.hop_states import UnreadableState
from shared.domain.image import DefinitionId, GalleryId, VersionNumber
from shared.domain.messages import Command, Kind
from shared.domain.moment import CLOCK_SKEW
from shared.domain.outcomes import Dropped
from shared.engine.receive import receive
from shared.ports import Throttled, Unavailable

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
VERSION = DefinitionId(GalleryId("00000000-0000-4000-8000-000000000001", "rg", "gal"), "ubuntu").version(
    VersionNumber(1, 0, 0)
)
COMMAND = Command(Kind.SCAN, VERSION, seq=3, not_after=LATER)
NAME = "a" * 64 + ".json"


class NoBlobs(MemoryQueues):
    """Queues whose blob service gives no answer."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(lambda: NOW)
        self.fault = fault

    async def open(self, body: bytes) -> bytes:
        raise self.fault


async def sent_again(pointer: Pointer, fault: Exception, *, pace: float = 1.0) -> tuple[Pointer, timedelta]:
    queues = NoBlobs(fault)
    step = await receive(encode_pointer(pointer), Kind.SCAN, queues, now=NOW, pace=pace)
    assert isinstance(step, Dropped)
    (message,) = queues.waiting()
    again = decode_pointer(message.body)
    assert again is not None
    assert message.kind is Kind.SCAN
    return again, message.visible_at - NOW


async def test_a_body_in_the_message_is_the_command() -> None:
    assert await receive(encode_command(COMMAND), Kind.SCAN, MemoryQueues(lambda: NOW), now=NOW, pace=1) == COMMAND


async def test_a_body_in_a_blob_is_the_command() -> None:
    queues, large = MemoryQueues(lambda: NOW), replace(COMMAND, state=UnreadableState({"pad": "x" * 60_000}))
    await queues.send(large)
    (message,) = queues.waiting()
    assert await receive(message.body, Kind.SCAN, queues, now=NOW, pace=1) == large


async def test_a_pointer_carries_the_deadline_of_its_command() -> None:
    queues = MemoryQueues(lambda: NOW)
    await queues.send(replace(COMMAND, state=UnreadableState({"pad": "x" * 60_000})))
    (message,) = queues.waiting()
    pointer = decode_pointer(message.body)
    assert pointer is not None
    assert pointer.not_after == LATER


async def test_a_message_whose_blob_gives_no_answer_is_sent_again_with_one_attempt_more() -> None:
    again, _ = await sent_again(Pointer(NAME, LATER, attempt=2), Unavailable("no answer"))
    assert again == Pointer(NAME, LATER, attempt=3)


async def test_the_delay_grows_with_the_attempts() -> None:
    waits = [(await sent_again(Pointer(NAME, LATER, attempt=n), Unavailable("no")))[1] for n in range(12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(seconds=5), timedelta(minutes=15))


async def test_what_the_service_asks_for_is_never_shortened() -> None:
    fault = Throttled("slow down", retry_after=timedelta(minutes=3))
    assert (await sent_again(Pointer(NAME, LATER), fault, pace=60))[1] == timedelta(minutes=3)


@pytest.mark.parametrize(
    "pointer", [Pointer(NAME, NOW - CLOCK_SKEW - timedelta(seconds=1)), Pointer(NAME)], ids=["over", "none"]
)
async def test_without_time_left_the_fault_is_the_queues_to_retry(pointer: Pointer) -> None:
    queues = NoBlobs(Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await receive(encode_pointer(pointer), Kind.SCAN, queues, now=NOW, pace=1)
    assert len(queues) == 0
