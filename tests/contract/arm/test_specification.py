"""The simulator's answers to the app pass Azure's own validator against Azure's own OpenAPI."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path

import pytest

from local.arm.kernel.messages import Route
from local.arm.resource_manager import ROUTES
from local.azurite.install import InstallError
from local.oav import Issue, check, ensure_installed
from tests.contract.arm.differences import known
from tests.contract.arm.exchanges import SPECIFICATIONS, Recorder, a_release
from tests.contract.arm.tour import a_tour

pytestmark = pytest.mark.stack
USED = {
    "Galleries_Get",
    "GalleryImages_Get",
    "GalleryImageVersions_Get",
    "GalleryImageVersions_CreateOrUpdate",
    "GalleryImageVersions_Update",
    "GalleryImageVersions_ListByGalleryImage",
    "VirtualMachines_CreateOrUpdate",
    "VirtualMachines_Get",
    "VirtualMachines_Delete",
    "VirtualMachines_RetrieveBootDiagnosticsData",
    "VirtualMachineRunCommands_CreateOrUpdate",
    "VirtualMachineRunCommands_GetByVirtualMachine",
    "Disks_Get",
    "Disks_Delete",
}


@pytest.fixture(scope="module")
def recorded() -> Recorder:
    return asyncio.run(a_release())


@pytest.fixture(scope="module")
def toured() -> Recorder:
    return a_tour()


@pytest.fixture(scope="module")
def specifications(real_data: Path) -> Path:
    folder = real_data / "arm" / "openapi"
    missing = [each for each in SPECIFICATIONS.values() if not (folder / each).is_file()]
    if missing:
        pytest.skip(f"needs Azure's OpenAPI in {folder}: {missing[0]}")
    return folder


@pytest.fixture(scope="module")
def issues(
    recorded: Recorder, toured: Recorder, specifications: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Issue]:
    try:
        ensure_installed()
    except InstallError as error:
        pytest.skip(f"oav cannot be installed: {error}")
    traffic: dict[Path, list[Path]] = defaultdict(list)
    for name, recorder in (("release", recorded), ("tour", toured)):
        for specification, payloads in recorder.write(tmp_path_factory.mktemp(name), specifications).items():
            traffic[specification] += payloads
    return check(traffic)


def test_the_tour_holds_every_operation_that_the_simulator_offers_and_a_specification_names(
    toured: Recorder, specifications: Path
) -> None:
    named = {name for each in SPECIFICATIONS.values() for name in operation_ids(specifications / each)}
    offered = {route.name for route in all_routes() if not route.public}
    assert (offered & named) - {name for name, status in toured.operations if status < 300} == set()


def operation_ids(specification: Path) -> set[str]:
    """The operations that a specification's file describes."""
    paths = json.loads(specification.read_text(encoding="utf-8"))["paths"]
    return {operation["operationId"] for path in paths.values() for operation in path.values()}


def all_routes() -> list[Route]:
    """Everything that the simulator answers."""
    return [route for routes in ROUTES for route in routes.handlers]


def test_the_traffic_holds_every_operation_that_a_release_uses(recorded: Recorder) -> None:
    assert {name for name, _ in recorded.operations} >= USED


def test_the_traffic_holds_refusals_too(recorded: Recorder) -> None:
    assert {status for _, status in recorded.operations} >= {200, 201, 202, 404, 409}


def test_requests_and_responses_have_only_known_issues(issues: list[Issue]) -> None:
    listed = [_key(each) for each in known()["validator"]]
    unknown = [each for each in issues if (each.operation, each.side, each.code) not in listed]
    assert unknown == []


def test_every_known_difference_has_a_reason_and_still_occurs(issues: list[Issue]) -> None:
    met = {(each.operation, each.side, each.code) for each in issues}
    listed = known()["validator"]
    assert all(len(each["reason"]) > 20 for each in listed)
    assert [each for each in listed if _key(each) not in met] == []


def test_the_validator_notices_what_is_wrong(
    recorded: Recorder, specifications: Path, tmp_path: Path, issues: list[Issue]
):
    traffic = recorded.write(tmp_path, specifications)
    spec = next(each for each in traffic if each.name == "gallery.json")
    file = next(each for each in traffic[spec] if "GET-GalleryImageVersions_Get-200" in each.name)
    document = json.loads(file.read_text(encoding="utf-8"))
    del document["liveResponse"]["body"]["location"]
    document["liveResponse"]["body"]["properties"]["publishingProfile"]["excludeFromLatest"] = "yes"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert {each.code for each in check({spec: [file]})} >= {"OBJECT_MISSING_REQUIRED_PROPERTY", "INVALID_TYPE"}


def _key(difference: dict[str, str]) -> tuple[str, str, str]:
    return difference["operation"], difference["side"], difference["code"]
