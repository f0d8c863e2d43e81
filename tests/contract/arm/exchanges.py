"""The app's own traffic with the ARM simulator, recorded as it went over the wire, in the form that oav reads."""

from __future__ import annotations

import contextlib
import copy
import json
import re
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from local.arm.kernel.messages import Incoming, Outcome
from local.arm.server.simulator import ArmSimulator
from shared.domain.facts import RegionTargetFacts
from shared.ports import Conflict, PassingFault, Refused
from shared.probes import probe_script
from tests.contract.gallery_labs import HOME, OTHER, SOURCE, ArmLab, gallery_world
from tests.contract.machine_labs import GROUP, LONGEST, VERSION, ArmMachineLab, arm_machine_lab, spec

COMPUTE: Final = "specification/compute/resource-manager/Microsoft.Compute"
SPECIFICATIONS: Final[Mapping[str, str]] = {
    "galleries": f"{COMPUTE}/GalleryRP/stable/2023-07-03/gallery.json",
    "virtualMachines": f"{COMPUTE}/ComputeRP/stable/2024-07-01/virtualMachine.json",
    "runCommands": f"{COMPUTE}/ComputeRP/stable/2024-07-01/runCommand.json",
    "images": f"{COMPUTE}/ComputeRP/stable/2024-07-01/image.json",
    "virtualMachineScaleSets": f"{COMPUTE}/ComputeRP/stable/2024-07-01/virtualMachineScaleSet.json",
    "disks": f"{COMPUTE}/DiskRP/stable/2024-03-02/disk.json",
    "snapshots": f"{COMPUTE}/DiskRP/stable/2024-03-02/snapshot.json",
}
NONCE: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


@dataclass
class Recorder:
    """Hears exchanges; ``operations`` are those that were met."""

    exchanges: list[tuple[Incoming, Outcome]] = field(default_factory=list)

    def hear(self, incoming: Incoming, outcome: Outcome) -> None:
        # The simulator goes on working on the documents that it has answered with.
        self.exchanges.append((incoming, copy.deepcopy(outcome)))

    @property
    def operations(self) -> set[tuple[str, int]]:
        return {(outcome.operation, outcome.reply.status) for _, outcome in self.exchanges}

    def write(self, folder: Path, specifications: Path) -> dict[Path, list[Path]]:
        """Write a payload for each exchange that a specification covers: specification -> payloads."""
        found: dict[Path, list[Path]] = defaultdict(list)
        for index, (incoming, outcome) in enumerate(self.exchanges):
            name = _specification(incoming.path)
            if name is None:
                continue
            specification = specifications / SPECIFICATIONS[name]
            version = specification.parent.name
            file = folder / f"{index:03d}-{incoming.method}-{outcome.operation}-{outcome.reply.status}.json"
            file.write_text(json.dumps(_payload(incoming, outcome, version)), encoding="utf-8")
            found[specification].append(file)
        return dict(found)


def _specification(path: str) -> str | None:
    parts = re.split("/providers/microsoft.compute/", path, maxsplit=1, flags=re.IGNORECASE)[-1].split("/")
    if parts[0].lower() == "locations" and parts[2].lower() == "virtualmachines":
        return "virtualMachines"
    if parts[0] == "" or parts[0].lower() == "locations":
        return None  # the addresses of long-running operations are in no specification
    kinds = {name.lower(): name for name in SPECIFICATIONS}
    commands = len(parts) > 2 and parts[2].lower() in ("runcommands", "runcommand")
    return "runCommands" if commands else kinds.get(parts[0].lower())


def _payload(incoming: Incoming, outcome: Outcome, version: str) -> dict[str, Any]:
    """The specification's version stands in for the one that the SDK asked with: the shapes are what is compared."""
    query = urlencode({**incoming.query, "api-version": version})
    given = {name.lower(): value for name, value in outcome.reply.headers.items()}
    request: dict[str, Any] = {
        "method": incoming.method,
        "url": f"https://management.azure.com{incoming.path}?{query}",
        "headers": {"Content-Type": "application/json"},
    }
    response: dict[str, Any] = {
        "statusCode": str(outcome.reply.status),
        "headers": {**given, "Content-Type": "application/json; charset=utf-8"},
    }
    if incoming.body:
        request["body"] = json.loads(incoming.body)
    if outcome.reply.body is not None:
        response["body"] = json.loads(json.dumps(outcome.reply.body))
    return {"liveRequest": request, "liveResponse": response}


async def a_release() -> Recorder:
    """Everything that a release asks of ARM, and the refusals that it meets on its way."""
    recorder = Recorder()
    async with arm_machine_lab() as lab:
        lab.sim.on_exchange = recorder.hear
        await _galleries(lab)
        await _machines(lab)
        await _around(lab.sim, lab.galleries)
    return recorder


async def _galleries(lab: ArmMachineLab) -> None:
    galleries = lab.galleries.galleries
    lab.sim.seed(gallery_world(OTHER))
    await lab.publish()
    version = await galleries.version(VERSION, replication=True)
    assert version is not None
    more = (*version.targets, RegionTargetFacts("eastus", excluded=True))
    await galleries.write_targets(version, more, excluded=True)
    await galleries.version(VERSION, replication=True)
    with contextlib.suppress(Conflict):
        await galleries.write_targets(version, more, excluded=True)
    lab.clock.advance(LONGEST)
    copied = OTHER.version(VERSION.number)
    await galleries.copy_version(version, copied, location=HOME, targets=[RegionTargetFacts(HOME, excluded=True)])
    lab.clock.advance(LONGEST)
    await galleries.version(copied, replication=True)
    await galleries.versions(SOURCE)
    await galleries.definition(SOURCE)
    await galleries.gallery(SOURCE.gallery)
    await galleries.version(SOURCE.version(type(VERSION.number)(9, 9, 9)))
    if version.source_id:
        await galleries.source(version)


async def _machines(lab: ArmMachineLab) -> None:
    machines, name = lab.machines, spec().name
    await machines.create(spec())
    await machines.view(name)
    await machines.serial_log(name)
    lab.clock.advance(timedelta(minutes=10))
    await machines.view(name)
    script = probe_script("Linux", NONCE)
    await machines.start_probe(name, "probe-1", region=HOME, script=script, os_type="Linux", within=timedelta(hours=1))
    await lab.probed(name, "probe-1")
    await machines.serial_log(name)
    for unfit in (spec("rm-00000000000a", region="southeastasia"), spec("rm-00000000000b", os_state="Specialized")):
        with contextlib.suppress(Refused, PassingFault):
            await machines.create(unfit)
    found = await machines.view(name)
    assert found is not None
    await machines.ours()
    await machines.remaining(found.parts)
    await machines.delete(name)
    await machines.view(name)
    lab.clock.advance(LONGEST)
    await machines.remaining(found.parts)
    tags = {"ringmaster-release": str(VERSION), "ringmaster-expires": "2026-01-01T00:00:00+00:00"}
    disk = await lab.plant(f"{name}-os", tags)
    await machines.delete_part(disk)
    lab.clock.advance(LONGEST)
    await machines.remaining([disk])


async def _around(sim: ArmSimulator, lab: ArmLab) -> None:
    """What builders and people do with the same resources: make and remove galleries, definitions and disks."""
    compute = lab.arm.compute(SOURCE.gallery.subscription)
    group = SOURCE.gallery.resource_group
    gallery: Any = {"location": HOME, "properties": {"description": "another"}}
    definition: Any = {
        "location": HOME,
        "properties": {
            "osType": "Linux",
            "osState": "Generalized",
            "hyperVGeneration": "V2",
            "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
        },
    }
    await compute.galleries.begin_create_or_update(group, "another", gallery, polling=False)
    lab.clock.advance(LONGEST)
    await compute.gallery_images.begin_create_or_update(group, "another", "thing", definition, polling=False)
    lab.clock.advance(LONGEST)
    assert [each async for each in compute.gallery_images.list_by_gallery(group, "another")]
    await compute.gallery_images.begin_delete(group, "another", "thing", polling=False)
    lab.clock.advance(LONGEST)
    await compute.galleries.begin_delete(group, "another", polling=False)
    assert [each async for each in compute.virtual_machines.list(GROUP)] == []


async def operation_polls() -> AsyncIterator[tuple[str, list[tuple[int, dict[str, Any]]]]]:
    """What the monitors of a version's, a machine's and a disk's operations answer: at once, and when they are done."""
    async with arm_machine_lab() as lab:
        recorder = Recorder()
        lab.sim.on_exchange = recorder.hear
        await lab.publish()
        await lab.machines.create(spec())
        lab.clock.advance(LONGEST)
        await lab.machines.delete(spec().name)
        begun = [
            (outcome.operation, outcome.reply.headers[name])
            for _, outcome in recorder.exchanges
            for name in outcome.reply.headers
            if name.lower() == "azure-asyncoperation"
        ]
        for operation, address in begun[-1:]:
            first = await _poll(lab, address)
            lab.clock.advance(LONGEST)
            yield operation, [first, await _poll(lab, address)]
    async with arm_machine_lab() as lab:
        recorder = Recorder()
        lab.sim.on_exchange = recorder.hear
        await lab.galleries.build(VERSION, [RegionTargetFacts(HOME, excluded=True)])
        _, outcome = recorder.exchanges[-1]
        address = next(value for name, value in outcome.reply.headers.items() if name.lower() == "azure-asyncoperation")
        first = await _poll(lab, address)
        lab.clock.advance(LONGEST)
        yield outcome.operation, [first, await _poll(lab, address)]


async def _poll(lab: ArmMachineLab, address: str) -> tuple[int, dict[str, Any]]:
    trust = ssl.create_default_context(cafile=str(lab.sim.ca_file))
    headers = {"Authorization": f"Bearer {lab.sim.token()}"}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
        session.get(address, headers=headers) as answer,
    ):
        return answer.status, await answer.json()
