"""What a revocation would do: which definitions it writes, and what ``latest`` is then. Asks; writes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain.hop_states import latest_change
from shared.domain.image import VersionId
from shared.domain.lifecycle import unreleased
from shared.domain.release import Release
from shared.domain.revocation import RevokePlan, plan_revocation
from shared.gallery.incarnation import incarnation_of
from shared.gallery.revocation_scope import definitions_of, released_version
from shared.ports import World


async def revocation_plan(version: VersionId, world: World, *, now: datetime) -> dict[str, Any] | None:
    """Return the plan by definition and region; None when the policy does not cover the version.

    ``state`` is None for a version without a release, and ``galleries`` is empty for one that does not exist.
    """
    policy = world.policy.covering(version)
    if policy is None:
        return None
    stored = await world.ledger.read(version)
    release = stored.release if stored else unreleased(version, policy, now)
    release = await _with_incarnation(release, world)
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
    emptied = [f"{region} of {each['gallery']}" for each in galleries for region in each["emptied"]]
    return {
        "version": str(version),
        "state": stored.release.state.value if stored else None,
        "galleries": galleries,
        "leavesEmpty": emptied,
        "allowedToLeaveEmpty": policy.scan.revoke_to_empty,
    }


async def _with_incarnation(release: Release, world: World) -> Release:
    """The row, or what a revocation of a version without one would begin with."""
    if release.incarnation is not None:
        return release
    facts = await world.galleries.version(release.version)
    return replace(release, incarnation=incarnation_of(facts) if facts else None)


def _plan(plan: RevokePlan) -> dict[str, Any]:
    return {
        "changes": plan.changes,
        "latest": latest_change(plan.before, plan.after),
        "emptied": list(plan.emptied),
    }
