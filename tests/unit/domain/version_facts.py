"""Short ways to say what an image version looks like."""

from collections.abc import Mapping
from typing import Any

from shared.domain.facts import (
    ProvisioningState,
    RegionReplication,
    RegionState,
    RegionTargetFacts,
    ReplicationFacts,
    VersionFacts,
)
from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber

GALLERY = GalleryId("00000000-0000-0000-0000-000000000001", "images", "golden")
DEFINITION = DefinitionId(GALLERY, "ubuntu")


def number(text: str) -> VersionNumber:
    return VersionNumber.parse(text)


def version_id(text: str) -> VersionId:
    return DEFINITION.version(number(text))


def target(region: str, excluded: bool | None = None, replicas: int = 1, **more: Any) -> RegionTargetFacts:
    return RegionTargetFacts(region, replicas, excluded=excluded, **more)


def replicated(states: Mapping[str, RegionState], details: str = "") -> ReplicationFacts:
    return ReplicationFacts(
        {
            region: RegionReplication(
                state,
                100 if state is RegionState.COMPLETED else 40,
                details if state is RegionState.FAILED else "",
            )
            for region, state in states.items()
        },
    )


def version(
    text: str,
    *targets: RegionTargetFacts,
    excluded: bool = False,
    state: ProvisioningState = ProvisioningState.SUCCEEDED,
    location: str = "westeurope",
    replication: ReplicationFacts | None = None,
) -> VersionFacts:
    return VersionFacts(version_id(text), state, location, targets=targets, excluded=excluded, replication=replication)
