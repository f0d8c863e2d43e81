"""``python -m examples.scale_set SCALE_SET_ID --ring RING < event.json``: handle one event.

In production, an Azure Function with an Event Grid trigger calls ``on_published`` with the event.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from azure.identity.aio import DefaultAzureCredential
from azure.mgmt.compute.aio import ComputeManagementClient

from examples.events import NotForUs
from examples.scale_set.handler import ScaleSet, on_published


async def _handle(scale_set: ScaleSet, ring: str) -> str:
    async with (
        DefaultAzureCredential() as credential,
        ComputeManagementClient(credential, scale_set.subscription) as compute,
    ):
        return await on_published(json.load(sys.stdin), compute, scale_set, ring=ring)


def main() -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.scale_set", description=__doc__)
    parser.add_argument("scale_set", help="resource id of the scale set")
    parser.add_argument("--ring", required=True, help="the ring that the scale set follows")
    options = parser.parse_args()
    try:
        said = asyncio.run(_handle(ScaleSet.parse(options.scale_set), options.ring))
    except NotForUs as reason:
        said = f"ignored: {reason}"
    sys.stdout.write(said + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
