"""How a virtual machine comes to be: what ARM checks and refuses at once, and what happens afterwards."""

import copy
import re
from typing import Any

from local.arm.kernel import regions
from local.arm.kernel.clock import iso
from local.arm.kernel.conventions import body_of, location_of, new_document, properties_of, stable_guid, tags_of
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource, Store
from local.arm.machines.characters.timeline import ALLOCATION_FAILS_AFTER, Timeline, first_boot
from local.arm.machines.disk_keys import check_disk_keys
from local.arm.machines.flexible_scale_sets import check_membership
from local.arm.machines.image_reference import Image, own_character, resolve
from local.arm.machines.machine import ALLOCATION_FAILED, KIND, Machine, bump, failure_of, identity_of
from local.arm.machines.nics import attach_nics, network_profile
from local.arm.machines.os_profile import check_os_profile
from local.arm.machines.purchase_plan import refuse_plan
from local.arm.machines.security_profile import check_security
from local.arm.machines.sizes import Size, require_bootable, size_named
from local.arm.machines.storage_profile import require_disk_names_free, storage_profile

routes = Routes()

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_])?")


def create(request: Request) -> Reply:
    """Take a new machine: 201 `Creating`, with the operation that ends when provisioning does."""
    body = body_of(request)
    location = location_of(body, None)
    name = request.params["vm"]
    if not _NAME.fullmatch(name):
        raise bad_parameter(
            f"Resource name {name} is invalid. The name can be up to 64 characters and holds letters, digits, '.', '_' "
            "and '-'.",
            "vm.name",
        )
    given = copy.deepcopy(properties_of(body))
    size = size_named((given.get("hardwareProfile") or {}).get("vmSize"))
    image = _image(request, given, location)
    if image is not None:
        require_bootable(size, image.generation, image.architecture)
    check_security(given, image, size)
    check_disk_keys(given, request.params["sub"])
    _check_zones(body.get("zones") or [], location, name)
    check_membership(request, given, location)
    os_profile = check_os_profile(given, image, name)
    document = new_document(request, KIND, name, location, tags_of(body))
    document |= {key: body[key] for key in ("zones", "plan") if key in body}
    if body.get("identity"):
        document["identity"] = identity_of(request, body["identity"], None)
    document["properties"] = _properties(request, given, size, image, os_profile)
    resource = Resource(document, {"user_data": given["userData"]} if given.get("userData") else {})
    resource.sim["character"] = own_character(resource, image) if image else "clean"
    require_disk_names_free(request.kernel.store, resource)
    document["properties"]["networkProfile"] = network_profile(request, given.get("networkProfile"), location)
    disk = document["properties"]["storageProfile"]["osDisk"].get("name")
    refusal = refuse_plan(image, body.get("plan"), resource.id, disk)
    return begin(request, resource, image, 201, refusal=refusal)


def _check_zones(zones: list[str], location: str, name: str) -> None:
    """Refuse a zone that the region has not; code and text were reported for koreacentral before it had zones."""
    offered = regions.zones(location)
    if any(zone not in offered for zone in zones):
        raise ArmError(
            400,
            "InvalidAvailabilityZone",
            f"The zone(s) '{','.join(zones)}' for resource '{KIND}/{name}' is not supported. The supported zones for "
            f"location '{location}' are '{','.join(offered)}'",
        )


def _image(request: Request, given: Document, location: str) -> Image | None:
    profile = given.get("storageProfile") or {}
    disk = profile.get("osDisk") or {}
    if str(disk.get("createOption")).lower() == "attach":
        return None
    return resolve(request.kernel, profile.get("imageReference"), location, request.now)


def _properties(
    request: Request, given: Document, size: Size, image: Image | None, os_profile: Document | None
) -> Document:
    """The properties of the first answer."""
    kept = ("diagnosticsProfile", "securityProfile", "priority", "evictionPolicy", "licenseType", "billingProfile")
    kept += ("virtualMachineScaleSet",)
    properties: Document = {
        "vmId": stable_guid(request.resource_id.lower(), request.correlation_id, str(request.now)),
        "hardwareProfile": (given.get("hardwareProfile") or {}) | {"vmSize": size.name},
        "storageProfile": storage_profile(request, given.get("storageProfile") or {}, size, image),
        **({"osProfile": os_profile} if os_profile else {}),
        **{key: given[key] for key in kept if key in given},
        "provisioningState": "Creating",
        "timeCreated": iso(request.now),
    }
    return properties


def begin(
    request: Request, resource: Resource, image: Image | None, code: int, *, refusal: ArmError | None = None
) -> Reply:
    """Store the machine and let its creation run; with a `refusal` it soon ends with that error."""
    kernel, at = request.kernel, request.now
    machine_facts = _facts(image, resource.sim.get("machine", {}).get("changes", 0))
    resource.sim["machine"] = machine_facts
    bump(resource)
    found = Machine(resource)
    generalized = image is not None and image.generalized
    seed = f"{kernel.seed} {resource.id.lower()}"
    line = first_boot(found.character, at, kernel.clock.speed, seed, generalized=generalized)
    has_disks = refusal is None
    if refusal is None and image is not None:
        refusal = _allocation_refused(kernel.store, found, image)
    if refusal is not None:
        line = Timeline(
            at, line.disks_ready, line.powered_on, at + kernel.clock.scaled(ALLOCATION_FAILS_AFTER), None, 1
        )
    machine_facts["timeline"] = line.document()
    if refusal is None:
        machine_facts["power"] = [[line.powered_on, "running"]]
    attach_nics(kernel.store, resource)
    kernel.store.put(resource)
    vm = {"vm_id": found.vm_id}
    operation = request.begin(
        resource.id,
        seconds=(line.provisioned - at) * kernel.clock.speed,
        location=resource.location,
        done="machine.created",
        payload=vm | {"refusal": refusal and refusal.document()},
    )
    machine_facts["operation"] = operation.id
    kernel.store.put(resource)
    if has_disks:
        kernel.schedule.at(line.disks_ready, "machine.disks", vm | {"resource_id": resource.id})
    return Reply(code, shown(resource), operation.headers(request))


def shown(resource: Resource) -> Document:
    """The document as an answer holds it."""
    return copy.deepcopy(resource.document)


def _allocation_refused(store: Store, found: Machine, image: Image) -> ArmError | None:
    """The region's refusal, as long as the character wants it; every attempt counts."""
    source = store.get(image.source_id)
    if source is None:
        return None
    counts = source.sim.setdefault("refused_allocations", {})
    location = found.resource.location
    before = counts.get(location, 0)
    counts[location] = before + 1
    store.put(source)
    return (
        ArmError(409, "AllocationFailed", ALLOCATION_FAILED) if found.character.refuses_allocations > before else None
    )


@routes.hook("seed:microsoft.compute/virtualmachines")
def _seeded(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """A machine of a world: it was made long ago, and has been running since."""
    resource: Resource = payload["resource"]
    resource.properties.setdefault("vmId", stable_guid(resource.id.lower()))
    resource.properties.setdefault("storageProfile", {})
    for disks in ("osDisk", "dataDisks"):
        resource.properties["storageProfile"].setdefault(disks, [] if disks == "dataDisks" else {})
    resource.sim["machine"] = _facts(None) | {"power": [[at, "running"]]}


def _facts(image: Image | None, changes: int = 0) -> Document:
    return {
        "changes": changes,
        "image": image.document() if image else None,
        "boots": [],
        "power": [],
        "failed": None,
        "generalized": False,
        "timeline": {},
    }


@routes.hook("machine.created")
def _created(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """Provisioning has ended: well, or with the error that the character or the fault plan wants."""
    resource = kernel.store.get(payload["resource_id"])
    if resource is None or resource.properties["vmId"] != payload["vm_id"]:
        raise ArmError(404, "NotFound", "The virtual machine was deleted while it was being created.")
    found = Machine(resource)
    planned = payload.get("failure")
    failure = ArmError(409, planned["code"], planned["message"]) if planned else failure_of(found)
    if payload["refusal"]:
        failure = ArmError(**payload["refusal"])
    resource.properties["provisioningState"] = "Failed" if failure else "Succeeded"
    found.facts["settled_at"] = at
    found.facts["failed"] = {"code": failure.code, "message": failure.message, "at": at} if failure else None
    bump(resource)
    kernel.store.put(resource)
    if failure and not planned:
        raise failure
