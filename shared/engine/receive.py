"""Read the command of a queue message, from the message or from the blob that has its body."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.codec import decode_command, decode_pointer, encode_pointer, unwrapped
from shared.domain.messages import Command, Kind
from shared.domain.moment import Moment
from shared.domain.outcomes import Dropped
from shared.engine.fold import backoff
from shared.ports import PassingFault, Queues


async def receive(body: bytes, kind: Kind, queues: Queues, *, now: datetime, pace: float) -> Command | Dropped:
    """The command in a message; Dropped if its blob cannot be read now and the message was sent again.

    It is sent again through the queue of ``kind``, later each time, until the command's own deadline. After
    that the fault escapes to the queue's retry, and so does a CodecError: a message that is not ours, or whose blob is
    gone, becomes a dead letter with the reason.
    """
    try:
        return decode_command(await queues.open(body))
    except PassingFault as fault:
        pointer = decode_pointer(unwrapped(body))
        if pointer is None or pointer.not_after is None or Moment(now, pace).has_passed(pointer.not_after):
            raise
        wait = max(backoff(pointer.attempt) / pace, fault.retry_after or timedelta(0))
        later = encode_pointer(replace(pointer, attempt=pointer.attempt + 1))
        await queues.send_again(kind, later, delay=wait)
        return Dropped(f"the body {pointer.name[:12]} cannot be read; sent again in {wait}: {fault}")
