"""What a restart of the simulator keeps of machines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.arm.kernel.messages import Incoming
from local.arm.machines.machine import Machine
from local.arm.server.simulator import ArmSimulator
from local.arm.world import DEFAULT_SUBSCRIPTION

GROUP = f"/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/boot-tests"
IMAGE = f"{GROUP}/providers/Microsoft.Compute/images/base"
WORLD = {
    "resource_groups": [{"id": GROUP, "location": "westeurope"}],
    "resources": [
        {
            "id": f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-westeurope",
            "location": "westeurope",
            "properties": {"subnets": [{"name": "tests", "properties": {"addressPrefix": "10.0.0.0/24"}}]},
        },
        {
            "id": IMAGE,
            "location": "westeurope",
            "properties": {"hyperVGeneration": "V2", "storageProfile": {"osDisk": {"osType": "Linux"}}},
        },
    ],
}


async def test_a_creation_goes_on_after_a_restart(tmp_path: Path, model: Callable[..., dict[str, Any]]) -> None:
    machine_id = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/probe-1"
    async with ArmSimulator(tmp_path, speed=60) as first:
        first.seed(WORLD)
        _put(first, machine_id, model(IMAGE))
        found = first.store.get(machine_id)
        assert found is not None
        assert Machine(found).state == "Creating"
    async with ArmSimulator(tmp_path, speed=60) as second:
        resource = second.store.get(machine_id)
        assert resource is not None
        end = Machine(resource).timeline.agent_ready or 0
        second.kernel.settle(end + 1)
        assert Machine(resource).state == "Succeeded"
        assert Machine(resource).is_agent_ready(end + 1)
        assert b"probe-1 login: " in Machine(resource).console(second.kernel, end + 60)


def _put(simulator: ArmSimulator, path: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {simulator.token()}", "Content-Type": "application/json"}
    raw = json.dumps(body).encode()
    outcome = simulator.kernel.handle(Incoming("PUT", path, {"api-version": "2025-04-01"}, headers, raw, simulator.url))
    assert outcome.reply.status == 201, outcome.reply.body
