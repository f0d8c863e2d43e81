"""One document of evidence, as it is kept."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from shared.domain.release import GateRecord, Release
from shared.ports import World
from shared.web.query_parameters import PageError, QueryParameters
from shared.web.templating import Page, clipped, render

MAX_CHARACTERS: Final = 120_000
"""Characters of a document that are shown."""


async def show(query: QueryParameters, world: World, now: datetime) -> Page:
    """The evidence of one gate of a release. Only what the release's row names is ever read."""
    del now
    version = query.version()
    release = await read_release(query, world)
    record = next((each for each in release.gates if evidence_key(each) == query.text("evidence")), None)
    if record is None:
        raise PageError(404, f"{version.short} has no such evidence")
    document = await world.evidence.get(record.evidence)
    if document is None:
        raise PageError(404, f"the evidence {record.evidence} is gone from the store")
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return render(
        "evidence",
        release=release,
        record=record,
        text=clipped(text, MAX_CHARACTERS),
        cut=max(0, len(text) - MAX_CHARACTERS),
    )


async def read_release(query: QueryParameters, world: World) -> Release:
    """The release of the version that is asked for. Raises Unanswerable."""
    version = query.version()
    stored = await world.ledger.read(version)
    if stored is None:
        raise PageError(404, f"there is no release of {version}")
    return stored.release


def evidence_key(record: GateRecord) -> str:
    """How an address names a verdict: the last part of its evidence's name."""
    return record.evidence.rpartition("/")[2].removesuffix(".json")
