"""Changes to a machine that is there."""

from typing import TYPE_CHECKING, Any

from local.arm import machines_create
from local.arm.compute_common import body_of, location_of, properties_of, tags_of
from local.arm.errors import ArmError
from local.arm.machines_model import Machine, require_not_deleting
from local.arm.machines_sizes import SIZES, require_bootable, size_named
from local.arm.routing import Reply, Request, Routes
from local.arm.store import Document

if TYPE_CHECKING:
    from local.arm.kernel import Kernel

routes = Routes()


def update(request: Request, found: Machine) -> Reply:
    """A PUT or PATCH on a machine that is there: 200 `Updating`; what cannot change is refused."""
    body, resource = body_of(request), found.resource
    require_not_deleting(found, "Update VM" if request.method == "PATCH" else "Create or Update VM")
    location_of(body, resource)
    given = properties_of(body)
    _require_same(found, given)
    size = (given.get("hardwareProfile") or {}).get("vmSize")
    if size and size_named(size).name != resource.properties["hardwareProfile"]["vmSize"]:
        image = found.image
        if image:
            require_bootable(SIZES[size.lower()], image.generation, image.architecture)
        resource.properties["hardwareProfile"] = {"vmSize": SIZES[size.lower()].name}
    if "diagnosticsProfile" in given:
        resource.properties["diagnosticsProfile"] = given["diagnosticsProfile"]
    for option in ("identity", "zones"):
        if option in body:
            resource.document[option] = body[option]
    tags = tags_of(body, resource)
    if tags is not None:
        resource.document["tags"] = tags
    _update_delete_options(resource.properties["storageProfile"], given.get("storageProfile") or {})
    if found.state == "Failed" and (found.facts["failed"] or {}).get("code") == "AllocationFailed":
        resource.properties["provisioningState"] = "Creating"
        return machines_create.begin(request, resource, found.image, 200)
    return _begin_update(request, found)


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
    return Reply(200, machines_create.shown(resource), operation.headers(request))


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


def _update_delete_options(present: Document, given: Document) -> None:
    asked = (given.get("osDisk") or {}).get("deleteOption")
    if asked:
        present["osDisk"]["deleteOption"] = asked
    options = {one.get("lun"): one.get("deleteOption") for one in given.get("dataDisks") or []}
    for disk in present["dataDisks"]:
        disk["deleteOption"] = options.get(disk["lun"]) or disk["deleteOption"]


@routes.hook("machine.updated")
def _updated(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    resource = kernel.store.get(payload["resource_id"])
    if resource is None or resource.properties["vmId"] != payload["vm_id"]:
        return
    found = Machine(resource)
    failed = found.facts["failed"]
    if found.state == "Updating":
        # What kept the guest from being provisioned is still so: the update ends as the creation did.
        resource.properties["provisioningState"] = "Failed" if failed or "failure" in payload else "Succeeded"
        found.facts["settled_at"] = at
        kernel.store.put(resource)
    if failed:
        raise ArmError(409, failed["code"], failed["message"])
