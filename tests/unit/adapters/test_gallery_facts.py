"""ARM's documents read as facts: recorded ones, and the corners of them."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.adapters.azure.gallery_facts import (
    copy_body,
    read_definition,
    read_time,
    read_version,
    targets_body,
)
from shared.domain.facts import ProvisioningState, RegionReplication, RegionState, RegionTargetFacts, ResourceRange
from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber, region_name

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
DEFINITION = DefinitionId(GalleryId(SUBSCRIPTION, "images", "golden"), "ubuntu")
VERSION = DEFINITION.version(VersionNumber(1, 0, 0))


def version(**profiles: Any):
    return read_version({"location": "West Europe", "properties": profiles}, VERSION)


def test_a_document_with_nothing_in_it_says_nothing():
    facts = read_version({}, VERSION)
    assert facts.provisioning_state is ProvisioningState.UNKNOWN
    assert (facts.targets, facts.source_id, facts.published_at, facts.replication) == ((), None, None, None)
    assert (facts.excluded, facts.reported_for_policy_violation) == (False, False)


@pytest.mark.parametrize("nothing", [None, [], "text", 3])
def test_a_profile_that_is_no_object_says_nothing(nothing):
    facts = version(publishingProfile=nothing, storageProfile=nothing, safetyProfile=nothing, replicationStatus=nothing)
    assert (facts.targets, facts.disk_source_ids, facts.replication) == ((), (), None)


def test_regions_have_short_names_wherever_they_are_spelled():
    facts = version(
        publishingProfile={"targetRegions": [{"name": "West US 2"}]},
        replicationStatus={
            "aggregatedState": "InProgress",
            "summary": [{"region": "West US 2", "state": "Replicating"}],
        },
    )
    assert facts.location == "westeurope"
    assert facts.regions == ("westus2",)
    assert facts.replication is not None
    assert facts.replication.regions == {"westus2": RegionReplication(RegionState.REPLICATING, 0, "")}


def test_a_region_that_does_not_say_has_the_profiles_count_and_type():
    facts = version(
        publishingProfile={
            "replicaCount": 4,
            "storageAccountType": "Premium_LRS",
            "targetRegions": [{"name": "eastus"}],
        }
    )
    assert (facts.targets[0].replicas, facts.targets[0].storage) == (4, "Premium_LRS")


@pytest.mark.parametrize("said", [True, False])
def test_a_regions_flag_is_what_it_says(said):
    facts = version(publishingProfile={"targetRegions": [{"name": "eastus", "excludeFromLatest": said}]})
    assert facts.targets[0].excluded is said


def test_a_flag_that_is_not_said_is_none():
    assert version(publishingProfile={"targetRegions": [{"name": "eastus"}]}).targets[0].excluded is None


def test_what_is_not_known_of_a_region_survives_the_way_through_facts():
    entry = {
        "name": "East US",
        "regionalReplicaCount": 2,
        "storageAccountType": "Standard_ZRS",
        "excludeFromLatest": True,
        "encryption": {"osDiskImage": {"diskEncryptionSetId": "/x"}},
        "additionalReplicaSets": [{"storageAccountType": "PremiumV2_LRS", "regionalReplicaCount": 1}],
        "somethingNew": {"from": 2031},
    }
    facts = version(publishingProfile={"targetRegions": [entry]})
    written = targets_body(facts, facts.targets, excluded=False)["properties"]["publishingProfile"]["targetRegions"]
    assert written == [{**entry, "name": "eastus"}]


def test_a_write_keeps_extended_locations_and_protection():
    facts = version(
        publishingProfile={"targetExtendedLocations": [{"name": "westus"}], "replicaCount": 3, "publishedDate": "x"},
        safetyProfile={"blockDeletionBeforeEndOfLife": True, "allowDeletionOfReplicatedLocations": True},
    )
    body = targets_body(facts, [], excluded=True)["properties"]
    assert body["publishingProfile"] == {
        "targetExtendedLocations": [{"name": "westus"}],
        "replicaCount": 3,
        "targetRegions": [],
        "excludeFromLatest": True,
    }
    assert body["safetyProfile"] == {"blockDeletionBeforeEndOfLife": True, "allowDeletionOfReplicatedLocations": False}


def test_a_write_never_names_what_the_version_was_made_from():
    facts = version(storageProfile={"source": {"id": "/x"}})
    assert targets_body(facts, [], excluded=True)["properties"]["storageProfile"] == {}


def test_a_flag_that_was_not_said_is_not_written():
    entry = targets_body(version(), [RegionTargetFacts("eastus")], excluded=True)
    assert "excludeFromLatest" not in entry["properties"]["publishingProfile"]["targetRegions"][0]


def test_a_copy_is_hidden_whatever_its_targets_say():
    body = copy_body(version(), location="westeurope", targets=[RegionTargetFacts("westeurope", excluded=False)])
    profile = body["properties"]["publishingProfile"]
    assert profile["excludeFromLatest"] is True
    assert [entry["excludeFromLatest"] for entry in profile["targetRegions"]] == [True]
    assert body["properties"]["storageProfile"] == {"source": {"id": str(VERSION)}}


def test_imported_disks_are_named_by_their_address():
    facts = version(
        storageProfile={
            "osDiskImage": {"source": {"id": "/snapshots/s1"}, "sizeInGB": 30},
            "dataDiskImages": [{"lun": 3, "sizeInGB": 8, "source": {"id": "/accounts/a", "uri": "https://a/v.vhd"}}],
        }
    )
    assert facts.disk_source_ids == ("/snapshots/s1", "https://a/v.vhd")
    assert (facts.os_disk_gb, facts.data_disks_gb, facts.data_disk_luns) == (30, (8,), (3,))


def test_safety_and_validations_are_read():
    facts = version(
        safetyProfile={
            "reportedForPolicyViolation": True,
            "policyViolations": [{"category": "CopyrightValidation", "details": "x"}, {"category": "Other"}],
        },
        validationsProfile={"executedValidations": [{"type": "TrustedLaunch", "status": "failed"}]},
    )
    assert facts.reported_for_policy_violation
    assert facts.policy_violations == ("CopyrightValidation: x", "Other")
    assert (facts.validations[0].type, facts.validations[0].status) == ("TrustedLaunch", "failed")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2020-05-07T12:31:13.5954168+08:00", datetime(2020, 5, 7, 4, 31, 13, 595416, tzinfo=UTC)),
        ("2018-01-01T00:00:00Z", datetime(2018, 1, 1, tzinfo=UTC)),
        ("2018-01-01T00:00:00", datetime(2018, 1, 1, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
        (20180101, None),
    ],
)
def test_a_time_is_read_in_utc_or_not_at_all(text, time):
    assert read_time(text) == time
    assert time is None or read_time(text).isoformat() == time.isoformat()  # pyright: ignore[reportOptionalMemberAccess]


def test_a_definition_is_read():
    facts = read_definition(
        {
            "location": "West Europe",
            "tags": {"a": "b"},
            "properties": {
                "osType": "Windows",
                "osState": "Specialized",
                "hyperVGeneration": "V2",
                "architecture": "Arm64",
                "features": [{"name": "SecurityType", "value": "TrustedLaunch"}, {"value": "nameless"}],
                "provisioningState": "succeeded",
                "recommended": {"vCPUs": {"min": 2, "max": 16}, "memory": {"min": "many"}},
                "disallowed": {"diskTypes": ["Standard_LRS", 7]},
            },
        },
        DEFINITION,
    )
    assert (facts.os_type, facts.os_state, facts.architecture) == ("Windows", "Specialized", "Arm64")
    assert (facts.features, facts.provisioning_state) == (
        {"SecurityType": "TrustedLaunch"},
        ProvisioningState.SUCCEEDED,
    )
    assert facts.recommended == {"vCPUs": ResourceRange(2, 16), "memory": ResourceRange()}
    assert facts.disallowed_disk_types == ("Standard_LRS",)


# --- recorded documents -----------------------------------------------------------------------------------------------


def documents(real_data: Path) -> Iterator[Mapping[str, Any]]:
    """Image versions that ARM answered with, wherever they were recorded."""
    folder = real_data / "arm" / "recordings"
    for path in sorted(folder.rglob("*.yaml")):
        text = path.read_text()
        if "/versions/" in text:
            for exchange in yaml.load(text, Loader=yaml.CSafeLoader)["interactions"]:
                yield from _versions(exchange["response"]["body"].get("string"))
    for path in sorted(folder.rglob("CanCreateUpdateGetDeleteGalleryImageVersion.json")):
        for entry in json.loads(path.read_text())["Entries"]:
            yield from _versions(entry["ResponseBody"])


def _versions(body: Any) -> Iterator[Mapping[str, Any]]:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    if "galleries/images/versions" not in text:
        return
    try:
        document = json.loads(text)
    except ValueError:
        return
    for item in document.get("value", [document]):
        if item.get("type") == "Microsoft.Compute/galleries/images/versions":
            yield item


def test_every_recorded_version_is_understood(real_data):
    seen = 0
    for document in documents(real_data):
        facts = read_version(document, VersionId.parse(document["id"]))
        seen += 1
        assert facts.provisioning_state is not ProvisioningState.UNKNOWN, document
        assert facts.published_at is not None
        assert facts.targets
        assert facts.location in facts.regions
        assert all(region == region_name(region) for region in facts.regions)
        assert facts.source_id or facts.source_vm_id or facts.disk_source_ids, document
    assert seen > 50


def test_the_recorded_replication_status_is_understood(real_data):
    expanded = [each for each in documents(real_data) if "replicationStatus" in each["properties"]]
    assert expanded
    for document in expanded:
        facts = read_version(document, VersionId.parse(document["id"]))
        assert facts.replication is not None
        assert set(facts.replication.regions) == set(facts.regions)
        assert {status.state for status in facts.replication.regions.values()} == {RegionState.COMPLETED}
