"""The simulator's answers to the app pass Azure's own validator against Azure's own OpenAPI."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from local.azurite.install import InstallError
from local.oav import Issue, check, ensure_installed
from tests.contract.arm.differences import known
from tests.contract.arm.exchanges import SPECIFICATIONS, Recorder, a_release

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
def issues(recorded: Recorder, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Issue]:
    specifications = real_data / "arm" / "openapi"
    missing = [each for each in SPECIFICATIONS.values() if not (specifications / each).is_file()]
    if missing:
        pytest.skip(f"needs Azure's OpenAPI in {specifications}: {missing[0]}")
    try:
        ensure_installed()
    except InstallError as error:
        pytest.skip(f"oav cannot be installed: {error}")
    return check(recorded.write(tmp_path_factory.mktemp("payloads"), specifications))


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


def test_the_validator_notices_what_is_wrong(recorded: Recorder, real_data: Path, tmp_path: Path, issues: list[Issue]):
    traffic = recorded.write(tmp_path, real_data / "arm" / "openapi")
    spec = next(each for each in traffic if each.name == "gallery.json")
    file = next(each for each in traffic[spec] if "GET-GalleryImageVersions_Get-200" in each.name)
    document = json.loads(file.read_text(encoding="utf-8"))
    del document["liveResponse"]["body"]["location"]
    document["liveResponse"]["body"]["properties"]["publishingProfile"]["excludeFromLatest"] = "yes"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert {each.code for each in check({spec: [file]})} >= {"OBJECT_MISSING_REQUIRED_PROPERTY", "INVALID_TYPE"}


def _key(difference: dict[str, str]) -> tuple[str, str, str]:
    return difference["operation"], difference["side"], difference["code"]
