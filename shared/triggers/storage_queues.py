"""Queue triggers: one for each command queue and one for each poison queue."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import azure.functions as func

from shared.codec import NotOurs
from shared.domain.messages import Command, Kind
from shared.domain.outcomes import Dropped, describe
from shared.engine import dispatch, poison
from shared.engine.receive import receive
from shared.policy_file import PolicyFaults
from shared.ports import PassingFault, World
from shared.settings import Settings
from shared.triggers import telemetry
from shared.triggers.runtime import Runtime, utc_now

log = logging.getLogger("ringmaster.queues")

type Handler = Callable[[func.QueueMessage], Awaitable[None]]

FUNCTIONS: dict[str, frozenset[Kind]] = {
    "validate": frozenset({Kind.VALIDATE}),
    "scan": frozenset({Kind.SCAN, Kind.FETCH_REPORT}),
    "replicate": frozenset({Kind.REPLICATE}),
    "boot_test": frozenset({Kind.BOOT_TEST, Kind.CLEAN_UP}),
    "promote": frozenset({Kind.PROMOTE, Kind.REVOKE, Kind.HIDE, Kind.HEALTH, Kind.ANNOUNCE}),
    # A queue of its own: a look reads for minutes, and no revocation waits behind it.
    "in_use": frozenset({Kind.IN_USE}),
}
"""Function name -> the kinds of commands in its queue."""
POLICY_RETRY_DELAY: Final = timedelta(minutes=5)
"""How long a command is delayed while the policy is invalid."""


def queue_of(settings: Settings, function: str) -> str:
    """The name of the queue that a function listens on."""
    return settings.queues[min(FUNCTIONS[function])]


def blueprint(runtime: Runtime) -> func.Blueprint:
    """The queue triggers."""
    queues = func.Blueprint()
    for function in FUNCTIONS:
        queue = queue_of(runtime.settings, function)
        _register(queues, function, queue, runtime, _message_handler(runtime, function))
        poison = f"{queue}-poison"
        _register(queues, f"{function}_poison", poison, runtime, _poison_handler(runtime, queue))
    return queues


def _register(blueprint: func.Blueprint, name: str, queue: str, runtime: Runtime, handler: Handler) -> None:
    handler.__name__ = name
    trigger = blueprint.queue_trigger(arg_name="message", queue_name=queue, connection=runtime.settings.storage.prefix)
    blueprint.function_name(name)(trigger(handler))


def _message_handler(runtime: Runtime, function: str) -> Handler:
    async def on_message(message: func.QueueMessage) -> None:
        """Handle one command of a release."""
        await handle_message(message, function, runtime, now=utc_now())

    return on_message


async def handle_message(message: func.QueueMessage, function: str, runtime: Runtime, *, now: datetime) -> None:
    """Handle one message of a function's queue. Raises CodecError for a message that the function cannot handle."""
    try:
        world = await runtime.world()
    except PolicyFaults:
        await _requeue(message, function, runtime, now)
        return
    command = await receive(message.get_body(), min(FUNCTIONS[function]), world.queues, now=now, pace=world.pace)
    if isinstance(command, Dropped):
        log.warning("%s: %s", function, command.why)
        return
    if command.kind not in FUNCTIONS[function]:
        raise NotOurs(f"a command of kind {command.kind} arrived in the queue of {function}; send it to its own queue")
    try:
        with telemetry.span(function, command.traceparent, release=str(command.release), seq=command.seq):
            step = await dispatch.handle(command, world, now=now)
    except Exception as error:
        # Unexpected: the host retries the message and finally moves it to the poison queue. Keep the cause for then.
        await _record_failure(command, error, world)
        raise
    log.info(
        "release %s, branch %s, command #%d: %s", command.release.short, command.branch, command.seq, describe(step)
    )


async def _requeue(message: func.QueueMessage, function: str, runtime: Runtime, now: datetime) -> None:
    """Send the command again later. An invalid policy is not the command's fault, so it uses up no attempt."""
    queues, pace = runtime.queues(), runtime.settings.pace
    command = await receive(message.get_body(), min(FUNCTIONS[function]), queues, now=now, pace=pace)
    if isinstance(command, Dropped):
        log.warning("%s: no valid policy; message dropped: %s", function, command.why)
        return
    wait = POLICY_RETRY_DELAY / pace
    await queues.send(command, delay=wait)
    log.warning(
        "release %s, branch %s, command #%d: delayed by %s because the policy is invalid",
        command.release.short,
        command.branch,
        command.seq,
        wait,
    )


async def _record_failure(command: Command, error: Exception, world: World) -> None:
    try:
        await poison.note_failure(command, error, world)
    except PassingFault as fault:
        log.warning("the failure could not be recorded: %s", fault)


def _poison_handler(runtime: Runtime, queue: str) -> Handler:
    async def on_poison(message: func.QueueMessage) -> None:
        """Mark the release of a poisoned command as stalled, or store the message as a dead letter."""
        await handle_poisoned(message, queue, runtime, now=utc_now())

    return on_poison


async def handle_poisoned(message: func.QueueMessage, queue: str, runtime: Runtime, *, now: datetime) -> None:
    """Handle a message from the poison queue of ``queue``."""
    answer = await poison.on_poison(queue, message.get_body(), await runtime.world(), now=now)
    log.error("poison message from queue %s: %s", queue, answer)
