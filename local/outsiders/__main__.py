"""`python -m local.outsiders [CLIENT …]`: every client walks against a simulator of its own; prints a table.

What cannot be installed here is said in the table, and the rest runs. Exit status 1 when a step failed.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from local.arm.server.simulator import ArmSimulator
from local.arm.world import DEFAULT_SUBSCRIPTION
from local.outsiders.clients import CLIENTS, Client, Step

_GROUP = f"/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/images"
_COMPUTE, _NETWORK = f"{_GROUP}/providers/Microsoft.Compute", f"{_GROUP}/providers/Microsoft.Network"
_SUBNET = {"name": "tests", "properties": {"addressPrefix": "10.0.0.0/24"}}
WORLD: dict[str, Any] = {
    "resource_groups": [{"id": _GROUP, "location": "westeurope"}],
    "resources": [
        {"id": f"{_COMPUTE}/images/base", "location": "westeurope", "properties": {"hyperVGeneration": "V2"}},
        {"id": f"{_COMPUTE}/images/old", "location": "westeurope"},
        {"id": f"{_COMPUTE}/galleries/seeded", "location": "westeurope"},
        {"id": f"{_NETWORK}/virtualNetworks/net", "location": "westeurope", "properties": {"subnets": [_SUBNET]}},
    ],
}
_SPEED = 2000


async def _walk(client: Client) -> list[Step]:
    print(f"{client.name}: installing ...", file=sys.stderr)
    why = await asyncio.to_thread(client.install)
    if why is not None:
        return [Step(client.name, "install it", False, f"cannot be installed here: {why}")]
    print(f"{client.name}: walking ...", file=sys.stderr)
    async with ArmSimulator(speed=_SPEED) as sim:
        sim.seed(WORLD)
        with tempfile.TemporaryDirectory() as home:
            return await asyncio.to_thread(client.walk, _environment(sim, client, Path(home)))


def _environment(sim: ArmSimulator, client: Client, home: Path) -> dict[str, str]:
    """Where ARM and its identities are, in the words of every client."""
    return sim.environment | {
        "AZURE_SUBSCRIPTION_ID": DEFAULT_SUBSCRIPTION,
        "AZURE_CONFIG_DIR": str(home / "azure"),
        "AZURE_USE_MSI": "1",
        "ARM_CLOUD_METADATA_URL": f"{sim.url}/metadata/endpoints?api-version=2019-05-01",
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_PYTHON_INTERPRETER": str(client.venv / "bin" / "python"),
        "PYTHONWARNINGS": "ignore",
    }


def _print(steps: list[Step]) -> None:
    widths = [max(len(getattr(one, part)) for one in steps) for part in ("client", "name")]
    print(f"{'client':{widths[0]}}  {'step':{widths[1]}}  {'':6}  words")
    for one in steps:
        print(f"{one.client:{widths[0]}}  {one.name:{widths[1]}}  {'ok' if one.ok else 'failed':6}  {one.words}")


def main(names: list[str]) -> int:
    """Let the named clients walk, or all of them."""
    chosen = [one for one in CLIENTS if not names or one.requirements in names]
    if not chosen:
        print(f"no such client; there are {', '.join(one.requirements for one in CLIENTS)}", file=sys.stderr)
        return 2
    steps = [step for client in chosen for step in asyncio.run(_walk(client))]
    _print(steps)
    failed = [one for one in steps if not one.ok and one.name != "install it"]
    print(f"\n{sum(one.ok for one in steps)} of {len(steps)} steps went well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
