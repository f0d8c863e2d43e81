"""Keeps a message invisible while its function runs.

The lease is 10 minutes. It is renewed after half that time for another 10 minutes. After a server error, the delay is
halved each time, down to a tenth of the lease. Renewal stops silently when the message or its pop receipt no longer
exists (UpdateQueueMessageVisibilityCommand.cs, LinearSpeedupStrategy.cs). Each renewal changes the pop receipt, which
is needed to delete the message.
"""

import asyncio
import logging

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

logger = logging.getLogger("local.host.queue")

LEASE_SECONDS = 600
_GONE_CODES = {"PopReceiptMismatch", "MessageNotFound", "QueueNotFound", "QueueBeingDeleted", "QueueDisabled"}


def is_gone(fault: HttpResponseError) -> bool:
    """Whether another instance may have received the message.

    The host ignores this error, so delivery is at least once.
    """
    code = getattr(fault, "error_code", None)
    return str(getattr(code, "value", code)) in _GONE_CODES or fault.status_code == 404


class MessageLease:
    """The lease of a received message. `pop_receipt` is the latest one."""

    def __init__(self, client: QueueClient, message: QueueMessage, seconds: int) -> None:
        self._client = client
        self._id = message.id
        self._seconds = seconds
        self.pop_receipt = str(message.pop_receipt)
        self._delay = seconds / 2
        self._renewing: asyncio.Task[None] | None = None
        self._handle = asyncio.get_running_loop().call_later(self._delay, self._begin)

    def _begin(self) -> None:
        self._renewing = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        try:
            updated = await self._client.update_message(self._id, self.pop_receipt, visibility_timeout=self._seconds)
        except AzureError as fault:
            if isinstance(fault, HttpResponseError) and is_gone(fault):
                return
            self._delay = max(self._delay / 2, self._seconds / 10)
            logger.warning(
                "the lease of message %s was not renewed; the next attempt is in %.1f s: %s",
                self._id,
                self._delay,
                fault,
            )
        else:
            self.pop_receipt = str(updated.pop_receipt)
            self._delay = self._seconds / 2
        self._handle = asyncio.get_running_loop().call_later(self._delay, self._begin)

    async def stop(self) -> None:
        """Stop renewing. A renewal in progress is awaited, because its pop receipt is needed."""
        self._handle.cancel()
        if self._renewing is not None:
            await self._renewing
            self._handle.cancel()
