"""Queue triggers: polls a queue, runs the function for each message, and deletes, retries or poisons the message.

Order and rules follow QueueListener.cs and QueueProcessor.cs (Storage Queue extension 5). Before a run, a message that
was received more than maxDequeueCount times goes to `<queue>-poison`. After a failed run, a message that was received
maxDequeueCount times goes there, too; others become visible again after visibilityTimeout. There is no poison queue for
a queue that is one, or whose name is too long; a failed message then stays invisible until its lease ends. The copy to
the poison queue is made before the delete, so a crash in between leaves both.
"""

import asyncio
import logging

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.host.backoff import PollingBackoff
from local.host.config import QueuesConfig
from local.host.functions import FunctionSpec
from local.host.invoker import Invoker
from local.host.outputs import send_creating
from local.host.queue_connections import DEFAULT_CONNECTION, QueueConnections
from local.host.queue_lease import LEASE_SECONDS, MessageLease, is_gone
from local.host.queue_message import UndecodableBody, body_of, trigger_metadata, trigger_value
from local.host.wakeup import Wakeups

logger = logging.getLogger("local.host.queue")

POISON_SUFFIX = "-poison"
MAX_QUEUE_NAME = 63


def poison_name(queue: str) -> str | None:
    """The poison queue of `queue`, or None if there is none (QueueListenerFactory.CreatePoisonQueueReference)."""
    if queue.endswith(POISON_SUFFIX) or len(queue) + len(POISON_SUFFIX) > MAX_QUEUE_NAME:
        return None
    return queue + POISON_SUFFIX


class QueueListener:
    """Listens on a queue for a function until `stop`."""

    def __init__(
        self,
        spec: FunctionSpec,
        storage: QueueConnections,
        config: QueuesConfig,
        invoker: Invoker,
        wakeups: Wakeups,
        *,
        lease_seconds: int = LEASE_SECONDS,
        retry_seconds: int | None = None,
    ) -> None:
        self.spec = spec
        self.queue = spec.trigger.text("queueName")
        self._connection = spec.trigger.text("connection", DEFAULT_CONNECTION)
        self._client = storage.queue(self._connection, self.queue)
        poison = poison_name(self.queue)
        self._poison: QueueClient | None = None if poison is None else storage.queue(self._connection, poison)
        self._config = config
        self._invoker = invoker
        self._wakeups = wakeups
        self._wake = wakeups.register(self._connection, self.queue)
        self._lease_seconds = lease_seconds
        self._retry_seconds = int(config.visibility_timeout.total_seconds()) if retry_seconds is None else retry_seconds
        self._backoff = PollingBackoff(config.max_polling_interval.total_seconds())
        self._exists = False
        self._unreadable = False  # log the start and the end of an outage once
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Poll until stopped. Storage errors are logged, and polling continues."""
        while not self._stopping:
            if len(self._running) > self._config.new_batch_threshold:
                self._room.clear()
                await self._room.wait()
                continue
            self._wake.clear()
            messages = await self._fetch()
            for message in messages:
                self._start(message)
            if messages:
                self._backoff.reset()
            elif not self._stopping:
                await self._wait_for_wakeup(self._backoff.next())

    async def _fetch(self) -> list[QueueMessage]:
        try:
            if not self._exists and not await self._check_exists():
                return []
            pages = self._client.receive_messages(
                messages_per_page=self._config.batch_size, visibility_timeout=self._lease_seconds
            ).by_page()
            async for page in pages:
                return [message async for message in page]
        except AzureError as fault:
            self._exists = False  # after a storage error, check again: the queue may have been deleted
            if not isinstance(fault, ResourceNotFoundError) and not self._unreadable:
                self._unreadable = True
                logger.warning("queue %s cannot be read; polling continues: %s", self.queue, fault)
        return []

    async def _check_exists(self) -> bool:
        try:
            await self._client.get_queue_properties()
        except ResourceNotFoundError:
            # Each time, as the host's log has it: whoever deploys is to make every queue, poison queues too.
            logger.warning("queue %s does not exist", self.queue)
            return False
        self._exists = True
        if self._unreadable:
            self._unreadable = False
            logger.info("queue %s can be read again", self.queue)
        return True

    async def _wait_for_wakeup(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    def _start(self, message: QueueMessage) -> None:
        task = asyncio.create_task(self._process(message))
        self._running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.set()
        if not task.cancelled() and (fault := task.exception()) is not None:
            logger.error(
                "a message of queue %s failed unexpectedly and reappears when its lease ends: %r", self.queue, fault
            )

    async def _process(self, message: QueueMessage) -> None:
        lease = MessageLease(self._client, message, self._lease_seconds)
        try:
            ok, to_poison = await self._execute(message)
        finally:
            await lease.stop()
        if ok:
            await self._delete(message, lease.pop_receipt)
        elif self._poison is None:
            logger.warning(
                "message %s of queue %s failed and stays invisible until its lease ends", message.id, self.queue
            )
        elif to_poison:
            await self._move_to_poison(self._poison, message, lease.pop_receipt)
        else:
            await self._release(message, lease.pop_receipt)

    async def _execute(self, message: QueueMessage) -> tuple[bool, bool]:
        """Whether the run succeeded, and if not, whether the message belongs in the poison queue now."""
        count, most = message.dequeue_count or 0, self._config.max_dequeue_count
        try:
            value = trigger_value(body_of(message, self._config.base64))
        except UndecodableBody as fault:
            logger.warning("queue %s: %s", self.queue, fault)
            return False, True
        if count > most:  # also without a poison queue: such a message is received again, but not run
            logger.error(
                "message %s of queue %s was received %d times; it is not run again", message.id, self.queue, count
            )
            return False, True
        result = await self._invoker.run(
            self.spec, value, trigger_metadata(message, value), dequeue_count=count, message_id=message.id
        )
        return result.ok, count >= most

    async def _delete(self, message: QueueMessage, receipt: str) -> None:
        try:
            await self._client.delete_message(message.id, receipt)
        except HttpResponseError as fault:
            if not is_gone(fault):
                raise
            logger.debug("message %s was received by another instance and is not deleted", message.id)

    async def _release(self, message: QueueMessage, receipt: str) -> None:
        try:
            await self._client.update_message(message.id, receipt, visibility_timeout=self._retry_seconds)
        except HttpResponseError as fault:
            if not is_gone(fault):
                raise
        if self._retry_seconds == 0:
            self._wake.set()

    async def _move_to_poison(self, poison: QueueClient, message: QueueMessage, receipt: str) -> None:
        await send_creating(poison, message.content or "")
        self._wakeups.written(self._connection, poison.queue_name)
        logger.error("message %s of queue %s moved to %s", message.id, self.queue, poison.queue_name)
        await self._delete(message, receipt)

    def stop(self) -> None:
        """Receive no more messages. Received messages still run."""
        self._stopping = True
        self._wake.set()
        self._room.set()

    async def drain(self, seconds: float) -> None:
        """Wait up to `seconds` for running messages. The rest are cancelled and reappear when their leases end."""
        if self._running:
            _, left = await asyncio.wait(set(self._running), timeout=seconds)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
