"""The NICs of a machine: existing ones, or described inline (`networkApiVersion`, `networkInterfaceConfigurations`).

A NIC made inline is a resource of its own, with its configuration's tags and without the machine's; it goes with the
machine where its `deleteOption` says so, and stays otherwise.
"""

from typing import Any

from local.arm.kernel.conventions import referenced, stable_guid
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.routing import Request
from local.arm.kernel.store import Document, Resource, Store
from local.arm.networking.interfaces import NIC, nic_properties, touch

_API_VERSIONS = ("2020-11-01", "2022-11-01")


def network_profile(request: Request, given: Any, location: str) -> Document:
    """The completed network profile; inline NICs exist when this returns. Nothing is made where anything is refused."""
    if not isinstance(given, dict):
        raise bad_parameter("Required parameter 'networkProfile' is missing (null).", "networkProfile")
    existing, inline = given.get("networkInterfaces") or [], given.get("networkInterfaceConfigurations") or []
    if existing and inline:
        raise ArmError(
            400,
            "InvalidParameter",
            "The parameters 'networkInterfaces' and 'networkInterfaceConfigurations' cannot both be given.",
            target="networkProfile",
        )
    if inline:
        return _inline(request, given, inline, location)
    if not existing:
        raise bad_parameter(
            "Required parameter 'networkProfile.networkInterfaces' is missing (null).", "networkProfile"
        )
    return {"networkInterfaces": [_existing(request, one, location) for one in existing]}


def _existing(request: Request, given: Document, location: str) -> Document:
    nic = referenced(request.kernel.store, given.get("id") or "", request.resource_id, location)
    owner = nic.properties.get("virtualMachine")
    if owner and owner["id"].lower() != request.resource_id.lower():
        raise ArmError(
            400,
            "NicInUse",
            f"Network Interface {nic.id} is used by existing resource {owner['id']}.",
        )
    kept = {key: value for key, value in (given.get("properties") or {}).items() if key in ("primary", "deleteOption")}
    return {"id": nic.id} | ({"properties": kept} if kept else {})


def _inline(request: Request, given: Document, inline: list[Document], location: str) -> Document:
    version = given.get("networkApiVersion")
    if not version:
        raise bad_parameter(
            "Required parameter 'networkProfile.networkApiVersion' is missing (null).", "networkApiVersion"
        )
    if version not in _API_VERSIONS:
        raise bad_parameter(
            f"The value '{version}' of parameter 'networkApiVersion' is not supported. Supported values are: "
            f"{', '.join(_API_VERSIONS)}.",
            "networkApiVersion",
        )
    primary = [one for one in inline if (one.get("properties") or {}).get("primary")]
    if len(inline) > 1 and len(primary) != 1:
        raise bad_parameter("Exactly one network interface must be marked as primary.", "networkProfile")
    made = [_describe(request, one, location) for one in inline]
    for nic, _ in made:
        touch(request.kernel.store, nic)
    return {"networkInterfaces": [reference for _, reference in made]}


def _describe(request: Request, given: Document, location: str) -> tuple[Resource, Document]:
    """The NIC that an inline configuration stands for, and the machine's reference to it."""
    asked = given.get("properties") or {}
    if not given.get("name"):
        raise bad_parameter("Required parameter 'networkInterfaceConfiguration.name' is missing (null).", "name")
    if not asked.get("ipConfigurations"):
        raise bad_parameter("Required parameter 'ipConfigurations' is missing (null).", "ipConfigurations")
    word = stable_guid(request.resource_id.lower(), request.correlation_id, str(request.now))[:8]
    nic_id = f"{request.resource_id.rsplit('/providers/', 1)[0]}/providers/{NIC}/{given['name']}-{word}"
    document: Document = {"name": nic_id.rsplit("/", 1)[1], "id": nic_id, "type": NIC, "location": location}
    if given.get("tags"):
        document["tags"] = dict(given["tags"])
    document |= {"kind": "Regular", "properties": nic_properties(request.kernel, nic_id, location, asked)}
    primary = bool(asked.get("primary", True))
    document["properties"]["primary"] = primary
    properties = {"primary": primary, "deleteOption": asked.get("deleteOption", "Delete")}
    return Resource(document), {"id": nic_id, "properties": properties}


def attach_nics(store: Store, machine: Resource) -> None:
    """Say in every NIC of a machine whose it is."""
    for one in machine.properties["networkProfile"]["networkInterfaces"]:
        nic = store.get(one["id"])
        if nic is not None:
            nic.properties["virtualMachine"] = {"id": machine.id}
            touch(store, nic)
