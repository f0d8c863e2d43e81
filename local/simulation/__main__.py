"""``python -m local.simulation``: run seeds, check the laws, print totals and every seed that broke a law."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from typing import Final

from local.simulation.modes import Modes
from local.simulation.pool import simulate_all, simulate_within
from local.simulation.silenced_logging import silenced_logging
from local.simulation.simulator import Result

LAST_LINES: Final = 400
"""How many lines of a broken run's history are printed."""


_NAMES: Final = tuple(each.name for each in fields(Modes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds that the arguments name. The exit code is 1 when a law was broken."""
    options = _options().parse_args(arguments)
    with silenced_logging():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    totals = Totals()
    if options.seed is not None:
        modes = options.modes or Modes.of(options.seed)
        totals.add(simulate_within(options.seed, options.releases, modes=modes))
        if options.history or totals.broken:
            again = simulate_within(options.seed, options.releases, modes=modes, record_history=True)
            print(report(again, whole=options.history) if totals.broken else "\n".join(again.history))
    else:
        seeds = [str(seed) for seed in range(options.first, options.first + options.seeds)]
        for result in simulate_all(seeds, options.releases, modes=options.modes, jobs=options.jobs):
            totals.add(result)
            if result.violations:
                again = simulate_within(result.seed, result.releases, modes=result.modes, record_history=True)
                print(report(again, whole=options.history), flush=True)
    print(totals.summary())
    return 1 if totals.broken else 0


class Totals:
    """Totals over all runs."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.seeds = self.releases = self.steps = self.invocations = 0
        self.faults: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.broken: list[str] = []

    def add(self, result: Result) -> None:
        """Add one run."""
        self.seeds += 1
        self.releases += sum(result.states.values())
        self.steps += result.steps
        self.invocations += result.invocations
        self.faults += result.faults
        self.states += result.states
        if result.violations:
            self.broken.append(result.seed)

    def summary(self) -> str:
        """The totals as text."""
        took = max(time.monotonic() - self.started, 1e-9)
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items())) or "none"
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        lines = [
            f"{self.seeds} seeds, {self.releases} releases ({states}), {self.steps} steps, "
            f"{self.invocations} function invocations",
            f"faults: {faults}",
            f"{self.releases / took:.0f} releases a second, {took:.1f} s",
            f"laws broken by: {', '.join(self.broken)}" if self.broken else "no law was broken",
        ]
        return "\n".join(lines)


def report(result: Result, *, whole: bool = False) -> str:
    """A broken run as text: its seed, its history, the law that it broke and the command that repeats it."""
    modes = ",".join(result.modes.names) or "none"
    again = f"python -m local.simulation --seed {result.seed} --releases {result.releases} --modes {modes} --history"
    lines = result.history if whole else result.history[-LAST_LINES:]
    broken = "; ".join(str(violation) for violation in result.violations)
    return "\n".join((f"seed {result.seed}", *lines, f"BROKEN: {broken}", f"again: {again}", ""))


def _modes(text: str) -> Modes:
    names = [] if text == "none" else text.split(",")
    if unknown := [name for name in names if name not in _NAMES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]}: {', '.join(_NAMES)} or none is expected")
    return Modes.named(names)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (100)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--seed", help="run this seed alone")
    parser.add_argument("--releases", type=int, default=4, help="image versions in each run (4)")
    parser.add_argument(
        "--modes",
        type=_modes,
        help=f"what is played beside the rest, separated by commas: {', '.join(_NAMES)}; or none (each seed its own)",
    )
    jobs = os.process_cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=jobs, help=f"processes that run seeds ({jobs})")
    parser.add_argument("--history", action="store_true", help="print whole histories")
    return parser


if __name__ == "__main__":
    sys.exit(main())
