"""`timer_reads`: the bytes that one round of the reconcile timer reads from the ledger, divided by what it would read
if it read every row in full wherever it reads summaries.

Azurite holds the table. All versions are of one definition and released; none is due for another scan. Bytes are those
of the bodies of the table service's responses, without compression.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

from local.azurite import Azurite
from local.bench.figures import Figure, MeasurementFailed
from local.bench.memory_run import BEGIN, HOME, LIMIT, TEST, definition_policy, run
from local.simulation.cloud import Cloud
from shared.adapters.azure.ledger import AzureLedger
from shared.adapters.azure.storage_clients import AzureStorage
from shared.domain.image import DefinitionId, VersionNumber
from shared.domain.policy import DefinitionPolicy, Policy
from shared.domain.release import Release
from shared.domain.release_summary import ReleaseSummary
from shared.ports import World
from shared.timers import reconcile

BOUND: Final = 0.1
VERSIONS: Final = 1_000
COMPUTED: Final = 10_000
"""The number of versions for which the figures are computed from the measured ones."""
_AT_ONCE: Final = 100


@dataclass(slots=True)
class _Traffic:
    """What the table service returned: requests, entities and bytes."""

    requests: int = 0
    entities: int = 0
    bytes: int = 0

    def __call__(self, response: Any) -> None:
        self.requests += 1
        body = response.http_response.body()
        self.bytes += len(body)
        # Every entity of a response, and nothing else in it, has an ETag.
        self.entities += body.count(b'"odata.etag"')


@dataclass(slots=True)
class _FullRows:
    """The ledger as it was before it had summaries."""

    ledger: AzureLedger

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    async def summaries(self, definition: DefinitionId) -> AsyncIterator[ReleaseSummary]:
        """The summaries, from full rows."""
        async for stored in self.ledger.rows(definition=definition):
            yield ReleaseSummary.of(stored.release)


def measure(versions: int = VERSIONS) -> Figure:
    """The figure."""
    return asyncio.run(_measure(versions))


async def _measure(versions: int) -> Figure:
    definition = definition_policy("image-0")
    (released,) = run(1).releases
    with Azurite() as azurite:
        traffic = _Traffic()
        options = {"raw_response_hook": traffic}
        async with AzureStorage(connection_string=azurite.connection_string, client_options=options) as storage:
            ledger = AzureLedger(storage, f"bench{uuid.uuid4().hex[:20]}")
            await _fill(ledger, definition, released, versions)
            whole = await _round(_FullRows(ledger), definition, traffic)
            short = await _round(ledger, definition, traffic)
    return Figure(
        value=short["bytes"] / whole["bytes"],
        relation="<=",
        bound=BOUND,
        unit="ratio",
        parts={
            "versions": versions,
            "full_rows": whole,
            "summaries": short,
            f"computed_for_{COMPUTED}_versions": {
                "full_rows_bytes": whole["bytes"] * COMPUTED // versions,
                "summaries_bytes": short["bytes"] * COMPUTED // versions,
            },
        },
        notes=("one round reads the definition for missed versions and for scan requests; Azurite on this machine",),
    )


async def _fill(ledger: AzureLedger, definition: DefinitionPolicy, released: Release, versions: int) -> None:
    rows = [
        replace(released, version=definition.source.version(VersionNumber(1, index // 1000, index % 1000)))
        for index in range(versions)
    ]
    await ledger.insert(rows[0])
    for start in range(1, versions, _AT_ONCE):
        await asyncio.gather(*(ledger.insert(each) for each in rows[start : start + _AT_ONCE]))


async def _round(ledger: Any, definition: DefinitionPolicy, traffic: _Traffic) -> dict[str, Any]:
    now = BEGIN + LIMIT / 4
    cloud = Cloud(lambda: now, Policy(TEST, {definition.source: definition}), home=HOME)
    world: World = replace(cloud.world, ledger=ledger)
    traffic.requests = traffic.entities = traffic.bytes = 0
    began = time.process_time()
    done = await reconcile.run(world, now=now)
    if str(done) != "nothing to do":
        raise MeasurementFailed(f"the round had work to do: {done}")
    return {
        "requests": traffic.requests,
        "entities": traffic.entities,
        "bytes": traffic.bytes,
        "cpu_seconds": time.process_time() - began,
    }
