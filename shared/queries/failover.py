"""What a failover of a definition's consumers to its standing twins needs. Asks; writes nothing."""

from __future__ import annotations

from typing import Any

from shared.domain.drift import Standing
from shared.domain.failover import FailoverPlan, plan_failover
from shared.domain.policy import DefinitionPolicy
from shared.gallery.revocation_scope import definitions_of
from shared.ports import World
from shared.queries.latest import regions_of, versions_with_candidates


async def failover_plan(policy: DefinitionPolicy, world: World) -> dict[str, Any]:
    """Return the plan of each standing twin. ``twins`` is empty where the policy declares none."""
    releases = [each async for each in world.ledger.summaries(policy.source)]
    published = Standing.of(policy, releases).published
    kept = {ring: numbers[: policy.retention.keep] for ring, numbers in published.items()}
    versions = {
        definition: await versions_with_candidates(definition, regions_of(policy, definition), world)
        for definition in definitions_of(policy)
    }
    return {"name": policy.name, "twins": [_twin(each) for each in plan_failover(policy, versions, kept)]}


def _twin(plan: FailoverPlan) -> dict[str, Any]:
    return {
        "ring": plan.ring,
        "complete": not plan.missing,
        "pointTo": str(plan.point_to),
        "insteadOf": [str(each) for each in plan.instead_of],
        "regions": list(plan.regions),
        "version": None if plan.version is None else str(plan.version),
        "missing": list(plan.missing),
    }
