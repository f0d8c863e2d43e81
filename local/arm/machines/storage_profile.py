"""The disks of a machine: checked at its creation, made a little later."""

from typing import Any

from local.arm.kernel.clock import iso
from local.arm.kernel.conventions import group_of, referenced, spelled, stable_guid
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource, Store
from local.arm.machines.image_reference import Image
from local.arm.machines.machine import Machine
from local.arm.machines.sizes import Size, disk_controller
from local.arm.storage.disk_model import DISK, disk_document

routes = Routes()

_DELETE_OPTIONS = (None, "Delete", "Detach")


def storage_profile(request: Request, given: Document, size: Size, image: Image | None) -> Document:
    """The completed storage profile; a new disk has neither name nor id yet (recorded)."""
    asked = given.get("osDisk") or {}
    os_type = asked.get("osType") or (image.os_type if image else "Linux")
    os_disk = {"osType": spelled(os_type, "Windows", "Linux")}
    os_disk |= _disk(request, _system_defaults(asked, image), size, image.os_disk_gib if image else None, "FromImage")
    sizes = dict(image.data_disks) if image else {}
    listed = {_lun(one): one for one in given.get("dataDisks") or []}
    for lun in sizes:
        listed.setdefault(lun, {"lun": lun, "createOption": "FromImage"})
    data = [
        {"lun": lun, "toBeDetached": False}
        | _disk(request, {"caching": "None"} | one, size, sizes.get(lun), one.get("createOption", "Empty"))
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
    asked_controller = spelled(given.get("diskControllerType"), "SCSI", "NVMe")
    offered = image.controllers if image else ("SCSI", "NVMe")
    controller = disk_controller(size, asked_controller, offered, _generation(request, image, os_disk))
    return found | {"osDisk": os_disk, "dataDisks": data} | ({"diskControllerType": controller} if controller else {})


def _lun(disk: Document) -> int:
    if disk.get("lun") is None:
        raise bad_parameter("Required parameter 'dataDisk.lun' is missing (null).", "dataDisk.lun")
    return int(disk["lun"])


def _generation(request: Request, image: Image | None, os_disk: Document) -> str:
    if image is not None:
        return image.generation
    disk = request.kernel.store.get((os_disk.get("managedDisk") or {}).get("id", ""))
    return disk.properties.get("hyperVGeneration", "V1") if disk else "V1"


def _system_defaults(asked: Document, image: Image | None) -> Document:
    """What a system disk is when nothing else is said: as the managed image's, or gone with an ephemeral machine."""
    found: Document = {}
    if asked.get("diffDiskSettings"):
        found = {"deleteOption": "Delete", "managedDisk": {"storageAccountType": "Standard_LRS"}}
    elif image is not None and image.storage:
        found = {"managedDisk": {"storageAccountType": image.storage}}
    return found | {key: value for key, value in asked.items() if value not in (None, {})}


def _disk(request: Request, asked: Document, size: Size, image_gib: int | None, option: str) -> Document:
    """One disk of the storage profile, checked and completed."""
    kept = spelled(asked.get("deleteOption"), "Delete", "Detach")
    if kept not in _DELETE_OPTIONS:
        raise bad_parameter(f"The value '{kept}' of parameter 'deleteOption' is invalid.", "deleteOption")
    asked = asked | {"deleteOption": kept or "Detach"}
    managed = asked.get("managedDisk") or {}
    found: Document = {"name": asked["name"]} if asked.get("name") else {}
    found["createOption"] = spelled(asked.get("createOption", option), "FromImage", "Empty", "Attach")
    found["caching"] = spelled(asked.get("caching", "ReadWrite"), "None", "ReadOnly", "ReadWrite")
    if asked.get("vhd"):
        return found | _unmanaged(asked, image_gib)
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
    found["managedDisk"] |= {key: managed[key] for key in ("diskEncryptionSet", "securityProfile") if managed.get(key)}
    if asked.get("diffDiskSettings"):
        found["diffDiskSettings"] = asked["diffDiskSettings"]
    return found | {"deleteOption": asked["deleteOption"], "diskSizeGB": gib}


def _unmanaged(asked: Document, image_gib: int | None) -> Document:
    """A disk that is a blob in the customer's storage account: no resource of its own, nothing to delete with it."""
    gib = asked.get("diskSizeGB") or image_gib
    found: Document = {"vhd": {"uri": asked["vhd"].get("uri")}, "deleteOption": asked["deleteOption"]}
    return found | ({"diskSizeGB": int(gib)} if gib else {})


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
        "deleteOption": asked["deleteOption"],
        "diskSizeGB": disk.properties.get("diskSizeGB", 30),
    }


def update_storage(request: Request, resource: Resource, given: Document, size: Size) -> None:
    """Other options of the disks; a list of data disks is the full one: by it they are added, attached and detached."""
    present = resource.properties["storageProfile"]
    asked = (given.get("osDisk") or {}).get("deleteOption")
    if asked:
        present["osDisk"]["deleteOption"] = spelled(asked, "Delete", "Detach")
    if given.get("dataDisks") is None:
        return
    known = {disk["lun"]: disk for disk in present["dataDisks"]}
    made = []
    for one in sorted(given["dataDisks"], key=_lun):
        disk = known.pop(_lun(one), None)
        if disk is None:
            option = one.get("createOption", "Empty")
            disk = {"lun": _lun(one), "toBeDetached": False}
            disk |= _disk(request, {"caching": "None"} | one, size, None, option)
            disk_number = len(made) + 1
            _place(request.kernel, resource, disk, disk_number, request.now)
        elif one.get("deleteOption"):
            disk["deleteOption"] = spelled(one["deleteOption"], "Delete", "Detach")
        made.append(disk)
    for gone in known.values():
        _let_go(request.kernel.store, gone)
    present["dataDisks"] = made


def _let_go(store: Store, described: Document) -> None:
    disk = store.get((described.get("managedDisk") or {}).get("id", ""))
    if disk is not None:
        disk.document.pop("managedBy", None)
        disk.properties["diskState"] = "Unattached"
        store.put(disk)


def reserve_disks(store: Store, resource: Resource, at: float, *, reserved: bool) -> None:
    """The disks of a deallocated machine are `Reserved` (recorded), those of another one `Attached`.

    `LastOwnershipUpdateTime` is when a disk was last attached or detached, or its machine last started or deallocated
    ("Disks - Get" in Azure's REST API reference).
    """
    profile = resource.properties["storageProfile"]
    for described in (profile["osDisk"], *profile["dataDisks"]):
        disk = store.get((described.get("managedDisk") or {}).get("id", ""))
        if disk is not None and disk.document.get("managedBy") == resource.id:
            state = "Reserved" if reserved else "Attached"
            if disk.properties.get("diskState") != state:
                disk.properties["LastOwnershipUpdateTime"] = iso(at)
            disk.properties["diskState"] = state
            store.put(disk)


def require_disk_names_free(store: Store, resource: Resource) -> None:
    """Refuse disk names that are taken in the machine's group."""
    profile = resource.properties["storageProfile"]
    for disk in (profile["osDisk"], *profile["dataDisks"]):
        name = disk.get("name")
        if not name or disk["createOption"] == "Attach" or "vhd" in disk:
            continue
        if store.get(f"{resource.id.rsplit('/providers/', 1)[0]}/providers/{DISK}/{name}") is not None:
            raise ArmError(
                409,
                "ConflictingUserInput",
                f"Disk '{name}' already exists in resource group '{group_of(resource.id).upper()}'. Only "
                "CreateOption.Attach is supported.",
            )


@routes.hook("machine.disks")
def _make_disks(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """The disks that a machine is made with become resources; they get the machine's tags (terraform azurerm#8162)."""
    resource = kernel.store.get(payload["resource_id"])
    if resource is None or resource.properties["vmId"] != payload["vm_id"] or Machine(resource).state == "Deleting":
        return
    profile = resource.properties["storageProfile"]
    for number, disk in enumerate((profile["osDisk"], *profile["dataDisks"])):
        _place(kernel, resource, disk, number, at)
    kernel.store.put(resource)


def _place(kernel: Kernel, resource: Resource, disk: Document, number: int, at: float) -> None:
    """Give a machine a disk: one that is there, or a new one; a blob stays what it is."""
    if "vhd" in disk:
        return
    if disk["createOption"] == "Attach":
        _own(kernel.store, disk["managedDisk"]["id"], resource, at)
    else:
        _make_disk(kernel, resource, disk, number, at)


def _make_disk(kernel: Kernel, resource: Resource, disk: Document, number: int, at: float) -> None:
    word = stable_guid(resource.properties["vmId"], str(number)).replace("-", "")
    name = disk.setdefault("name", f"{resource.name}_{_kind(disk, number)}_{word}")
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
    _own(kernel.store, disk_id, resource, at)


def _kind(disk: Document, number: int) -> str:
    """The middle of a generated name; a data disk of an image is called by its logical unit number (recorded)."""
    if number == 0:
        return "OsDisk_1"
    return f"lun_{disk['lun']}_{number + 1}" if disk["createOption"] == "FromImage" else f"disk{number + 1}"


def _own(store: Store, disk_id: str, resource: Resource, at: float) -> None:
    disk = store.get(disk_id)
    if disk is not None:
        disk.document["managedBy"] = resource.id
        disk.properties.update(diskState="Attached", LastOwnershipUpdateTime=iso(at))
        store.put(disk)
