"""Resolves the connections of queue bindings, as the host does, with one queue service client per connection.

`<name>` or `AzureWebJobs<name>` is a connection string. `<name>__queueServiceUri` (or `__accountName`) is an endpoint
for use with `<name>__credential`: a managed identity, or by default the developer's sign-in.
"""

from collections.abc import Mapping
from typing import Any

from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.host.host_errors import ConfigError

DEFAULT_CONNECTION = "AzureWebJobsStorage"
# The published account of the emulator; it is not a secret.
_DEV_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_DEV_CONNECTION = (
    f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={_DEV_KEY};"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
    "TableEndpoint=http://127.0.0.1:10002/devstoreaccount1"
)


class QueueConnections:
    """Creates queue clients and closes them. Each connection has one transport."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._services: dict[str, QueueServiceClient] = {}
        self._credentials: list[Any] = []

    def queue(self, connection: str, name: str) -> QueueClient:
        """The client for queue `name`. Raises ConfigError if the settings do not define the connection."""
        connection = connection or DEFAULT_CONNECTION
        if connection not in self._services:
            self._services[connection] = self._service(connection)
        return self._services[connection].get_queue_client(name)

    def _service(self, connection: str) -> QueueServiceClient:
        # The SDK's first retry is after 15 s. The poller has its own back-off and must notice an outage sooner.
        options: dict[str, Any] = {
            "initial_backoff": 0,
            "increment_base": 1,
            "random_jitter_range": 1,
            "retry_total": 2,
            "logging_enable": False,
        }
        text = self._settings.get(connection) or self._settings.get(f"AzureWebJobs{connection}")
        if text:
            text = _DEV_CONNECTION if text.strip().rstrip(";").lower() == "usedevelopmentstorage=true" else text
            try:
                return QueueServiceClient.from_connection_string(text, **options)
            except ValueError as broken:
                raise ConfigError(
                    [f"the app setting {connection} is not a valid storage connection string: {broken}"]
                ) from broken
        return QueueServiceClient(self._endpoint(connection), credential=self._credential(connection), **options)

    def _endpoint(self, connection: str) -> str:
        endpoint = self._settings.get(f"{connection}__queueServiceUri")
        account = self._settings.get(f"{connection}__accountName")
        if endpoint:
            return endpoint
        if account:
            return f"https://{account}.queue.core.windows.net"
        raise ConfigError(
            [
                f"the storage connection {connection} is not set: set the app setting {connection} (a connection "
                f"string or UseDevelopmentStorage=true) or {connection}__queueServiceUri"
            ]
        )

    def _credential(self, connection: str) -> Any:
        from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

        client_id = self._settings.get(f"{connection}__clientId")
        if self._settings.get(f"{connection}__credential", "").lower() == "managedidentity":
            credential: Any = ManagedIdentityCredential(client_id=client_id)
        else:
            credential = DefaultAzureCredential()
        self._credentials.append(credential)
        return credential

    async def close(self) -> None:
        for closable in (*self._services.values(), *self._credentials):
            await closable.close()
        self._services.clear()
        self._credentials.clear()
