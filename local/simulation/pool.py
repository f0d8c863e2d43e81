"""A pool of worker processes that runs many seeds, one process per processor."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from local.simulation.simulator import Result, simulate

CHUNK: Final = 10
"""Seeds that one process runs before it asks for more."""


def simulate_all(seeds: Sequence[str], releases: int, *, jobs: int) -> Iterator[Result]:
    """Every seed's result, in the order of the seeds, however many processes run them."""
    run = functools.partial(simulate, releases=releases)
    if jobs == 1 or len(seeds) < 2 * CHUNK:
        yield from map(run, seeds)
        return
    # Forked processes would inherit locks that threads of this process hold.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_initialize) as pool:
        yield from pool.map(run, seeds, chunksize=CHUNK)


def _initialize() -> None:
    logging.disable(logging.CRITICAL)
    # The parent process handles the interrupt and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
