"""A short run of chaos on the real stack: nothing is lost, nothing wrong is promoted, nothing is left behind."""

from pathlib import Path

import pytest

from local.chaos.plan import scheme
from local.chaos.run import unleash

RELEASES, KILLS, OUTAGES, SEED, SPEED = 6, 2, 1, 1, 240.0
SKEW = 90 / SPEED
"""Real seconds between the clocks of two hosts: as far apart as the simulation lets clocks be in Azure's time."""


@pytest.mark.stack
async def test_the_laws_hold_on_two_hosts_that_are_killed_while_storage_goes_away(tmp_path: Path) -> None:
    drawn = scheme(RELEASES, KILLS, SEED, pause=(3.0, 6.0), hosts=2, outages=OUTAGES)
    told: list[str] = []
    result = await unleash(
        tmp_path, drawn, speed=SPEED, seed=SEED, patience=240.0, tell=told.append, hosts=2, skew=SKEW
    )
    assert result.holds, (result, told)
    assert (result.versions, result.kills, result.outages) == (RELEASES, KILLS, OUTAGES)
    assert sum(result.ended.values()) == RELEASES
