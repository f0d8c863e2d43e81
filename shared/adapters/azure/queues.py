"""The queues in Azure Storage.

Messages never expire (``time_to_live=-1``) and are encoded as base64, which every host and tool can read. The app
decodes messages itself (``messageEncoding: none`` in host.json). If the host decoded them, it would move an invalid
message to the poison queue, whose function could not receive it for the same reason.

The body of a message has at most 48 KiB. A larger one is stored in the container ``ringmaster-bodies``. A lifecycle
rule of the storage account may delete its blobs after thirty days: a message is hidden for at most seven days, and may
be delivered twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.adapters.azure.storage_clients import AzureStorage, create_if_missing
from shared.adapters.azure.storage_errors import code_of, translate_errors
from shared.adapters.common.bodies import body_name, body_reference, check_body, pointer_to, whole_seconds
from shared.codec import LARGEST_BODY, LARGEST_IN_QUEUE, TooLarge, encode_command, unwrapped
from shared.domain.messages import Command, Kind

BODIES: Final = "ringmaster-bodies"


class AzureQueues:
    """``Queues`` of one storage account. ``names`` has the queue for every kind of command."""

    def __init__(self, storage: AzureStorage, names: Mapping[Kind, str], *, bodies: str = BODIES) -> None:
        """Use these queues. A missing queue is created. Raises ValueError when a kind has no queue."""
        unnamed = [kind.value for kind in Kind if kind not in names]
        if unnamed:
            raise ValueError(f"no queue name is configured for {', '.join(unnamed)}")
        self._storage = storage
        self._names = dict(names)
        self._bodies = bodies

    async def send(self, command: Command, *, delay: timedelta = timedelta(0)) -> None:
        body = encode_command(command)
        if len(body) > LARGEST_IN_QUEUE:
            name = body_name(body)
            await self._save(name, body)
            body = pointer_to(name, command)
        await self._put(command.kind, body, delay, f"{command.branch} of {command.release.short}")

    async def send_again(self, kind: Kind, body: bytes, *, delay: timedelta) -> None:
        await self._put(kind, body, delay, "a message again")

    async def _put(self, kind: Kind, body: bytes, delay: timedelta, what: str) -> None:
        queue = self._storage.queue(self._names[kind])
        hidden = whole_seconds(delay)
        with translate_errors(f"sending {what} to the queue {queue.queue_name}"):
            await create_if_missing(
                lambda: queue.send_message(body, visibility_timeout=hidden, time_to_live=-1),
                queue.create_queue,
                {"QueueNotFound"},
            )

    async def open(self, body: bytes) -> bytes:
        body = unwrapped(body)
        name = body_reference(body)
        return body if name is None else check_body(name, await self._load(name))

    async def _save(self, name: str, body: bytes) -> None:
        container = self._storage.container(self._bodies)
        with translate_errors(f"saving the body {name}"):
            # The name is a digest of the content, so writing it again changes nothing.
            await create_if_missing(
                lambda: container.upload_blob(name, body, overwrite=True, **_json()),
                container.create_container,
                {"ContainerNotFound"},
            )

    async def _load(self, name: str) -> bytes | None:
        from azure.core.exceptions import ResourceNotFoundError

        with translate_errors(f"reading the body {name}"):
            try:
                download = await self._storage.container(self._bodies).download_blob(name)
            except ResourceNotFoundError as error:
                if code_of(error) in {"BlobNotFound", "ContainerNotFound"}:
                    return None
                raise
            if download.size > LARGEST_BODY:
                raise TooLarge(f"the body {name} has {download.size} bytes; at most {LARGEST_BODY} are read")
            return await download.readall()


def _json() -> dict[str, Any]:
    from azure.storage.blob import ContentSettings

    return {"content_settings": ContentSettings(content_type="application/json")}
