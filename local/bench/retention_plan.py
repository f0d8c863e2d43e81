"""`retention`: the CPU time of the retention report for 10,000 versions of one definition.

The report considers only versions. It does not look at the machines that use them, so the 100,000 machines of the
target are not part of the measurement, and the result says so.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from local.bench.figures import Figure
from local.bench.memory_run import BUILD, HOME
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionNumber
from shared.domain.policy import RetentionRules
from shared.domain.retention import judge_retention

BOUND: Final = 2.0
VERSIONS: Final = 10_000
REGIONS: Final = (HOME, "northeurope", "eastus", "westus2", "eastus2", "southeastasia")
NOW: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)


def measure(versions: int = VERSIONS) -> Figure:
    """The figure."""
    facts = _versions(versions)
    began = time.process_time()
    judged = judge_retention(facts, RetentionRules(), NOW)
    seconds = time.process_time() - began
    return Figure(
        value=seconds,
        relation="<",
        bound=BOUND,
        unit="CPU seconds",
        parts={
            "versions": versions,
            "regions": len(REGIONS),
            "candidates": sum(not each.kept for each in judged),
            "machines": 0,
        },
        notes=("versions only: the retention report does not look at machines yet, so it includes 0 of the 100,000",),
    )


def _versions(count: int) -> list[VersionFacts]:
    definition = DefinitionId(GalleryId(BUILD, "rg-images", "gal_build"), "ubuntu")
    return [
        VersionFacts(
            definition.version(VersionNumber(1, index // 100, index % 100)),
            ProvisioningState.SUCCEEDED,
            HOME,
            published_at=NOW - timedelta(hours=count - index),
            # Every other version was published everywhere; the others only in their first ring.
            targets=tuple(RegionTargetFacts(region, excluded=index % 2 == 1) for region in REGIONS),
            os_disk_gb=30,
        )
        for index in range(count)
    ]
