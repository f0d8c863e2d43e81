"""Retention, as a report: what the policy would no longer keep. Deletes nothing, and knows nothing of who uses what."""

from __future__ import annotations

from datetime import datetime

from shared.domain.retention import judge_retention
from shared.ports import World


async def run(world: World, *, now: datetime) -> dict[str, int]:
    """Judge every covered definition, keep the report as evidence. Returns candidates by definition."""
    candidates: dict[str, int] = {}
    for definition, policy in world.policy.definitions.items():
        judged = judge_retention(await world.galleries.versions(definition), policy.retention, now)
        candidates[policy.name] = sum(not each.kept for each in judged)
        document = {
            "schema": 1,
            "definition": str(definition),
            "policyDigest": policy.digest,
            "at": now.isoformat(),
            "versions": [
                {"number": str(each.version.id.number), "kept": each.kept, "reason": each.reason} for each in judged
            ],
        }
        gallery = definition.gallery
        place = f"{gallery.subscription}/{gallery.resource_group}/{gallery.name}/{definition.name}"
        await world.evidence.put(f"{place}/retention/{now:%Y-%m-%dT%H%M%SZ}.json", document)
    return candidates
