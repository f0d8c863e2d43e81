"""Hypothesis strategies for image versions as a gallery may describe them."""

from collections.abc import Sequence

from hypothesis import strategies as st

from shared.domain.facts import (
    ProvisioningState,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    VersionFacts,
)
from shared.domain.image import VersionNumber
from tests.unit.domain.version_facts import DEFINITION

REGIONS: tuple[str, ...] = ("westeurope", "northeurope", "eastus", "westus2", "brazilsouth")
numbers = st.builds(VersionNumber, st.integers(0, 2), st.integers(0, 3), st.integers(0, 3))
kept = st.sampled_from([{}, {"encryption": {"osDiskImage": {"diskEncryptionSetId": "d"}}}, {"x-new": [1]}])
region_subsets = st.lists(st.sampled_from(REGIONS), unique=True, min_size=1)


@st.composite
def targets(draw: st.DrawFn, regions: Sequence[str]) -> tuple[RegionTargetFacts, ...]:
    return tuple(
        RegionTargetFacts(
            region,
            draw(st.integers(1, 5)),
            draw(st.sampled_from(["Standard_LRS", "Standard_ZRS", "Premium_LRS"])),
            draw(st.sampled_from([None, True, False])),
            draw(kept),
        )
        for region in regions
    )


@st.composite
def replications(draw: st.DrawFn) -> ReplicationFacts | None:
    if not draw(st.booleans()):
        return None
    reported = draw(st.lists(st.sampled_from(REGIONS), unique=True))
    states = {
        region: RegionReplication(draw(st.sampled_from(list(RegionState))), draw(st.integers(0, 100)))
        for region in reported
    }
    return ReplicationFacts(states)


@st.composite
def versions_of(draw: st.DrawFn, number: VersionNumber) -> VersionFacts:
    regions = draw(region_subsets)
    state = draw(st.sampled_from([*ProvisioningState, *[ProvisioningState.SUCCEEDED] * 10]))
    return VersionFacts(
        DEFINITION.version(number),
        state,
        regions[0],
        targets=draw(targets(regions)),
        excluded=draw(st.booleans()),
        replication=draw(replications()),
    )


@st.composite
def definitions(draw: st.DrawFn) -> list[VersionFacts]:
    """Every version of a definition, in any order."""
    return [draw(versions_of(number)) for number in draw(st.lists(numbers, unique=True, min_size=1, max_size=6))]
