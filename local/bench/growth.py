"""`growth`: processor time for 2N releases at once, divided by that for N: nothing in the way of a release may look at
all the others.

Measured over the memory adapters on a virtual clock, every release through all three rings. The best of several rounds
counts on either side: what else the machine does only ever adds.
"""

from __future__ import annotations

import gc

from local.bench.figures import Figure
from local.bench.memory_run import MemoryRun, run

BOUND = 2.1
RELEASES = 25
ROUNDS = 3


def measure(releases: int = RELEASES, rounds: int = ROUNDS) -> Figure:
    """The figure. ``releases`` is N."""
    run(5)  # imports and caches belong to neither side
    small: list[MemoryRun] = []
    large: list[MemoryRun] = []
    for _ in range(rounds):
        small.append(_clean_run(releases))
        large.append(_clean_run(2 * releases))
    least, most = min(each.seconds for each in small), min(each.seconds for each in large)
    return Figure(
        value=most / least,
        relation="<=",
        bound=BOUND,
        unit="ratio",
        parts={
            "releases": [releases, 2 * releases],
            "cpu_seconds": [least, most],
            "hops": [small[0].hops, large[0].hops],
            "virtual_hours": [each.virtual.total_seconds() / 3600 for each in (small[0], large[0])],
        },
        notes=("memory adapters on a virtual clock, one worker, three rings; best of the rounds on either side",),
    )


def _clean_run(releases: int) -> MemoryRun:
    gc.collect()
    return run(releases)
