"""Soft-deleted versions: kept for the retention period (usable by exact number), then for the grace period, then gone.

`softDeletePolicy` of the gallery: `isSoftDeleteEnabled`, `retentionPeriodInDays` (7 by default) and `gracePeriodInDays`
(none by default). The days are Azure's time, so the simulator's speed shortens them.
"""

from typing import Any

from local.arm.kernel.clock import iso
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import accepted
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource, Store

routes = Routes()

_DAY = 24 * 3600.0
_LIST = (
    "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/galleries/{gallery}"
    "/softDeletedArtifactTypes/{kind}/artifacts/{image}/versions"
)


def policy(store: Store, version: Resource) -> dict[str, Any] | None:
    """The gallery's policy when it keeps what is deleted, else None."""
    gallery = store.get(version.id.rsplit("/images/", 1)[0])
    found = gallery.properties.get("softDeletePolicy") if gallery else None
    return found if found and found.get("isSoftDeleteEnabled") else None


def holds(store: Store, version_id: str) -> bool:
    """Whether a version with this id is soft-deleted."""
    return version_id.lower() in store.table("soft_deleted")


def keep(kernel: Kernel, version: Resource, at: float) -> None:
    """Keep a version that was just deleted."""
    found = policy(kernel.store, version) or {}
    retention = kernel.clock.scaled(_DAY * (found.get("retentionPeriodInDays") or 7))
    grace = kernel.clock.scaled(_DAY * (found.get("gracePeriodInDays") or 0))
    version.sim["deleting"] = False
    kernel.store.table("soft_deleted")[version.id.lower()] = {
        "document": version.document,
        "sim": version.sim,
        "deleted_at": at,
        "consumption_end": at + retention,
        "hard_deletion": at + retention + grace,
    }
    kernel.schedule.at(at + retention + grace, "version.expired", {"id": version.id, "deleted_at": at})


def take_back(store: Store, version_id: str) -> Resource:
    """Make a soft-deleted version a version again."""
    kept = store.table("soft_deleted").pop(version_id.lower())
    assert kept is not None
    return store.put(Resource(kept["document"], kept["sim"]))


def purge(request: Request) -> Reply:
    """202: delete a soft-deleted version for good."""
    kept = request.kernel.store.table("soft_deleted")[request.resource_id.lower()]
    payload = {"id": request.resource_id, "deleted_at": kept["deleted_at"]}
    operation = request.begin(
        request.resource_id,
        seconds=30,
        location=kept["document"]["location"],
        family="capsOperations",
        done="version.expired",
        payload=payload,
    )
    return accepted(request, operation)


@routes.operation("GET", _LIST, name="SoftDeletedResource_ListByArtifactName", bucket="GetGalleryImage")
def list_by_artifact(request: Request) -> Reply:
    """The soft-deleted versions of a definition."""
    if request.params["kind"].lower() != "images":
        raise ArmError(400, "InvalidParameter", f"The artifact type '{request.params['kind']}' is not supported.")
    gallery = request.resource_id.rsplit("/softDeletedArtifactTypes/", 1)[0]
    request.require(gallery)
    prefix = f"{gallery}/images/{request.params['image']}/versions/".lower()
    kept = request.kernel.store.table("soft_deleted").items()
    return paged(
        request, (_shown(gallery, request.params["image"], one) for key, one in kept if key.startswith(prefix))
    )


def _shown(gallery: str, image: str, kept: dict[str, Any]) -> dict[str, Any]:
    document = kept["document"]
    where = f"{gallery}/softDeletedArtifactTypes/Images/artifacts/{image}/versions/{document['name']}"
    return {
        "name": document["name"],
        "id": where,
        "type": "Microsoft.Compute/galleries/softDeletedArtifactTypes/artifacts/versions",
        "location": document["location"],
        "tags": document.get("tags", {}),
        "properties": {
            "resourceArmId": document["id"],
            "softDeletedArtifactType": "Images",
            "softDeletedTime": iso(kept["deleted_at"]),
            "consumptionEndTime": iso(kept["consumption_end"]),
            "hardDeletionTargetTime": iso(kept["hard_deletion"]),
        },
    }


@routes.hook("version.expired")
def _expired(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    kept = kernel.store.table("soft_deleted").get(payload["id"].lower())
    if kept is not None and kept["deleted_at"] == payload["deleted_at"]:
        kernel.store.table("soft_deleted").pop(payload["id"].lower())
