"""What all queues promise."""

from datetime import timedelta

import pytest

from shared.adapters.common.bodies import body_name
from shared.codec import (
    LARGEST_IN_QUEUE,
    Malformed,
    NotOurs,
    Pointer,
    decode_command,
    decode_pointer,
    encode_command,
    encode_pointer,
    unwrapped,
)
from shared.domain.hop_states import UnreadableState
from shared.domain.messages import Kind
from tests.contract.conftest import QueueBench
from tests.contract.samples import command


def padded(size: int):
    """A command whose body has exactly so many bytes."""
    empty = command(state=UnreadableState({"pad": ""}))
    return command(state=UnreadableState({"pad": "x" * (size - len(encode_command(empty)))}))


async def test_a_command_arrives_as_it_was_sent(bench: QueueBench) -> None:
    state = UnreadableState({"step": "é", "n": [1]})
    sent = command(ring="canary", region="westus", attempt=3, traceparent="00-1-2-03", state=state)
    await bench.queues.send(sent)
    (body,) = await bench.receive(Kind.SCAN)
    assert decode_command(await bench.queues.open(body)) == sent


@pytest.mark.parametrize("kind", list(Kind))
async def test_every_kind_has_a_queue(bench: QueueBench, kind: Kind) -> None:
    await bench.queues.send(command(kind=kind))
    (body,) = await bench.receive(kind)
    assert decode_command(body).kind is kind


async def test_a_delayed_command_is_not_received_yet(bench: QueueBench) -> None:
    await bench.queues.send(command(), delay=timedelta(hours=1))
    assert await bench.receive(Kind.SCAN) == []


@pytest.mark.parametrize("delay", [timedelta(days=8), timedelta(days=400), timedelta(days=7)])
async def test_a_delay_longer_than_a_queue_allows_is_cut(bench: QueueBench, delay: timedelta) -> None:
    await bench.queues.send(command(), delay=delay)
    assert await bench.receive(Kind.SCAN) == []


async def test_a_delay_that_is_over_is_none(bench: QueueBench) -> None:
    await bench.queues.send(command(), delay=timedelta(seconds=-5))
    assert len(await bench.receive(Kind.SCAN)) == 1


async def test_the_largest_body_that_fits_travels_in_the_message(bench: QueueBench) -> None:
    sent = padded(LARGEST_IN_QUEUE)
    await bench.queues.send(sent)
    (body,) = await bench.receive(Kind.SCAN)
    assert body == encode_command(sent)


async def test_a_larger_body_travels_beside_the_message(bench: QueueBench) -> None:
    sent = padded(LARGEST_IN_QUEUE + 1)
    await bench.queues.send(sent)
    (body,) = await bench.receive(Kind.SCAN)
    assert len(body) < 200
    assert decode_command(await bench.queues.open(body)) == sent


async def test_a_large_body_can_be_opened_twice_and_sent_twice(bench: QueueBench) -> None:
    sent = padded(100_000)
    await bench.queues.send(sent)
    await bench.queues.send(sent)
    first, second = await bench.receive(Kind.SCAN)
    assert await bench.queues.open(first) == await bench.queues.open(second) == await bench.queues.open(first)


async def test_a_message_that_is_sent_again_is_the_same_message_later(bench: QueueBench) -> None:
    sent = padded(100_000)
    await bench.queues.send(sent)
    (body,) = await bench.receive(Kind.SCAN)
    await bench.queues.send_again(Kind.SCAN, body, delay=timedelta(0))
    *_, again = await bench.receive(Kind.SCAN)
    assert decode_command(await bench.queues.open(again)) == sent


async def test_a_message_that_is_sent_again_is_hidden_for_as_long_as_was_asked(bench: QueueBench) -> None:
    await bench.queues.send_again(Kind.SCAN, encode_command(command()), delay=timedelta(hours=1))
    assert await bench.receive(Kind.SCAN) == []


async def test_a_pointer_tells_the_deadline_of_its_command(bench: QueueBench) -> None:
    sent = padded(100_000)
    await bench.queues.send(sent)
    (body,) = await bench.receive(Kind.SCAN)
    pointer = decode_pointer(unwrapped(body))
    assert pointer is not None
    assert (pointer.not_after, pointer.attempt) == (sent.not_after, 0)


async def test_a_message_that_is_no_command_of_ours_is_refused(bench: QueueBench) -> None:
    with pytest.raises(NotOurs):
        await bench.queues.open(b"hello")


async def test_a_pointer_to_a_body_that_is_gone_is_refused(bench: QueueBench) -> None:
    with pytest.raises(Malformed, match="does not exist"):
        await bench.queues.open(encode_pointer(Pointer(body_name(b"never saved"))))


@pytest.mark.parametrize("name", ["../ringmaster-evidence/x.json", "x", "", "a" * 64 + ".json/.."])
async def test_a_pointer_to_something_that_is_no_body_is_refused(bench: QueueBench, name: str) -> None:
    with pytest.raises(Malformed, match="not a message body"):
        await bench.queues.open(encode_pointer(Pointer(name)))
