"""Changes to a machine that is there."""

from typing import Any

from local.arm.kernel.conventions import body_of, location_of, properties_of, tags_of
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource
from local.arm.machines import creation
from local.arm.machines.machine import Machine, bump, identity_of, require_not_deleting
from local.arm.machines.sizes import SIZES, disk_controller, require_bootable, size_named
from local.arm.machines.storage_profile import update_storage

routes = Routes()


def update(request: Request, found: Machine) -> Reply:
    """A PUT or PATCH on a machine that is there: 200 `Updating`; what cannot change is refused."""
    body, resource = body_of(request), found.resource
    require_not_deleting(found, "Update VM" if request.method == "PATCH" else "Create or Update VM")
    location_of(body, resource)
    given = properties_of(body)
    _require_same(found, given)
    _resize(found, given.get("hardwareProfile") or {})
    _apply(request, resource, body, given)
    tags = tags_of(body, resource)
    if tags is not None:
        resource.document["tags"] = tags
    update_storage(request, resource, given.get("storageProfile") or {}, SIZES[_size_of(resource)])
    bump(resource)
    if found.state == "Failed" and (found.facts["failed"] or {}).get("code") == "AllocationFailed":
        resource.properties["provisioningState"] = "Creating"
        return creation.begin(request, resource, found.image, 200)
    return _begin_update(request, found)


def _size_of(resource: Resource) -> str:
    return resource.properties["hardwareProfile"]["vmSize"].lower()


def _resize(found: Machine, given: Document) -> None:
    """Another size, and the processors that the guest may see."""
    resource, image = found.resource, found.image
    if given.get("vmSize") and size_named(given["vmSize"]).name.lower() != _size_of(resource) and image:
        size = size_named(given["vmSize"])
        require_bootable(size, image.generation, image.architecture)
        controller = resource.properties["storageProfile"].get("diskControllerType")
        disk_controller(size, controller, image.controllers, image.generation)
    wanted = given | ({"vmSize": size_named(given["vmSize"]).name} if given.get("vmSize") else {})
    resource.properties["hardwareProfile"] = resource.properties["hardwareProfile"] | wanted


def _apply(request: Request, resource: Resource, body: Document, given: Document) -> None:
    """The parts of the model that may change while the machine is there; what is not named stays."""
    if "bootDiagnostics" in (given.get("diagnosticsProfile") or {}):
        present = resource.properties.setdefault("diagnosticsProfile", {})
        before = present.get("bootDiagnostics") or {}
        kept = {key: value for key, value in before.items() if key == "storageUri"}  # recorded: it stays when off
        wanted = given["diagnosticsProfile"]["bootDiagnostics"]
        present["bootDiagnostics"] = wanted if wanted.get("enabled") else kept | wanted
    for part in ("securityProfile", "billingProfile", "licenseType"):
        if part in given:
            resource.properties[part] = given[part]
    if "userData" in given:
        resource.sim["user_data"] = given["userData"]
    if "identity" in body:
        resource.document["identity"] = identity_of(request, body["identity"], resource)
    if "zones" in body:
        resource.document["zones"] = body["zones"]


def _begin_update(request: Request, found: Machine) -> Reply:
    kernel, resource = request.kernel, found.resource
    seconds = 12.0
    if found.state == "Creating":
        seconds += max(0.0, found.timeline.provisioned - request.now) * kernel.clock.speed
    else:
        resource.properties["provisioningState"] = "Updating"
    kernel.store.put(resource)
    payload = {"vm_id": found.vm_id}
    operation = request.begin(
        resource.id, seconds=seconds, location=resource.location, done="machine.updated", payload=payload
    )
    return Reply(200, creation.shown(resource), operation.headers(request))


def _require_same(found: Machine, given: Document) -> None:
    reference = (given.get("storageProfile") or {}).get("imageReference")
    present = found.resource.properties["storageProfile"].get("imageReference") or {}
    if reference and any(
        str(value).lower() != str(present.get(key, value)).lower()
        for key, value in reference.items()
        if key != "exactVersion"
    ):
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'imageReference' is not allowed.",
            target="imageReference",
        )
    computer = (given.get("osProfile") or {}).get("computerName")
    if computer and computer != found.computer_name:
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'osProfile.computerName' is not allowed.",
            target="osProfile.computerName",
        )


@routes.hook("machine.updated")
def _updated(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    resource = kernel.store.get(payload["resource_id"])
    if resource is None or resource.properties["vmId"] != payload["vm_id"]:
        return
    found = Machine(resource)
    failed = found.facts["failed"]
    if found.state == "Updating":
        # What kept the guest from being provisioned is still so: the update ends as the creation did.
        resource.properties["provisioningState"] = "Failed" if failed or "failure" in payload else "Succeeded"
        found.facts["settled_at"] = at
        bump(resource)
        kernel.store.put(resource)
    if failed:
        raise ArmError(409, failed["code"], failed["message"])
