"""The real Azure CLI against the ARM simulator: what a person would type works, and prints what Azure would."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.arm.server.simulator import ArmSimulator
from local.arm.world import DEFAULT_SUBSCRIPTION

pytestmark = pytest.mark.azcli

GROUP = f"/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/images"
WORLD = {
    "resource_groups": [{"id": GROUP, "location": "westeurope"}],
    "resources": [{"id": f"{GROUP}/providers/Microsoft.Compute/images/base", "location": "westeurope"}],
}
GALLERY = ("-g", "images", "-r", "builds")
DEFINITION = (*GALLERY, "-i", "ubuntu")
VERSION = (*DEFINITION, "-e", "1.0.0")
IDENTIFIER = ("--publisher", "p", "--offer", "o", "--sku", "s")
KIND = ("--os-type", "Linux", "--os-state", "Generalized", "--hyper-v-generation", "V1")


@dataclass
class AzureCli:
    """Runs `az` with a configuration of its own."""

    program: Path
    environment: dict[str, str]

    async def __call__(self, *words: str) -> Any:
        """What `az` prints, parsed; fails with what it complained about."""
        status, out, err = await self.run(*words)
        assert status == 0, f"az {' '.join(words)}: {err}"
        return json.loads(out) if out.strip() else None

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        process = await asyncio.create_subprocess_exec(
            str(self.program),
            *words,
            "--only-show-errors",
            "-o",
            "json",
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def az(tmp_path: Path, project_root: Path) -> AsyncIterator[AzureCli]:
    """The CLI, logged in to a simulator by its managed identity."""
    program = project_root / ".venv-az" / "bin" / "az"
    if not program.exists():
        pytest.skip("needs the Azure CLI in .venv-az: make azcli")
    async with ArmSimulator(speed=2000) as sim:
        sim.seed(WORLD)
        own = {"AZURE_CONFIG_DIR": str(tmp_path / "azure"), "AZURE_CORE_COLLECT_TELEMETRY": "no"}
        cli = AzureCli(program, {**os.environ, **sim.environment, **own})
        await cli("cloud", "register", "-n", "sim", "--endpoint-resource-manager", sim.url)
        await cli("cloud", "set", "-n", "sim")
        await cli("login", "--identity")
        yield cli


async def test_a_version_goes_its_whole_way_by_the_cli(az: AzureCli) -> None:
    gallery = await az("sig", "create", *GALLERY, "-l", "westeurope")
    assert gallery["provisioningState"] == "Succeeded"
    await az("sig", "image-definition", "create", *DEFINITION, *IDENTIFIER, *KIND)
    regions = ("--target-regions", "westeurope", "northeurope=2")
    made = await az("sig", "image-version", "create", *VERSION, "--managed-image", "base", *regions)
    targets = made["publishingProfile"]["targetRegions"]
    assert [(one["name"], one["regionalReplicaCount"]) for one in targets] == [("West Europe", 1), ("North Europe", 2)]

    shown = await az("sig", "image-version", "show", *VERSION, "--expand", "ReplicationStatus")
    assert {one["region"] for one in shown["replicationStatus"]["summary"]} == {"westeurope", "northeurope"}
    assert [one["name"] for one in await az("sig", "image-version", "list", *DEFINITION)] == ["1.0.0"]

    hide = ("--set", "publishingProfile.excludeFromLatest=true")
    add = ("--add", "publishingProfile.targetRegions", "name=eastus2", "regionalReplicaCount=1")
    assert (await az("sig", "image-version", "update", *VERSION, *hide))["publishingProfile"]["excludeFromLatest"]
    updated = await az("sig", "image-version", "update", *VERSION, *add)
    assert len(updated["publishingProfile"]["targetRegions"]) == 3

    await az("sig", "image-version", "delete", *VERSION)
    await az("sig", "image-definition", "delete", *DEFINITION)
    await az("sig", "delete", *GALLERY)
    assert await az("sig", "list", "-g", "images") == []


async def test_galleries_definitions_images_and_groups_are_listed(az: AzureCli) -> None:
    await az("sig", "create", *GALLERY)
    await az("sig", "update", *GALLERY, "--set", "tags.team=images")
    assert (await az("sig", "show", *GALLERY))["tags"] == {"team": "images"}
    await az("sig", "image-definition", "create", *DEFINITION, *IDENTIFIER, *KIND)
    assert (await az("sig", "image-definition", "show", *DEFINITION))["osState"] == "Generalized"
    assert [one["name"] for one in await az("sig", "image-definition", "list", *GALLERY)] == ["ubuntu"]
    assert [one["name"] for one in await az("image", "list")] == ["base"]
    assert [one["name"] for one in await az("group", "list")] == ["images"]
    assert {one["name"] for one in await az("resource", "list")} == {"base", "builds", "builds/ubuntu"}


async def test_machines_and_disks_are_listed(az: AzureCli) -> None:
    assert await az("vm", "list") == []
    assert await az("disk", "list", "-g", "images") == []


async def test_a_machine_becomes_a_version(az: AzureCli) -> None:
    await az("sig", "create", *GALLERY)
    await az("sig", "image-definition", "create", *DEFINITION, *IDENTIFIER, *KIND)
    first = await az("sig", "image-version", "create", *VERSION, "--managed-image", "base")
    login = ("--admin-username", "azureuser", "--admin-password", "Not-a-secret-1234", "--size", "Standard_D2s_v5")
    machine = await az("vm", "create", "-g", "images", "-n", "vm1", "--image", first["id"], *login)
    assert machine["powerState"] == "VM running"
    assert [one["name"] for one in await az("vm", "list")] == ["vm1"]
    assert len(await az("disk", "list", "-g", "images")) == 1
    await az("vm", "deallocate", "-g", "images", "-n", "vm1")
    await az("vm", "generalize", "-g", "images", "-n", "vm1")
    second = await az("sig", "image-version", "create", *DEFINITION, "-e", "1.1.0", "--virtual-machine", machine["id"])
    assert second["provisioningState"] == "Succeeded"
    await az("vm", "delete", "-g", "images", "-n", "vm1", "-y")
    assert await az("vm", "list") == []


async def test_a_confidential_machine_is_made_by_the_cli(az: AzureCli) -> None:
    await az("sig", "create", *GALLERY)
    kind = ("--os-type", "Linux", "--os-state", "Generalized", "--hyper-v-generation", "V2")
    features = ("--features", "SecurityType=ConfidentialVM")
    await az("sig", "image-definition", "create", *DEFINITION, *IDENTIFIER, *kind, *features)
    disk = await az("disk", "create", "-g", "images", "-n", "d", "--size-gb", "30", "--hyper-v-generation", "V2")
    made = await az("sig", "image-version", "create", *VERSION, "--os-snapshot", disk["id"])
    sizes = await az("vm", "list-skus", "-l", "westeurope", "--size", "Standard_DC2as_v5", "-r", "virtualMachines")
    (size,) = sizes
    assert {"name": "ConfidentialComputingType", "value": "SNP"} in size["capabilities"]
    machine = (
        "vm",
        "create",
        "-g",
        "images",
        "-n",
        "vm1",
        "--image",
        made["id"],
        "--size",
        size["name"],
        "--zone",
        "1",
    )
    machine += ("--admin-username", "azureuser", "--admin-password", "Not-a-secret-1234")
    machine += ("--security-type", "ConfidentialVM", "--enable-vtpm", "true", "--os-disk-security-encryption-type")
    status, _, complaint = await az.run(*machine, "NonPersistedTPM", "--enable-secure-boot", "false")
    assert status != 0
    assert "NonPersistedTPM" in complaint
    await az(*machine, "VMGuestStateOnly", "--enable-secure-boot", "true")
    shown = await az("vm", "show", "-g", "images", "-n", "vm1")
    assert (shown["securityProfile"]["securityType"], shown["zones"]) == ("ConfidentialVM", ["1"])
    security = shown["storageProfile"]["osDisk"]["managedDisk"]["securityProfile"]
    assert security["securityEncryptionType"] == "VMGuestStateOnly"


async def test_the_cli_shows_arm_s_own_errors(az: AzureCli) -> None:
    await az("sig", "create", *GALLERY)
    await az("sig", "image-definition", "create", *DEFINITION, *IDENTIFIER, *KIND)
    status, _, complaint = await az.run("sig", "delete", *GALLERY)
    assert status != 0
    assert "Can not delete resource before nested resources are deleted." in complaint
    status, _, complaint = await az.run(
        "sig", "image-version", "create", *DEFINITION, "-e", "one", "--managed-image", "base"
    )
    assert status != 0
    assert "The image version name is invalid." in complaint


async def test_resource_groups_come_and_go(az: AzureCli) -> None:
    await az("group", "create", "-n", "fresh", "-l", "westus2")
    assert await az("group", "exists", "-n", "fresh") is True
    await az("group", "delete", "-n", "fresh", "-y")
    assert await az("group", "exists", "-n", "fresh") is False
