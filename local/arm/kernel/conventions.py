"""What the compute, network and storage providers share: bodies, tags, locations, lists, references to resources."""

import hashlib
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from local.arm.kernel import ids, regions, shapes
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request
from local.arm.kernel.store import Resource, Store

_SHAPES: dict[str, shapes.Shape] = {
    "Disks": shapes.DISK,
    "Snapshots": shapes.DISK,
    "VirtualMachines": shapes.MACHINE,
    "VirtualMachineScaleSets": shapes.SCALE_SET,
    "VirtualMachineRunCommands": shapes.RUN_COMMAND,
}


def listing(request: Request, found: Iterable[Resource], show: Callable[[Resource], Any] | None = None) -> Reply:
    """Resources as a list in pages, in the order of their ids."""
    rows = sorted(found, key=lambda one: one.id.lower())
    return paged(request, (show(one) if show else one.document for one in rows))


def scope_of(request: Request) -> str:
    """The subscription or resource group whose resources a list names."""
    subscription, group = request.params["sub"], request.params.get("rg")
    return f"/subscriptions/{subscription}" if group is None else ids.group_id(subscription, group)


def body_of(request: Request) -> dict[str, Any]:
    """The request's body, which must be an object."""
    if not isinstance(request.body, dict):
        raise ArmError(
            400,
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized: 'a JSON object is required'.",
        )
    shape = _SHAPES.get(request.route.name.split("_")[0]) if request.method != "POST" else None
    shape = shapes.ACTIONS.get(request.route.name) or shape
    if shape is not None:
        shapes.check(request.body, shape)
    return request.body


def properties_of(body: dict[str, Any]) -> dict[str, Any]:
    """The body's `properties`, which must be an object."""
    found = body.get("properties") or {}
    if not isinstance(found, dict):
        raise ArmError(400, "InvalidRequestFormat", "Cannot parse the request: 'properties' must be an object.")
    return found


def location_of(body: dict[str, Any], existing: Resource | None) -> str:
    """The region's short name, given and known; a resource cannot move to another one."""
    given = body.get("location")
    if not isinstance(given, str) or not given:
        if existing is not None:
            return existing.location
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    location = regions.short(given)
    if not regions.is_known(location):
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{given}' is not available for this resource type.",
        )
    if existing is not None and existing.location != location:
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{existing.name}' already exists in location '{existing.location}' in resource group "
            f"'{group_of(existing.id)}'. A resource with the same name cannot be created in location '{location}'. "
            "Please select a new resource name.",
        )
    return location


def tags_of(body: dict[str, Any], existing: Resource | None = None) -> dict[str, str] | None:
    """The tags of a write: those given, else those that are there."""
    given = body.get("tags")
    if given is None:
        return existing.document.get("tags") if existing else None
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ArmError(400, "InvalidTagsParameter", "Tags must be an object whose values are strings.")
    return dict(given)


def group_of(resource_id: str) -> str:
    """The resource group's name in an id."""
    parsed = ids.parse(resource_id)
    return parsed.group if parsed else ""


def referenced(store: Store, wanted: str, by: str, location: str | None) -> Resource:
    """A resource that another one refers to: it must be there, in the same region; else Azure's 400 for it."""
    found = store.get(wanted)
    if found is None or (location is not None and found.location != location):
        raise ArmError(
            400,
            "InvalidResourceReference",
            f"Resource {wanted} referenced by resource {by} was not found. Please make sure that the referenced "
            "resource exists, and that both resources are in the same region.",
        )
    return found


def new_document(request: Request, kind: str, name: str, location: str, tags: dict[str, str] | None) -> dict[str, Any]:
    """The head of a new resource's document, in the recorded order."""
    document: dict[str, Any] = {"name": name, "id": request.resource_id, "type": kind, "location": location}
    return document if tags is None else document | {"tags": tags}


def stable_guid(*parts: str) -> str:
    """A GUID that depends on the parts alone."""
    return str(uuid.UUID(hashlib.sha256("/".join(parts).encode()).hexdigest()[:32], version=4))


def spelled(value: Any, *known: str) -> Any:
    """A value of an enumeration as Azure spells it, whatever the casing that it was given in; others as they are."""
    return next((one for one in known if isinstance(value, str) and one.lower() == value.lower()), value)
