"""Publishes announcements as CloudEvents to an Event Grid topic."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from shared.adapters.azure.storage_errors import translate_errors
from shared.codec import decode_document, encode_document
from shared.domain.messages import Announcement
from shared.ports import Refused

if TYPE_CHECKING:
    from azure.core.credentials import AzureKeyCredential, AzureSasCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.eventgrid.aio import EventGridPublisherClient

_OPTIONS: Final = {
    "retry_total": 1,
    "retry_connect": 1,
    "retry_read": 0,
    "retry_status": 0,
    "retry_backoff_factor": 0.2,
    "connection_timeout": 10,
    "read_timeout": 30,
}


class EventGridPublisher:
    """``Publisher`` for one topic. The caller owns the credential and closes it."""

    def __init__(
        self,
        endpoint: str,
        credential: AsyncTokenCredential | AzureKeyCredential | AzureSasCredential,
        *,
        client_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the options. The connection is opened on first use."""
        self._endpoint = endpoint
        self._credential = credential
        self._options = {**_OPTIONS, **(client_options or {})}
        self._client: EventGridPublisherClient | None = None

    async def publish(self, announcement: Announcement) -> None:
        """Publish one event. Raises Refused when the topic will never accept it."""
        from azure.core.messaging import CloudEvent

        version = announcement.version
        event = CloudEvent(
            source=str(version.definition),
            type=announcement.type,
            subject=str(version),
            id=announcement.id,
            time=announcement.at,
            data=dict(decode_document(encode_document(announcement.data))),
        )
        with translate_errors(f"publishing {announcement.type} for {version.short}", Refused):
            await self._connected().send(event)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def _connected(self) -> EventGridPublisherClient:
        if self._client is None:
            from azure.eventgrid.aio import EventGridPublisherClient

            self._client = EventGridPublisherClient(self._endpoint, self._credential, **self._options)
        return self._client
