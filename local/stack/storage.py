"""Creates in Azurite what the deployment creates in the storage account (`infra/app/storage.bicep`).

The queues must exist before the host starts: the host polls a missing queue every few seconds, and logs a warning each
time.
"""

import contextlib
from collections.abc import Iterable, Mapping

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.stack.options import StackError
from shared.adapters.azure.evidence import EVIDENCE, REPORTS
from shared.adapters.azure.ledger import TABLE
from shared.adapters.azure.queues import BODIES
from shared.settings import SettingsFaults, read_settings


def queue_names(app_settings: Mapping[str, str]) -> set[str]:
    """Every queue of the app, including poison queues. Raises SettingsFaults for invalid settings."""
    settings = read_settings(app_settings)
    names = set(settings.queues.values())
    return names | {f"{name}-poison" for name in names}


CONTAINERS = frozenset({EVIDENCE, REPORTS, BODIES})
TABLES = frozenset({TABLE})


def make_storage(app_settings: Mapping[str, str], connection_string: str) -> None:
    """Create what is missing. Raises StackError if the settings are invalid or the storage cannot be used."""
    try:
        _make(connection_string, sorted(queue_names(app_settings)))
    except SettingsFaults as faults:
        raise StackError(f"the app settings: {faults}") from faults
    except AzureError as fault:
        raise StackError(f"the storage account cannot be prepared: {fault}") from fault


def _make(connection_string: str, queues: Iterable[str]) -> None:
    with QueueServiceClient.from_connection_string(connection_string) as service:
        for name in queues:
            with contextlib.suppress(ResourceExistsError):
                service.create_queue(name)
    with BlobServiceClient.from_connection_string(connection_string) as service:
        for name in sorted(CONTAINERS):
            with contextlib.suppress(ResourceExistsError):
                service.create_container(name)
    with TableServiceClient.from_connection_string(connection_string) as service:
        for name in TABLES:
            service.create_table_if_not_exists(name)
