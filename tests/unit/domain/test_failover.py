"""Whether a standing twin can take over."""

from shared.domain.facts import (
    ProvisioningState,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    VersionFacts,
)
from shared.domain.failover import FailoverPlan, plan_failover
from shared.domain.image import DefinitionId, GalleryId, VersionNumber
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring, ScanRules

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
SOURCE = DefinitionId(GalleryId(SUBSCRIPTION, "rg", "gal"), "ubuntu")
TWIN = DefinitionId(GalleryId(SUBSCRIPTION, "rg-dr", "gal_dr"), "ubuntu")
ACTIVE = Ring("production", SOURCE, (RegionTarget("westeurope"),))
STANDBY = Ring("twin", TWIN, (RegionTarget("northeurope"), RegionTarget("swedencentral")), standby=True)
ONE, TWO = VersionNumber(1, 0, 0), VersionNumber(1, 1, 0)


def version(number: VersionNumber, *, failed: str = "", hidden: str = "") -> VersionFacts:
    states = {
        region: RegionReplication(RegionState.FAILED if region == failed else RegionState.COMPLETED)
        for region in STANDBY.region_names
    }
    targets = tuple(RegionTargetFacts(region, excluded=region == hidden) for region in STANDBY.region_names)
    return VersionFacts(
        TWIN.version(number),
        ProvisioningState.SUCCEEDED,
        "northeurope",
        targets=targets,
        replication=ReplicationFacts(states),
    )


def plan(*there: VersionFacts, twin: Ring = STANDBY, active: int = 1, proven: int = 1) -> FailoverPlan:
    policy = DefinitionPolicy("ubuntu", SOURCE, (ACTIVE, twin), ScanRules({}), digest="d")
    numbers = (TWO, ONE)
    published = {"production": numbers[1 - active :], "twin": numbers[1 - proven :]}
    (found,) = plan_failover(policy, {TWIN: there}, published)
    return found


def test_a_twin_with_everything_is_complete_and_names_where_to_point() -> None:
    found = plan(version(ONE), version(TWO))
    assert (found.missing, found.point_to, found.instead_of, found.version) == ((), TWIN, (SOURCE,), TWO)


def test_a_twin_that_lags_behind_is_not_complete() -> None:
    found = plan(version(ONE), proven=0)
    assert "1.1.0 is not published in twin: the ledger has no proof of it there" in found.missing
    assert "latest in northeurope is 1.0.0, not 1.1.0" in found.missing


def test_a_region_without_its_replica_is_named() -> None:
    found = plan(version(ONE), version(TWO, failed="swedencentral"))
    assert "1.1.0 is not replicated in swedencentral" in found.missing
    assert found.version is None


def test_a_version_that_is_hidden_in_one_region_is_named() -> None:
    assert plan(version(ONE), version(TWO, hidden="northeurope")).missing == (
        "latest in northeurope is 1.0.0, not 1.1.0",
    )


def test_a_version_that_consumers_may_have_pinned_is_missed() -> None:
    assert plan(version(TWO)).missing == ("1.0.0, which consumers may have pinned, is not there",)


def test_a_twin_in_the_gallery_of_the_active_rings_is_no_twin() -> None:
    same = Ring("twin", SOURCE, STANDBY.regions, standby=True)
    assert "twin has no gallery of its own: it is lost together with the active rings" in plan(twin=same).missing
