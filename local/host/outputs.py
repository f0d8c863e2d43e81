"""Queue output bindings: sends the values of `func.Out` and the return value after the function succeeded."""

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient

from local.host.functions import Binding, FunctionSpec
from local.host.invoker import OutputError
from local.host.queue_connections import DEFAULT_CONNECTION, QueueConnections
from local.host.worker import Datum, Reply


class QueueOutputs:
    """Sends queue outputs, creates missing queues, and notifies the host's own listeners."""

    def __init__(self, storage: QueueConnections, base64_bodies: bool, written: Callable[[str, str], None]) -> None:
        self._storage = storage
        self._base64 = base64_bodies
        self._written = written

    async def write(self, spec: FunctionSpec, reply: Reply) -> None:
        """Send all queue outputs of a successful run. Raises OutputError when a queue rejects one."""
        values = dict(reply.outputs)
        if reply.returned is not None:
            values["$return"] = reply.returned
        for binding in spec.outputs:
            if binding.type == "queue" and (datum := values.get(binding.name)) is not None:
                await self._send(spec, binding, datum)

    async def _send(self, spec: FunctionSpec, binding: Binding, datum: Datum) -> None:
        connection, queue = binding.text("connection", DEFAULT_CONNECTION), binding.text("queueName")
        client = self._storage.queue(connection, queue)
        for body in message_bodies(datum):
            text = base64.b64encode(body).decode() if self._base64 else body.decode()
            try:
                await send_creating(client, text)
            except AzureError as fault:
                raise OutputError(
                    f"function {spec.name}: output {binding.name} to queue {queue} failed: {fault}"
                ) from fault
        self._written(connection, queue)


async def send_creating(client: QueueClient, text: str) -> None:
    """Send a message, and create the queue if it is missing."""
    try:
        await client.send_message(text)
    except ResourceNotFoundError:
        with contextlib.suppress(ResourceExistsError):  # another writer was first
            await client.create_queue()
        await client.send_message(text)


def message_bodies(datum: Datum) -> Iterator[bytes]:
    """The messages in an output value: text, bytes, a `func.QueueMessage`, or a list of texts and messages."""
    if datum.type is None or datum.value is None:
        return
    if datum.type == "bytes":
        yield datum.value
    elif datum.type in ("json", "dict", "list"):
        value = json.loads(datum.value) if datum.type == "json" else datum.value
        yield from map(_body, value if isinstance(value, list) else [value])
    else:
        yield str(datum.value).encode()


def _body(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    # The library converts a func.QueueMessage to {"id", "body"}. The service assigns ids, so only the body is used.
    if isinstance(item, dict) and set(item) == {"id", "body"}:
        return str(item["body"]).encode()
    return json.dumps(item).encode()
