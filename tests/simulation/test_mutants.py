"""The simulation can fail: each protection is switched off once, and a broken law must be found."""

import pytest

from local.simulation.mutants import MUTANTS
from local.simulation.simulator import simulate

BUDGET = 120
"""Seeds for each mutant."""


@pytest.mark.parametrize("protection", MUTANTS)
def test_the_simulation_misses_what_is_switched_off(protection: str) -> None:
    for seed in map(str, range(1, BUDGET + 1)):
        if simulate(seed, mutation=MUTANTS[protection]()).violations:
            return
    pytest.fail(f"no law was broken in {BUDGET} seeds without the {protection}")
