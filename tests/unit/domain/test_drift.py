"""Which differences are drift, and which are not."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.drift import (
    REPAIRS_A_DAY,
    Expected,
    Standing,
    find_drift,
    may_have_drifted,
    repairs_left,
    ring_to_repair,
)
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionNumber
from shared.domain.policy import DefinitionPolicy, RegionTarget, Ring, ScanRules
from shared.domain.release import DriftKind, DriftRecord, State
from shared.domain.release_summary import ReleaseSummary

SOURCE = DefinitionId(GalleryId("00000000-0000-4000-8000-000000000001", "rg", "gal"), "ubuntu")
RING = Ring("canary", SOURCE, (RegionTarget("westeurope", 3, "Standard_ZRS"), RegionTarget("eastus")))
POLICY = DefinitionPolicy("ubuntu", SOURCE, (RING,), ScanRules({}), digest="p1")
ONE, TWO = VersionNumber(1, 0, 0), VersionNumber(2, 0, 0)
WEST = RegionTargetFacts("westeurope", 3, "Standard_ZRS", excluded=False)
EAST = RegionTargetFacts("eastus", 1, excluded=False)


def version(*targets: RegionTargetFacts, number: VersionNumber = ONE, busy: bool = False) -> VersionFacts:
    state = ProvisioningState.UPDATING if busy else ProvisioningState.SUCCEEDED
    return VersionFacts(SOURCE.version(number), state, "westeurope", targets=targets)


def summary(number: VersionNumber, *published: str, state: State = State.RELEASED, settled: bool = True):
    return ReleaseSummary(SOURCE.version(number), state, settled, False, "i1", published)


def found(*versions: VersionFacts, is_same: bool = True, releases: tuple[ReleaseSummary, ...] = ()):
    standing = Standing.of(POLICY, releases or (summary(ONE, "canary"),))
    expected = Expected(ONE, {"canary": RING.region_names}, is_same)
    return find_drift(expected, POLICY, standing, {SOURCE: versions})


def test_what_is_as_it_was_published_is_no_drift() -> None:
    assert found(version(WEST, EAST)) == ()


def test_more_replicas_than_published_are_no_drift() -> None:
    more = RegionTargetFacts("eastus", 9, excluded=False)
    assert found(version(WEST, more)) == ()


@pytest.mark.parametrize(
    ("targets", "kind", "region"),
    [
        ((WEST,), DriftKind.REGION_REMOVED, "eastus"),
        ((WEST, RegionTargetFacts("eastus", excluded=True)), DriftKind.HIDDEN, "eastus"),
        (
            (RegionTargetFacts("westeurope", 2, "Standard_ZRS", excluded=False), EAST),
            DriftKind.REPLICAS_LOWERED,
            "westeurope",
        ),
        ((RegionTargetFacts("westeurope", 3, excluded=False), EAST), DriftKind.STORAGE_CHANGED, "westeurope"),
    ],
)
def test_each_difference_is_named_with_its_region(
    targets: tuple[RegionTargetFacts, ...], kind: DriftKind, region: str
) -> None:
    (finding,) = found(version(*targets))
    assert (finding.kind, finding.region, finding.repairable) == (kind, region, kind is not DriftKind.STORAGE_CHANGED)


def test_another_policy_may_want_other_counts() -> None:
    few = RegionTargetFacts("westeurope", 1, excluded=False)
    assert found(version(few, EAST), is_same=False) == ()


def test_a_version_that_is_being_written_is_compared_later() -> None:
    assert found(version(WEST, busy=True)) == ()


def test_an_older_version_is_reported_and_not_repaired() -> None:
    releases = (summary(ONE, "canary"), summary(TWO, "canary"))
    findings = found(version(WEST), version(WEST, EAST, number=TWO), releases=releases)
    assert [(each.kind, each.repairable) for each in findings] == [(DriftKind.REGION_REMOVED, False)]
    assert ring_to_repair(findings) is None


@pytest.mark.parametrize("settled", [True, False])
def test_a_higher_number_is_foreign_unless_its_release_is_under_way(settled: bool) -> None:
    other = version(WEST, EAST, number=TWO)
    releases = (summary(ONE, "canary"), summary(TWO, state=State.REJECTED, settled=settled))
    kinds = {each.kind for each in found(version(WEST, EAST), other, releases=releases)}
    assert kinds == ({DriftKind.FOREIGN_LATEST} if settled else set())


def test_a_row_is_read_only_for_what_seems_to_differ() -> None:
    release = summary(ONE, "canary")
    standing = Standing.of(POLICY, [release])
    assert not may_have_drifted(release, POLICY, standing, {SOURCE: (version(WEST, EAST),)})
    assert may_have_drifted(release, POLICY, standing, {SOURCE: (version(WEST),)})


@pytest.mark.parametrize("state", [State.REVOKED, State.REJECTED])
def test_what_was_taken_back_has_no_drift(state: State) -> None:
    release = summary(ONE, "canary", state=state)
    assert not may_have_drifted(release, POLICY, Standing.of(POLICY, [release]), {SOURCE: (version(WEST),)})


def test_repairs_are_counted_for_a_day() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)
    record = DriftRecord(now, repairs=(now - timedelta(hours=25), now - timedelta(hours=23)))
    assert (repairs_left(record, now), repairs_left(None, now)) == (REPAIRS_A_DAY - 1, REPAIRS_A_DAY)
