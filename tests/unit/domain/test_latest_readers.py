"""What consumers take for the latest version, and where they differ."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.facts import (
    ProvisioningState,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    VersionFacts,
)
from shared.domain.image import DefinitionId, GalleryId, VersionNumber
from shared.domain.latest_readers import latest_readers, overtaken_by_date, why_not_latest

DEFINITION = DefinitionId(GalleryId("00000000-0000-4000-8000-000000000001", "rg", "gal"), "ubuntu")
DAY = datetime(2026, 3, 2, tzinfo=UTC)
WEST = "westeurope"


def version(number: str, day: int, *, excluded: bool = False, own: bool = False, regions: str = WEST) -> VersionFacts:
    return VersionFacts(
        DEFINITION.version(VersionNumber.parse(number)),
        ProvisioningState.SUCCEEDED,
        WEST,
        targets=tuple(RegionTargetFacts(region, excluded=excluded) for region in regions.split()),
        excluded=own,
        published_at=DAY + timedelta(days=day),
    )


def test_readers_that_agree_are_not_warned_of() -> None:
    found = latest_readers([version("1.0.0", 1), version("1.1.0", 2)], [WEST])
    assert (str(found.regions[WEST]), str(found.newest), found.warnings) == ("1.1.0", "1.1.0", ())


def test_a_backport_is_the_newest_by_date_and_not_the_latest() -> None:
    found = latest_readers([version("1.0.1", 3), version("2.0.0", 2)], [WEST])
    assert (str(found.regions[WEST]), str(found.newest), str(found.highest)) == ("2.0.0", "1.0.1", "2.0.0")
    (warning,) = found.warnings
    assert warning == (
        "consumers that go by the newest published date take 1.0.1; in westeurope ARM takes 2.0.0, because 2.0.0 is "
        "higher"
    )


def test_a_version_under_way_is_what_tools_take_that_ignore_the_flags() -> None:
    found = latest_readers([version("1.0.0", 1), version("1.1.0", 2, excluded=True, own=True)], [WEST])
    assert (str(found.newest), str(found.highest), str(found.own_flag)) == ("1.1.0", "1.1.0", "1.0.0")
    assert all("because it is excluded from latest there" in each for each in found.warnings)


def test_a_version_that_is_visible_in_one_region_alone_is_hidden_by_its_own_flag() -> None:
    found = latest_readers([version("1.0.0", 1, own=True)], [WEST])
    assert (str(found.regions[WEST]), found.own_flag) == ("1.0.0", None)
    assert found.warnings == ("consumers that go by the version's own flag find no version",)


def test_regions_that_differ_alike_are_told_together() -> None:
    older = version("1.0.0", 1, regions="westeurope northeurope")
    newer = version("1.1.0", 2, regions="westeurope northeurope", excluded=True)
    found = latest_readers([older, newer], ["westeurope", "northeurope"])
    assert "in westeurope, northeurope ARM takes 1.0.0" in found.warnings[0]


def test_no_version_at_all_is_nothing_for_everybody() -> None:
    found = latest_readers([], [WEST])
    assert (found.regions, found.newest, found.highest, found.warnings) == ({WEST: None}, None, None, ())


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (version("1.0.0", 1, regions="northeurope"), "it has no replica there"),
        (version("1.0.0", 1, excluded=True), "it is excluded from latest there"),
        (replace(version("1.0.0", 1), targets=(RegionTargetFacts(WEST),), excluded=True), "as a whole"),
        (replace(version("1.0.0", 1), provisioning_state=ProvisioningState.FAILED), "state is Failed"),
        (replace(version("1.0.0", 1), replication=ReplicationFacts({})), "not reported"),
        (
            replace(
                version("1.0.0", 1),
                replication=ReplicationFacts({WEST: RegionReplication(RegionState.REPLICATING, 5)}),
            ),
            "its replication there is Replicating",
        ),
    ],
)
def test_the_reason_is_the_predictors(facts: VersionFacts, why: str) -> None:
    assert why in why_not_latest(facts, WEST)


def test_a_lower_number_that_was_built_later_overtakes_by_date_only_while_it_is_visible() -> None:
    published = version("2.0.0", 2)
    assert str(overtaken_by_date([published, version("1.0.1", 3)], published)) == "1.0.1"
    assert overtaken_by_date([published, version("1.0.1", 3, excluded=True)], published) is None
