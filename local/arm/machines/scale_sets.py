"""Scale sets as far as "who uses this image version" needs them: the model, its instances, and what they run.

Shapes are recorded in `test_vmss_run_command_with_parameters.yaml` and `test_vmss_trusted.yaml`. Instances are
rows of the store; they have no disks or NICs of their own here and no guest.
"""

import copy
from collections import Counter
from typing import Any

from local.arm.kernel.clock import iso
from local.arm.kernel.conventions import (
    body_of,
    listing,
    location_of,
    new_document,
    properties_of,
    scope_of,
    spelled,
    stable_guid,
    tags_of,
)
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import accepted
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource, Store
from local.arm.machines import flexible_scale_sets as flexible
from local.arm.machines.flexible_scale_sets import INSTANCE, KIND
from local.arm.machines.image_reference import Image, resolve
from local.arm.machines.os_profile import check_os_profile
from local.arm.machines.purchase_plan import refuse_plan
from local.arm.machines.scale_set_health import with_view
from local.arm.machines.security_profile import check_security
from local.arm.machines.sizes import Size, disk_controller, require_bootable, size_named

routes = Routes()
routes.hooks |= flexible.routes.hooks

_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachineScaleSets"
_ONE = _GROUP + "/{vmss}"
_INSTANCE = _ONE + "/virtualMachines/{instance}"


@routes.operation("PUT", _ONE, name="VirtualMachineScaleSets_CreateOrUpdate", bucket="CreateVMScaleSet")
def put(request: Request) -> Reply:
    """Create a scale set, or give it another model: 201 `Creating`, 200 `Updating`."""
    body, existing = body_of(request), request.kernel.store.get(request.resource_id)
    location = location_of(body, existing)
    given = copy.deepcopy((existing.properties if existing else {}) | properties_of(body))
    mode = flexible.mode_of(properties_of(body), existing)
    document = new_document(request, KIND, request.params["vmss"], location, tags_of(body, existing))
    resource = Resource(document, existing.sim if existing else {})
    sku = body.get("sku") or (existing.document.get("sku") if existing else None) or {}
    bare = mode == "Flexible" and not given.get("virtualMachineProfile")
    image = None if bare else _with_model(request, resource, given, existing, sku)
    document |= {key: body[key] for key in ("identity", "zones", "plan") if key in body}
    document["properties"] = _properties(given, mode) | {
        "uniqueId": existing.properties["uniqueId"] if existing else stable_guid(request.resource_id.lower()),
        "provisioningState": "Updating" if existing else "Creating",
        "timeCreated": existing.properties["timeCreated"] if existing else iso(request.now),
    }
    refusal = _refused_plan(request, resource, image, existing)
    return _write(request, resource, 200 if existing else 201, refusal, _secrets(properties_of(body)))


def _with_model(
    request: Request, resource: Resource, given: Document, existing: Resource | None, sku: Document
) -> Image:
    """The image of a model that is checked; its size and capacity are put into the document."""
    size = size_named(sku.get("name"))
    image = _model(request, given, existing, resource.location, size)
    require_bootable(size, image.generation, image.architecture)
    check_security(given["virtualMachineProfile"], image, size)
    resource.document["sku"] = {"name": size.name, "tier": "Standard", "capacity": int(sku.get("capacity", 0))}
    resource.sim = resource.sim | {"image": image.reference}
    return image


def _properties(given: Document, mode: str) -> Document:
    if mode == "Flexible":
        if "upgradePolicy" in given:
            given["upgradePolicy"] = _upgrade_policy(given["upgradePolicy"] or {})
        return flexible.complete(given)
    return given | {
        "upgradePolicy": _upgrade_policy(given.get("upgradePolicy") or {}),
        "orchestrationMode": "Uniform",
        "doNotRunExtensionsOnOverprovisionedVMs": given.get("doNotRunExtensionsOnOverprovisionedVMs", False),
        "singlePlacementGroup": given.get("singlePlacementGroup", True),
        "overprovision": given.get("overprovision", True),
    }


def _secrets(given: Document) -> Document:
    """What a model does not show and its machines need."""
    system = (given.get("virtualMachineProfile") or {}).get("osProfile") or {}
    return {key: system[key] for key in ("adminPassword", "customData") if system.get(key)}


def _refused_plan(
    request: Request, resource: Resource, image: Image | None, existing: Resource | None
) -> ArmError | None:
    plan = resource.document.get("plan") or (existing.document.get("plan") if existing else None)
    storage = (resource.properties.get("virtualMachineProfile") or {}).get("storageProfile") or {}
    return refuse_plan(image, plan, request.resource_id, (storage.get("osDisk") or {}).get("name"))


def _model(request: Request, given: Document, existing: Resource | None, location: str, size: Size) -> Image:
    """The image that the model names; the model's own parts are completed in place."""
    profile = given.get("virtualMachineProfile")
    if existing is not None and isinstance(profile, dict):
        profile = given["virtualMachineProfile"] = _merged(existing.properties["virtualMachineProfile"], profile)
    if not isinstance(profile, dict):
        raise ArmError(
            400,
            "InvalidParameter",
            "Required parameter 'virtualMachineProfile' is missing (null).",
            target="virtualMachineProfile",
        )
    storage = profile.setdefault("storageProfile", {})
    image = resolve(request.kernel, storage.get("imageReference"), location, request.now)
    _complete_system(request, profile, existing, image)
    storage["osDisk"] = _system_disk(storage.get("osDisk") or {}, size, image)
    asked = spelled(storage.get("diskControllerType"), "SCSI", "NVMe")
    if controller := disk_controller(size, asked, image.controllers, image.generation):
        storage["diskControllerType"] = controller
    _complete_network(profile.get("networkProfile") or {})
    return image


def _merged(present: Document, given: Document) -> Document:
    """A model with what an update names; the image and the security of the model stay when it is silent on them."""
    storage = present.get("storageProfile") or {}
    image = {"imageReference": storage["imageReference"]} if storage.get("imageReference") else {}
    found = present | given | {"storageProfile": image | (given.get("storageProfile") or storage)}
    if present.get("securityProfile"):
        found["securityProfile"] = present["securityProfile"] | (given.get("securityProfile") or {})
    return copy.deepcopy(found)


def _complete_system(request: Request, profile: Document, existing: Resource | None, image: Image) -> None:
    """The `osProfile`; an update need not repeat the password that ARM does not show."""
    given = profile.get("osProfile")
    if given is None:
        check_os_profile({}, image, "")
        return
    prefix = given.get("computerNamePrefix") or request.params["vmss"][:9]
    asked = given | {"computerName": prefix}
    shown = check_os_profile({"osProfile": asked | ({"adminPassword": "-"} if existing else {})}, image, prefix) or {}
    shown.pop("computerName", None)
    for configuration in ("linuxConfiguration", "windowsConfiguration"):  # a model names no patches of its own accord
        if configuration in shown and "patchSettings" not in (given.get(configuration) or {}):
            shown[configuration].pop("patchSettings", None)
    profile["osProfile"] = shown | {"computerNamePrefix": prefix}


def _system_disk(given: Document, size: Size, image: Image) -> Document:
    kind = (given.get("managedDisk") or {}).get("storageAccountType") or size.storage
    return given | {
        "createOption": spelled(given.get("createOption", "FromImage"), "FromImage", "Attach"),
        "caching": spelled(given.get("caching", "ReadWrite"), "None", "ReadOnly", "ReadWrite"),
        "managedDisk": (given.get("managedDisk") or {}) | {"storageAccountType": kind},
        "osType": image.os_type,
        "diskSizeGB": given.get("diskSizeGB") or image.os_disk_gib,
    }


def _upgrade_policy(given: Document) -> Document:
    """How instances follow the model; rolling upgrades have their numbers although the mode is another (recorded)."""
    found = given | {"mode": spelled(given.get("mode", "Manual"), "Manual", "Automatic", "Rolling")}
    if "rollingUpgradePolicy" in found:
        numbers = ("maxBatchInstancePercent", "maxUnhealthyInstancePercent", "maxUnhealthyUpgradedInstancePercent")
        rolling = dict.fromkeys(numbers, 20) | {"pauseTimeBetweenBatches": "PT0S", "maxSurge": False}
        rolling |= {"rollbackFailedInstancesOnPolicyBreach": False}
        found["rollingUpgradePolicy"] = rolling | (found["rollingUpgradePolicy"] or {})
    return found


def _complete_network(profile: Document) -> None:
    """What the network provider adds to the NICs of a model; templates give booleans as words."""
    for one in profile.get("networkInterfaceConfigurations") or []:
        asked = one.get("properties") or {}
        defaults = {"enableAcceleratedNetworking": False, "disableTcpStateTracking": False, "enableIPForwarding": False}
        found: Document = defaults | {"dnsSettings": {"dnsServers": []}} | asked
        found["primary"] = str(found.get("primary", True)).lower() == "true"
        for address in found.get("ipConfigurations") or []:
            address["properties"] = {"privateIPAddressVersion": "IPv4"} | (address.get("properties") or {})
        one["properties"] = found


def _write(
    request: Request,
    resource: Resource,
    status: int,
    refusal: ArmError | None = None,
    secrets: Document | None = None,
) -> Reply:
    if flexible.is_flexible(resource):
        operation = flexible.begin(request, resource, secrets or {}, refusal)
    else:
        resource.sim["refusal"] = refusal and refusal.document()
        operation = request.begin(resource.id, seconds=50, location=resource.location, done="scale_set.written")
    request.kernel.store.put(resource)
    return Reply(status, copy.deepcopy(resource.document), operation.headers(request))


@routes.operation("PATCH", _ONE, name="VirtualMachineScaleSets_Update", bucket="CreateVMScaleSet")
def patch(request: Request) -> Reply:
    """Change tags, capacity, or the image of the model (``VirtualMachineScaleSetUpdate``)."""
    resource, body = request.require(), body_of(request)
    tags = tags_of(body, resource)
    if tags is not None:
        resource.document["tags"] = tags
    if "capacity" in (body.get("sku") or {}):
        resource.document["sku"]["capacity"] = int(body["sku"]["capacity"])
    storage = (properties_of(body).get("virtualMachineProfile") or {}).get("storageProfile") or {}
    if "imageReference" in storage:
        _change_image(request, resource, storage["imageReference"])
    resource.properties["provisioningState"] = "Updating"
    return _write(request, resource, 200)


def _change_image(request: Request, resource: Resource, reference: Document) -> None:
    """Another image of the model, which is checked as a new model is; the rest of the model stays."""
    model = {"virtualMachineProfile": {"storageProfile": {"imageReference": reference}}}
    given = copy.deepcopy(resource.properties | model)
    _with_model(request, resource, given, resource, resource.document["sku"])
    resource.properties["virtualMachineProfile"] = given["virtualMachineProfile"]


@routes.hook("scale_set.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """The instances follow the capacity; those that are there keep the image that they were made from."""
    resource = kernel.store.get(payload["resource_id"])
    if resource is None:
        return
    refusal = resource.sim.get("refusal")
    failed = "failure" in payload or refusal
    resource.properties["provisioningState"] = "Failed" if failed else "Succeeded"
    kernel.store.put(resource)
    if refusal:
        raise ArmError(**refusal)
    if failed or flexible.is_flexible(resource):
        return
    instances = _instances(kernel.store, resource)
    wanted = resource.document["sku"]["capacity"]
    for gone in instances[wanted:]:
        kernel.store.delete(gone.id)
    for _ in range(wanted - len(instances)):
        number = resource.sim["next"] = resource.sim.get("next", -1) + 1
        kernel.store.put(_instance(resource, number, at))
    for instance in _instances(kernel.store, resource):
        instance.properties["latestModelApplied"] = (
            instance.properties["storageProfile"]["imageReference"] == resource.sim["image"]
        )
        kernel.store.put(instance)
    kernel.store.put(resource)


def _instances(store: Store, resource: Resource) -> list[Resource]:
    return sorted(store.children(resource.id, INSTANCE), key=lambda one: int(one.document["instanceId"]))


def _instance(resource: Resource, number: int, at: float) -> Resource:
    profile = resource.properties["virtualMachineProfile"]
    instance_id = f"{resource.id}/virtualMachines/{number}"
    operating_system = dict(profile.get("osProfile") or {})
    prefix = operating_system.pop("computerNamePrefix", resource.name[:9])
    document: Document = {
        "name": f"{resource.name}_{number}",
        "id": instance_id,
        "type": INSTANCE,
        "location": resource.location,
        "tags": dict(resource.document.get("tags") or {}),
        "instanceId": str(number),
        "sku": {"name": resource.document["sku"]["name"], "tier": "Standard"},
        "properties": {
            "latestModelApplied": True,
            "modelDefinitionApplied": "VirtualMachineScaleSet",
            "vmId": stable_guid(instance_id.lower(), str(at)),
            "hardwareProfile": {"vmSize": resource.document["sku"]["name"]},
            "storageProfile": {
                "imageReference": resource.sim["image"],
                "osDisk": _own_disk(resource, number, profile["storageProfile"]["osDisk"]),
                "dataDisks": [],
            },
            **_own_network(resource, instance_id),
            **({"osProfile": operating_system | {"computerName": f"{prefix}{number:06d}"}} if operating_system else {}),
            "provisioningState": "Succeeded",
            "timeCreated": iso(at),
        },
    }
    return Resource(document)


def _own_network(resource: Resource, instance_id: str) -> Document:
    """An instance's NICs: ids below it, and the model's configuration; there is no network behind them here."""
    profile = resource.properties["virtualMachineProfile"].get("networkProfile") or {}
    configured = profile.get("networkInterfaceConfigurations") or []
    if not configured:
        return {}
    nics = [{"id": f"{instance_id}/networkInterfaces/{one['name']}"} for one in configured]
    return {
        "networkProfile": {"networkInterfaces": nics},
        "networkProfileConfiguration": {"networkInterfaceConfigurations": copy.deepcopy(configured)},
    }


def _own_disk(resource: Resource, number: int, model: Document) -> Document:
    """An instance's system disk: the model's, with a name and an id of its own; it is no resource here."""
    word = stable_guid(resource.id.lower(), str(number), "disk").replace("-", "")
    name = f"{resource.name}_{resource.name}_{number}_OsDisk_1_{word}"
    managed = dict(model.get("managedDisk") or {})
    managed["id"] = f"{resource.id.rsplit('/providers/', 1)[0]}/providers/Microsoft.Compute/disks/{name}"
    return {**model, "name": name, "managedDisk": managed}


@routes.operation("GET", _ONE, name="VirtualMachineScaleSets_Get", bucket="GetVMScaleSet")
def get(request: Request) -> Reply:
    """A scale set's model."""
    return Reply(200, request.require().document)


def _list(request: Request) -> Reply:
    return listing(request, request.kernel.store.of_kind(KIND, scope_of(request)))


routes.operation("GET", _GROUP, name="VirtualMachineScaleSets_List", bucket="HighCostGetVMScaleSet")(_list)
routes.operation(
    "GET",
    "/subscriptions/{sub}/providers/Microsoft.Compute/virtualMachineScaleSets",
    name="VirtualMachineScaleSets_ListAll",
    bucket="HighCostGetVMScaleSet",
)(_list)


@routes.operation(
    "GET", _ONE + "/virtualMachines", name="VirtualMachineScaleSetVMs_List", bucket="HighCostGetVMScaleSet"
)
def list_instances(request: Request) -> Reply:
    """The instances of a scale set; `$expand=instanceView` adds how those of uniform orchestration are."""
    resource = request.require(request.scope)
    if flexible.is_flexible(resource):
        found = flexible.members(request.kernel.store, resource.id)
        return listing(request, found, lambda one: flexible.instance(resource, one))
    expand = request.query.get("$expand", "").lower() == "instanceview"
    return listing(request, request.kernel.store.children(resource.id, INSTANCE), with_view if expand else None)


@routes.operation("GET", _INSTANCE, name="VirtualMachineScaleSetVMs_Get", bucket="GetVMScaleSet")
def get_instance(request: Request) -> Reply:
    """An instance."""
    resource = request.require_parent()
    assert resource is not None
    if flexible.is_flexible(resource):
        member = request.require(f"{resource.id.rsplit('/', 2)[0]}/virtualMachines/{request.params['instance']}")
        return Reply(200, flexible.instance(resource, member))
    return Reply(200, request.require().document)


@routes.operation("GET", _ONE + "/instanceView", name="VirtualMachineScaleSets_GetInstanceView", bucket="GetVMScaleSet")
def get_instance_view(request: Request) -> Reply:
    """How many instances are in which state."""
    resource = request.require(request.scope)
    store = request.kernel.store
    if flexible.is_flexible(resource):
        states = Counter(one.properties["provisioningState"].lower() for one in flexible.members(store, resource.id))
    else:
        states = Counter({"succeeded": len(store.children(resource.id, INSTANCE))})
    summary = [{"code": f"ProvisioningState/{state}", "count": count} for state, count in sorted(states.items())]
    done = {"code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded"}
    done["time"] = resource.properties["timeCreated"]
    return Reply(200, {"virtualMachine": {"statusesSummary": summary}, "statuses": [done]})


@routes.operation("DELETE", _ONE, name="VirtualMachineScaleSets_Delete", bucket="DeleteVMScaleSet")
def delete(request: Request) -> Reply:
    """Delete a scale set with its instances."""
    resource = request.kernel.store.get(request.resource_id)
    if resource is None:
        return Reply(204)
    resource.properties["provisioningState"] = "Deleting"
    request.kernel.store.put(resource)
    return accepted(
        request, request.begin(resource.id, seconds=40, location=resource.location, done="scale_set.deleted")
    )


@routes.hook("scale_set.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    if "failure" in payload:
        return
    for child in kernel.store.descendants(payload["resource_id"]):
        kernel.store.delete(child.id)
    for member in flexible.members(kernel.store, payload["resource_id"]):
        flexible.remove(kernel, member, at)
    kernel.store.delete(payload["resource_id"])


@routes.hook(f"seed:{KIND}".lower())
def _seed(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """A seeded scale set gets its instances at once; `sku.capacity` says how many."""
    resource: Resource = payload["resource"]
    storage = resource.properties.setdefault("virtualMachineProfile", {}).setdefault("storageProfile", {})
    storage.setdefault("osDisk", {"createOption": "FromImage"})
    resource.sim["image"] = storage.get("imageReference", {})
    sku = resource.document.setdefault("sku", {"name": "Standard_D2s_v5"})
    for number in range(int(sku.setdefault("capacity", 0))):
        resource.sim["next"] = number
        kernel.store.put(_instance(resource, number, at))
