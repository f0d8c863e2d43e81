"""Run the local Event Grid alone: `EVENTGRID_TOPIC_KEY=… python -m local.eventgrid --state DIR --speed 60`.

The topic's access key (base64) comes by the environment, where other users of the machine do not see it.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from local.certificates import ensure_ca
from local.eventgrid.faults import DeliveryFaults
from local.eventgrid.server import EventGrid


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.eventgrid", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="what survives a restart")
    parser.add_argument("--certificates", type=Path, metavar="DIR", help="the authority's folder; default: the state's")
    parser.add_argument("--port", type=int, default=0, help="the topic over HTTPS; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="ARM's events and the rest, over HTTP")
    parser.add_argument("--speed", type=float, default=60.0, help="seconds of Azure's time per real second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--duplicate", type=float, default=0.0, help="share of deliveries that come twice")
    parser.add_argument("--late", type=float, default=0.0, help="share of deliveries that come late")
    parser.add_argument("--max-delay", type=float, default=30.0, help="seconds of Azure's time that late ones wait")
    return parser.parse_args()


async def _run(given: argparse.Namespace, faults: DeliveryFaults) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    grid = EventGrid(
        given.state,
        key=os.environ["EVENTGRID_TOPIC_KEY"],
        speed=given.speed,
        seed=given.seed,
        faults=faults,
        port=given.port,
        control_port=given.control_port,
        certificates=ensure_ca(given.certificates or given.state),
    )
    async with grid:
        print(json.dumps({"topic": grid.topic_endpoint, "control": grid.control_url}), flush=True)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, grid.deliveries], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()


def main() -> int:
    """Listen until SIGINT or SIGTERM; prints its addresses as one line of JSON when ready."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    given = _arguments()
    if not os.environ.get("EVENTGRID_TOPIC_KEY"):
        print("Event Grid needs EVENTGRID_TOPIC_KEY in its environment: the topic's key, base64.", file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(given, DeliveryFaults(given.duplicate, given.late, given.max_delay)))
    except (OSError, ValueError) as error:
        print(f"Event Grid cannot run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
