"""Every property of an image version that a client can set has a decision, and the bodies keep to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.azure.gallery_facts import copy_body, read_version, targets_body
from shared.adapters.azure.version_properties import PROPERTIES, OnCopy, OnUpdate
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId

READ_ONLY = 2
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute/galleries/g"
    "/images/d/versions/1.0.0"
)
END = datetime(2030, 1, 1, tzinfo=UTC)
FACTS = VersionFacts(
    VERSION,
    ProvisioningState.SUCCEEDED,
    "westeurope",
    targets=(RegionTargetFacts("westeurope", kept={"encryption": {"osDiskImage": {"diskEncryptionSetId": "/des"}}}),),
    end_of_life=END,
    kept={"safetyProfile": {"blockDeletionBeforeEndOfLife": True}},
)


def writable(types: list[dict[str, Any]]) -> Iterator[str]:
    """Paths of what a client can set, down to what is no object."""

    def walk(index: int, path: str, above: tuple[int, ...]) -> Iterator[str]:
        found = types[index]
        if found["$type"] == "ArrayType":
            yield from walk(target(found["itemType"]), f"{path}[]", above)
        elif found["$type"] == "ObjectType" and index not in above and found.get("properties"):
            for name, each in found["properties"].items():
                if not each.get("flags", 0) & READ_ONLY:
                    yield from walk(target(each["type"]), f"{path}.{name}".lstrip("."), (*above, index))
        else:
            yield path

    def target(reference: dict[str, str]) -> int:
        return int(reference["$ref"].rpartition("/")[2])

    (version,) = (
        each for each in types if each.get("name", "").startswith("Microsoft.Compute/galleries/images/versions@")
    )
    yield from walk(target(version["body"]), "", ())


def known(path: str) -> bool:
    return any(path == prefix or path.startswith((f"{prefix}.", f"{prefix}[]")) for prefix in PROPERTIES)


@pytest.mark.parametrize("api_version", ["2024-03-03", "2025-03-03", "2025-12-03"])
def test_every_property_that_azure_lets_a_client_set_has_a_decision(real_data: Path, api_version: str) -> None:
    path = real_data / "arm/bicep-types/compute_1/microsoft.compute" / api_version / "types.json"
    if not path.is_file():
        pytest.skip(f"the types of {api_version} are not there")
    found = {each for each in writable(json.loads(path.read_text())) if each != "name"}
    assert len(found) > 30
    assert [each for each in sorted(found) if not known(each)] == []


def test_a_copy_has_the_end_of_life_and_the_protection_of_its_source() -> None:
    properties = copy_body(FACTS, location="eastus", targets=(RegionTargetFacts("eastus"),))["properties"]
    assert properties["publishingProfile"]["endOfLifeDate"] == "2030-01-01T00:00:00+00:00"
    assert properties["safetyProfile"]["blockDeletionBeforeEndOfLife"] is True


def test_a_copy_of_a_version_without_an_end_of_life_names_none() -> None:
    body = copy_body(replace(FACTS, end_of_life=None, kept={}), location="eastus", targets=())
    assert "endOfLifeDate" not in body["properties"]["publishingProfile"]


def test_a_write_keeps_what_is_to_be_kept_and_names_nothing_that_it_leaves_alone() -> None:
    properties = targets_body(FACTS, FACTS.targets, excluded=True)["properties"]
    (region,) = properties["publishingProfile"]["targetRegions"]
    assert region["encryption"] == {"osDiskImage": {"diskEncryptionSetId": "/des"}}
    assert properties["safetyProfile"]["blockDeletionBeforeEndOfLife"] is True
    untouched = [path for path, handling in PROPERTIES.items() if handling.update is OnUpdate.UNTOUCHED]
    assert not [path for path in untouched if path.split(".")[-1] in properties["publishingProfile"]]


def test_what_a_copy_takes_over_is_read() -> None:
    copied = {path for path, handling in PROPERTIES.items() if handling.copy is OnCopy.COPIED}
    document = {
        "location": "westeurope",
        "tags": {"a": "b"},
        "properties": {
            "publishingProfile": {"endOfLifeDate": "2030-01-01T00:00:00Z"},
            "safetyProfile": {"blockDeletionBeforeEndOfLife": True},
        },
    }
    read = read_version(document, VERSION)
    assert len(copied) == len(("tags", read.tags, "end of life"))
    assert (read.tags, read.end_of_life, read.kept) == (
        {"a": "b"},
        END,
        {"safetyProfile": {"blockDeletionBeforeEndOfLife": True}},
    )
