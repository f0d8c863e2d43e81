"""What the deployment makes in the storage account (`infra/app/storage.bicep`), made in Azurite before the host starts.

The host asks for a queue that does not exist every few seconds, and logs a warning each time.
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
    """Every queue of the app under these settings, poison queues too; raises SettingsFaults for unusable ones."""
    settings = read_settings(app_settings)
    names = {*settings.queues.values(), settings.retire_queue}
    return names | {f"{name}-poison" for name in names}


CONTAINERS = frozenset({EVIDENCE, REPORTS, BODIES})
TABLES = frozenset({TABLE})


def make_storage(app_settings: Mapping[str, str], connection_string: str) -> None:
    """Make what is not there; raises StackError when the settings or the storage are of no use."""
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
