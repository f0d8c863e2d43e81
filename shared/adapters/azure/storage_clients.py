"""One storage account, as clients of its three services that are made when first used.

Clients retry a request once, and only when no connection came about: the request was not sent, so nothing happens
twice. Whatever else fails is for the queues to repeat; a function never sleeps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from shared.adapters.azure.storage_errors import code_of

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.data.tables.aio import TableClient, TableServiceClient
    from azure.storage.blob.aio import BlobServiceClient, ContainerClient
    from azure.storage.queue.aio import QueueClient, QueueServiceClient

_RETRIES: Final = {"retry_total": 1, "retry_connect": 1, "retry_read": 0, "retry_status": 0}
_SOON: Final = {"initial_backoff": 0.2, "increment_base": 1, "random_jitter_range": 0.1}
"""Seconds; the SDK of blobs and queues would wait fifteen."""
_TIMEOUTS: Final = {"connection_timeout": 10, "read_timeout": 60}


class AzureStorage:
    """Clients for tables, queues and blobs: by a connection string, or by addresses and a credential.

    The credential stays the caller's, who closes it. Use it in one event loop, and close it there.
    """

    def __init__(
        self,
        *,
        connection_string: str | None = None,
        blob_url: str | None = None,
        queue_url: str | None = None,
        table_url: str | None = None,
        credential: AsyncTokenCredential | None = None,
        client_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Connect to nothing yet. ``client_options`` goes to every client (a transport, a certificate file).

        Raises ValueError unless there is a connection string or all addresses with a credential.
        """
        by_identity = bool(blob_url and queue_url and table_url and credential)
        if not connection_string and not by_identity:
            raise ValueError("storage needs a connection string, or the addresses of its services and a credential")
        self._connection_string = connection_string
        self._urls = {"blob": blob_url or "", "queue": queue_url or "", "table": table_url or ""}
        self._credential = credential
        self._options = {**_RETRIES, **_TIMEOUTS, **(client_options or {})}
        self._tables: TableServiceClient | None = None
        self._queues: QueueServiceClient | None = None
        self._blobs: BlobServiceClient | None = None

    def table(self, name: str) -> TableClient:
        """A table's client; says nothing of whether the table is there."""
        if self._tables is None:
            from azure.data.tables.aio import TableServiceClient

            options = {"retry_backoff_factor": 0.2, **self._options}
            if self._connection_string:
                self._tables = TableServiceClient.from_connection_string(self._connection_string, **options)
            else:
                assert self._credential is not None
                self._tables = TableServiceClient(self._urls["table"], credential=self._credential, **options)
        return self._tables.get_table_client(name)

    def queue(self, name: str) -> QueueClient:
        """A queue's client, for bytes in base64 as the Functions host reads them by default."""
        from azure.storage.queue import BinaryBase64DecodePolicy, BinaryBase64EncodePolicy

        if self._queues is None:
            from azure.storage.queue.aio import QueueServiceClient

            options = {**_SOON, **self._options}
            if self._connection_string:
                self._queues = QueueServiceClient.from_connection_string(self._connection_string, **options)
            else:
                self._queues = QueueServiceClient(self._urls["queue"], credential=self._credential, **options)
        return self._queues.get_queue_client(
            name, message_encode_policy=BinaryBase64EncodePolicy(), message_decode_policy=BinaryBase64DecodePolicy()
        )

    def container(self, name: str) -> ContainerClient:
        """A blob container's client."""
        if self._blobs is None:
            from azure.storage.blob.aio import BlobServiceClient

            options = {**_SOON, **self._options}
            if self._connection_string:
                self._blobs = BlobServiceClient.from_connection_string(self._connection_string, **options)
            else:
                self._blobs = BlobServiceClient(self._urls["blob"], credential=self._credential, **options)
        return self._blobs.get_container_client(name)

    async def close(self) -> None:
        """Close every connection. The clients can be used again after that; they would connect anew."""
        clients = (self._tables, self._queues, self._blobs)
        self._tables = self._queues = self._blobs = None
        async with contextlib.AsyncExitStack() as stack:
            for client in clients:
                if client is not None:
                    stack.push_async_callback(client.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()


async def create_if_missing[T](
    action: Callable[[], Awaitable[T]], create: Callable[[], Awaitable[Any]], missing: Collection[str]
) -> T:
    """Do something; when what it needs isn't there (one of the codes in ``missing``), create that and do it again.

    So the usual case costs no request, and a table or queue that somebody deleted comes back.
    """
    from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

    try:
        return await action()
    except ResourceNotFoundError as error:
        if code_of(error) not in missing:
            raise
    try:
        await create()
    except ResourceExistsError as error:
        # Another instance was faster. What is just being deleted (also a 409) can't be created for a while.
        if not code_of(error).endswith("AlreadyExists"):
            raise
    return await action()
