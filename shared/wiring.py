"""Settings -> World: the one place where ports meet their Azure adapters. Imports service SDKs only when called."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.policy_file import read_file
from shared.ports import NoReportSource, Publisher, Queues, ReportSource, SilentPublisher, World
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.adapters.azure.storage_clients import AzureStorage

APP = Path(__file__).resolve().parent.parent


def build_world(settings: Settings) -> World:
    """Every port over Azure. Raises PolicyFaults when the policy can't be used."""
    from shared.adapters.azure.activity_log import AzureActivityLog
    from shared.adapters.azure.arm import Arm
    from shared.adapters.azure.evidence import AzureEvidence
    from shared.adapters.azure.galleries import AzureGalleries
    from shared.adapters.azure.health import AzureHealth
    from shared.adapters.azure.ledger import AzureLedger
    from shared.adapters.azure.log_query import LogQueries
    from shared.adapters.azure.machines import AzureMachines
    from shared.adapters.azure.queues import AzureQueues
    from shared.adapters.azure.usage import AzureUsage

    path = APP / settings.policy
    policy = read_file(path, name=path.name)
    credential = _credential(settings.client_id)
    storage = _storage(settings)
    arm = Arm(credential, base_url=settings.arm_endpoint, scopes=[settings.arm_scope])
    return World(
        galleries=AzureGalleries(arm, policy.galleries_written),
        machines=AzureMachines(arm, policy.test),
        queues=AzureQueues(storage, settings.queues),
        ledger=AzureLedger(storage),
        evidence=AzureEvidence(storage),
        publisher=_publisher(settings.topic_endpoint, credential),
        policy=policy,
        own_writers=settings.own_writers,
        pace=settings.pace,
        report_source=_report_source(settings),
        health=AzureHealth(arm, LogQueries(credential)),
        activity_log=AzureActivityLog(arm),
        usage=AzureUsage(arm),
    )


def build_queues(settings: Settings) -> Queues:
    """The queues alone, which need no policy."""
    from shared.adapters.azure.queues import AzureQueues

    return AzureQueues(_storage(settings), settings.queues)


def _storage(settings: Settings) -> AzureStorage:
    from shared.adapters.azure.storage_clients import AzureStorage

    where = settings.storage
    return AzureStorage(
        connection_string=where.connection_string,
        blob_url=where.blob_url,
        queue_url=where.queue_url,
        table_url=where.table_url,
        credential=None if where.connection_string else _credential(where.client_id),
    )


def _report_source(settings: Settings) -> ReportSource:
    if not settings.report_hosts:
        return NoReportSource()
    from shared.adapters.azure.report_source import HttpsReportSource

    return HttpsReportSource(
        settings.report_hosts, most_bytes=settings.max_report_bytes, seconds=settings.report_fetch_seconds
    )


def _publisher(endpoint: str | None, credential: AsyncTokenCredential) -> Publisher:
    if endpoint is None:
        return SilentPublisher()
    from shared.adapters.azure.publisher import EventGridPublisher

    return EventGridPublisher(endpoint, credential)


def _credential(client_id: str | None) -> AsyncTokenCredential:
    from azure.identity.aio import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id) if client_id else ManagedIdentityCredential()
