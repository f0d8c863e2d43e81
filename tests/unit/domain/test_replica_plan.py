"""Replica counts by the documented guidance."""

from datetime import date
from typing import Any

import pytest

from shared.domain.fleet import Fleet, Prices
from shared.domain.image import DefinitionId, GalleryId
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring, ScanRules
from shared.domain.replica_plan import cost_notes, monthly_cost, plan_replicas, replica_notes, replicas_for

SOURCE = DefinitionId(GalleryId("00000000-0000-4000-8000-000000000001", "rg", "gal"), "ubuntu")
PRICES = Prices(date(2026, 11, 1), "EUR", {"Standard_LRS": 0.05})


def ring(fleet: Fleet | None, *regions: RegionTarget) -> Ring:
    return Ring("production", SOURCE, regions or (RegionTarget("westeurope", 3),), fleet=fleet)


def policy(*rings: Ring) -> DefinitionPolicy:
    return DefinitionPolicy("ubuntu", SOURCE, rings, ScanRules({}), digest="d")


@pytest.mark.parametrize(
    ("fleet", "count"),
    [
        (Fleet(), 3),
        (Fleet(machines=120, headroom_percent=0), 6),
        (Fleet(machines=121, headroom_percent=0), 7),
        (Fleet(scale_sets=(600,) * 5, headroom_percent=0), 5),
        (Fleet(scale_sets=(601,) * 5, headroom_percent=0), 10),
        (Fleet(machines=100, scale_sets=(10,), headroom_percent=0), 6),
        (Fleet(machines=200), 12),
        (Fleet(machines=200, headroom_percent=10), 11),
    ],
)
def test_a_fleet_needs_a_replica_for_each_twenty_machines_and_each_scale_set(fleet: Fleet, count: int) -> None:
    assert replicas_for(fleet) == count


def test_a_ring_without_a_fleet_has_no_plan() -> None:
    assert plan_replicas(ring(None)) is None
    assert replica_notes(policy(ring(None))) == []


def test_regions_with_too_few_replicas_are_named() -> None:
    planned = ring(Fleet(machines=120), RegionTarget("westeurope", 8), RegionTarget("eastus", 3))
    (note,) = replica_notes(policy(planned))
    assert note == "the fleet of production needs 8 replicas in each region: eastus has 3"


def test_a_fleet_above_the_limit_of_a_region_is_said_to_be_too_large() -> None:
    notes = replica_notes(policy(ring(Fleet(machines=2000), RegionTarget("westeurope", 50))))
    assert notes == [
        "the fleet of production needs 120 replicas in a region, and Azure allows 50: create fewer machines at the "
        "same time"
    ]


@pytest.mark.parametrize(("storage", "cost"), [("Standard_LRS", 4.5), ("Standard_ZRS", None)])
def test_replicas_cost_what_the_image_occupies(storage: str, cost: Any) -> None:
    assert monthly_cost(ring(None, RegionTarget("westeurope", 3, storage)), PRICES, 30) == cost


def test_a_cost_names_the_day_of_its_prices() -> None:
    (note,) = cost_notes(policy(ring(Fleet(image_gb=30))), PRICES)
    assert note == "replicas of one version in production: 4.50 EUR a month (prices of 2026-11-01)"
