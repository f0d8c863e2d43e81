"""Galleries, definitions and versions are made, changed and deleted as recorded ARM does it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.arm.galleries import replication
from local.arm.galleries.lineage import character_of
from local.arm.kernel.errors import ArmError
from local.arm.world import seed
from tests.unit.local.arm.arm_driver import (
    BASE,
    COMPUTE,
    DEFINITION,
    GALLERY,
    GROUP,
    OTHER_GROUP,
    OTHER_SUBSCRIPTION,
    VERSION,
    Arm,
    version_body,
)


def test_a_new_gallery_is_201_creating_and_done_within_a_second(arm: Arm) -> None:
    reply = arm.call("PUT", GALLERY, {"location": "westeurope"})
    assert (reply.status, reply.body["properties"]["provisioningState"]) == (201, "Creating")
    assert "/locations/westeurope/capsOperations/" in reply.headers["Azure-AsyncOperation"]
    assert "Location" not in reply.headers
    arm.advance(1)
    assert arm.document(GALLERY)["properties"]["provisioningState"] == "Succeeded"


def test_a_second_put_of_a_gallery_is_200_succeeded(gallery_arm: Arm) -> None:
    reply = gallery_arm.call("PUT", GALLERY, {"location": "westeurope"})
    assert (reply.status, reply.body["properties"]["provisioningState"]) == (200, "Succeeded")


def test_a_put_in_another_location_is_refused(gallery_arm: Arm) -> None:
    assert gallery_arm.error("PUT", GALLERY, {"location": "northeurope"})["code"] == "InvalidResourceLocation"


@pytest.mark.parametrize("name", ["-bad", "bad-", "with-hyphen", "x" * 81])
def test_a_bad_gallery_name_is_refused(arm: Arm, name: str) -> None:
    assert arm.error("PUT", f"{COMPUTE}/galleries/{name}", {"location": "westeurope"})["code"] == "InvalidParameter"


def test_a_location_is_required(arm: Arm) -> None:
    assert arm.error("PUT", GALLERY, {})["code"] == "LocationRequired"
    assert arm.error("PUT", GALLERY, {"location": "moon"})["code"] == "LocationNotAvailableForResourceType"


@pytest.mark.parametrize("change", [{"osType": "Windows"}, {"osState": "Specialized"}, {"hyperVGeneration": "V2"}])
def test_what_is_fixed_in_a_definition_cannot_change(gallery_arm: Arm, change: dict[str, str]) -> None:
    error = gallery_arm.error("PATCH", DEFINITION, {"properties": change})
    name = next(iter(change))
    assert (error["code"], error["target"]) == ("PropertyChangeNotAllowed", f"galleryImage.properties.{name}")


def test_two_definitions_may_not_share_their_identifier(gallery_arm: Arm) -> None:
    given = gallery_arm.document(DEFINITION)["properties"]
    body = {"location": "westeurope", "properties": {key: given[key] for key in ("osType", "osState", "identifier")}}
    assert gallery_arm.error("PUT", f"{GALLERY}/images/other", body)["status"] == 409


def test_since_2025_definitions_are_generation_2_with_trusted_launch(arm: Arm) -> None:
    arm.call("PUT", GALLERY, {"location": "westeurope"})
    properties = {
        "osType": "Linux",
        "osState": "Generalized",
        "identifier": {"publisher": "p", "offer": "o", "sku": "s"},
    }
    body = {"location": "westeurope", "properties": properties}
    made = arm.call("PUT", DEFINITION, body, api="2025-03-03").body["properties"]
    assert made["hyperVGeneration"] == "V2"
    assert made["features"] == [{"name": "SecurityType", "value": "TrustedLaunchSupported"}]


def test_an_end_of_life_in_the_past_is_refused(gallery_arm: Arm) -> None:
    error = gallery_arm.error("PATCH", DEFINITION, {"properties": {"endOfLifeDate": "2001-01-01T00:00:00Z"}})
    assert error["message"] == "EndOfLifeDate must be set to a future date."


def test_a_version_is_created_as_recorded(gallery_arm: Arm) -> None:
    reply = gallery_arm.call("PUT", VERSION, version_body("northeurope", replicaCount=2))
    properties = reply.body["properties"]
    assert (reply.status, properties["provisioningState"]) == (201, "Creating")
    assert [one["name"] for one in properties["publishingProfile"]["targetRegions"]] == ["West Europe", "North Europe"]
    assert {one["regionalReplicaCount"] for one in properties["publishingProfile"]["targetRegions"]} == {2}
    assert "osDiskImage" not in properties["storageProfile"]
    assert properties["safetyProfile"] == {
        "reportedForPolicyViolation": False,
        "allowDeletionOfReplicatedLocations": False,
    }
    gallery_arm.advance(3600)
    done = gallery_arm.document(VERSION)["properties"]
    assert done["storageProfile"]["osDiskImage"] == {"sizeInGB": 30, "hostCaching": "ReadWrite", "source": {}}


def test_old_api_versions_know_no_safety_profile(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    assert "safetyProfile" not in gallery_arm.document(VERSION, api="2021-10-01")["properties"]
    assert "safetyProfile" in gallery_arm.document(VERSION, api="2022-03-03")["properties"]


def test_the_home_region_copies_first(gallery_arm: Arm) -> None:
    gallery_arm.call("PUT", VERSION, version_body("northeurope"))
    gallery_arm.advance(60)
    status = gallery_arm.document(VERSION, **{"$expand": "ReplicationStatus"})["properties"]["replicationStatus"]
    states = {one["region"]: one["state"] for one in status["summary"]}
    assert (states, status["aggregatedState"]) == (
        {"westeurope": "Replicating", "northeurope": "Unknown"},
        "InProgress",
    )


def test_progress_grows_until_all_regions_are_completed(gallery_arm: Arm) -> None:
    gallery_arm.call("PUT", VERSION, version_body("northeurope"))
    seen: list[int] = []
    status: dict[str, Any] = {}
    for _ in range(60):
        gallery_arm.advance(60)
        status = gallery_arm.document(VERSION, **{"$expand": "replicationStatus"})["properties"]["replicationStatus"]
        seen.append(sum(one["progress"] for one in status["summary"]))
    assert seen == sorted(seen)
    assert (seen[-1], status["aggregatedState"]) == (200, "Completed")


def test_a_version_may_say_succeeded_before_every_region_has_its_replica() -> None:
    def ahead(number: int) -> bool:
        arm = Arm(seed=number)
        arm.make_definition()
        arm.call("PUT", VERSION, version_body("northeurope", "eastus2", "westus3"))
        while arm.document(VERSION)["properties"]["provisioningState"] == "Creating":
            arm.advance(15)
        status = replication.status(arm.store.get(VERSION), arm.now)  # pyright: ignore[reportArgumentType]
        return status["aggregatedState"] == "InProgress"

    found = [ahead(number) for number in range(12)]
    assert any(found)
    assert not all(found)


def test_durations_depend_on_the_seed_alone() -> None:
    def done_at(number: int) -> list[float]:
        arm = Arm(seed=number)
        arm.make_definition()
        arm.call("PUT", VERSION, version_body("northeurope"))
        found = arm.store.get(VERSION)
        assert found is not None
        return [one["done_at"] for one in found.sim["regions"].values()]

    assert done_at(3) == done_at(3)
    assert done_at(3) != done_at(4)


@pytest.mark.parametrize("name", ["1.0", "1.0.0.0", "v1.0.0", "1.0.2147483648", "latest"])
def test_a_bad_version_name_is_refused(gallery_arm: Arm, name: str) -> None:
    error = gallery_arm.error("PUT", f"{DEFINITION}/versions/{name}", version_body())
    assert error["message"].startswith("The image version name is invalid.")


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ([{"name": "northeurope"}], "must contain the location of image version <westeurope>"),
        ([{"name": "westeurope"}, {"name": "West Europe"}], "Duplicate regions are not allowed"),
        ([{"name": "westeurope"}, {"name": "atlantis"}], "'atlantis' is not a known region"),
        ([{"name": "westeurope", "regionalReplicaCount": 0}], "must be between 1 and 100"),
        ([{"name": "westeurope"}, {"name": "westus", "storageAccountType": "Standard_ZRS"}], "not supported in region"),
        ([{"name": "westeurope", "storageAccountType": "Floppy"}], "is invalid"),
        ([{}], "is missing"),
    ],
)
def test_bad_target_regions_are_refused(gallery_arm: Arm, profile: list[dict[str, Any]], message: str) -> None:
    body = version_body()
    body["properties"]["publishingProfile"]["targetRegions"] = profile
    assert message in gallery_arm.error("PUT", VERSION, body)["message"]


def test_a_source_whose_state_is_not_the_definition_s_is_refused(gallery_arm: Arm) -> None:
    image = gallery_arm.store.get(BASE)
    assert image is not None
    image.properties["storageProfile"]["osDisk"]["osState"] = "Specialized"
    message = gallery_arm.error("PUT", VERSION, version_body())["message"]
    assert message.startswith(f"Cannot create Gallery Image Version from: {BASE} since the OS State")


def test_a_missing_or_doubled_source_is_refused(gallery_arm: Arm) -> None:
    assert gallery_arm.error("PUT", VERSION, version_body(source=f"{COMPUTE}/images/none"))["status"] == 404
    body = version_body()
    body["properties"]["storageProfile"]["source"]["virtualMachineId"] = f"{COMPUTE}/virtualMachines/vm"
    assert gallery_arm.error("PUT", VERSION, body)["status"] == 400
    body["properties"]["storageProfile"] = {}
    assert gallery_arm.error("PUT", VERSION, body)["status"] == 400


def test_an_update_answers_200_updating_and_keeps_the_published_date(gallery_arm: Arm) -> None:
    first = gallery_arm.make_version().body["properties"]["publishingProfile"]["publishedDate"]
    reply = gallery_arm.call("PATCH", VERSION, {"properties": {"publishingProfile": {"excludeFromLatest": True}}})
    assert (reply.status, reply.body["properties"]["provisioningState"]) == (200, "Updating")
    profile = reply.body["properties"]["publishingProfile"]
    assert (profile["excludeFromLatest"], profile["publishedDate"]) == (True, first)


def test_a_put_resets_what_it_does_not_name_and_a_patch_keeps_it(gallery_arm: Arm) -> None:
    gallery_arm.make_version(VERSION, excludeFromLatest=True, replicaCount=3)
    gallery_arm.call("PATCH", VERSION, {"tags": {"a": "b"}})
    gallery_arm.advance(3600)
    kept = gallery_arm.document(VERSION)["properties"]["publishingProfile"]
    assert (kept["excludeFromLatest"], kept["replicaCount"]) == (True, 3)
    gallery_arm.call("PUT", VERSION, version_body())
    reset = gallery_arm.document(VERSION)["properties"]["publishingProfile"]
    assert (reset["excludeFromLatest"], reset["replicaCount"]) == (False, 1)


def test_a_write_during_a_write_is_a_conflict(gallery_arm: Arm) -> None:
    gallery_arm.call("PUT", VERSION, version_body())
    error = gallery_arm.error("PATCH", VERSION, {"tags": {}})
    assert (error["status"], error["code"]) == (409, "Conflict")


def test_the_source_of_a_version_cannot_change(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    error = gallery_arm.error("PUT", VERSION, version_body(source=f"{COMPUTE}/images/other"))
    assert error["code"] == "PropertyChangeNotAllowed"
    assert gallery_arm.call("PUT", VERSION, version_body(source=BASE.upper())).status == 200


def test_a_replicated_region_goes_only_with_leave(gallery_arm: Arm) -> None:
    gallery_arm.make_version(VERSION, "northeurope")
    body = version_body()
    assert gallery_arm.error("PUT", VERSION, body)["status"] == 409
    body["properties"]["safetyProfile"] = {"allowDeletionOfReplicatedLocations": True}
    assert gallery_arm.call("PUT", VERSION, body).status == 200
    assert not replication.replica_ready(gallery_arm.kernel, VERSION, "northeurope", gallery_arm.now)


@pytest.mark.parametrize(("character", "retries"), [("replication-fails-once", 1), ("replication-fails", None)])
def test_a_failed_region_is_reported_and_retried_by_the_next_write(
    arm: Arm, character: str, retries: int | None
) -> None:
    image = arm.store.get(BASE)
    assert image is not None
    image.sim["character"] = f"{character}:northeurope"
    arm.make_definition()
    reply = arm.make_version(VERSION, "northeurope")
    operation = arm.operation(reply)
    assert operation["status"] == "Failed"
    assert "{region:northeurope, detail:Failed with internal server error.}" in operation["error"]["message"]
    assert arm.document(VERSION)["properties"]["provisioningState"] == "Failed"
    again = arm.call("PUT", VERSION, version_body("northeurope"))
    arm.advance(3 * 3600)
    assert arm.operation(again)["status"] == ("Succeeded" if retries else "Failed")


def test_a_region_that_sticks_heals_by_removing_and_adding_it_again(arm: Arm) -> None:
    image = arm.store.get(BASE)
    assert image is not None
    image.sim["character"] = "replication-fails-until-readded:northeurope"
    arm.make_definition()
    arm.make_version(VERSION, "northeurope")
    outcomes = []
    for regions in (("northeurope",), (), ("northeurope",)):
        reply = arm.call("PUT", VERSION, version_body(*regions))
        arm.advance(3 * 3600)
        outcomes.append(arm.operation(reply)["status"])
    assert outcomes == ["Failed", "Succeeded", "Succeeded"]
    assert replication.replica_ready(arm.kernel, VERSION, "northeurope", arm.now)


def test_a_failed_write_raises_a_failure_event(arm: Arm) -> None:
    image = arm.store.get(BASE)
    assert image is not None
    image.sim["character"] = "replication-fails:northeurope"
    arm.make_definition()
    arm.make_version(VERSION, "northeurope")
    assert arm.events()[-1]["eventType"] == "Microsoft.Resources.ResourceWriteFailure"


def test_a_version_can_be_copied_into_a_gallery_of_another_subscription(gallery_arm: Arm) -> None:
    image = gallery_arm.store.get(BASE)
    assert image is not None
    image.sim["character"] = "panics-at-boot"
    gallery_arm.make_version()
    gallery = f"{OTHER_GROUP}/providers/Microsoft.Compute/galleries/prod"
    gallery_arm.call("PUT", gallery, {"location": "northeurope"})
    definition = gallery_arm.document(DEFINITION)["properties"]
    kept = {key: definition[key] for key in ("osType", "osState", "hyperVGeneration", "identifier")}
    gallery_arm.call("PUT", f"{gallery}/images/ubuntu", {"location": "northeurope", "properties": kept})
    copy = f"{gallery}/images/ubuntu/versions/1.0.0"
    gallery_arm.make_version(copy, source=VERSION, location="northeurope")
    assert character_of(gallery_arm.store, copy) == "panics-at-boot"
    assert gallery_arm.document(copy)["id"].startswith(f"/subscriptions/{OTHER_SUBSCRIPTION}/")


def test_a_version_that_is_not_finished_cannot_be_copied(gallery_arm: Arm) -> None:
    gallery_arm.call("PUT", VERSION, version_body())
    copy = f"{DEFINITION}/versions/1.0.1"
    assert gallery_arm.error("PUT", copy, version_body(source=VERSION))["code"] == "OperationNotAllowed"


def test_what_holds_something_cannot_be_deleted(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    for path in (GALLERY, DEFINITION):
        assert gallery_arm.error("DELETE", path)["message"].startswith(
            "Can not delete resource before nested resources"
        )


def test_deleting_answers_202_with_both_headers_and_204_for_what_is_gone(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    reply = gallery_arm.call("DELETE", VERSION)
    assert (reply.status, reply.body) == (202, None)
    assert "monitor=true" in reply.headers["Location"]
    assert gallery_arm.document(VERSION)["properties"]["provisioningState"] == "Deleting"
    assert "marked for deletion" in gallery_arm.error("PATCH", VERSION, {"tags": {}})["message"]
    gallery_arm.advance(91)
    assert gallery_arm.call("GET", VERSION).status == 404
    assert gallery_arm.call("DELETE", VERSION).status == 204


def test_the_monitor_of_an_operation_answers_202_until_it_ended(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    address = gallery_arm.call("DELETE", VERSION).headers["Location"].removeprefix("https://arm").split("?")[0]
    assert gallery_arm.call("GET", address, monitor="true").status == 202
    gallery_arm.advance(91)
    assert gallery_arm.call("GET", address, monitor="true").status == 200


def test_end_of_life_can_block_a_deletion(gallery_arm: Arm) -> None:
    end = (datetime.fromtimestamp(gallery_arm.now, UTC) + timedelta(days=9)).isoformat()
    body = version_body(endOfLifeDate=end)
    body["properties"]["safetyProfile"] = {"blockDeletionBeforeEndOfLife": True}
    gallery_arm.call("PUT", VERSION, body)
    gallery_arm.advance(3600)
    assert gallery_arm.error("DELETE", VERSION)["code"] == "DeleteGalleryImageVersionBlockedBeforeEndOfLife"
    gallery_arm.advance(10 * 24 * 3600)
    assert gallery_arm.call("DELETE", VERSION).status == 202


def test_latest_is_the_highest_number_replicated_in_the_region_and_not_excluded(gallery_arm: Arm) -> None:
    gallery_arm.make_version(f"{DEFINITION}/versions/1.9.0", "northeurope")
    gallery_arm.make_version(f"{DEFINITION}/versions/1.10.0")
    gallery_arm.make_version(f"{DEFINITION}/versions/2.0.0", "northeurope", excludeFromLatest=True)

    def latest(region: str) -> str:
        return replication.resolve_latest(gallery_arm.kernel, DEFINITION, region, gallery_arm.now).name

    assert (latest("westeurope"), latest("North Europe")) == ("1.10.0", "1.9.0")
    with pytest.raises(ArmError, match="There is no latest image version"):
        latest("eastus")


def test_a_region_s_own_flag_overrides_the_version_s(gallery_arm: Arm) -> None:
    gallery_arm.make_version(f"{DEFINITION}/versions/1.0.0", "northeurope")
    body = version_body(excludeFromLatest=True)
    targets = [{"name": "westeurope"}, {"name": "northeurope", "excludeFromLatest": False}]
    body["properties"]["publishingProfile"]["targetRegions"] = targets
    gallery_arm.call("PUT", f"{DEFINITION}/versions/2.0.0", body)
    gallery_arm.advance(3 * 3600)
    found = [
        replication.resolve_latest(gallery_arm.kernel, DEFINITION, region, gallery_arm.now).name
        for region in ("westeurope", "northeurope")
    ]
    assert found == ["1.0.0", "2.0.0"]


def test_an_image_that_is_not_in_the_region_is_named_so(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    with pytest.raises(ArmError, match="is not available in eastus region") as refused:
        replication.require_replica(gallery_arm.kernel, VERSION, "eastus", gallery_arm.now)
    assert (refused.value.status, refused.value.code) == (404, "GalleryImageNotFound")


def test_long_lists_come_in_pages(gallery_arm: Arm) -> None:
    for number in range(205):
        resource = {"id": f"{DEFINITION}/versions/1.0.{number}", "location": "westeurope"}
        seed(gallery_arm.kernel, {"resources": [resource]})
    found, path, query = [], f"{DEFINITION}/versions", {}
    while True:
        page = gallery_arm.call("GET", path, **query).body
        found += [one["name"] for one in page["value"]]
        if "nextLink" not in page:
            break
        query = {"$skiptoken": page["nextLink"].rsplit("skiptoken=", 1)[1]}
    assert (len(found), len(set(found))) == (205, 205)


def test_deleting_a_group_deletes_what_is_in_it_and_says_so(gallery_arm: Arm) -> None:
    reply = gallery_arm.call("DELETE", GROUP)
    address = reply.headers["Location"].removeprefix("https://arm").split("?")[0]
    assert (reply.status, gallery_arm.call("GET", address).status) == (202, 202)
    gallery_arm.advance(61)
    assert gallery_arm.call("GET", address).status == 200
    assert gallery_arm.call("HEAD", GROUP).status == 404
    deleted = {event["subject"] for event in gallery_arm.events() if event["eventType"].endswith("DeleteSuccess")}
    assert {GROUP, GALLERY, DEFINITION, BASE} <= deleted
