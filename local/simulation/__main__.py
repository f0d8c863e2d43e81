"""``python -m local.simulation``: run seeds, hold the laws to them, print the numbers and every seed that broke one."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from local.simulation.pool import outcomes
from local.simulation.silenced_logging import quiet
from local.simulation.simulator import Outcome, simulate

SHOWN: Final = 400
"""Lines of history of a broken run, the last ones."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for. Exits 1 when a law was broken."""
    options = _options().parse_args(arguments)
    with quiet():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    totals = Totals()
    if options.seed is not None:
        totals.add(simulate(options.seed, options.releases))
        if options.history or totals.broken:
            again = simulate(options.seed, options.releases, tell=True)
            print(explained(again, whole=options.history) if totals.broken else "\n".join(again.history))
    else:
        seeds = [str(seed) for seed in range(options.first, options.first + options.seeds)]
        for outcome in outcomes(seeds, options.releases, jobs=options.jobs):
            totals.add(outcome)
            if outcome.violations:
                again = simulate(outcome.seed, outcome.releases, tell=True)
                print(explained(again, whole=options.history), flush=True)
    print(totals.told())
    return 1 if totals.broken else 0


class Totals:
    """What all runs came to."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seeds = self.releases = self.steps = self.runs = 0
        self.faults: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.broken: list[str] = []

    def add(self, outcome: Outcome) -> None:
        """Count one run in."""
        self.seeds += 1
        self.releases += sum(outcome.states.values())
        self.steps += outcome.steps
        self.runs += outcome.runs
        self.faults += outcome.faults
        self.states += outcome.states
        if outcome.violations:
            self.broken.append(outcome.seed)

    def told(self) -> str:
        """For people."""
        took = max(time.monotonic() - self.began, 1e-9)
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items())) or "none"
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        lines = [
            f"{self.seeds} seeds, {self.releases} releases ({states}), {self.steps} steps, {self.runs} function runs",
            f"faults: {faults}",
            f"{self.releases / took:.0f} releases a second, {took:.1f} s",
            f"laws broken by: {', '.join(self.broken)}" if self.broken else "no law was broken",
        ]
        return "\n".join(lines)


def explained(outcome: Outcome, *, whole: bool = False) -> str:
    """A broken run: its seed, how to see it again, what happened and which law it broke."""
    again = f"python -m local.simulation --seed {outcome.seed} --releases {outcome.releases} --history"
    lines = outcome.history if whole else outcome.history[-SHOWN:]
    broken = "; ".join(str(violation) for violation in outcome.violations)
    return "\n".join((f"seed {outcome.seed}", *lines, f"BROKEN: {broken}", f"again: {again}", ""))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds (100)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--seed", help="this one alone")
    parser.add_argument("--releases", type=int, default=4, help="image versions in each run (4)")
    jobs = os.process_cpu_count() or 1
    parser.add_argument("--jobs", type=int, default=jobs, help=f"processes to play seeds in ({jobs})")
    parser.add_argument("--history", action="store_true", help="the whole history of what is shown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
