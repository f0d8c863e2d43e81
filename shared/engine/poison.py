"""Messages of poison queues: they stall their release with a reason, or become dead letters."""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import replace
from datetime import datetime
from typing import Final

from shared.codec import CodecError, decode_command, unwrapped
from shared.domain.limits import MAX_DEAD_LETTER_BODY
from shared.domain.messages import Command, Kind
from shared.domain.moment import Moment
from shared.domain.orders import announce_stalls, stalled
from shared.domain.release import Pending
from shared.engine.commit import FOLDS, send_pending, still_changing
from shared.engine.fold import backoff
from shared.ports import Conflict, DeadLetter, World
from shared.stages import fetch_report

_QUERY: Final = re.compile(r"(?:\?|\\u003f)[^\s\"]+", re.IGNORECASE)
FETCHES: Final = 100
"""Maximum number of attempts to download a report, whatever its deadline is."""


async def on_poison(queue: str, body: bytes, world: World, *, now: datetime) -> str:
    """Handle a message that failed on every attempt. Returns what was done, for the log.

    A command that its release expects stalls its branch. Any other message is kept as a dead letter.
    """
    try:
        command = decode_command(await world.queues.open(body))
        if command.kind is Kind.FETCH_REPORT:
            return await _fetched_later(command, world, now)
        if await _stall(command, world, now):
            return f"{command.release.short} stalled at {command.branch}"
    except CodecError as error:
        # The error names the message or the row, whichever must be corrected.
        await _keep(queue, body, str(error), world, now=now)
        return f"kept as a dead letter: {error}"
    reason = "no release waits for this message: it is a hint, or its release has advanced"
    await _keep(queue, body, reason, world, now=now, release=str(command.release))
    return f"kept as a dead letter: {reason}"


async def _fetched_later(command: Command, world: World, now: datetime) -> str:
    """Send the command again: only the message has the report's URL, so an outage must not end it.

    Raises Malformed if the command has no order.
    """
    fetch_report.order_of(command)
    if Moment(now, world.pace).has_passed(command.not_after) or command.attempt >= FETCHES:
        return await fetch_report.abandon(command, world, now)
    wait = world.paced(backoff(command.attempt))
    await world.queues.send(replace(command, attempt=command.attempt + 1), delay=wait)
    return f"{command.release.short}: the report is requested again in {wait}"


async def _stall(command: Command, world: World, now: datetime) -> bool:
    for _ in range(FOLDS):
        stored = await world.ledger.read(command.release)
        if stored is None or not stored.release.expects(command):
            return False
        fault = stored.release.pending[str(command.branch)].fault
        command = stored.release.as_decided(command)
        reason = f"every attempt failed; last error: {fault or 'no reason was recorded; see the host log'}"
        row = stalled(stored.release, command, reason, now)
        try:
            written = await world.ledger.replace(stored, announce_stalls(stored.release, row, Moment(now, world.pace)))
        except Conflict:
            continue
        await send_pending(written, world, now=now, since=stored.release.seq)
        return True
    raise still_changing(command)


async def note_failure(command: Command, error: BaseException, world: World) -> None:
    """Record in the row why a command failed, for the case that it reaches the poison queue. Changes nothing else."""
    stored = await world.ledger.read(command.release)
    if stored is None or not stored.release.expects(command):
        return
    branch = str(command.branch)
    pending: Pending = stored.release.pending[branch]
    text = f"{type(error).__name__}: {error}"[:1000]
    if pending.fault == text:
        return
    noted = replace(stored.release, pending={**stored.release.pending, branch: replace(pending, fault=text)})
    await world.ledger.replace(stored, noted)


async def _keep(
    queue: str, body: bytes, reason: str, world: World, *, now: datetime, release: str | None = None
) -> None:
    letter = DeadLetter(
        id=hashlib.sha256(queue.encode() + b"\0" + body).hexdigest()[:32],
        queue=queue,
        reason=reason,
        body=_shown(body),
        at=now,
        release=release,
    )
    await world.ledger.note_dead_letter(letter)


def _shown(body: bytes) -> str:
    """A body as shown to people: without the queries of its URLs, which can be access tokens."""
    with contextlib.suppress(CodecError):
        opened = unwrapped(body)
        body = opened if opened.lstrip().startswith(b"{") else body
    return _QUERY.sub("?…", body[:MAX_DEAD_LETTER_BODY].decode("utf-8", errors="replace"))
