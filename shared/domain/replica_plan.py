"""Replica counts for a declared fleet, and what they cost.

Microsoft's guidance ("Store and share resources in an Azure Compute Gallery", Scaling): one replica for every 20
machines that are created at the same time, and one for each scale set that is; earlier editions say one for each scale
set of up to 600 instances. Production images should have three, and more than computed, because image size and content
matter. A region has at most 50 replicas of a version, and a version at most 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from shared.domain.fleet import Fleet, Prices
from shared.domain.policy import DefinitionPolicy, Ring

MACHINES_PER_REPLICA: Final = 20
INSTANCES_PER_REPLICA: Final = 600
FLOOR: Final = 3
MOST_IN_A_REGION: Final = 50


@dataclass(frozen=True, slots=True)
class ReplicaPlan:
    """The replicas of a ring in each of its regions."""

    needed: int
    """By the guidance, with headroom and floor."""
    limited: bool
    """Whether the limit of a region is lower than that."""
    short: Mapping[str, int]
    """Regions with fewer replicas than ``needed``, with their count."""

    @property
    def count(self) -> int:
        """The replicas that a region should have."""
        return min(self.needed, MOST_IN_A_REGION)


def replicas_for(fleet: Fleet) -> int:
    """The replicas in a region for what is created there at the same time, whatever the limits are."""
    machines = ceil(fleet.machines / MACHINES_PER_REPLICA)
    scale_sets = sum(max(1, ceil(instances / INSTANCES_PER_REPLICA)) for instances in fleet.scale_sets)
    # In hundredths, because 1.1 * 10 is more than 11.
    return max(FLOOR, -(-(machines + scale_sets) * (100 + fleet.headroom_percent) // 100))


def plan_replicas(ring: Ring) -> ReplicaPlan | None:
    """The plan of a ring; None where the policy declares no fleet."""
    if ring.fleet is None:
        return None
    needed = replicas_for(ring.fleet)
    count = min(needed, MOST_IN_A_REGION)
    short = {region.name: region.replicas for region in ring.regions if region.replicas < count}
    return ReplicaPlan(needed, needed > MOST_IN_A_REGION, short)


def monthly_cost(ring: Ring, prices: Prices, image_gb: float) -> float | None:
    """What a version's replicas in a ring cost in a month; None where a price is not known.

    A replica is charged like a snapshot, by the size that is occupied (same page, Billing). Traffic comes on top, once.
    """
    if any(region.storage not in prices.per_gb_month for region in ring.regions):
        return None
    return sum(region.replicas * image_gb * prices.per_gb_month[region.storage] for region in ring.regions)


def replica_notes(policy: DefinitionPolicy) -> list[str]:
    """What people should know of a definition's replica counts, one line each."""
    notes: list[str] = []
    for ring in policy.rings:
        plan = plan_replicas(ring)
        if plan is None:
            continue
        if plan.limited:
            notes.append(
                f"the fleet of {ring.name} needs {plan.needed} replicas in a region, and Azure allows "
                f"{MOST_IN_A_REGION}: create fewer machines at the same time"
            )
        if plan.short:
            has = ", ".join(f"{region} has {count}" for region, count in plan.short.items())
            notes.append(f"the fleet of {ring.name} needs {plan.count} replicas in each region: {has}")
    return notes


def cost_notes(policy: DefinitionPolicy, prices: Prices | None) -> list[str]:
    """What a version's replicas cost in each ring with a fleet, by the prices of the policy."""
    if prices is None:
        return []
    notes: list[str] = []
    for ring in policy.rings:
        if ring.fleet is None or ring.fleet.image_gb is None:
            continue
        cost = monthly_cost(ring, prices, ring.fleet.image_gb)
        amount = "unknown: a price is missing" if cost is None else f"{cost:.2f} {prices.currency} a month"
        notes.append(f"replicas of one version in {ring.name}: {amount} (prices of {prices.as_of:%Y-%m-%d})")
    return notes
