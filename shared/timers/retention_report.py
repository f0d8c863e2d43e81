"""The retention report: versions that no rule of the policy keeps. Nothing is deleted, and usage is not known."""

from __future__ import annotations

from datetime import datetime

from shared.domain.retention import judge_retention
from shared.ports import World


async def run(world: World, *, now: datetime) -> dict[str, int]:
    """Evaluate all definitions of the policy, and store the report. Returns the candidates by definition."""
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
