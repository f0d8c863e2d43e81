"""The disks of a machine: checked at its creation, made a little later."""

from typing import TYPE_CHECKING, Any

from local.arm.compute_common import group_of, referenced, stable_guid
from local.arm.disks import DISK, disk_document
from local.arm.errors import ArmError, bad_parameter
from local.arm.machines_images import Image
from local.arm.machines_model import Machine
from local.arm.machines_sizes import Size
from local.arm.routing import Request, Routes
from local.arm.store import Document, Resource, Store

if TYPE_CHECKING:
    from local.arm.kernel import Kernel

routes = Routes()

_DELETE_OPTIONS = (None, "Delete", "Detach")


def storage_profile(request: Request, given: Document, size: Size, image: Image | None) -> Document:
    """The completed storage profile; a new disk has neither name nor id yet (recorded)."""
    asked = given.get("osDisk") or {}
    os_disk = {"osType": asked.get("osType") or (image.os_type if image else "Linux")}
    os_disk |= _disk(request, asked, size, image.os_disk_gib if image else None, "FromImage")
    sizes = dict(image.data_disks) if image else {}
    listed = {int(one["lun"]): one for one in given.get("dataDisks") or []}
    for lun in sizes:
        listed.setdefault(lun, {"lun": lun, "createOption": "FromImage"})
    data = [
        {"lun": lun, "toBeDetached": False}
        | _disk(request, one, size, sizes.get(lun), one.get("createOption", "Empty"))
        for lun, one in sorted(listed.items())
    ]
    if len(data) > size.max_data_disks:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The maximum number of data disks allowed to be attached to a VM of this size is {size.max_data_disks}.",
            target="dataDisks",
        )
    found: Document = {"imageReference": image.reference} if image else {}
    return found | {"osDisk": os_disk, "dataDisks": data}


def _disk(request: Request, asked: Document, size: Size, image_gib: int | None, option: str) -> Document:
    """One disk of the storage profile, checked and completed."""
    if asked.get("deleteOption") not in _DELETE_OPTIONS:
        raise bad_parameter(
            f"The value '{asked['deleteOption']}' of parameter 'deleteOption' is invalid.", "deleteOption"
        )
    managed = asked.get("managedDisk") or {}
    found: Document = {"name": asked["name"]} if asked.get("name") else {}
    found |= {"createOption": asked.get("createOption", option), "caching": asked.get("caching", "ReadWrite")}
    if found["createOption"] == "Attach":
        return found | _attached(request, managed, asked)
    gib = int(asked.get("diskSizeGB") or image_gib or 0)
    if not gib:
        raise bad_parameter("Required parameter 'dataDisk.diskSizeGB' is missing (null).", "dataDisk.diskSizeGB")
    if image_gib and gib < image_gib:
        raise ArmError(
            409,
            "ResizeDiskError",
            f"The specified disk size {gib} GB is smaller than the size of the corresponding disk in the VM image: "
            f"{image_gib} GB. This is not allowed. Please choose equal or greater size or do not specify an explicit "
            "size.",
        )
    found["managedDisk"] = {"storageAccountType": managed.get("storageAccountType", size.storage)}
    if asked.get("diffDiskSettings"):
        found["diffDiskSettings"] = asked["diffDiskSettings"]
    return found | {"deleteOption": asked.get("deleteOption", "Detach"), "diskSizeGB": gib}


def _attached(request: Request, managed: Document, asked: Document) -> Document:
    if not managed.get("id"):
        raise bad_parameter("Required parameter 'managedDisk.id' is missing (null).", "managedDisk.id")
    disk = referenced(request.kernel.store, managed["id"], request.resource_id, None)
    owner = disk.document.get("managedBy")
    if owner and owner.lower() != request.resource_id.lower():
        raise ArmError(
            409,
            "ConflictingUserInput",
            f"Disk '{disk.name}' cannot be attached as the disk is already owned by VM '{owner}'.",
        )
    return {
        "name": disk.name,
        "managedDisk": {"storageAccountType": disk.document["sku"]["name"], "id": disk.id},
        "deleteOption": asked.get("deleteOption", "Detach"),
        "diskSizeGB": disk.properties.get("diskSizeGB", 30),
    }


def require_disk_names_free(store: Store, resource: Resource) -> None:
    """Refuse disk names that are taken in the machine's group."""
    profile = resource.properties["storageProfile"]
    for disk in (profile["osDisk"], *profile["dataDisks"]):
        name = disk.get("name")
        if not name or disk["createOption"] == "Attach":
            continue
        if store.get(f"{resource.id.rsplit('/providers/', 1)[0]}/providers/{DISK}/{name}") is not None:
            raise ArmError(
                409,
                "ConflictingUserInput",
                f"Disk '{name}' already exists in resource group '{group_of(resource.id).upper()}'. Only "
                "CreateOption.Attach is supported.",
            )


@routes.hook("machine.disks")
def _make_disks(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    """The disks that a machine is made with become resources; they get the machine's tags (terraform azurerm#8162)."""
    resource = kernel.store.get(payload["resource_id"])
    if resource is None or resource.properties["vmId"] != payload["vm_id"] or Machine(resource).state == "Deleting":
        return
    profile = resource.properties["storageProfile"]
    for number, disk in enumerate((profile["osDisk"], *profile["dataDisks"])):
        if disk["createOption"] == "Attach":
            _own(kernel.store, disk["managedDisk"]["id"], resource)
        else:
            _make_disk(kernel, resource, disk, number, at)
    kernel.store.put(resource)


def _make_disk(kernel: "Kernel", resource: Resource, disk: Document, number: int, at: float) -> None:
    word = stable_guid(resource.properties["vmId"], str(number)).replace("-", "")
    default = f"{resource.name}_OsDisk_1_{word}" if number == 0 else f"{resource.name}_disk{number + 1}_{word}"
    name = disk.setdefault("name", default)
    disk_id = f"{resource.id.rsplit('/providers/', 1)[0]}/providers/{DISK}/{name}"
    image = Machine(resource).image
    creation: Document = {"createOption": "Empty"}
    if disk["createOption"] == "FromImage" and image is not None:
        creation = {"createOption": "FromImage", "imageReference": {"id": image.source_id}}
    document = disk_document(
        disk_id,
        resource.location,
        sku=disk["managedDisk"]["storageAccountType"],
        size_gib=disk["diskSizeGB"],
        at=at,
        creation=creation,
        tags=dict(resource.document.get("tags") or {}),
    )
    if number == 0:
        document["properties"]["osType"] = disk["osType"]
        document["properties"]["hyperVGeneration"] = image.generation if image else "V1"
    kernel.store.put(Resource(document, {"character": resource.sim["character"]}))
    disk["managedDisk"]["id"] = disk_id
    _own(kernel.store, disk_id, resource)


def _own(store: Store, disk_id: str, resource: Resource) -> None:
    disk = store.get(disk_id)
    if disk is not None:
        disk.document["managedBy"] = resource.id
        disk.properties["diskState"] = "Attached"
        store.put(disk)
