"""A short run of chaos on the real stack: nothing is lost, nothing wrong is promoted, nothing is left behind.

Two hosts with clocks apart, and outages of storage, take minutes: ``make chaos HOSTS=2 SKEW=0.75 OUTAGE=2``.
"""

from pathlib import Path

import pytest

from local.chaos.plan import scheme
from local.chaos.run import unleash

RELEASES, KILLS, SEED = 8, 3, 1


@pytest.mark.stack
async def test_the_laws_hold_while_the_host_is_killed(tmp_path: Path) -> None:
    drawn = scheme(RELEASES, KILLS, SEED, pause=(3.0, 6.0))
    told: list[str] = []
    result = await unleash(tmp_path, drawn, speed=240.0, seed=SEED, patience=240.0, tell=told.append)
    assert result.holds, (result, told)
    assert (result.versions, result.kills, result.storage_restarts) == (RELEASES, KILLS, 1)
    assert sum(result.ended.values()) == RELEASES
