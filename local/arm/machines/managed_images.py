"""Managed images: made from a machine that was generalized, or from a disk, snapshot or blob."""

import copy
from typing import Any

from local.arm.galleries import rules
from local.arm.galleries.features import CONFIDENTIAL, TRUSTED
from local.arm.galleries.lineage import character, is_generalized
from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import accepted
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

KIND = "Microsoft.Compute/images"
_LIST = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/images"
_ONE = _LIST + "/{image}"
_SECONDS = 5.0  # recorded in test_gallery_e2e.yaml


@routes.operation("GET", _ONE, name="Images_Get", bucket="GetImages")
def get(request: Request) -> Reply:
    """One image."""
    return Reply(200, request.require().document)


@routes.operation("GET", _LIST, name="Images_ListByResourceGroup", bucket="GetImages")
def list_in_group(request: Request) -> Reply:
    """The images of a resource group."""
    scope = f"/subscriptions/{request.params['sub']}/resourceGroups/{request.params['rg']}"
    return paged(request, (one.document for one in request.kernel.store.children(scope, KIND)))


@routes.operation(
    "GET", "/subscriptions/{sub}/providers/Microsoft.Compute/images", name="Images_List", bucket="GetImages"
)
def list_in_subscription(request: Request) -> Reply:
    """The images of a subscription."""
    found = request.kernel.store.of_kind(KIND, f"/subscriptions/{request.params['sub']}")
    return paged(request, (one.document for one in found))


@routes.operation("PUT", _ONE, name="Images_CreateOrUpdate", bucket="CreateImages")
def put(request: Request) -> Reply:
    """201 Creating, or 200 Updating."""
    existing = request.kernel.store.get(request.resource_id)
    location, body = rules.location_of(request, existing), rules.body_of(request)
    given = body.get("properties") or {}
    properties = _properties(request, given)
    image = Resource(
        {
            "name": existing.name if existing else request.params["image"],
            "id": existing.id if existing else request.resource_id,
            "type": KIND,
            "location": location,
            **rules.tagged(body),
            "properties": properties | {"provisioningState": "Updating" if existing else "Creating"},
        },
        {"character": _character(request, given), "plan": _plan(request, given)},
    )
    properties = image.properties
    properties.setdefault("hyperVGeneration", "V1")
    request.kernel.store.put(image)
    operation = request.begin(image.id, seconds=_SECONDS, location=location, done="image.written")
    return Reply(200 if existing else 201, _first_answer(image, given), operation.headers(request))


def _plan(request: Request, given: dict[str, Any]) -> dict[str, Any] | None:
    """What a captured machine was bought with: a machine made of the image must name it again."""
    machine = request.kernel.store.get((given.get("sourceVirtualMachine") or {}).get("id") or "")
    return machine.document.get("plan") if machine else None


def _first_answer(image: Resource, given: dict[str, Any]) -> dict[str, Any]:
    """An image that is being made: sizes that were not given are there when it is done (recorded)."""
    shown = copy.deepcopy(image.document)
    asked = given.get("storageProfile") or {}
    storage = shown["properties"]["storageProfile"]
    if not (asked.get("osDisk") or {}).get("diskSizeGB") and "blobUri" not in storage["osDisk"]:
        storage["osDisk"].pop("diskSizeGB", None)
    sized = {one.get("lun") for one in asked.get("dataDisks") or [] if one.get("diskSizeGB")}
    for disk in storage.get("dataDisks", []):
        if disk["lun"] not in sized:
            disk.pop("diskSizeGB", None)
    return shown


@routes.operation("PATCH", _ONE, name="Images_Update", bucket="CreateImages")
def patch(request: Request) -> Reply:
    """200 Updating: tags only, as nothing else of an image changes."""
    image, body = request.require(), rules.body_of(request)
    rules.retag(image, body, replace=False)
    image.properties["provisioningState"] = "Updating"
    request.kernel.store.put(image)
    operation = request.begin(image.id, seconds=_SECONDS, location=image.location, done="image.written")
    return Reply(200, image.document, operation.headers(request))


def _properties(request: Request, given: dict[str, Any]) -> dict[str, Any]:
    made = {
        key: copy.deepcopy(given[key])
        for key in ("sourceVirtualMachine", "storageProfile", "hyperVGeneration")
        if given.get(key)
    }
    machine_id = (given.get("sourceVirtualMachine") or {}).get("id")
    if machine_id:
        made["storageProfile"] = _captured(request, machine_id)
    disk = made.get("storageProfile", {}).get("osDisk")
    if not disk:
        raise bad_parameter("Required parameter 'storageProfile.osDisk' is missing (null).", "storageProfile.osDisk")
    source = next(((disk.get(key) or {}).get("id") for key in ("managedDisk", "snapshot") if disk.get(key)), None)
    found = request.kernel.store.get(source) if source else None
    for key in ("managedDisk", "snapshot"):
        if found is not None and (disk.get(key) or {}).get("id"):
            disk[key] = {"id": found.id}
    if source and found is None:
        raise ArmError(404, "NotFound", f"The source '{source}' could not be found.", target="storageProfile.osDisk")
    if found is not None:
        disk.setdefault("diskSizeGB", found.properties.get("diskSizeGB", 30))
    disk["osType"] = spelled(disk.get("osType"), "Windows", "Linux")
    disk["osState"] = spelled(disk.get("osState"), "Generalized", "Specialized")
    disk.setdefault("caching", "None")
    disk.setdefault("storageAccountType", "Standard_LRS")
    made["storageProfile"].setdefault("dataDisks", [])
    if not machine_id:  # recorded: a captured image says nothing of it
        made["storageProfile"].setdefault("zoneResilient", False)
    return made


def _captured(request: Request, machine_id: str) -> dict[str, Any]:
    machine = request.kernel.store.get(machine_id)
    if machine is None:
        raise ArmError(
            404, "NotFound", f"The source '{machine_id}' could not be found.", target="sourceVirtualMachine.id"
        )
    if not is_generalized(machine):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'createOrUpdate Image' is not allowed on VM '{machine.name}' since the VM is not generalized.",
        )
    security = (machine.properties.get("securityProfile") or {}).get("securityType")
    if security in (TRUSTED, CONFIDENTIAL):  # hashicorp/packer#13189
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Creation of managed images are not supported for virtual machine with {security} security type.",
        )
    storage = machine.properties["storageProfile"]
    return {
        "osDisk": _disk(request, storage["osDisk"]) | {"osType": storage["osDisk"]["osType"], "osState": "Generalized"},
        "dataDisks": [_disk(request, one) | {"lun": one["lun"]} for one in storage.get("dataDisks", [])],
    }


def _disk(request: Request, disk: dict[str, Any]) -> dict[str, Any]:
    managed = disk.get("managedDisk", {})
    known = request.kernel.store.get(managed.get("id", ""))
    size = disk.get("diskSizeGB") or (known.properties.get("diskSizeGB") if known else None) or 30
    if disk.get("vhd"):  # recorded: a blob's image is kept as standard storage
        blob = {"blobUri": disk["vhd"]["uri"], "storageAccountType": "Standard_LRS"}
        return {"diskSizeGB": size, "caching": disk.get("caching", "None")} | blob
    return {
        "diskSizeGB": size,
        "managedDisk": {"id": managed.get("id")},
        "caching": disk.get("caching", "ReadWrite"),
        "storageAccountType": managed.get("storageAccountType", "Premium_LRS"),
    }


def _character(request: Request, given: dict[str, Any]) -> str | None:
    disk = (given.get("storageProfile") or {}).get("osDisk") or {}
    named = [(given.get("sourceVirtualMachine") or {}).get("id")]
    named += [(disk.get(key) or {}).get("id") for key in ("managedDisk", "snapshot")]
    for source in filter(None, named):
        found = request.kernel.store.get(source)
        if found is not None:
            return character(found)
    return None


@routes.operation("DELETE", _ONE, name="Images_Delete", bucket="DeleteImages")
def delete(request: Request) -> Reply:
    """202, or 204 for one that is not there."""
    image = request.kernel.store.get(request.resource_id)
    if image is None:
        return Reply(204)
    image.properties["provisioningState"] = "Deleting"
    request.kernel.store.put(image)
    return accepted(request, request.begin(image.id, seconds=_SECONDS, location=image.location, done="image.deleted"))


@routes.hook("image.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    image = kernel.store.get(payload["resource_id"])
    if image is not None and image.properties["provisioningState"] != "Deleting":
        image.properties["provisioningState"] = "Failed" if "failure" in payload else "Succeeded"
        kernel.store.put(image)


@routes.hook("image.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    if "failure" not in payload:
        kernel.store.delete(payload["resource_id"])


@routes.hook("seed:microsoft.compute/images")
def _seeded(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    image: Resource = payload["resource"]
    storage = image.properties.setdefault("storageProfile", {})
    defaults = {"osType": "Linux", "osState": "Generalized", "diskSizeGB": 30, "caching": "ReadWrite"}
    storage["osDisk"] = defaults | {"storageAccountType": "Premium_LRS"} | storage.get("osDisk", {})
    storage.setdefault("dataDisks", [])
    image.properties.setdefault("hyperVGeneration", "V1")
