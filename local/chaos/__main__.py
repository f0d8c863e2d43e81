"""`make chaos`: releases under faults, with the host killed at random moments; exit code 0 only if the laws held."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from local.chaos.count import Count
from local.chaos.plan import scheme
from local.chaos.run import unleash
from local.stack import StackError


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.chaos", description=__doc__)
    parser.add_argument("--releases", type=_positive, default=100, help="versions to publish (100)")
    parser.add_argument("--kills", type=_natural, default=20, help="how often the host gets SIGKILL (20)")
    parser.add_argument("--seed", type=int, default=1, help="of versions, kills, faults, durations and disorder (1)")
    parser.add_argument("--speed", type=float, default=60.0, help="seconds of Azure's time per real second (60)")
    parser.add_argument("--hosts", type=int, choices=(1, 2), default=1, help="hosts on the one storage account (1)")
    parser.add_argument("--skew", type=float, default=0.0, help="real seconds the second host's clock is ahead (0)")
    parser.add_argument("--outages", type=_natural, default=0, help="how often storage is away for a while (0)")
    parser.add_argument("--pause", type=float, nargs=2, default=(5.0, 15.0), metavar=("LEAST", "MOST"))
    parser.add_argument("--patience", type=float, default=1500.0, help="seconds for the releases to end (1500)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep state and logs in this (empty) folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    given = parser.parse_args(argv)
    if given.skew and given.hosts == 1:
        parser.error("--skew is between two hosts: give --hosts 2")
    return given


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text}: 0 or more is expected")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: 1 or more is expected")
    return value


def shown(result: Count) -> str:
    """The count, for people."""
    ended = ", ".join(f"{state} {number}" for state, number in sorted(result.ended.items()))
    lines = [
        f"versions in        {result.versions}",
        f"ended              {ended}",
        f"hosts killed       {result.kills} times; Azurite restarted {result.storage_restarts} times, "
        f"away for longer {result.outages} times",
        f"ARM's answers      {', '.join(f'{code} x{number}' for code, number in sorted(result.arm_calls.items()))}",
    ]
    for title, found in (
        ("lost", result.lost),
        ("wrongly promoted", result.wrongly_promoted),
        ("wrongly judged", result.wrongly_judged),
        ("left behind", result.left_behind),
        ("stalled", result.stalled),
        ("dead-lettered", result.dead_letters),
    ):
        lines += [f"{title:18} {len(found)}", *(f"    {each}" for each in found)]
    return "\n".join([*lines, f"took               {result.seconds:.0f} s"])


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 only if nothing was lost, nothing wrong was promoted or judged, and nothing was left behind."""
    given = _arguments(argv)
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", file=sys.stderr, flush=True)

    drawn = scheme(
        given.releases,
        given.kills,
        given.seed,
        pause=tuple(given.pause),
        hosts=given.hosts,
        outages=given.outages,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="ringmaster-chaos-") as temporary:
            directory = given.keep or Path(temporary)
            directory.mkdir(parents=True, exist_ok=True)
            result = asyncio.run(
                unleash(
                    directory,
                    drawn,
                    speed=given.speed,
                    seed=given.seed,
                    patience=given.patience,
                    tell=tell,
                    hosts=given.hosts,
                    skew=given.skew,
                )
            )
    except StackError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(result), ensure_ascii=False) if given.json else shown(result))
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
