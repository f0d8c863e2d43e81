"""``make bench`` or ``python -m local.bench``: measure the figures and print one JSON object. Progress goes to stderr.

Exits with 0 if every requested figure could be measured, whether or not it is within its bound; otherwise with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.bench import (
    arm_calls,
    cold_start,
    critical_path,
    growth,
    own_speed,
    page_rendering,
    retention_plan,
    revocation,
    scan_report,
    simulated,
    throughput,
    timer_reads,
)
from local.bench.figures import Figure, MeasurementFailed, load
from local.bench.release_run import ReleaseRun, run_release
from local.stack import StackError
from shared.domain.policy import Ahead

type Measure = Callable[["Options"], Mapping[str, Figure]]


class Options(argparse.Namespace):
    """The command-line options."""

    only: str
    speed: float
    seed: int
    releases: int
    ahead: Ahead


def _one_release(options: Options) -> Mapping[str, Figure]:
    """Two figures from the same release run."""
    release_run: ReleaseRun = asyncio.run(
        run_release(speed=options.speed, seed=options.seed, wait_seconds=900, ahead=options.ahead)
    )
    return {"end_to_end": critical_path.end_to_end(release_run), "arm_calls": arm_calls.arm_calls(release_run)}


MEASURES: Mapping[tuple[str, ...], Measure] = {
    ("retention",): lambda _: {"retention": retention_plan.measure()},
    ("revocation",): lambda _: {"revocation": revocation.measure()},
    ("growth",): lambda _: {"growth": growth.measure()},
    ("simulated",): lambda _: {"simulated": simulated.measure()},
    ("scan_report",): lambda _: {"scan_report": scan_report.measure()},
    ("scan_page",): lambda _: {"scan_page": page_rendering.measure()},
    ("cold_start",): lambda _: {"cold_start": cold_start.measure()},
    ("timer_reads",): lambda _: {"timer_reads": timer_reads.measure()},
    ("ahead",): lambda _: {"ahead": own_speed.rings_ahead()},
    ("throughput",): lambda options: {"throughput": asyncio.run(throughput.measure(options.releases))},
    ("end_to_end", "arm_calls"): _one_release,
}
"""Figures that are measured together; short measurements come first."""
FIGURES = tuple(name for names in MEASURES for name in names)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the figures."""
    options = _options(arguments)
    wanted = [name for name in options.only.replace(",", " ").split() if name] or list(FIGURES)
    began, busy = time.monotonic(), load()
    found: dict[str, Any] = {}
    for names, measure in MEASURES.items():
        if any(name in wanted for name in names):
            figures = _measured(names, measure, options)
            found |= {name: each for name, each in figures.items() if name in wanted}
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "load_before": busy}
    document = {"figures": found, "machine": machine, "seconds": round(time.monotonic() - began, 1)}
    print(json.dumps(document, indent=1, ensure_ascii=False))
    return 1 if any("unmeasured" in each for each in found.values()) else 0


def _measured(names: Sequence[str], measure: Measure, options: Options) -> dict[str, dict[str, Any]]:
    began, busy = time.monotonic(), load()
    _tell(f"measuring {', '.join(names)} …")
    try:
        figures = measure(options)
    except (MeasurementFailed, StackError) as reason:
        _tell(f"  measurement failed: {reason}")
        return {name: {"unmeasured": str(reason)} for name in names}
    found = {}
    for name, figure in figures.items():
        document = figure.document()
        kept = "within the bound" if figure.holds else "OUTSIDE THE BOUND"
        _tell(f"  {name}: {figure.value:.3g} {figure.unit} ({document['bound']}): {kept}")
        found[name] = document | {"load": {"before": busy, "after": load()}}
    _tell(f"  took {time.monotonic() - began:.0f} s")
    return found


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m local.bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"figures to measure, separated by commas: {', '.join(FIGURES)}")
    parser.add_argument(
        "--speed", type=float, default=15.0, help="simulated seconds per real second for end_to_end and arm_calls (15)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of Azure's durations (1)")
    parser.add_argument(
        "--ahead",
        type=Ahead,
        choices=list(Ahead),
        default=Ahead.NEXT,
        help="which rings are filled ahead in end_to_end and arm_calls (next)",
    )
    parser.add_argument(
        "--releases", type=int, default=throughput.RELEASES, help="number of parallel releases for throughput (300)"
    )
    options = parser.parse_args(arguments, namespace=Options())
    unknown = [name for name in options.only.replace(",", " ").split() if name not in FIGURES]
    if unknown:
        parser.error(f"unknown figure {', '.join(unknown)}; the figures are {', '.join(FIGURES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
