"""What a version is made from: a managed image, a machine, another version, snapshots or disks, or VHD blobs.

Refusals are those of "Troubleshoot images in an Azure Compute Gallery" on Microsoft Learn, unless another source is
named.
"""

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from local.arm.galleries import rules
from local.arm.galleries.encryption import encrypted
from local.arm.galleries.features import STANDARD, security_of
from local.arm.galleries.lineage import CLEAN, character, is_generalized
from local.arm.kernel import ids
from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import ArmError, bad_parameter, conflict
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.store import Resource

_DEFAULT_SIZE = 30
_PROFILE = "galleryImageVersion.properties.storageProfile"
_VERSION = "microsoft.compute/galleries/images/versions"
_IMAGE = "microsoft.compute/images"
_MACHINE = "microsoft.compute/virtualmachines"


@dataclass(frozen=True, slots=True)
class Source:
    """Facts of a source. `os_state` None means that it says nothing of it (disks). Sizes are in GB.

    `kind` is its lower-case resource type (empty for a blob), `regions` are where it can be read (None: anywhere),
    `security` is the SecurityType of a version's definition or of a machine, `plan` what it was bought with, `keys`
    says that it is encrypted with the customer's own.
    """

    os_type: str | None
    os_state: str | None
    size: int
    data_disks: list[dict[str, Any]] = field(default_factory=list)
    character: str = CLEAN
    hyper_v: str | None = None
    kind: str = ""
    regions: tuple[str, ...] | None = None
    security: str | None = None
    plan: dict[str, Any] | None = None
    keys: bool = False


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


def check(source: Source, definition: Resource, source_id: str, location: str) -> None:
    """Refuse a source that is not where the version is made, or that is something else than its definition says."""
    wanted = definition.properties
    if source.regions is not None and location not in source.regions:
        raise ArmError(
            404,
            "NotFound",
            f"Source {source_id} is not found. Please check source exists, and is in the same region as gallery image "
            "version being created.",
            target=f"{_PROFILE}.source.id",
        )
    if source.keys and source.kind == _VERSION:  # "Create an encrypted image version with customer-managed keys"
        raise bad_parameter(
            f"The source gallery image version '{source_id}' is encrypted with customer-managed keys and cannot be "
            "used "
            "as source to create another gallery image version.",
            f"{_PROFILE}.source.id",
        )
    if source.os_state is not None and source.os_state != wanted["osState"]:
        raise bad_parameter(
            f"Cannot create Gallery Image Version from: {source_id} since the OS State in the parent gallery image "
            f"({wanted['osState']}) is not {source.os_state}.",
            "galleryImage.properties.osState",
        )
    if source.os_type is not None and source.os_type != wanted["osType"]:
        raise _differs(source_id, "OS type", source.os_type, wanted["osType"], "OS type generation")
    if source.hyper_v is not None and source.hyper_v != wanted["hyperVGeneration"]:
        raise _differs(source_id, "Hypervisor generation", source.hyper_v, wanted["hyperVGeneration"])
    _check_plan(source, definition, source_id)
    _check_security(source, definition, source_id)


def _differs(source_id: str, what: str, its: str, parents: str, parents_what: str | None = None) -> ArmError:
    return conflict(
        f"The resource with id '{source_id}' has a different {what} ['{its}'] than the parent gallery image "
        f"{parents_what or what} ['{parents}']."
    )


def _check_plan(source: Source, definition: Resource, source_id: str) -> None:
    """What descends from the marketplace keeps its plan; blobs and disks say nothing of theirs."""
    wanted = definition.properties.get("purchasePlan")
    names = ("name", "publisher", "product")
    if source.kind not in (_VERSION, _IMAGE, _MACHINE) or not (source.plan or source.kind == _VERSION):
        return
    its, parents = ({name: plan.get(name) for name in names} if plan else None for plan in (source.plan, wanted))
    if its != parents:
        raise _differs(source_id, "plan", *(json.dumps(plan, separators=(",", ":")) for plan in (its, parents)))


def _check_security(source: Source, definition: Resource, source_id: str) -> None:
    """Versions are copied between definitions of one SecurityType alone; which other sources a type takes is told in
    hashicorp/packer-plugin-azure#304 and microsoft/STL#4682.
    """
    wanted = security_of(definition)
    if wanted.endswith("Supported") and source.kind not in ("", _IMAGE, _VERSION):
        raise bad_parameter(
            f"The security type '{wanted}' is not supported for the source id '{source_id}'. Currently only Vhd Blob, "
            f"User Image and Gallery Image Version sources are supported for '{wanted}' images.",
            f"{_PROFILE}.source.id",
        )
    if source.kind in (_VERSION, _MACHINE) and source.security != wanted:
        raise _differs(source_id, "security type", source.security or STANDARD, wanted)


def _find(kernel: Kernel, source_id: str) -> Resource:
    found = kernel.store.get(source_id)
    if found is None:
        raise ArmError(404, "NotFound", f"The source '{source_id}' could not be found.", target=f"{_PROFILE}.source.id")
    return found


def _of_resource(kernel: Kernel, source_id: str) -> Source:
    parsed = ids.parse(source_id)
    readers = {
        _IMAGE: _of_image,
        _MACHINE: _of_machine,
        _VERSION: _of_version,
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
        kind=_IMAGE,
        regions=(image.location,),
        plan=image.sim.get("plan"),
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
        kind=_MACHINE,
        regions=(machine.location,),
        security=(machine.properties.get("securityProfile") or {}).get("securityType") or STANDARD,
        plan=machine.document.get("plan"),
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
        kind=_VERSION,
        security=security_of(definition),
        plan=definition.properties.get("purchasePlan"),
        keys=encrypted(version.properties["publishingProfile"]),
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
        character=character(disk),
        kind=disk.kind.lower(),  # Azure takes one of another generation (test_create_image_version_with_region_cvm…)
        regions=(disk.location,),
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
    given = spelled(disk.get("hostCaching"), "None", "ReadOnly", "ReadWrite")
    return copy.deepcopy(disk) | {"hostCaching": given or default}


def _data_disk(kernel: Kernel, disk: dict[str, Any]) -> dict[str, Any]:
    return {"lun": disk["lun"], "sizeInGB": _disk_size(kernel, disk), "hostCaching": disk.get("caching", "None")}


def _disk_size(kernel: Kernel, disk: dict[str, Any]) -> int:
    managed = kernel.store.get((disk.get("managedDisk") or {}).get("id", ""))
    known = managed.properties.get("diskSizeGB") if managed else None
    return disk.get("diskSizeGB") or known or _DEFAULT_SIZE
