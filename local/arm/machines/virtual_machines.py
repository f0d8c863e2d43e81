"""Virtual machines: reads, lists, power, generalization and deletion; see `creation.py` for their making."""

import re
from typing import Any

from local.arm.kernel.conventions import listing, scope_of
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import accepted
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource, Store
from local.arm.machines import creation, storage_profile, update
from local.arm.machines.characters.timeline import next_boot
from local.arm.machines.flexible_scale_sets import members
from local.arm.machines.instance_view import instance_view, show, status_only
from local.arm.machines.machine import KIND, Machine, bump, machine, nics_of, require_not_deleting
from local.arm.machines.security_profile import shown_security
from local.arm.machines.sizes import SIZES
from local.arm.machines.storage_profile import reserve_disks
from local.arm.networking.interfaces import detach_addresses, touch
from local.arm.storage.disk_model import DISK

routes = Routes()
for _part in (creation, storage_profile, update):
    routes.hooks |= _part.routes.hooks

_ETAGS_SINCE = "2024-03-01"
_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachines"
_ONE = _GROUP + "/{vm}"
_PROVIDER = "/subscriptions/{sub}/providers/Microsoft.Compute"


@routes.operation("PUT", _ONE, name="VirtualMachines_CreateOrUpdate", bucket="PutVM")
def put(request: Request) -> Reply:
    """Create a machine, or change one."""
    existing = request.kernel.store.get(request.resource_id)
    _check_match(request, existing)
    if existing is None:
        return _versioned(request, creation.create(request))
    return _versioned(request, update.update(request, Machine(existing)))


@routes.operation("PATCH", _ONE, name="VirtualMachines_Update", bucket="UpdateVM")
def patch(request: Request) -> Reply:
    """Change a machine."""
    found = machine(request)
    _check_match(request, found.resource)
    return _versioned(request, update.update(request, found))


def _check_match(request: Request, existing: Resource | None) -> None:
    """`If-Match` and `If-None-Match`, which machines support."""
    none, match = request.headers.get("If-None-Match"), request.headers.get("If-Match")
    present = existing.document.get("etag") if existing else None
    if (none == "*" and existing is not None) or (match not in (None, "*", present)):
        raise ArmError(412, "PreconditionFailed", "The condition in the If-Match or If-None-Match header is not met.")


def _versioned(request: Request, reply: Reply) -> Reply:
    """The machine as its api-version shows it: its etag in the header as well (none before 2024-03-01), and its
    security type.
    """
    if isinstance(reply.body, dict) and "properties" in reply.body:
        reply.body = reply.body | {"properties": shown_security(reply.body["properties"], request.api_version)}
    if isinstance(reply.body, dict) and "etag" in reply.body:
        if request.api_version < _ETAGS_SINCE:
            reply.body = {key: value for key, value in reply.body.items() if key != "etag"}
        elif "$expand" not in request.query:  # recorded
            reply.headers["ETag"] = reply.body["etag"]
    return reply


@routes.operation("GET", _ONE, name="VirtualMachines_Get", bucket="GetVM")
def get(request: Request) -> Reply:
    """A machine; `$expand=instanceView` adds how it is, `userData` what it was given."""
    expand = request.query.get("$expand", "").lower().split(",")
    found = machine(request)
    document = show(found, request.now, request.kernel.store, with_view="instanceview" in expand)
    if "userdata" in expand:
        document["properties"] = document["properties"] | {"userData": found.resource.sim.get("user_data", "")}
    return _versioned(request, Reply(200, document))


@routes.operation("GET", _ONE + "/instanceView", name="VirtualMachines_InstanceView", bucket="GetVM")
def get_instance_view(request: Request) -> Reply:
    """How a machine is."""
    return Reply(200, instance_view(machine(request, request.scope), request.now, request.kernel.store))


def _list(request: Request) -> Reply:
    store, now = request.kernel.store, request.now
    found = store.of_kind(KIND, scope_of(request))
    if text := request.query.get("$filter", ""):
        among = {one.id for one in members(store, _scale_set_of(text))}
        found = [one for one in found if one.id in among]
    expand = request.query.get("$expand", "").lower() == "instanceview"
    only = request.query.get("statusonly", "").lower() == "true"

    def shown(resource: Resource) -> Any:
        found = Machine(resource)
        if only:
            return status_only(found, now, store)
        return _versioned(request, Reply(200, show(found, now, store, with_view=expand))).body

    return listing(request, found, shown)


def _scale_set_of(text: str) -> str:
    """The one filter that lists of machines know ("Virtual Machines - List" in Azure's REST API reference)."""
    match = re.fullmatch(r"\s*'?virtualMachineScaleSet/id'?\s+eq\s+'([^']*)'\s*", text, re.IGNORECASE)
    if match is None:
        raise ArmError(400, "BadRequest", f"The filter '{text}' is invalid: only 'virtualMachineScaleSet/id' is known.")
    return match[1]


routes.operation("GET", _GROUP, name="VirtualMachines_List", bucket="HighCostGet")(_list)
routes.operation("GET", f"{_PROVIDER}/virtualMachines", name="VirtualMachines_ListAll", bucket="HighCostGet")(_list)


@routes.operation("GET", _PROVIDER + "/locations/{location}/virtualMachines", name="VirtualMachines_ListByLocation")
def list_by_location(request: Request) -> Reply:
    """The machines of a region."""
    found = request.kernel.store.of_kind(KIND, f"/subscriptions/{request.params['sub']}")
    return listing(request, (one for one in found if one.location == request.params["location"].lower()))


@routes.operation("GET", _PROVIDER + "/locations/{location}/vmSizes", name="VirtualMachineSizes_List")
def list_sizes(request: Request) -> Reply:
    """The sizes of a region."""
    return Reply(200, {"value": [size.document() for size in SIZES.values()]})


@routes.operation("GET", _ONE + "/vmSizes", name="VirtualMachines_ListAvailableSizes", bucket="LowCostGet")
def list_available_sizes(request: Request) -> Reply:
    """The sizes that a machine could have."""
    request.require(request.scope)
    return list_sizes(request)


@routes.operation("DELETE", _ONE, name="VirtualMachines_Delete", bucket="DeleteVM")
def delete(request: Request) -> Reply:
    """Delete a machine, and what has `deleteOption` Delete; `forceDeletion=true` skips the guest's shutdown."""
    resource = request.kernel.store.get(request.resource_id)
    if resource is None:
        return Reply(204)
    found = Machine(resource)
    if found.state == "Creating" and found.facts.get("operation"):
        request.kernel.operations.abandon(found.facts["operation"], request.now)
    resource.properties["provisioningState"] = "Deleting"
    found.facts["power"].append([request.now, "stopping"])
    request.kernel.store.put(resource)
    forced = request.query.get("forcedeletion", "").lower() == "true"
    dice = request.kernel.random("delete", resource.id, found.vm_id)
    return accepted(
        request,
        request.begin(
            resource.id,
            seconds=dice.uniform(4, 9) if forced else dice.uniform(20, 45),
            location=resource.location,
            done="machine.deleted",
            payload={"vm_id": found.vm_id},
        ),
    )


@routes.hook("machine.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    resource = kernel.store.get(payload["resource_id"])
    if resource is None or resource.properties["vmId"] != payload["vm_id"]:
        return
    if "failure" in payload:
        resource.properties["provisioningState"] = "Failed"
        Machine(resource).facts["failed"] = payload["failure"] | {"at": at}
        kernel.store.put(resource)
        return
    _release_disks(kernel.store, resource)
    _release_nics(kernel.store, resource)
    for child in kernel.store.descendants(resource.id):
        kernel.store.delete(child.id)
    kernel.store.delete(resource.id)


def _release_disks(store: Store, resource: Resource) -> None:
    profile = resource.properties["storageProfile"]
    for described in (profile["osDisk"], *profile["dataDisks"]):
        disk = store.get((described.get("managedDisk") or {}).get("id", ""))
        if disk is None or disk.kind.lower() != DISK.lower():
            continue
        if (disk.document.get("managedBy") or resource.id).lower() != resource.id.lower():
            continue
        if described.get("deleteOption") == "Delete":
            store.delete(disk.id)
            continue
        disk.document.pop("managedBy", None)
        disk.properties["diskState"] = "Unattached"
        store.put(disk)


def _release_nics(store: Store, resource: Resource) -> None:
    listed = resource.properties["networkProfile"]["networkInterfaces"]
    options = {one["id"].lower(): (one.get("properties") or {}).get("deleteOption") for one in listed}
    for nic in nics_of(store, resource):
        if options.get(nic.id.lower()) == "Delete":
            detach_addresses(store, nic)
            store.delete(nic.id)
            continue
        nic.properties.pop("virtualMachine", None)
        touch(store, nic)


_POWER = {  # action: seconds, state meanwhile, state at the end
    "start": (25.0, "starting", "running"),
    "restart": (30.0, "running", "running"),
    "redeploy": (60.0, "starting", "running"),
    "powerOff": (20.0, "stopping", "stopped"),
    "deallocate": (35.0, "deallocating", "deallocated"),
}


def _power_action(action: str) -> Any:
    seconds, meanwhile, end = _POWER[action]

    def act(request: Request) -> Reply:
        found = machine(request, request.scope)
        require_not_deleting(found, action)
        _require_power_action(found, action)
        found.resource.properties["provisioningState"] = "Updating"
        stays = action == "redeploy" and found.power(request.now) == "stopped"  # recorded: it may be generalized then
        if not stays:
            found.facts["power"].append([request.now, meanwhile])
        bump(found.resource)
        request.kernel.store.put(found.resource)
        operation = request.begin(
            found.resource.id,
            seconds=seconds,
            location=found.resource.location,
            done="machine.power",
            payload={"vm_id": found.vm_id, "end": end, "stays": stays},
        )
        return accepted(request, operation)

    return act


def _require_power_action(found: Machine, action: str) -> None:
    name = found.resource.name
    if found.state == "Creating":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation '{action}' is not allowed on VM '{name}' since the VM is being created. Please wait for the "
            "creation to end.",
        )
    if found.facts["generalized"] and action in ("start", "restart", "redeploy"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation '{action}' is not allowed on VM '{name}' since the VM is generalized.",
        )


for _action in _POWER:
    routes.operation("POST", f"{_ONE}/{_action}", name=f"VirtualMachines_{_action[0].upper()}{_action[1:]}")(
        _power_action(_action)
    )


@routes.hook("machine.power")
def _powered(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    resource = kernel.store.get(payload["resource_id"])
    if resource is None or resource.properties["vmId"] != payload["vm_id"] or Machine(resource).state == "Deleting":
        return
    found, end = Machine(resource), payload["end"]
    failed = found.facts["failed"]
    resource.properties["provisioningState"] = "Failed" if failed or "failure" in payload else "Succeeded"
    found.facts["settled_at"] = at
    bump(resource)
    if "failure" not in payload and end == "running" and not payload.get("stays"):
        _boot_again(kernel, found, at)
    elif "failure" not in payload and not payload.get("stays"):
        found.facts["halted_at"] = at
        found.facts["power"].append([at, end])
    reserve_disks(kernel.store, resource, at, reserved=found.power(at) == "deallocated")
    kernel.store.put(resource)


def _boot_again(kernel: Kernel, found: Machine, at: float) -> None:
    facts = found.facts
    facts["boots"].append(
        found.console(kernel, at)[len(b"".join(bytes.fromhex(one) for one in facts["boots"])) :].hex()
    )
    facts["halted_at"] = None
    seed = f"{kernel.seed} {found.resource.id.lower()} {len(facts['boots'])}"
    facts["timeline"] = next_boot(found.character, at, kernel.clock.speed, seed).document()
    facts["power"].append([at, "running"])


@routes.operation("POST", _ONE + "/generalize", name="VirtualMachines_Generalize", bucket="UpdateVM")
def generalize(request: Request) -> Reply:
    """Mark a stopped machine generalized: an image may be made of it, and it cannot start any more. 200, no body."""
    found = machine(request, request.scope)
    require_not_deleting(found, "generalize")
    if found.power(request.now) not in ("stopped", "deallocated"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'generalize' is not allowed on VM '{found.resource.name}' since the VM is running. Stop or "
            "deallocate it first.",
        )
    found.facts["generalized"] = True
    request.kernel.store.put(found.resource)
    return Reply(200)


@routes.operation("POST", _ONE + "/reapply", name="VirtualMachines_Reapply", bucket="UpdateVM")
def reapply(request: Request) -> Reply:
    """Apply the model again."""
    found = machine(request, request.scope)
    require_not_deleting(found, "reapply")
    payload = {"vm_id": found.vm_id}
    resource = found.resource
    return accepted(
        request,
        request.begin(resource.id, seconds=10, location=resource.location, done="machine.updated", payload=payload),
    )
