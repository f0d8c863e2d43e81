"""The simulation can fail: with each protection switched off, it finds a broken law."""

import pytest

from local.simulation.mutants import MUTANTS
from local.simulation.simulator import simulate

BUDGET = 120
"""Seeds for each mutant."""


@pytest.mark.parametrize("protection", MUTANTS)
def test_the_simulation_detects_a_protection_that_is_switched_off(protection: str) -> None:
    for seed in map(str, range(1, BUDGET + 1)):
        if simulate(seed, mutation=MUTANTS[protection]()).violations:
            return
    pytest.fail(f"no law was broken in {BUDGET} seeds without the {protection}")
