"""Flexible scale sets: their instances are machines of the resource group that name the set.

Source: "Orchestration modes for Virtual Machine Scale Sets" on Microsoft Learn: instances are ordinary machines with
`virtualMachineScaleSet`, their NICs are described with a `networkApiVersion`, there is no overprovisioning and no
single placement group, and a set may have no model at all.
"""

import json
from typing import Any

from local.arm.kernel.conventions import referenced, spelled, stable_guid
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.operations import Operation
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource, Store
from local.arm.machines.machine import KIND as MACHINE
from local.arm.machines.machine import Machine

routes = Routes()

KIND = "Microsoft.Compute/virtualMachineScaleSets"
INSTANCE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
_BEGIN_SECONDS = 3.0
_LOOK_EVERY = 5.0
_FOREVER = 10 * 24 * 3600.0
_API_VERSION = "2024-07-01"


def mode_of(given: Document, existing: Resource | None) -> str:
    """`Uniform` or `Flexible`; it cannot change."""
    present = existing.properties.get("orchestrationMode", "Uniform") if existing else None
    asked = spelled(given.get("orchestrationMode") or present or "Uniform", "Uniform", "Flexible")
    if asked not in ("Uniform", "Flexible"):
        raise bad_parameter(f"The value '{asked}' of parameter 'orchestrationMode' is invalid.", "orchestrationMode")
    if present is not None and asked != present:
        raise ArmError(
            409,
            "PropertyChangeNotAllowed",
            "Changing property 'orchestrationMode' is not allowed.",
            target="orchestrationMode",
        )
    return asked


def is_flexible(resource: Resource) -> bool:
    """Whether a scale set is a flexible one."""
    return resource.properties.get("orchestrationMode") == "Flexible"


def complete(given: Document) -> Document:
    """The properties of a flexible set: what a uniform one has besides is refused, or is not there."""
    if given.get("singlePlacementGroup"):
        raise bad_parameter(
            "The value 'True' of parameter 'singlePlacementGroup' is not allowed for orchestration mode 'Flexible'.",
            "singlePlacementGroup",
        )
    network = (given.get("virtualMachineProfile") or {}).get("networkProfile") or {}
    if network.get("networkInterfaceConfigurations") and not network.get("networkApiVersion"):
        raise bad_parameter(
            "Required parameter 'networkProfile.networkApiVersion' is missing (null).",
            "networkProfile.networkApiVersion",
        )
    kept = {key: value for key, value in given.items() if key != "overprovision"}
    return kept | {
        "orchestrationMode": "Flexible",
        "singlePlacementGroup": False,
        "platformFaultDomainCount": given.get("platformFaultDomainCount", 1),
    }


def check_membership(request: Request, given: Document, location: str) -> None:
    """A machine may name a scale set: one that is there, in its region, and flexible."""
    named = (given.get("virtualMachineScaleSet") or {}).get("id")
    if not named:
        return
    found = referenced(request.kernel.store, named, request.resource_id, location)
    if not is_flexible(found):
        raise bad_parameter(
            f"The Virtual Machine Scale Set '{found.name}' is not in orchestration mode 'Flexible': no virtual machine "
            "can be added to it.",
            "virtualMachineScaleSet",
        )


def members(store: Store, scale_set_id: str) -> list[Resource]:
    """The machines of a scale set, the oldest first."""
    found = [
        one
        for one in store.of_kind(MACHINE)
        if ((one.properties.get("virtualMachineScaleSet") or {}).get("id") or "").lower() == scale_set_id.lower()
    ]
    return sorted(found, key=lambda one: (one.properties["timeCreated"], one.id))


def instance(scale_set: Resource, member: Resource) -> Document:
    """A member as the scale set's list of instances shows it: its instance id is the machine's name."""
    return {
        "name": member.name,
        "id": f"{scale_set.id}/virtualMachines/{member.name}",
        "type": INSTANCE,
        "location": member.location,
        "tags": dict(member.document.get("tags") or {}),
        "instanceId": member.name,
        "sku": {"name": member.properties["hardwareProfile"]["vmSize"], "tier": "Standard"},
        "properties": {
            "latestModelApplied": True,
            "vmId": member.properties["vmId"],
            "hardwareProfile": member.properties["hardwareProfile"],
            "storageProfile": member.properties["storageProfile"],
            "networkProfile": member.properties["networkProfile"],
            "provisioningState": member.properties["provisioningState"],
            "timeCreated": member.properties["timeCreated"],
        },
    }


def begin(request: Request, resource: Resource, secrets: Document, refusal: ArmError | None) -> Operation:
    """Let the machines follow the capacity, asked for in the name of the caller; the operation ends when they are made,
    or with the `refusal`.
    """
    resource.sim |= {"app_id": request.caller.app_id, "base_url": request.base_url}
    resource.sim |= {"secrets": secrets or resource.sim.get("secrets", {}), "refusal": refusal and refusal.document()}
    operation = request.begin(resource.id, seconds=_FOREVER, location=resource.location, done="scale_set.written")
    resource.sim["operation"] = operation.id
    request.kernel.store.put(resource)
    when = request.now + request.kernel.clock.scaled(_BEGIN_SECONDS)
    request.kernel.schedule.at(when, "scale_set.members", {"id": resource.id, "operation": operation.id})
    return operation


def _current(kernel: Kernel, payload: dict[str, Any]) -> Resource | None:
    """The set, unless a later write or its deletion has taken the place of the one that the payload is of."""
    resource = kernel.store.get(payload["id"])
    if resource is None or resource.sim.get("operation") != payload["operation"]:
        return None
    return None if resource.properties["provisioningState"] == "Deleting" else resource


@routes.hook("scale_set.members")
def _follow(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """Machines are added or deleted until there are as many as the capacity says."""
    resource = _current(kernel, payload)
    if resource is None:
        return
    present = members(kernel.store, resource.id)
    wanted = int((resource.document.get("sku") or {}).get("capacity", 0))
    for gone in present[wanted:]:
        remove(kernel, gone, at)
    missing = 0 if resource.sim["refusal"] else wanted - len(present)
    for _ in range(missing):
        number = resource.sim["next"] = resource.sim.get("next", -1) + 1
        refused = _add(kernel, resource, number)
        if refused:
            resource.sim["refusal"] = {"status": 409} | refused
            break
    kernel.store.put(resource)
    kernel.run_hook("scale_set.watch", payload, at)


@routes.hook("scale_set.watch")
def _watch(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """Look whether all machines are made; then the operation ends, with the error of one that was not."""
    resource = _current(kernel, payload)
    if resource is None:
        return
    now = kernel.clock.now()
    found = [Machine(one) for one in members(kernel.store, resource.id)]
    if any(one.state == "Creating" for one in found) and not resource.sim["refusal"]:
        kernel.schedule.at(now + kernel.clock.scaled(_LOOK_EVERY), "scale_set.watch", payload)
        return
    failed = next((one.facts["failed"] for one in found if one.state == "Failed" and one.facts["failed"]), None)
    if failed and not resource.sim["refusal"]:
        resource.sim["refusal"] = {"status": 409, "code": failed["code"], "message": failed["message"]}
        kernel.store.put(resource)
    kernel.operations.postpone(payload["operation"], now)


def remove(kernel: Kernel, member: Resource, at: float) -> None:
    """Delete a machine of a set, with what goes with it."""
    facts = {"resource_id": member.id, "vm_id": Machine(member).vm_id}
    kernel.run_hook("machine.deleted", facts, at)


def _add(kernel: Kernel, resource: Resource, number: int) -> Document | None:
    """Ask for one machine; answers the error object of a refusal."""
    word = stable_guid(resource.id.lower(), resource.properties["uniqueId"], str(number))[:8]
    group = resource.id.rsplit("/providers/", 1)[0]
    reply = kernel.on_behalf(
        resource.sim["app_id"],
        "PUT",
        f"{group}/providers/{MACHINE}/{resource.name}_{word}",
        api_version=_API_VERSION,
        body=json.dumps(_body(resource, word)),
        base_url=resource.sim["base_url"],
    )
    return reply.body["error"] if reply.status >= 400 else None


def _body(resource: Resource, word: str) -> Document:
    model: Document = resource.properties.get("virtualMachineProfile") or {}
    storage = dict(model.get("storageProfile") or {})
    storage["osDisk"] = {"createOption": "FromImage", "deleteOption": "Delete"} | {
        key: value for key, value in (storage.get("osDisk") or {}).items() if key not in ("osType", "diskSizeGB")
    }
    properties = {
        key: value for key, value in model.items() if key not in ("storageProfile", "osProfile", "extensionProfile")
    }
    system = dict(model.get("osProfile") or {})
    prefix = system.pop("computerNamePrefix", resource.name[:9])
    if system:
        properties["osProfile"] = system | resource.sim["secrets"] | {"computerName": f"{prefix}{word[:6]}"}
    properties |= {
        "storageProfile": storage,
        "hardwareProfile": {"vmSize": resource.document["sku"]["name"]},
        "virtualMachineScaleSet": {"id": resource.id},
    }
    body = {"location": resource.location, "properties": properties}
    return body | {key: resource.document[key] for key in ("tags", "plan", "identity") if key in resource.document}
