"""What a revocation would do: which definitions it writes, and what ``latest`` is then. Asks; writes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain.image import VersionId
from shared.domain.release import Release, State
from shared.domain.revocation import RevokePlan, plan_revocation
from shared.gallery.incarnation import incarnation_of
from shared.gallery.revocation_scope import definitions_of, released_version
from shared.ports import World


async def revocation_plan(version: VersionId, world: World, *, now: datetime) -> dict[str, Any] | None:
    """Return the plan by definition and region; None when the policy does not cover the version."""
    policy = world.policy.covering(version)
    if policy is None:
        return None
    release = await _release(version, world, policy.digest, now)
    galleries: list[dict[str, Any]] = []
    for definition in definitions_of(policy):
        versions = await world.galleries.versions(definition)
        found = released_version(versions, definition, release)
        if found is not None:
            galleries.append(
                {
                    "definition": str(definition),
                    "gallery": definition.gallery.name,
                    **_plan(plan_revocation(versions, found)),
                }
            )
    emptied = [
        f"{region} of {each['definition'].rsplit('/', 3)[1]}" for each in galleries for region in each["emptied"]
    ]
    return {
        "version": str(version),
        "state": release.state.value,
        "galleries": galleries,
        "leavesEmpty": emptied,
        "allowedToLeaveEmpty": policy.scan.revoke_to_empty,
    }


async def _release(version: VersionId, world: World, digest: str, now: datetime) -> Release:
    """The row, or what a revocation of a version without one would begin with."""
    stored = await world.ledger.read(version)
    release = Release(version, State.VALIDATING, 0, digest, now, now) if stored is None else stored.release
    if release.incarnation is None:
        facts = await world.galleries.version(version)
        release = replace(release, incarnation=incarnation_of(facts) if facts else None)
    return release


def _plan(plan: RevokePlan) -> dict[str, Any]:
    return {
        "changes": plan.changes,
        "latest": {
            region: {
                "before": str(before) if before else None,
                "after": str(plan.after[region]) if plan.after[region] else None,
            }
            for region, before in plan.before.items()
        },
        "emptied": list(plan.emptied),
    }
