"""Run the simulator alone: `python -m local.arm --port 8443 --state DIR --speed 60`."""

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from local.arm.kernel.fault_injection import BadRule
from local.arm.server.simulator import ArmSimulator
from local.arm.world import BadWorld


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.arm", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--state", type=Path, default=None, metavar="DIR", help="kept over restarts; default: nothing is"
    )
    parser.add_argument("--speed", type=float, default=60.0, help="seconds of Azure's time per real second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plan", type=Path, default=None, metavar="FILE", help="JSON: a list of fault rules")
    parser.add_argument("--world", type=Path, default=None, metavar="FILE", help="JSON: what is there at the start")
    parser.add_argument("--event-sink", action="append", default=[], metavar="URL", help="repeat for several")
    return parser.parse_args()


def _read(file: Path | None) -> Any:
    if file is None:
        return None
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as fault:
        raise SystemExit(f"{file}: {fault}") from fault


async def _run(given: argparse.Namespace, plan: Any, world: Any) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    simulator = ArmSimulator(
        given.state, speed=given.speed, seed=given.seed, port=given.port, sinks=tuple(given.event_sink), faults=plan
    )
    async with simulator as sim:
        if world is not None:
            sim.seed(world)
        print(json.dumps(sim.environment), flush=True)
        await stop.wait()


def main() -> None:
    """Listen until SIGINT or SIGTERM; prints the environment that clients need as one line of JSON when ready."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    given = _arguments()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_run(given, _read(given.plan), _read(given.world)))
    except (BadRule, BadWorld, ValueError) as fault:
        raise SystemExit(str(fault)) from fault


if __name__ == "__main__":
    main()
