"""Deleted versions are kept for a time in galleries that want it, and can be restored."""

import pytest

from local.arm.galleries import replication
from local.arm.kernel.errors import ArmError
from tests.unit.local.arm.arm_driver import DEFINITION, GALLERY, VERSION, Arm, version_body


def _soft(arm: Arm) -> None:
    policy = {"isSoftDeleteEnabled": True, "retentionPeriodInDays": 7}
    arm.call("PATCH", GALLERY, {"properties": {"softDeletePolicy": policy}})
    arm.make_version()
    arm.call("DELETE", VERSION)
    arm.advance(100)


def test_a_soft_deleted_version_is_listed_apart_and_usable_by_number_only(gallery_arm: Arm) -> None:
    _soft(gallery_arm)
    assert gallery_arm.call("GET", VERSION).status == 404
    kept = gallery_arm.document(f"{GALLERY}/softDeletedArtifactTypes/Images/artifacts/ubuntu/versions")["value"]
    assert [one["properties"]["resourceArmId"] for one in kept] == [VERSION]
    assert replication.replica_ready(gallery_arm.kernel, VERSION, "westeurope", gallery_arm.now)
    with pytest.raises(ArmError):
        replication.resolve_latest(gallery_arm.kernel, DEFINITION, "westeurope", gallery_arm.now)
    assert gallery_arm.error("DELETE", DEFINITION)["code"] == "CannotDeleteResource"


def test_a_soft_deleted_version_can_be_restored(gallery_arm: Arm) -> None:
    _soft(gallery_arm)
    assert gallery_arm.error("PUT", VERSION, version_body())["status"] == 409
    body = {"location": "westeurope", "properties": {"restore": True, "storageProfile": {}}}
    assert gallery_arm.call("PUT", VERSION, body).status == 200
    gallery_arm.advance(60)
    assert gallery_arm.document(VERSION)["properties"]["provisioningState"] == "Succeeded"


def test_a_soft_deleted_version_is_gone_after_its_retention(gallery_arm: Arm) -> None:
    _soft(gallery_arm)
    gallery_arm.advance(7 * 24 * 3600)
    assert not gallery_arm.document(f"{GALLERY}/softDeletedArtifactTypes/Images/artifacts/ubuntu/versions")["value"]
    assert gallery_arm.call("PUT", VERSION, version_body()).status == 201


def test_bypassing_soft_delete_leaves_nothing(gallery_arm: Arm) -> None:
    _soft(gallery_arm)
    assert gallery_arm.call("DELETE", VERSION, bypassSoftDelete="true").status == 202
    gallery_arm.advance(60)
    assert not gallery_arm.store.table("soft_deleted").items()


def test_a_write_without_a_source_restores_as_the_cli_sends_it(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    gallery_arm.call("PATCH", VERSION, {"tags": {"team": "images"}})
    _soft_again(gallery_arm)
    assert gallery_arm.call("PUT", VERSION, {"location": "westeurope", "tags": {}}).status == 200
    gallery_arm.advance(60)
    found = gallery_arm.document(VERSION)
    assert (found["properties"]["provisioningState"], found["tags"]) == ("Succeeded", {})
    assert not gallery_arm.document(f"{GALLERY}/softDeletedArtifactTypes/Images/artifacts/ubuntu/versions")["value"]


def test_a_restored_version_keeps_the_tags_that_nobody_replaced(gallery_arm: Arm) -> None:
    gallery_arm.make_version()
    gallery_arm.call("PATCH", VERSION, {"tags": {"team": "images"}})
    _soft_again(gallery_arm)
    gallery_arm.call("PUT", VERSION, {"location": "westeurope", "properties": {"restore": True}})
    assert gallery_arm.document(VERSION)["tags"] == {"team": "images"}


def _soft_again(arm: Arm) -> None:
    arm.advance(3600)
    arm.call("PATCH", GALLERY, {"properties": {"softDeletePolicy": {"isSoftDeleteEnabled": True}}})
    arm.call("DELETE", VERSION)
    arm.advance(100)
    assert arm.error("GET", VERSION)["status"] == 404
