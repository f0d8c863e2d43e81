"""Bodies have the shape that Azure's own recorded answers have."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

PATH = "/providers/Microsoft.Compute/virtualMachines/probe-1"
VERSION = "?api-version=2025-04-01"


def shape(found: Any, at: str = "") -> set[str]:
    """Every path of keys in a document; all members of a list count as one."""
    if isinstance(found, dict):
        below = (shape(value, f"{at}.{key}") | {f"{at}.{key}"} for key, value in found.items())
        return set().union(*below) if found else set()
    if isinstance(found, list):
        return set().union(*(shape(one, f"{at}[]") for one in found)) if found else set()
    return set()


def recorded(real_data: Path, file: str, uri: str) -> list[Any]:
    text = (real_data / "arm/recordings/azure-cli" / file).read_text()
    interactions = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["interactions"]
    bodies = [one["response"]["body"]["string"] for one in interactions if uri in one["request"]["uri"]]
    return [json.loads(body) for body in bodies if body]


@pytest.fixture
async def made(
    simulator: Any,
    image: Callable[..., str],
    model: Callable[..., dict[str, Any]],
    http: Callable[..., Any],
    scope: str,
) -> dict[str, Any]:
    """A machine whose provisioning has ended, as a GET with its instance view shows it."""
    data = [{"lun": 0, "sizeInGB": 8}]
    await http("PUT", scope + PATH + VERSION, json=model(image(data=data)))
    async with asyncio.timeout(20):
        while True:
            _, _, body = await http("GET", scope + PATH + VERSION + "&$expand=instanceView")
            if json.loads(body)["properties"]["provisioningState"] == "Succeeded":
                return json.loads(body)
            await asyncio.sleep(0.03)


@pytest.fixture
def scope(compute: Any) -> str:
    return f"/subscriptions/{compute._config.subscription_id}/resourceGroups/boot-tests"


async def test_a_machine_has_every_key_that_most_recorded_machines_have(real_data: Path, made: Any) -> None:
    rows = [json.loads(line) for line in (real_data / "arm/lro-traces.jsonl").open()]
    finals = [
        row["final_get"]["body"]
        for row in rows
        if row["kind"] == "Microsoft.Compute/virtualMachines/{}" and row["method"] == "PUT" and row["final_get"]
    ]
    counts = Counter(key for body in finals if isinstance(body, dict) for key in shape(body))
    common = {key for key, count in counts.items() if count > 0.6 * len(finals)}
    marketplace = {
        f".properties.storageProfile.imageReference.{key}" for key in ("publisher", "offer", "sku", "version")
    }
    assert len(common) > 20
    assert common - marketplace - shape(made) == set()


async def test_an_instance_view_has_the_recorded_keys(real_data: Path, made: Any) -> None:
    (real,) = recorded(real_data, "test_vm_create_special_name.yaml", "virtualMachines/vm_1?$expand=instanceView")
    view = real["properties"]["instanceView"]
    assert shape(view) - shape(made["properties"]["instanceView"]) == set()


async def test_a_nic_and_a_disk_have_the_recorded_keys(real_data: Path, made: Any, http: Callable[..., Any]) -> None:
    (nic_id,) = [one["id"] for one in made["properties"]["networkProfile"]["networkInterfaces"]]
    nic = json.loads((await http("GET", f"{nic_id}?api-version=2022-01-01"))[2])
    real = recorded(real_data, "test_vm_create_special_name.yaml", "networkInterfaces/vm_1VMNic?")[0]
    chosen = {".properties.networkSecurityGroup", ".properties.ipConfigurations[].properties.publicIPAddress"}
    chosen |= {f"{key}.id" for key in chosen} | {".tags", ".properties.dnsSettings.internalDomainNameSuffix"}
    assert shape(real) - shape(nic) - chosen == set()
    disk_id = made["properties"]["storageProfile"]["osDisk"]["managedDisk"]["id"]
    disk = json.loads((await http("GET", f"{disk_id}?api-version=2022-07-02"))[2])
    real_disk = recorded(real_data, "test_enable_trusted_launch_on_v2.yaml", "disks/disk1000006?")[0]
    capabilities = {key for key in shape(real_disk) if "upported" in key or "upports" in key}
    assert shape(real_disk) - shape(disk) - capabilities == set()


async def test_a_run_command_has_the_recorded_keys(
    real_data: Path, made: Any, http: Callable[..., Any], simulator: Any, scope: str
) -> None:
    real = recorded(real_data, "test_run_command_v2.yaml", "runCommands/cmd-000003?$expand=instanceView")[0]
    path = f"{scope}{PATH}/runCommands/probe{VERSION}"
    body = {"location": "westeurope", "properties": {"source": {}, "asyncExecution": False}}
    status, _, first = await http("PUT", path, json=body)
    begun = recorded(real_data, "test_run_command_v2.yaml", "runCommands/cmd-000003?api-version")[0]
    assert (status, shape(json.loads(first))) == (201, shape(begun))
    simulator.kernel.settle(simulator.kernel.clock.now() + 3600)
    ours = json.loads((await http("GET", path + "&$expand=instanceView"))[2])
    assert shape(ours) == shape(real)
    for key in ("exitCode", "executionState", "executionMessage", "output", "error"):
        assert ours["properties"]["instanceView"][key] == real["properties"]["instanceView"][key]


async def test_boot_diagnostics_answer_as_recorded(
    real_data: Path, made: Any, http: Callable[..., Any], scope: str
) -> None:
    real = recorded(real_data, "test_vm_boot_diagnostics.yaml", "retrieveBootDiagnosticsData")[0]
    _, _, body = await http("POST", f"{scope}{PATH}/retrieveBootDiagnosticsData{VERSION}")
    ours = json.loads(body)
    assert shape(ours) == shape(real)
    for key in ("sv=2018-03-28", "sr=b", "sig=", "se=", "sp=r", ".serialconsole.log?"):
        assert key in ours["serialConsoleLogBlobUri"]
