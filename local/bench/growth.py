"""`growth`: the CPU time for 2N parallel releases, divided by that for N. No step of a release may depend on all other
releases.

It uses the memory adapters and a virtual clock, and every release passes all three rings. The best of several rounds
counts for both, because other load can only add time.
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
    run(5)  # fill imports and caches before measuring
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
