"""Image versions: reading, creating, updating and deleting them."""

import copy
import re
from datetime import UTC, datetime
from typing import Any

from local.arm.galleries import encryption, publishing, replication, rules, soft_delete, sources
from local.arm.galleries.features import CONFIDENTIAL, security_of
from local.arm.galleries.lineage import CLEAN
from local.arm.kernel.clock import iso
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

KIND = "Microsoft.Compute/galleries/images/versions"
_LIST = (
    "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/galleries/{gallery}/images/{image}/versions"
)
_ONE = _LIST + "/{version}"
_NUMBER = re.compile(r"(\d{1,19})\.(\d{1,19})\.(\d{1,19})", re.ASCII)
_LARGEST = 2**31 - 1
_UPDATE_SECONDS = 30.0
_DELETE_SECONDS = 90.0  # recorded in test_gallery_e2e.yaml
_SAFETY = {"reportedForPolicyViolation": False, "allowDeletionOfReplicatedLocations": False}
_SAFETY_KEYS = ("allowDeletionOfReplicatedLocations", "blockDeletionBeforeEndOfLife")


@routes.operation("GET", _ONE, name="GalleryImageVersions_Get", bucket="GetGalleryImageVersion")
def get(request: Request) -> Reply:
    """One version; `$expand=ReplicationStatus` adds where it is."""
    version = request.require()
    document = rules.shown(version, request.api_version)
    expand = request.query.get("$expand")
    if expand is None:
        return Reply(200, document)
    if expand.lower() not in ("replicationstatus", "uefisettings"):
        raise bad_parameter(f"The value '{expand}' of '$expand' is invalid.", "$expand")
    if expand.lower() == "replicationstatus":
        document["properties"] |= {"replicationStatus": replication.status(version, request.now)}
    return Reply(200, document)


@routes.operation(
    "GET",
    _LIST,
    name="GalleryImageVersions_ListByGalleryImage",
    bucket="ListGalleryImageVersionsInGalleryImage",
)
def list_in_definition(request: Request) -> Reply:
    """The versions of a definition, without replication status and without soft-deleted ones."""
    definition = request.require(request.scope)
    found = request.kernel.store.children(definition.id, KIND)
    return paged(request, (rules.shown(one, request.api_version) for one in found))


@routes.operation("PUT", _ONE, name="GalleryImageVersions_CreateOrUpdate", bucket="CreateUpdateGalleryImageVersion")
def put(request: Request) -> Reply:
    """201 Creating; 200 Updating for one that exists; a restore for a soft-deleted one."""
    definition = request.require_parent()
    assert definition is not None
    _check_number(request.params["version"])
    existing = request.kernel.store.get(request.resource_id)
    location = rules.location_of(request, existing)
    if existing is not None:
        return _update(request, existing, replace=True)
    if soft_delete.holds(request.kernel.store, request.resource_id):
        return _restore(request)
    rules.check_not_deleting(definition, "Gallery Image")
    _check_spelling(request, definition)
    return _create(request, definition, location)


@routes.operation("PATCH", _ONE, name="GalleryImageVersions_Update", bucket="CreateUpdateGalleryImageVersion")
def patch(request: Request) -> Reply:
    """200 Updating, never another status of success."""
    return _update(request, request.require(), replace=False)


def _check_number(name: str) -> None:
    if not _NUMBER.fullmatch(name) or any(int(part) > _LARGEST for part in name.split(".")):
        raise bad_parameter(
            "The image version name is invalid. The image version name should follow Major(int).Minor(int).Patch(int) "
            "format, for example: 1.0.0, 2018.12.1 etc.",
            "galleryImageVersionName",
        )


def _check_spelling(request: Request, definition: Resource) -> None:
    """A name keeps its leading zeros (Azure/AKS has `202309.06.0`), but no number is there in two spellings."""
    wanted = replication.number(request.params["version"])
    for one in request.kernel.store.children(definition.id, KIND):
        if replication.number(one.name) == wanted:
            raise ArmError(
                409,
                "Conflict",
                f"The gallery image version '{request.params['version']}' is the same number as '{one.name}', which "
                f"exists in the gallery image '{definition.name}'.",
            )


def _create(request: Request, definition: Resource, location: str) -> Reply:
    body = rules.body_of(request)
    given = body.get("properties") or {}
    storage = given.get("storageProfile")
    if not isinstance(storage, dict):
        target = "galleryImageVersion.properties.storageProfile"
        raise bad_parameter(f"Required parameter '{target}' is missing (null).", target)
    profile = publishing.build(given.get("publishingProfile") or {}, {}, home=location, now=request.now, replace=True)
    source = sources.read(request.kernel, storage)
    sources.check(source, definition, _source_id(storage), location)
    _check_encryption(request, profile, definition, source, _source_id(storage))
    profile["publishedDate"] = iso(request.now)
    version = Resource(
        {
            "name": request.params["version"],
            "id": f"{definition.id}/versions/{request.params['version']}",
            "type": KIND,
            "location": location,
            **rules.tagged(body),
            "properties": {
                "publishingProfile": profile,
                "storageProfile": sources.shown(storage),
                "safetyProfile": _SAFETY | _safety(given),
                "provisioningState": "Creating",
            },
        },
        {"disks": _disks(source, storage), "character": source.character if source.character != CLEAN else None},
    )
    home_first = sorted(publishing.region_names(profile), key=lambda name: name != location)
    for region in home_first:
        replication.start(request.kernel, version, region, request.now)
    headers = _begin(request, version, _UPDATE_SECONDS)
    return Reply(201, rules.shown(version, request.api_version), headers)


def _check_encryption(
    request: Request, profile: dict[str, Any], definition: Resource, source: sources.Source, source_id: str
) -> None:
    listed = source.kind.endswith(("/virtualmachines", "/images"))  # recorded: of a snapshot's disks nothing is asked
    luns = [one["lun"] for one in source.data_disks] if listed else None
    copied = source_id if source.kind == KIND.lower() else None
    encryption.check_new(profile, request.params["sub"], luns, copied)
    if security_of(definition) == CONFIDENTIAL and publishing.region_names(profile)[1:]:
        raise bad_parameter(  # "Create a confidential VM from a compute gallery image" on Microsoft Learn
            "Gallery image versions with security type 'ConfidentialVM' cannot be replicated to other regions.",
            "galleryImageVersion.properties.publishingProfile.targetRegions",
        )


def _source_id(storage: dict[str, Any]) -> str:
    named = list((storage.get("source") or {}).values())
    disk = (storage.get("osDiskImage") or {}).get("source") or {}
    return str(next(iter([*named, *disk.values()]), ""))


def _safety(given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("safetyProfile") or {}
    return {key: bool(wanted[key]) for key in _SAFETY_KEYS if wanted.get(key) is not None}


def _disks(source: sources.Source, storage: dict[str, Any]) -> dict[str, Any]:
    given = storage.get("osDiskImage") or {}
    caching = given.get("hostCaching") or "ReadWrite"
    disk = {"sizeInGB": source.size, "hostCaching": caching, "source": given.get("source") or {}}
    found: dict[str, Any] = {"osDiskImage": disk}
    return found | ({"dataDiskImages": source.data_disks} if source.data_disks else {})


def _update(request: Request, version: Resource, *, replace: bool) -> Reply:
    rules.check_not_deleting(version, "Gallery Image Version")
    if version.properties["provisioningState"] in ("Creating", "Updating"):
        raise ArmError(409, "Conflict", rules.CONCURRENT)
    body, stored = rules.body_of(request), version.properties
    given = body.get("properties") or {}
    _check_source(given.get("storageProfile") or {}, stored["storageProfile"])
    profile = publishing.build(
        given.get("publishingProfile") or {},
        stored["publishingProfile"],
        home=version.location,
        now=request.now,
        replace=replace,
    )
    encryption.check_update(profile, stored["publishingProfile"], request.params["sub"])
    safety = (_SAFETY if replace else stored["safetyProfile"]) | _safety(given)
    _move(request, version, publishing.region_names(profile), safety)
    rules.retag(version, body, replace=replace)
    stored |= {"publishingProfile": profile, "safetyProfile": safety, "provisioningState": "Updating"}
    headers = _begin(request, version, _UPDATE_SECONDS)
    return Reply(200, rules.shown(version, request.api_version), headers)


def _check_source(given: dict[str, Any], stored: dict[str, Any]) -> None:
    before = stored.get("source") or {}
    kinds = {"id": "id", "virtualMachineId": "virtualMachineId", "communityGalleryImageId": "communityGalleryImageId"}
    for key, name in kinds.items():
        wanted = (given.get("source") or {}).get(key)
        if wanted and wanted.lower() != before.get(key, "").lower():
            raise rules.property_change(f"galleryImageVersion.properties.storageProfile.source.{name}")
    disk = ((given.get("osDiskImage") or {}).get("source") or {}).get("id")
    known = ((stored.get("osDiskImage") or {}).get("source") or {}).get("id")
    if disk and disk.lower() != (known or "").lower():
        raise rules.property_change("galleryImageVersion.properties.storageProfile.osDiskImage.source.id")


def _move(request: Request, version: Resource, wanted: list[str], safety: dict[str, Any]) -> None:
    allowed = safety["allowDeletionOfReplicatedLocations"] or request.api_version < "2022-03-03"
    for region in publishing.check_removal(version, wanted, request.now, allowed=allowed):
        replication.forget(version, region)
    known = version.sim["regions"]
    for region in wanted:
        if region not in known or replication.state(known[region], request.now) == "Failed":
            replication.start(request.kernel, version, region, request.now)


def _begin(request: Request, version: Resource, least_seconds: float) -> dict[str, str]:
    """Start the operation; it ends with the last region that it waits for."""
    settled = [one["settled_at"] for one in version.sim["regions"].values()]
    azure_seconds = (max([request.now, *settled]) - request.now) * request.kernel.clock.speed
    request.kernel.store.put(version)
    return rules.begin(request, version, seconds=max(azure_seconds, least_seconds), done="version.written")


def _restore(request: Request) -> Reply:
    """Take a version back: asked for by `restore` (GalleryRP 2024-03-03), or by a write that names no source, as
    `az sig image-version undelete` sends it. Tags that are given, be it none, take the place of the old ones.
    """
    body = rules.body_of(request)
    given = body.get("properties") or {}
    if not given.get("restore") and given.get("storageProfile"):
        raise ArmError(
            409,
            "Conflict",
            f"The gallery image version '{request.params['version']}' is soft-deleted. Restore it, or delete it with "
            "bypassSoftDelete.",
        )
    version = soft_delete.take_back(request.kernel.store, request.resource_id)
    rules.retag(version, body, replace=False)
    if given.get("safetyProfile"):
        version.properties["safetyProfile"] |= _safety(given)
    version.properties["provisioningState"] = "Updating"
    headers = _begin(request, version, _UPDATE_SECONDS)
    return Reply(200, rules.shown(version, request.api_version), headers)


@routes.operation("DELETE", _ONE, name="GalleryImageVersions_Delete", bucket="DeleteGalleryImageVersion")
def delete(request: Request) -> Reply:
    """202, or 204 for one that is not there; with `bypassSoftDelete=true` for good, also one that is soft-deleted."""
    for_good = request.query.get("bypasssoftdelete", "").lower() == "true"
    version = request.kernel.store.get(request.resource_id)
    if version is None:
        if for_good and soft_delete.holds(request.kernel.store, request.resource_id):
            return soft_delete.purge(request)
        return Reply(204)
    _check_end_of_life(version, request.now)
    soft = soft_delete.policy(request.kernel.store, version) is not None and not for_good
    return rules.begin_delete(request, version, seconds=_DELETE_SECONDS, done="version.deleted", soft=soft)


def _check_end_of_life(version: Resource, now: float) -> None:
    end = version.properties["publishingProfile"].get("endOfLifeDate")
    if not end or not version.properties["safetyProfile"].get("blockDeletionBeforeEndOfLife"):
        return
    date = datetime.fromisoformat(end)
    if (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() > now:
        raise ArmError(
            409,
            "DeleteGalleryImageVersionBlockedBeforeEndOfLife",
            "Deletion of Gallery image version is not allowed because the image is enabled for "
            "blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet.",
        )


@routes.hook("version.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    version = kernel.store.get(payload["resource_id"])
    if version is None or version.sim.get("deleting") or version.sim.get("operation") != payload["operation"]:
        return
    failed = replication.failure(version, at)
    version.properties["provisioningState"] = "Failed" if failed or "failure" in payload else "Succeeded"
    storage = version.properties["storageProfile"]
    version.properties["storageProfile"] = storage | copy.deepcopy(version.sim["disks"])
    kernel.store.put(version)
    if failed:
        raise failed


@routes.hook("version.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    version = kernel.store.get(payload["resource_id"])
    if version is None:
        return
    if "failure" in payload:
        version.properties["provisioningState"] = "Failed"
        version.sim["deleting"] = False
        kernel.store.put(version)
        return
    kernel.store.delete(version.id)
    if payload["soft"]:
        soft_delete.keep(kernel, version, at)


@routes.hook("seed:microsoft.compute/galleries/images/versions")
def _seeded(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """A seeded version is everywhere that it names, since long."""
    version: Resource = payload["resource"]
    given = version.properties
    profile = publishing.build(given.get("publishingProfile", {}), {}, home=version.location, now=at, replace=True)
    profile["publishedDate"] = given.get("publishingProfile", {}).get("publishedDate") or iso(at)
    disks = {"osDiskImage": {"sizeInGB": 30, "hostCaching": "ReadWrite", "source": {}}}
    given |= {
        "publishingProfile": profile,
        "storageProfile": disks | given.get("storageProfile", {}),
        "safetyProfile": _SAFETY | _safety(given),
    }
    there = {"begun_at": at, "done_at": at, "settled_at": at, "fails": None}
    version.sim |= {"disks": disks, "regions": {name: dict(there) for name in publishing.region_names(profile)}}
