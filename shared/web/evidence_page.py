"""The page of one evidence document."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from shared.domain.release import GateRecord, Release
from shared.ports import World
from shared.web.query_parameters import PageError, QueryParameters
from shared.web.templating import Page, clipped, render

MAX_CHARACTERS: Final = 120_000
"""How many characters of a document are shown."""


async def show(query: QueryParameters, world: World, now: datetime) -> Page:
    """Show the evidence of one gate. Only evidence that the release's own row names is read."""
    del now
    version = query.version()
    release = await read_release(query, world)
    record = next((each for each in release.gates if evidence_key(each) == query.text("evidence")), None)
    if record is None:
        raise PageError(404, f"{version.short} has no evidence with this name")
    document = await world.evidence.get(record.evidence)
    if document is None:
        raise PageError(404, f"the evidence {record.evidence} does not exist in storage")
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return render(
        "evidence",
        release=release,
        record=record,
        text=clipped(text, MAX_CHARACTERS),
        omitted=max(0, len(text) - MAX_CHARACTERS),
    )


async def read_release(query: QueryParameters, world: World) -> Release:
    """Read the release of the requested version. Raises PageError (404) when there is none."""
    version = query.version()
    stored = await world.ledger.read(version)
    if stored is None:
        raise PageError(404, f"no release exists for {version}")
    return stored.release


def evidence_key(record: GateRecord) -> str:
    """The identifier of a verdict in page URLs: the last part of its evidence's name."""
    return record.evidence.rpartition("/")[2].removesuffix(".json")
