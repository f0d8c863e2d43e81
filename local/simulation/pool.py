"""Many seeds in as many processes as the machine has processors."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from local.simulation.simulator import Outcome, simulate

CHUNK: Final = 10
"""Seeds that one process plays before it asks for more."""


def outcomes(seeds: Sequence[str], releases: int, *, jobs: int) -> Iterator[Outcome]:
    """Every seed's outcome, in the order of the seeds, however many processes play them."""
    play = functools.partial(simulate, releases=releases)
    if jobs == 1 or len(seeds) < 2 * CHUNK:
        yield from map(play, seeds)
        return
    # Forked processes would inherit locks of threads that they don't have.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_in_silence) as pool:
        yield from pool.map(play, seeds, chunksize=CHUNK)


def _in_silence() -> None:
    logging.disable(logging.CRITICAL)
    # An interrupt is for the process that shows the numbers; it ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
