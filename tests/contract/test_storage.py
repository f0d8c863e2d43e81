"""The account under the Azure adapters: outages, strangers' rows, what comes into being, and what is imported when."""

import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import UpdateMode

from local.azurite import Azurite
from local.azurite.runner import connection_string
from shared.adapters.azure.entities import LARGEST_ROW
from shared.adapters.azure.evidence import AzureEvidence
from shared.adapters.azure.ledger import AzureLedger
from shared.adapters.azure.queues import AzureQueues
from shared.adapters.azure.storage_clients import AzureStorage
from shared.codec import TooLarge
from shared.domain.image import VersionId
from shared.domain.messages import Kind
from shared.domain.release_summary import ReleaseSummary
from shared.ports import Unavailable
from tests.contract.conftest import own_name
from tests.contract.samples import LINUX, NOW, command, grown, release, settled, version


@pytest.fixture
async def storage(azurite: Azurite) -> AsyncIterator[AzureStorage]:
    async with AzureStorage(connection_string=azurite.connection_string) as storage:
        yield storage


@pytest.fixture
async def nobody() -> AsyncIterator[AzureStorage]:
    """An account where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening: connections are refused
        port = taken.getsockname()[1]
        async with AzureStorage(connection_string=connection_string("127.0.0.1", (port, port, port))) as storage:
            yield storage


async def test_an_outage_is_told_within_seconds(nobody: AzureStorage) -> None:
    ledger, evidence = AzureLedger(nobody), AzureEvidence(nobody)
    queues = AzureQueues(nobody, dict.fromkeys(Kind, "queue"))
    attempts = (
        lambda: ledger.read(version()),
        lambda: ledger.insert(release()),
        lambda: ledger.claim_once("key", until=NOW, now=NOW),
        lambda: queues.send(command()),
        lambda: evidence.put("name", {}),
        lambda: evidence.get("name"),
        lambda: evidence.reports(version()),
    )
    started = time.monotonic()
    for attempt in attempts:
        with pytest.raises(Unavailable):
            await attempt()
    assert time.monotonic() - started < 10


async def test_an_outage_while_listing_rows_is_told(nobody: AzureStorage) -> None:
    with pytest.raises(Unavailable):
        _ = [stored async for stored in AzureLedger(nobody).rows()]


async def test_a_row_that_nobody_can_read_does_not_hide_the_others(
    storage: AzureStorage, caplog: pytest.LogCaptureFixture
) -> None:
    table = own_name()
    ledger = AzureLedger(storage, table)
    for number in ("1.0.0", "1.0.1", "1.0.2"):
        await ledger.insert(release(version(number)))
    entity = await storage.table(table).get_entity(
        "~".join(str(version().definition).split("/")[1:]), f"r~{version('1.0.1').number.sort_key}"
    )
    entity["document00"], entity["size"] = b'{"v": 99}', 9
    await storage.table(table).upsert_entity(entity)
    with caplog.at_level(logging.ERROR):
        found = [str(stored.release.version.number) async for stored in ledger.rows()]
    assert found == ["1.0.0", "1.0.2"]
    assert "1.0.1" in caplog.text


async def rewrite(storage: AzureStorage, table: str, of: VersionId, **properties: Any) -> None:
    """Write a row as another version of the app does. A property that is None is left out."""
    partition, row = "~".join(str(of.definition).split("/")[1:]), f"r~{of.number.sort_key}"
    entity = {**await storage.table(table).get_entity(partition, row), **properties}
    kept = {name: value for name, value in entity.items() if value is not None}
    await storage.table(table).upsert_entity(kept, mode=UpdateMode.REPLACE)


@pytest.mark.parametrize(
    "summary", [None, "", "{", '{"v":2}', b"{}", 7, '{"v":1,"version":"/","state":"released"}'], ids=repr
)
async def test_a_row_without_a_summary_that_this_app_reads_is_summarised_from_the_row(
    storage: AzureStorage, summary: object
) -> None:
    table = own_name()
    ledger = AzureLedger(storage, table)
    rows = [settled(version(number)) for number in ("1.0.0", "1.0.1", "1.0.2", "1.0.3")]
    for row in rows:
        await ledger.insert(row)
    for row in (rows[0], rows[2]):
        await rewrite(storage, table, row.version, summary=summary)
    found = [each async for each in ledger.summaries(LINUX)]
    assert sorted(found, key=lambda each: each.version.number) == [ReleaseSummary.of(row) for row in rows]


async def test_a_row_that_nobody_can_read_hides_no_summary(
    storage: AzureStorage, caplog: pytest.LogCaptureFixture
) -> None:
    table = own_name()
    ledger = AzureLedger(storage, table)
    for number in ("1.0.0", "1.0.1", "1.0.2"):
        await ledger.insert(release(version(number)))
    for number in ("1.0.0", "1.0.1"):
        await rewrite(storage, table, version(number), summary=None)
    await rewrite(storage, table, version("1.0.1"), document00=b'{"v": 99}', size=9)
    with caplog.at_level(logging.ERROR):
        found = {str(each.version.number) async for each in ledger.summaries(LINUX)}
    assert found == {"1.0.0", "1.0.2"}
    assert "1.0.1" in caplog.text


async def test_a_row_too_large_for_a_table_says_so(storage: AzureStorage) -> None:
    with pytest.raises(TooLarge, match="960 KiB"):
        await AzureLedger(storage, own_name()).insert(grown(release(), LARGEST_ROW))


async def test_a_table_that_was_deleted_comes_back(storage: AzureStorage) -> None:
    table = own_name()
    ledger = AzureLedger(storage, table)
    await ledger.insert(release())
    await storage.table(table).delete_table()
    assert await ledger.read(version()) is None
    await ledger.insert(release())
    assert await ledger.read(version()) is not None


async def test_a_message_in_a_queue_never_expires_and_is_base64(storage: AzureStorage) -> None:
    name = own_name()
    await AzureQueues(storage, dict.fromkeys(Kind, name)).send(command())
    (message,) = [each async for each in storage.queue(name).receive_messages()]
    assert message.expires_on is not None
    assert message.expires_on.year == 9999


async def test_a_closed_account_can_be_used_again(storage: AzureStorage) -> None:
    ledger = AzureLedger(storage, own_name())
    await ledger.insert(release())
    await storage.close()
    assert await ledger.read(version()) is not None


def test_queues_without_a_name_for_every_kind_are_refused() -> None:
    account = AzureStorage(connection_string="UseDevelopmentStorage=true")
    with pytest.raises(ValueError, match="clean_up"):
        AzureQueues(account, {kind: "queue" for kind in Kind if kind is not Kind.CLEAN_UP})


def test_storage_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="connection string"):
        AzureStorage(blob_url="https://b.example", queue_url="https://q.example")


def test_importing_the_adapters_imports_no_sdk(project_root: Path) -> None:
    script = (
        "import sys, shared.adapters.azure.ledger, shared.adapters.azure.queues, shared.adapters.azure.evidence,"
        "shared.adapters.azure.publisher; print([name for name in sys.modules if name.startswith('azure')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=project_root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
