"""Each port over its twin in memory and over the real adapter against the emulator."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from shared.adapters.azure.evidence import AzureEvidence
from shared.adapters.azure.ledger import AzureLedger
from shared.adapters.azure.queues import AzureQueues
from shared.adapters.azure.storage_clients import AzureStorage
from shared.adapters.memory.evidence import MemoryEvidence
from shared.adapters.memory.ledger import MemoryLedger
from shared.adapters.memory.queues import MemoryQueues
from shared.domain.messages import Kind
from shared.ports import Queues

EITHER = ["memory", "azure"]


@dataclass(frozen=True)
class QueueBench:
    """Queues, and what a host sees of them: the bodies that can be received now."""

    queues: Queues
    receive: Callable[[Kind], Awaitable[list[bytes]]]


@contextlib.asynccontextmanager
async def account(request: pytest.FixtureRequest) -> AsyncIterator[AzureStorage]:
    async with AzureStorage(connection_string=request.getfixturevalue("azurite").connection_string) as storage:
        yield storage


def own_name() -> str:
    return f"t{uuid.uuid4().hex[:20]}"


@pytest.fixture(params=EITHER)
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[MemoryLedger | AzureLedger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    async with account(request) as storage:
        yield AzureLedger(storage, own_name())


@pytest.fixture(params=EITHER)
async def evidence(request: pytest.FixtureRequest) -> AsyncIterator[MemoryEvidence | AzureEvidence]:
    if request.param == "memory":
        yield MemoryEvidence()
        return
    async with account(request) as storage:
        yield AzureEvidence(storage, evidence=own_name(), reports=own_name())


@pytest.fixture(params=EITHER)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[QueueBench]:
    if request.param == "memory":
        memory = MemoryQueues(lambda: datetime(2026, 1, 1, tzinfo=UTC))

        async def due(kind: Kind) -> list[bytes]:
            return [message.body for message in memory.due() if message.kind is kind]

        yield QueueBench(memory, due)
        return
    async with account(request) as storage:
        prefix = own_name()
        names = {kind: f"{prefix}-{kind.value.replace('_', '-')}" for kind in Kind}

        async def received(kind: Kind) -> list[bytes]:
            messages = storage.queue(names[kind]).receive_messages(max_messages=10)
            return [message.content async for message in messages]

        yield QueueBench(AzureQueues(storage, names, bodies=own_name()), received)
