"""Queue triggers: one for each queue of commands, and one for each poison queue."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import azure.functions as func

from shared.codec import NotOurs, decode_command
from shared.domain.messages import Command, Kind
from shared.policy_file import PolicyFaults
from shared.ports import PassingFault, World
from shared.settings import Settings
from shared.stages import dead_letters, driver
from shared.stages.steps import describe
from shared.triggers import telemetry
from shared.triggers.runtime import Runtime, utc_now

log = logging.getLogger("ringmaster.queues")

type Handler = Callable[[func.QueueMessage], Awaitable[None]]

FUNCTIONS: dict[str, frozenset[Kind]] = {
    "validate": frozenset({Kind.VALIDATE}),
    "scan": frozenset({Kind.SCAN, Kind.FETCH_REPORT}),
    "replicate": frozenset({Kind.REPLICATE}),
    "boot_test": frozenset({Kind.BOOT_TEST, Kind.CLEAN_UP}),
    "promote": frozenset({Kind.PROMOTE, Kind.REVOKE, Kind.ANNOUNCE}),
}
"""Function name -> the kinds of command that its queue carries."""
WITHOUT_POLICY: Final = timedelta(minutes=5)
"""How long a command is put back for while the policy can't be used."""


def queue_of(settings: Settings, function: str) -> str:
    """The queue that a function listens to."""
    return settings.queues[min(FUNCTIONS[function])]


def blueprint(runtime: Runtime) -> func.Blueprint:
    """The queue triggers."""
    queues = func.Blueprint()
    for function in FUNCTIONS:
        queue = queue_of(runtime.settings, function)
        _register(queues, function, queue, runtime, _worker(runtime, function))
        poison = f"{queue}-poison"
        _register(queues, f"{function}_poison", poison, runtime, _undertaker(runtime, queue))
    return queues


def _register(blueprint: func.Blueprint, name: str, queue: str, runtime: Runtime, handler: Handler) -> None:
    handler.__name__ = name
    trigger = blueprint.queue_trigger(arg_name="message", queue_name=queue, connection=runtime.settings.storage.prefix)
    blueprint.function_name(name)(trigger(handler))


def _worker(runtime: Runtime, function: str) -> Handler:
    kinds = FUNCTIONS[function]

    async def work(message: func.QueueMessage) -> None:
        """Do one hop of a release."""
        try:
            world = await runtime.world()
        except PolicyFaults:
            await _put_back(message, runtime)
            return
        command = decode_command(await world.queues.open(message.get_body()))
        if command.kind not in kinds:
            raise NotOurs(f"a command of kind {command.kind} came through the queue of {function}: send it to its own")
        try:
            with telemetry.hop(function, command.traceparent, release=str(command.release), seq=command.seq):
                step = await driver.handle(command, world, now=utc_now())
        except Exception as error:
            # Nothing foresaw this: the queue tries again and gives up in its own time. What is known is kept for then.
            await _remember(command, error, world)
            raise
        log.info("%s %s #%d: %s", command.release.short, command.branch, command.seq, describe(step))

    return work


async def _put_back(message: func.QueueMessage, runtime: Runtime) -> None:
    """Without a policy nothing can be judged, and that is no fault of the command: it spends no attempt of its own."""
    queues = runtime.queues()
    command = decode_command(await queues.open(message.get_body()))
    wait = WITHOUT_POLICY / runtime.settings.pace
    await queues.send(command, delay=wait)
    log.warning("%s %s #%d: put back for %s: no policy", command.release.short, command.branch, command.seq, wait)


async def _remember(command: Command, error: Exception, world: World) -> None:
    try:
        await dead_letters.note_failure(command, error, world)
    except PassingFault as fault:
        log.warning("the failure could not be noted: %s", fault)


def _undertaker(runtime: Runtime, queue: str) -> Handler:
    async def bury(message: func.QueueMessage) -> None:
        """Mark the release of a poisoned command as stalled, or keep what nobody can work on as a dead letter."""
        answer = await dead_letters.poisoned(queue, message.get_body(), await runtime.world(), now=utc_now())
        log.error("poisoned message of %s: %s", queue, answer)

    return bury
