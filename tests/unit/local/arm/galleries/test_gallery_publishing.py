"""How a version is published: shallow or not, with whose keys, until when, under which number."""

from datetime import UTC, datetime
from typing import Any

import pytest

from local.arm.galleries import replication
from tests.unit.local.arm.arm_driver import (
    COMPUTE,
    DEFINITION,
    GROUP,
    OTHER_GROUP,
    VERSION,
    Arm,
    version_body,
)


def key(region: str, *, group: str = GROUP, **data: str) -> dict[str, Any]:
    """A target region whose OS disk (and data disks, by `lun1`) have a disk encryption set."""
    base = f"{group}/providers/Microsoft.Compute/diskEncryptionSets"
    luns = [
        {"lun": int(lun.removeprefix("lun")), "diskEncryptionSetId": f"{base}/{name}"} for lun, name in data.items()
    ]
    encryption = {"osDiskImage": {"diskEncryptionSetId": f"{base}/des-{region}"}, "dataDiskImages": luns}
    return {"name": region, "encryption": encryption}


def published(*targets: dict[str, Any], **more: Any) -> dict[str, Any]:
    profile: dict[str, Any] = {"targetRegions": list(targets)}
    return version_body(**profile | more)


def test_a_shallow_version_is_in_the_region_of_its_source_alone_and_once(gallery_arm: Arm) -> None:
    error = gallery_arm.error("PUT", VERSION, version_body("northeurope", replicationMode="Shallow"))
    assert error["target"].endswith("targetRegions")
    error = gallery_arm.error("PUT", VERSION, version_body(replicationMode="Shallow", replicaCount=2))
    assert error["target"].endswith("regionalReplicaCount")
    reply = gallery_arm.make_version(VERSION, replicationMode="shallow")
    assert reply.body["properties"]["publishingProfile"]["replicationMode"] == "Shallow"
    more = {"targetRegions": [{"name": "westeurope"}, {"name": "northeurope"}]}
    for method in ("PUT", "PATCH"):
        body = {"location": "westeurope", "properties": {"publishingProfile": more}}
        assert gallery_arm.error(method, VERSION, body)["code"] == "InvalidParameter"
    change = {"properties": {"publishingProfile": {"replicationMode": "Full"}}}
    assert gallery_arm.error("PATCH", VERSION, change)["code"] == "PropertyChangeNotAllowed"


def test_a_version_is_encrypted_everywhere_or_nowhere(gallery_arm: Arm) -> None:
    error = gallery_arm.error("PUT", VERSION, published(key("westeurope"), {"name": "northeurope"}))
    assert error["message"].startswith("A disk encryption set is required for disk 'galleryArtifactVersion.properties.")
    assert "in target region 'North Europe'" in error["message"]
    body = published(key("westeurope", lun1="data"), key("northeurope"))
    assert gallery_arm.error("PUT", VERSION, body)["code"] == "InvalidParameter"


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        ([key("westeurope", group=OTHER_GROUP)], "must be in the same subscription '"),
        (
            [key("westeurope"), {"name": "northeurope"} | {"encryption": key("westeurope")["encryption"]}],
            "was not found",
        ),
        ([{"name": "westeurope", "encryption": {"osDiskImage": {"diskEncryptionSetId": "des"}}}], "is invalid."),
        ([key("westeurope", lun7="data")], "An invalid lun [7] was specified in encryption.dataDiskImages."),
    ],
)
def test_an_encryption_set_is_one_of_its_region_and_subscription(
    gallery_arm: Arm, targets: list[dict[str, Any]], text: str
) -> None:
    assert text in gallery_arm.error("PUT", VERSION, published(*targets))["message"]


def test_keys_neither_come_nor_go_nor_change_later(gallery_arm: Arm) -> None:
    gallery_arm.make_version(VERSION, targetRegions=[key("westeurope")])
    other = f"{DEFINITION}/versions/1.0.1"
    gallery_arm.make_version(other)
    for path, targets in (
        (VERSION, [{"name": "westeurope"}]),
        (VERSION, [key("westeurope") | {"encryption": key("northeurope")["encryption"]}]),
        (other, [key("westeurope")]),
    ):
        body = {"properties": {"publishingProfile": {"targetRegions": targets}}}
        assert gallery_arm.error("PATCH", path, body)["code"] == "PropertyChangeNotAllowed"
    body = {"properties": {"publishingProfile": {"targetRegions": [key("westeurope"), {"name": "northeurope"}]}}}
    assert "A disk encryption set is required" in gallery_arm.error("PATCH", VERSION, body)["message"]
    body["properties"]["publishingProfile"]["targetRegions"][1] = key("northeurope")
    assert gallery_arm.call("PATCH", VERSION, body).status == 200


def test_an_encrypted_version_is_no_source_and_no_copy_is_encrypted(gallery_arm: Arm) -> None:
    gallery_arm.make_version(VERSION, targetRegions=[key("westeurope")])
    copy = f"{DEFINITION}/versions/1.0.1"
    message = gallery_arm.error("PUT", copy, version_body(source=VERSION))["message"]
    assert "encrypted with customer-managed keys and cannot be used as source" in message
    gallery_arm.make_version(copy)
    body = published(key("westeurope"), source=copy)
    error = gallery_arm.error("PUT", f"{DEFINITION}/versions/1.0.2", body)
    assert error["message"].startswith(f"Encryption is not supported for source resource '{copy}'.")


def test_a_version_is_kept_until_its_end_of_life_which_may_become_today(gallery_arm: Arm) -> None:
    body = version_body(endOfLifeDate="2099-01-01T00:00:00Z")
    body["properties"]["safetyProfile"] = {"blockDeletionBeforeEndOfLife": True}
    gallery_arm.call("PUT", VERSION, body)
    gallery_arm.advance(3 * 3600)
    assert gallery_arm.error("DELETE", VERSION)["code"] == "DeleteGalleryImageVersionBlockedBeforeEndOfLife"
    today = f"{datetime.fromtimestamp(gallery_arm.now, UTC):%Y-%m-%d}T00:00:00Z"
    change = {"properties": {"publishingProfile": {"endOfLifeDate": today}}}
    assert gallery_arm.call("PATCH", VERSION, change).status == 200
    gallery_arm.advance(3600)
    assert gallery_arm.call("DELETE", VERSION).status == 202


def test_a_put_drops_what_it_does_not_name_and_a_patch_keeps_it(gallery_arm: Arm) -> None:
    end = "2099-01-01T00:00:00Z"
    body = version_body(endOfLifeDate=end, excludeFromLatest=True)
    body["properties"]["safetyProfile"] = {"blockDeletionBeforeEndOfLife": True}
    gallery_arm.call("PUT", VERSION, body | {"tags": {"a": "b"}})
    gallery_arm.advance(3 * 3600)
    gallery_arm.call("PATCH", VERSION, {"properties": {"publishingProfile": {"excludeFromLatest": False}}})
    gallery_arm.advance(3600)
    kept = gallery_arm.document(VERSION)
    assert (kept["properties"]["publishingProfile"]["endOfLifeDate"], kept["tags"]) == (end, {"a": "b"})
    assert kept["properties"]["safetyProfile"]["blockDeletionBeforeEndOfLife"] is True
    gallery_arm.call("PUT", VERSION, version_body())
    gallery_arm.advance(3600)
    dropped = gallery_arm.document(VERSION)
    assert "endOfLifeDate" not in dropped["properties"]["publishingProfile"]
    assert "blockDeletionBeforeEndOfLife" not in dropped["properties"]["safetyProfile"]
    assert "tags" not in dropped


def test_leading_zeros_of_a_name_are_kept_and_count_for_nothing(gallery_arm: Arm) -> None:
    for name in ("202309.06.0", "202309.5.0", "202308.10.0"):
        gallery_arm.make_version(f"{DEFINITION}/versions/{name}")
    assert gallery_arm.document(f"{DEFINITION}/versions/202309.06.0")["name"] == "202309.06.0"
    latest = replication.resolve_latest(gallery_arm.kernel, DEFINITION, "westeurope", gallery_arm.now)
    assert latest.name == "202309.06.0"
    assert gallery_arm.error("GET", f"{DEFINITION}/versions/202309.6.0")["code"] == "ResourceNotFound"


def test_one_number_is_not_there_in_two_spellings(gallery_arm: Arm) -> None:
    gallery_arm.make_version(f"{DEFINITION}/versions/1.02.0")
    error = gallery_arm.error("PUT", f"{DEFINITION}/versions/1.2.0", version_body())
    assert (error["status"], error["code"]) == (409, "Conflict")


def test_a_gallery_s_name_is_one_of_the_whole_subscription(gallery_arm: Arm) -> None:
    other = f"{GROUP.rsplit('/', 1)[0]}/other"
    gallery_arm.call("PUT", other, {"location": "westeurope"}, api="2021-04-01")
    path = COMPUTE.replace(GROUP, other) + "/galleries/BUILDS"
    error = gallery_arm.error("PUT", path, {"location": "westeurope"})
    assert (error["status"], error["code"]) == (409, "Conflict")
    subscription = GROUP.split("/")[2]
    assert error["message"] == (
        f"The gallery name 'BUILDS' is not unique within the subscription '{subscription}'. Please pick another "
        "gallery "
        "name."
    )
    elsewhere = f"{OTHER_GROUP}/providers/Microsoft.Compute/galleries/builds"
    assert gallery_arm.call("PUT", elsewhere, {"location": "northeurope"}).status == 201
