"""Every method of the adapters that asks ARM: facts, or a fault of the ports, whatever ARM answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.galleries import AzureGalleries
from shared.adapters.azure.machines import AzureMachines
from shared.domain.facts import ProvisioningState, VersionFacts
from shared.domain.image import VersionId
from shared.domain.policy import TestEnvironment
from shared.ports import ForeignTarget, PassingFault, Refused
from tests.fuzz.arm_wire import Answer, arm
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged_bytes
from tests.fuzz.test_arm_answers import DEFINITIONS, ERROR, GALLERIES, HEADERS, MACHINES, PROBE, VERSION, VERSIONS

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-test"
MACHINE = "rm-0123456789ab"
PART = f"{GROUP}/providers/Microsoft.Compute/disks/{MACHINE}-os"
ENVIRONMENT = TestEnvironment(SUBSCRIPTION, "rg-test", f"{GROUP}/x/{{region}}")
TAGS = {"ringmaster-release": "/x", "ringmaster-expires": "2026-03-02T08:00:00+00:00"}
OURS = {"id": f"{GROUP}/providers/Microsoft.Compute/virtualMachines/{MACHINE}", "name": MACHINE, "tags": TAGS}
LISTED = [
    {"value": [OURS, {"id": PART, "name": f"{MACHINE}-os", "tags": TAGS}], "nextLink": "https://arm.example/next"},
    {"value": [], "nextLink": None},
]
SOURCES = [
    f"{GROUP}/providers/Microsoft.Compute/{kind}/a" for kind in ("images", "virtualMachines", "disks", "snapshots")
] + [str(VERSION), "https://x/y.vhd"]
SOURCE = {
    "id": "/x",
    "properties": {
        "osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "diskSizeGB": 30,
        "storageProfile": {"osDisk": {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30},
                           "osDiskImage": {"sizeInGB": 30}},
        "supportedCapabilities": {"architecture": "x64"}, "architecture": "x64",
        "instanceView": {"hyperVGeneration": "V2", "statuses": [{"code": "OSState/generalized"}]},
    },
}  # fmt: skip
NO_LOG = [{"consoleScreenshotBlobUri": "https://x/a"}, {"serialConsoleLogBlobUri": None}]
type Asked = Callable[[AzureGalleries, AzureMachines], Awaitable[Any]]


def made_from(source: str) -> Any:
    facts = VersionFacts(VERSION, ProvisioningState.SUCCEEDED, "westeurope", source_id=source)
    return lambda galleries, _: galleries.source(facts)


ASKED: dict[str, tuple[list[Any], Asked]] = {
    "version": (VERSIONS, lambda galleries, _: galleries.version(VERSION, replication=True)),
    "versions": (
        [{"value": VERSIONS[:3], "nextLink": "https://arm.example/next?a=b"}, {"value": []}],
        lambda galleries, _: galleries.versions(VERSION.definition),
    ),
    "definition": (DEFINITIONS, lambda galleries, _: galleries.definition(VERSION.definition)),
    "gallery": (GALLERIES, lambda galleries, _: galleries.gallery(VERSION.definition.gallery)),
    **{f"source {source.split('/')[-2]}": ([SOURCE], made_from(source)) for source in SOURCES},
    "view": (MACHINES, lambda _, machines: machines.view(MACHINE)),
    "probe": ([PROBE], lambda _, machines: machines.probe(MACHINE, "p")),
    "serial_log": (NO_LOG, lambda _, machines: machines.serial_log(MACHINE)),
    "delete": ([OURS], lambda _, machines: machines.delete(MACHINE)),
    "remaining": ([OURS], lambda _, machines: machines.remaining([PART])),
    "delete_part": ([OURS], lambda _, machines: machines.delete_part(PART)),
    "ours": (LISTED, lambda _, machines: machines.ours()),
}


@st.composite
def questions(draw: st.DrawFn) -> tuple[Asked, list[Answer]]:
    documents, ask = ASKED[draw(st.sampled_from(sorted(ASKED)))]
    answers = []
    for _ in range(draw(st.integers(1, 3))):
        good = draw(st.integers(0, 3)) > 0
        body = draw(damaged_bytes(documents) if good else damaged_bytes([ERROR]))
        status = 200 if good else draw(st.sampled_from([200, 202, 204, 301, 400, 403, 404, 409, 412, 429, 500, 503]))
        # A report of the console is read over a network of its own; its address is not what is damaged here.
        body = body.replace(b"serialConsoleLogBlobUri", b"serialConsoleLogBlobUr_")
        answers.append(Answer(status, body, draw(HEADERS) if not good else {}))
    return ask, answers


async def asked(ask: Asked, answers: list[Answer]) -> Any:
    wire = arm(answers)
    try:
        galleries = AzureGalleries(wire, frozenset({str(VERSION.definition.gallery)}))
        return await ask(galleries, AzureMachines(wire, ENVIRONMENT))
    finally:
        await wire.close()


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Imports and models of the SDK are no cost of an input."""
    for documents, ask in ASKED.values():
        asyncio.run(asked(ask, [Answer(200, json.dumps(each).encode(), {}) for each in documents[:2]]))


@entrance
@given(questions())
def test_arm_is_understood_or_a_fault_of_the_ports_says_why_not(question: tuple[Asked, list[Answer]]) -> None:
    ask, answers = question
    size = sum(len(answer.body) for answer in answers)
    with bounded(size), suppress(PassingFault, Refused, ForeignTarget):
        asyncio.run(asked(ask, answers))


def test_sound_answers_are_understood() -> None:
    for name, (documents, ask) in ASKED.items():
        answers = [Answer(200, json.dumps(each).encode(), {}) for each in documents[:2]]
        found = asyncio.run(asked(ask, answers))
        assert found is not None or name in {"serial_log", "delete", "delete_part"}, name
    assert isinstance(VERSION, VersionId)
