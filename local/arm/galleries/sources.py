"""What a version is made from: a managed image, a machine, another version, snapshots or disks, or VHD blobs."""

import copy
from dataclasses import dataclass, field
from typing import Any

from local.arm.galleries import rules
from local.arm.galleries.lineage import CLEAN, character, is_generalized
from local.arm.kernel import ids
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.store import Resource

_DEFAULT_SIZE = 30
_PROFILE = "galleryImageVersion.properties.storageProfile"


@dataclass(frozen=True, slots=True)
class Source:
    """Facts of a source. `os_state` None means that it says nothing of it (disks). Sizes are in GB."""

    os_type: str | None
    os_state: str | None
    size: int
    data_disks: list[dict[str, Any]] = field(default_factory=list)
    character: str = CLEAN
    hyper_v: str | None = None


def read(kernel: Kernel, storage: dict[str, Any]) -> Source:
    """The facts of the one source that a storage profile names; ARM's 400 or 404 otherwise."""
    source = storage.get("source") or {}
    named = [name for name in ("id", "virtualMachineId", "communityGalleryImageId") if source.get(name)]
    disk = (storage.get("osDiskImage") or {}).get("source") or {}
    if len(named) > 1 or (named and disk):
        raise bad_parameter("Only one source can be specified for a gallery image version.", f"{_PROFILE}.source")
    if named == ["communityGalleryImageId"]:
        raise ArmError(404, "CommunityGalleryImageNotFound", "Community gallery images are not known here.")
    if named:
        return _of_resource(kernel, source[named[0]])
    if disk.get("uri"):
        return Source(None, None, _DEFAULT_SIZE, _given_data_disks(kernel, storage))
    if disk.get("id"):
        return _of_disk(kernel, disk["id"], storage)
    raise bad_parameter(f"Required parameter '{_PROFILE}.source' is missing (null).", f"{_PROFILE}.source")


def check(kernel: Kernel, source: Source, definition: Resource, source_id: str) -> None:
    """Refuse a source whose type, state or generation is not the definition's (troubleshooting-shared-images.md)."""
    wanted = definition.properties
    if source.os_state is not None and source.os_state != wanted["osState"]:
        raise bad_parameter(
            f"Cannot create Gallery Image Version from: {source_id} since the OS State in the parent gallery image "
            f"({wanted['osState']}) is not {source.os_state}.",
            "galleryImage.properties.osState",
        )
    if source.os_type is not None and source.os_type != wanted["osType"]:
        raise bad_parameter(
            f"Cannot create Gallery Image Version from: {source_id} since the OS Type in the parent gallery image "
            f"({wanted['osType']}) is not {source.os_type}.",
            "galleryImage.properties.osType",
        )
    if source.hyper_v is not None and source.hyper_v != wanted["hyperVGeneration"]:
        raise bad_parameter(
            f"Cannot create Gallery Image Version from: {source_id} since the Hyper-V generation in the parent gallery "
            f"image ({wanted['hyperVGeneration']}) is not {source.hyper_v}.",
            "galleryImage.properties.hyperVGeneration",
        )


def _find(kernel: Kernel, source_id: str) -> Resource:
    found = kernel.store.get(source_id)
    if found is None:
        raise ArmError(404, "NotFound", f"The source '{source_id}' could not be found.", target=f"{_PROFILE}.source.id")
    return found


def _of_resource(kernel: Kernel, source_id: str) -> Source:
    parsed = ids.parse(source_id)
    readers = {
        "microsoft.compute/images": _of_image,
        "microsoft.compute/virtualmachines": _of_machine,
        "microsoft.compute/galleries/images/versions": _of_version,
        "microsoft.compute/disks": _of_whole_disk,
        "microsoft.compute/snapshots": _of_whole_disk,
    }
    reader = readers.get(parsed.kind.lower()) if parsed else None
    if reader is None:
        raise bad_parameter(
            f"The source id '{source_id}' is not one of an image, version or machine.", f"{_PROFILE}.source"
        )
    return reader(kernel, _find(kernel, source_id))


def _of_image(kernel: Kernel, image: Resource) -> Source:
    storage = image.properties.get("storageProfile", {})
    disk = storage.get("osDisk", {})
    return Source(
        os_type=disk.get("osType"),
        os_state=disk.get("osState", "Generalized"),
        size=disk.get("diskSizeGB") or _DEFAULT_SIZE,
        data_disks=[_data_disk(kernel, one) for one in storage.get("dataDisks", [])],
        character=character(image),
        hyper_v=image.properties.get("hyperVGeneration"),
    )


def _of_machine(kernel: Kernel, machine: Resource) -> Source:
    storage = machine.properties.get("storageProfile", {})
    disk = storage.get("osDisk", {})
    return Source(
        os_type=disk.get("osType"),
        os_state="Generalized" if is_generalized(machine) else "Specialized",
        size=_disk_size(kernel, disk),
        data_disks=[_data_disk(kernel, one) for one in storage.get("dataDisks", [])],
        character=character(machine),
    )


def _of_version(kernel: Kernel, version: Resource) -> Source:
    definition = kernel.store.get(version.id.rsplit("/versions/", 1)[0])
    assert definition is not None
    rules.check_not_deleting(version, "Gallery Image Version")
    if version.properties.get("provisioningState") not in ("Succeeded", "Updating"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The source gallery image version '{version.id}' is in provisioning state "
            f"'{version.properties.get('provisioningState')}'; it must be Succeeded.",
        )
    storage = version.properties["storageProfile"]
    return Source(
        os_type=definition.properties["osType"],
        os_state=definition.properties["osState"],
        size=storage.get("osDiskImage", {}).get("sizeInGB", _DEFAULT_SIZE),
        data_disks=[{k: v for k, v in one.items() if k != "source"} for one in storage.get("dataDiskImages", [])],
        character=character(version),
        hyper_v=definition.properties.get("hyperVGeneration"),
    )


def _of_whole_disk(kernel: Kernel, disk: Resource) -> Source:
    return _of_disk(kernel, disk.id, {})


def _of_disk(kernel: Kernel, disk_id: str, storage: dict[str, Any]) -> Source:
    disk = _find(kernel, disk_id)
    return Source(
        os_type=disk.properties.get("osType"),
        os_state=None,
        size=disk.properties.get("diskSizeGB") or _DEFAULT_SIZE,
        data_disks=_given_data_disks(kernel, storage),
        character=character(
            disk
        ),  # Azure takes a disk of another generation (test_create_image_version_with_region_cvm…)
    )


def _given_data_disks(kernel: Kernel, storage: dict[str, Any]) -> list[dict[str, Any]]:
    made = []
    for one in storage.get("dataDiskImages") or []:
        source = one.get("source") or {}
        blob = bool(source.get("uri"))
        size = None if blob or not source.get("id") else _find(kernel, source["id"]).properties.get("diskSizeGB")
        made.append(_caching(one, "ReadOnly") | {"sizeInGB": size or _DEFAULT_SIZE})
    return made


def shown(storage: dict[str, Any]) -> dict[str, Any]:
    """The storage profile as a new version shows it: sizes come later, caching has its defaults (recorded)."""
    found = {key: copy.deepcopy(value) for key, value in storage.items() if value}
    if "osDiskImage" in found:
        found["osDiskImage"] = _caching(found["osDiskImage"], "ReadWrite")
    if "dataDiskImages" in found:
        found["dataDiskImages"] = [_caching(one, "ReadOnly") for one in found["dataDiskImages"]]
    return found


def _caching(disk: dict[str, Any], default: str) -> dict[str, Any]:
    return copy.deepcopy(disk) | {"hostCaching": disk.get("hostCaching") or default}


def _data_disk(kernel: Kernel, disk: dict[str, Any]) -> dict[str, Any]:
    return {"lun": disk["lun"], "sizeInGB": _disk_size(kernel, disk), "hostCaching": disk.get("caching", "None")}


def _disk_size(kernel: Kernel, disk: dict[str, Any]) -> int:
    managed = kernel.store.get((disk.get("managedDisk") or {}).get("id", ""))
    known = managed.properties.get("diskSizeGB") if managed else None
    return disk.get("diskSizeGB") or known or _DEFAULT_SIZE
