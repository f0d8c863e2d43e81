"""A pool of worker processes that runs many seeds, one process per processor."""

from __future__ import annotations

import functools
import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final, NoReturn

from local.simulation.modes import Modes
from local.simulation.scheduler import OutOfTime
from local.simulation.simulator import NO_MUTANT, Mutant, Result, Simulator

CHUNK: Final = 10
"""Seeds that one process runs before it asks for more."""
PATIENCE: Final = 120.0
"""Seconds of real time for one seed, which usually takes a fraction of one."""


def simulate_within(
    seed: str,
    releases: int,
    *,
    modes: Modes,
    seconds: float = PATIENCE,
    mutant: Mutant = NO_MUTANT,
    record_history: bool = False,
) -> Result:
    """Run a seed. One that is not done within a time is broken off, and its result says so. For the main thread."""
    simulator = Simulator(seed, releases, modes=modes, mutant=mutant, record_history=record_history)

    def stop(*_: object) -> NoReturn:
        raise OutOfTime

    former = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return simulator.run()
    except OutOfTime:
        simulator.hangs(f"no end within {seconds:g} s of real time")
        return simulator.result
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def simulate_all(seeds: Sequence[str], releases: int, *, modes: Modes | None = None, jobs: int) -> Iterator[Result]:
    """Every seed's result, in the order of the seeds, however many processes run them. ``modes`` None: each its own."""
    run = functools.partial(_simulated, releases=releases, modes=modes)
    if jobs == 1 or len(seeds) < 2 * CHUNK:
        yield from map(run, seeds)
        return
    # Forked processes would inherit locks that threads of this process hold.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_initialize) as pool:
        yield from pool.map(run, seeds, chunksize=CHUNK)


def _simulated(seed: str, releases: int, modes: Modes | None) -> Result:
    return simulate_within(seed, releases, modes=modes or Modes.of(seed))


def _initialize() -> None:
    logging.disable(logging.CRITICAL)
    # The parent process handles the interrupt and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
