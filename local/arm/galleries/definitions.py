"""Image definitions."""

import copy
from datetime import UTC, datetime
from typing import Any

from local.arm.galleries import rules
from local.arm.galleries.features import check_features
from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

KIND = "Microsoft.Compute/galleries/images"
_LIST = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/galleries/{gallery}/images"
_ONE = _LIST + "/{image}"
_SECONDS = 0.2
_FIXED = ("osType", "osState", "hyperVGeneration", "architecture", "identifier", "purchasePlan")
_MUTABLE = (
    "description",
    "eula",
    "privacyStatementUri",
    "releaseNoteUri",
    "endOfLifeDate",
    "recommended",
    "disallowed",
    "features",
    "allowUpdateImage",
)
_CHOICES = {
    "osType": ("Windows", "Linux"),
    "osState": ("Generalized", "Specialized"),
    "hyperVGeneration": ("V1", "V2"),
    "architecture": ("x64", "Arm64"),
}
_LIMITS = {"publisher": 128, "offer": 64, "sku": 64}
_NEW_DEFAULTS = "2025-03-03"


@routes.operation("GET", _ONE, name="GalleryImages_Get", bucket="GetGalleryImage")
def get(request: Request) -> Reply:
    """One definition."""
    return Reply(200, request.require().document)


@routes.operation("GET", _LIST, name="GalleryImages_ListByGallery", bucket="ListGalleryImagesInGallery")
def list_in_gallery(request: Request) -> Reply:
    """The definitions of a gallery."""
    gallery = request.require(request.scope)
    return paged(request, (one.document for one in request.kernel.store.children(gallery.id, KIND)))


@routes.operation("PUT", _ONE, name="GalleryImages_CreateOrUpdate", bucket="CreateUpdateGalleryImage")
def put(request: Request) -> Reply:
    """201 Creating, or 200 Updating."""
    gallery = request.require_parent()
    assert gallery is not None
    rules.check_name("definition", request.params["image"])
    rules.check_not_deleting(gallery, "Gallery")
    existing = request.kernel.store.get(request.resource_id)
    location, body = rules.location_of(request, existing), rules.body_of(request)
    given = _checked(body.get("properties") or {}, request.now)
    if existing is not None:
        return _update(request, existing, body | {"properties": given}, replace=True)
    definition = Resource(
        {
            "name": request.params["image"],
            "id": f"{gallery.id}/images/{request.params['image']}",
            "type": KIND,
            "location": location,
            **rules.tagged(body),
            "properties": {name: copy.deepcopy(given[name]) for name in (*_FIXED, *_MUTABLE) if given.get(name)},
        }
    )
    _check_required(definition)
    complete(definition, request.api_version)
    check_features(definition.properties)
    _check_unique(request, gallery, definition)
    definition.properties["provisioningState"] = "Creating"
    request.kernel.store.put(definition)
    headers = rules.begin(request, definition, seconds=_SECONDS, done="definition.written")
    return Reply(201, definition.document, headers)


@routes.operation("PATCH", _ONE, name="GalleryImages_Update", bucket="CreateUpdateGalleryImage")
def patch(request: Request) -> Reply:
    """200 Updating."""
    definition, body = request.require(), rules.body_of(request)
    given = _checked(body.get("properties") or {}, request.now)
    return _update(request, definition, body | {"properties": given}, replace=False)


def _update(request: Request, definition: Resource, body: dict[str, Any], *, replace: bool) -> Reply:
    rules.check_not_deleting(definition, "Gallery Image")
    given, stored = body.get("properties") or {}, definition.properties
    for name in _FIXED:
        if given.get(name) is not None and given[name] != stored.get(name):
            raise rules.property_change(f"galleryImage.properties.{name}")
    if "features" in given and given["features"] != stored.get("features") and not _may_update(given, stored):
        raise rules.property_change("galleryImage.properties.features")
    rules.retag(definition, body, replace=replace)
    for name in _MUTABLE:
        if given.get(name) is not None:
            stored[name] = copy.deepcopy(given[name])
        elif replace and name != "features":
            stored.pop(name, None)
    stored["provisioningState"] = "Updating"
    headers = rules.begin(request, definition, seconds=_SECONDS, done="definition.written")
    return Reply(200, definition.document, headers)


def _may_update(given: dict[str, Any], stored: dict[str, Any]) -> bool:
    return bool(given.get("allowUpdateImage", stored.get("allowUpdateImage")))


def _checked(asked: dict[str, Any], now: float) -> dict[str, Any]:
    """The properties that were asked for, checked, with the values of enumerations in Azure's spelling."""
    given = copy.deepcopy(asked)
    for name, allowed in _CHOICES.items():
        value = given.get(name)
        if value is not None:
            value = given[name] = spelled(value, *allowed)
        if value is not None and value not in allowed:
            raise bad_parameter(
                f"The value '{value}' of parameter 'galleryImage.properties.{name}' is not allowed. Allowed values "
                f"are: {','.join(allowed)}.",
                f"galleryImage.properties.{name}",
            )
    for name, limit in _LIMITS.items():
        if len((given.get("identifier") or {}).get(name, "")) > limit:
            raise bad_parameter(
                f"The length of 'galleryImage.properties.identifier.{name}' exceeds {limit}.",
                f"galleryImage.properties.identifier.{name}",
            )
    check_end_of_life(given.get("endOfLifeDate"), now, "galleryImage.properties.endOfLifeDate")
    check_features(given)
    return given


def check_end_of_life(given: str | None, now: float, target: str) -> None:
    """An end of life must be a date in the future (troubleshooting-shared-images.md)."""
    if given is None:
        return
    try:
        end = datetime.fromisoformat(given)
    except (TypeError, ValueError) as fault:
        raise bad_parameter(f"The value '{given}' of parameter '{target}' is not a date.", target) from fault
    if (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() <= now:
        raise bad_parameter("EndOfLifeDate must be set to a future date.", target)


def _check_required(definition: Resource) -> None:
    stored = definition.properties
    parts = stored.get("identifier") or {}
    missing = [name for name in ("osType", "osState", "identifier") if name not in stored]
    missing += [f"identifier.{name}" for name in _LIMITS if "identifier" in stored and not parts.get(name)]
    if missing:
        target = f"galleryImage.properties.{missing[0]}"
        raise bad_parameter(f"Required parameter '{target}' is missing (null).", target)


def _check_unique(request: Request, gallery: Resource, definition: Resource) -> None:
    """409 for names that another definition has (text: troubleshooting-shared-images.md)."""
    wanted = {name: value.lower() for name, value in definition.properties["identifier"].items()}
    for other in request.kernel.store.children(gallery.id, KIND):
        taken = {name: value.lower() for name, value in other.properties["identifier"].items()}
        if taken == wanted:
            names = ", ".join(f"{name}:{definition.properties['identifier'][name]}" for name in _LIMITS)
            raise ArmError(
                409,
                "Conflict",
                f"Gallery image: {other.name} identified by ({names}) already exists. Choose a different publisher, "
                "offer, sku combination.",
                target="galleryImage.properties.identifier",
            )


def complete(definition: Resource, api_version: str) -> None:
    """Add ARM's defaults; since 2025-03-03 they are generation 2 and trusted launch."""
    stored: dict[str, Any] = definition.properties
    generation = "V2" if api_version >= _NEW_DEFAULTS else "V1"
    defaults: dict[str, Any] = {"hyperVGeneration": generation, "architecture": "x64"}
    stored = defaults | stored
    names = {one.get("name") for one in stored.get("features", [])}
    if api_version >= _NEW_DEFAULTS and "SecurityType" not in names and stored["hyperVGeneration"] == "V2":
        stored["features"] = [{"name": "SecurityType", "value": "TrustedLaunchSupported"}, *stored.get("features", [])]
    if stored.get("disallowed") == {}:
        del stored["disallowed"]
    definition.document["properties"] = stored


@routes.operation("DELETE", _ONE, name="GalleryImages_Delete", bucket="DeleteGalleryImage")
def delete(request: Request) -> Reply:
    """202, or 204 for one that is not there; 409 while versions, also soft-deleted ones, are in it."""
    definition = request.kernel.store.get(request.resource_id)
    if definition is None:
        return Reply(204)
    rules.check_no_children(request, definition)
    prefix = definition.id.lower() + "/versions/"
    if any(key.startswith(prefix) for key, _ in request.kernel.store.table("soft_deleted").items()):
        raise ArmError(
            409,
            "CannotDeleteResource",
            "Can not delete resource before nested resources are deleted.",
            target=definition.id,
        )
    return rules.begin_delete(request, definition, seconds=_SECONDS, done="definition.deleted")


@routes.hook("definition.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    definition = kernel.store.get(payload["resource_id"])
    if definition is not None and not definition.sim.get("deleting"):
        definition.properties["provisioningState"] = "Failed" if "failure" in payload else "Succeeded"
        kernel.store.put(definition)


@routes.hook("definition.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    if "failure" not in payload:
        kernel.store.delete(payload["resource_id"])


@routes.hook("seed:microsoft.compute/galleries/images")
def _seeded(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    definition: Resource = payload["resource"]
    names = {"publisher": "local", "offer": definition.name, "sku": definition.name}
    defaults = {"osType": "Linux", "osState": "Generalized", "identifier": names}
    definition.document["properties"] = defaults | definition.properties
    complete(definition, "2024-03-03")
    check_features(definition.properties)
