"""`simulated`: how many releases per second the seeded simulation runs, with all laws checked at every step.

It uses one process on one CPU. The simulation itself can run in several processes.
"""

from __future__ import annotations

import time
from typing import Final

from local.bench.figures import Figure
from local.simulation.silenced_logging import silenced_logging
from local.simulation.simulator import simulate

BOUND: Final = 500.0
SECONDS: Final = 8.0


def measure(seconds: float = SECONDS) -> Figure:
    """The figure, over as many seeds as fit into about ``seconds`` seconds."""
    with silenced_logging():
        return _measured(seconds)


def _measured(seconds: float) -> Figure:
    simulate("0")  # fill imports and caches before measuring
    releases = steps = runs = seeds = 0
    broken: list[str] = []
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        seeds += 1
        result = simulate(str(seeds))
        releases += sum(result.states.values())
        steps, runs = steps + result.steps, runs + result.invocations
        if result.violations:
            broken.append(result.seed)
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    return Figure(
        value=releases / spent,
        relation=">=",
        bound=BOUND,
        unit="releases a second of CPU",
        within=not broken,
        parts={
            "seeds": seeds,
            "releases": releases,
            "steps": steps,
            "function_runs": runs,
            "function_runs_a_cpu_second": runs / spent,
            "seconds": took,
            "cpu_seconds": spent,
            "seeds_that_broke_a_law": broken,
        },
    )
