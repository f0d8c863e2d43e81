"""Reads from the evidence why a scan gate passed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from azure.storage.blob.aio import ContainerClient

from shared.adapters.azure.evidence import EVIDENCE


async def scan_evidence(release: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any] | None:
    """The evidence of the release's scan gate. None if the gate did not pass."""
    passed = [each for each in release["gates"] if each["gate"] == "scan" and each["answer"] == "pass"]
    if not passed:
        return None
    storage = environment["AZURE_STORAGE_CONNECTION_STRING"]
    async with ContainerClient.from_connection_string(storage, EVIDENCE) as container:
        blob = await container.download_blob(passed[-1]["evidence"])
        return json.loads(await blob.readall())


def why_it_passed(evidence: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Why a version with findings passed its scan gate. Empty for a version without them."""
    return tuple(_why(evidence["facts"])) if evidence else ()


def _why(facts: Mapping[str, Any]) -> Iterator[str]:
    improves = [reason["text"] for reason in facts["reasons"] if reason["code"] == "only-improves"]
    if improves:
        yield facts["reasons"][0]["text"]
        yield from improves
    for used in facts["excused"]:
        yield f"exception: {used['id']} by {used['owner']} ({used['source']}): {used['reason']}"
