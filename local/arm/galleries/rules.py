"""What galleries, definitions and versions have in common: names, locations, tags, states, deletion."""

import re
from typing import Any

from local.arm.kernel import regions, shapes
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import accepted
from local.arm.kernel.routing import Request
from local.arm.kernel.store import Resource

_SHAPES = {
    "Microsoft.Compute/galleries": shapes.GALLERY,
    "Microsoft.Compute/galleries/images": shapes.DEFINITION,
    "Microsoft.Compute/galleries/images/versions": shapes.VERSION,
    "Microsoft.Compute/galleries/share": shapes.SHARING,
    "Microsoft.Compute/images": shapes.IMAGE,
}
FAMILY = "capsOperations"
CONCURRENT = (
    "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
    "https://aka.ms/activitylog to get more details on the conflicting requests."
)
_DEFINITION_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9])?")
_GALLERY_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._]{0,78}[A-Za-z0-9])?")


def check_name(kind: str, name: str) -> None:
    """Refuse a name that Azure's naming rules forbid: up to 80 characters, letters, digits, dots and underscores,
    in definitions hyphens too, with a letter or digit at both ends.
    """
    pattern = _GALLERY_NAME if kind == "gallery" else _DEFINITION_NAME
    if not pattern.fullmatch(name):
        raise bad_parameter(
            f"The entity name '{name}' is invalid according to its validation rule: ^{pattern.pattern}$."
        )


def body_of(request: Request) -> dict[str, Any]:
    """The request's JSON object in the shape of its resource type, or ARM's 400."""
    if not isinstance(request.body, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid: a JSON object is required.")
    shapes.check(request.body, _SHAPES[resource_type(request)])
    return request.body


def location_of(request: Request, existing: Resource | None) -> str:
    """The short name of the body's `location`; it may not differ from that of what exists."""
    given = body_of(request).get("location")
    if not given:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    if not regions.is_known(given):
        raise ArmError(
            400,
            "LocationNotAvailableForResourceType",
            f"The provided location '{given}' is not available for resource type '{resource_type(request)}'.",
        )
    if existing is not None and existing.location != regions.short(given):
        raise ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{existing.name}' already exists in location '{existing.location}' in resource group "
            f"'{request.params['rg']}'. A resource with the same name cannot be created in location "
            f"'{regions.short(given)}'. Please select a new resource name.",
        )
    return regions.short(given)


def resource_type(request: Request) -> str:
    """The type in the route's path, e.g. `Microsoft.Compute/galleries/images`."""
    segments = request.route.segments
    provider = segments.index("providers") + 1
    return "/".join([segments[provider], *segments[provider + 1 :: 2]])


def tagged(given: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The `tags` member of a document: there only where tags were given, be it none of them (recorded)."""
    return {"tags": tags_of(given)} if given.get("tags") is not None else {}


def retag(resource: Resource, given: dict[str, Any], *, replace: bool) -> None:
    """Give a resource other tags; a PUT without them takes them away, a PATCH leaves them."""
    if replace:
        resource.document.pop("tags", None)
    found = tagged(given)
    if found:  # in its place behind the location
        head = {key: resource.document[key] for key in ("name", "id", "type", "location")}
        resource.document = head | found | {key: value for key, value in resource.document.items() if key != "tags"}


def tags_of(given: dict[str, Any]) -> dict[str, str]:
    """Checked tags: at most 50, names up to 512 and values up to 256 characters."""
    tags = given.get("tags") or {}
    fits = isinstance(tags, dict) and all(isinstance(value, str) for value in tags.values())
    if not fits or len(tags) > 50 or any(len(key) > 512 or len(value) > 256 for key, value in tags.items()):
        raise ArmError(400, "InvalidTag", "Tags are up to 50 names of 512 characters with values of 256 characters.")
    return dict(tags)


def property_change(target: str) -> ArmError:
    """The refusal to change what cannot change (packer#9716)."""
    return ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{target}' is not allowed.", target=target)


def check_not_deleting(existing: Resource, what: str) -> None:
    """Refuse to update what is being deleted (troubleshooting-shared-images.md)."""
    if existing.sim.get("deleting"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Operation 'Update {what}' is not allowed on {existing.name} since it is marked for deletion. You can "
            "only retry the Delete operation (or wait for an ongoing one to complete).",
        )


def begin(request: Request, resource: Resource, *, seconds: float, done: str, **payload: Any) -> dict[str, str]:
    """Start an operation of the gallery family on a resource; answers the headers."""
    operation = request.begin(
        resource.id, seconds=seconds, location=resource.location, family=FAMILY, done=done, payload=payload
    )
    resource.sim["operation"] = operation.id
    request.kernel.store.put(resource)
    return operation.headers(request)


def begin_delete(request: Request, resource: Resource, *, seconds: float, done: str, **payload: Any) -> Reply:
    """202 with both headers; what ran on the resource before gives way. A second DELETE joins the first."""
    running = resource.sim.get("operation")
    if running and not resource.sim.get("deleting"):
        request.kernel.operations.abandon(running, request.now)
    resource.properties["provisioningState"] = "Deleting"
    resource.sim["deleting"] = True
    operation = request.begin(
        resource.id, seconds=seconds, location=resource.location, family=FAMILY, done=done, payload=payload
    )
    resource.sim["operation"] = operation.id
    request.kernel.store.put(resource)
    return accepted(request, operation)


def check_no_children(request: Request, resource: Resource) -> None:
    """409 while something is nested in the resource (troubleshooting-shared-images.md)."""
    if request.kernel.store.children(resource.id):
        raise ArmError(
            409,
            "CannotDeleteResource",
            "Can not delete resource before nested resources are deleted.",
            target=resource.id,
        )


def shown(resource: Resource, api_version: str) -> dict[str, Any]:
    """The document as one api-version shows it: the safety profile came with 2022-03-03, and what blocks deletion with
    2023-07-03.
    """
    document = dict(resource.document)
    properties = dict(document["properties"])
    safety = properties.get("safetyProfile")
    if safety is not None and api_version < "2022-03-03":
        del properties["safetyProfile"]
    elif safety is not None and api_version < "2023-07-03":
        properties["safetyProfile"] = {k: v for k, v in safety.items() if k != "blockDeletionBeforeEndOfLife"}
    return document | {"properties": properties}
