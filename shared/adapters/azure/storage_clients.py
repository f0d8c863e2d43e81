"""Clients for the three services of a storage account, created on first use.

A client retries a request once, and only if the connection failed: then the request was not sent, and nothing can
happen twice. All other errors are left to the queues; a function never sleeps.
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
"""In seconds. The default of the blob and queue SDKs is fifteen."""
_TIMEOUTS: Final = {"connection_timeout": 10, "read_timeout": 60}


class AzureStorage:
    """Clients for tables, queues and blobs, with a connection string or with URLs and a credential.

    The caller owns the credential and closes it. An instance belongs to one event loop and must be closed there.
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
        """Store the options; connections are opened on first use. ``client_options`` is passed to every client.

        Raises ValueError unless there is a connection string, or all three URLs and a credential.
        """
        by_identity = bool(blob_url and queue_url and table_url and credential)
        if not connection_string and not by_identity:
            raise ValueError("storage requires a connection string, or the URLs of its services and a credential")
        self._connection_string = connection_string
        self._urls = {"blob": blob_url or "", "queue": queue_url or "", "table": table_url or ""}
        self._credential = credential
        self._options = {**_RETRIES, **_TIMEOUTS, **(client_options or {})}
        self._tables: TableServiceClient | None = None
        self._queues: QueueServiceClient | None = None
        self._blobs: BlobServiceClient | None = None

    def table(self, name: str) -> TableClient:
        """The client of a table. The table may not exist."""
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
        """The client of a queue. Messages are bytes in base64."""
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
        """The client of a blob container."""
        if self._blobs is None:
            from azure.storage.blob.aio import BlobServiceClient

            options = {**_SOON, **self._options}
            if self._connection_string:
                self._blobs = BlobServiceClient.from_connection_string(self._connection_string, **options)
            else:
                self._blobs = BlobServiceClient(self._urls["blob"], credential=self._credential, **options)
        return self._blobs.get_container_client(name)

    async def close(self) -> None:
        """Close all connections. The clients can be used again and then connect again."""
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
    """Run ``action``. If it fails with one of the codes in ``missing``, run ``create`` and then ``action`` again.

    The usual case needs no extra request, and a table or queue that was deleted is created again.
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
        # Another instance was first. A resource that is being deleted (also 409) cannot be created for a while.
        if not code_of(error).endswith("AlreadyExists"):
            raise
    return await action()
