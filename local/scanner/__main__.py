"""Run the scanner: `python -m local.scanner --state DIR --speed 60`, configured by environment variables.

RINGMASTER_URL, RINGMASTER_WEBHOOK_KEY, ARM_ENDPOINT, IDENTITY_ENDPOINT, IDENTITY_HEADER and SSL_CERT_FILE, with the
same meaning as in `.local/env`.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from local.scanner.image_reader import ArmReader
from local.scanner.service import Scanner, ScannerSettings

_NEEDED = ("RINGMASTER_URL", "RINGMASTER_WEBHOOK_KEY", "ARM_ENDPOINT", "IDENTITY_ENDPOINT", "IDENTITY_HEADER")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.scanner", description=__doc__)
    parser.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="folder for state that survives a restart"
    )
    parser.add_argument("--port", type=int, default=0, help="port for Event Grid's webhook; 0 selects a free port")
    parser.add_argument("--speed", type=float, default=60.0, help="simulated seconds per real second")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


async def _run(given: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    url, key, arm, identity, header = (os.environ[name] for name in _NEEDED)
    ca_file = Path(os.environ["SSL_CERT_FILE"]) if os.environ.get("SSL_CERT_FILE") else None
    settings = ScannerSettings(url.rstrip("/"), key.encode(), speed=given.speed, seed=given.seed)
    scanner = Scanner(settings, ArmReader(arm, identity, header, ca_file), state=given.state, port=given.port)
    async with scanner:
        print(json.dumps({"webhook": scanner.webhook_url}), flush=True)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([stopping, scanner.work], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()


def main() -> int:
    """Run until SIGINT or SIGTERM. Prints the webhook's URL as one line of JSON when ready."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    given = _arguments()
    missing = [name for name in _NEEDED if not os.environ.get(name)]
    if missing:
        print(f"These environment variables are not set: {', '.join(missing)}. See .local/env.", file=sys.stderr)
        return 2
    asyncio.run(_run(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
