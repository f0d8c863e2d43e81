"""Compute galleries. Writes end within a second (recorded: 0.3 s); an update answers Succeeded at once."""

import copy
import uuid
from typing import Any

from local.arm.galleries import rules
from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import bad_parameter, conflict
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import accepted
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

KIND = "Microsoft.Compute/galleries"
_PREFIX = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/galleries"
_ONE = _PREFIX + "/{gallery}"
_SECONDS = 0.3
_EXPANSIONS = ("sharingprofile/groups",)
_MUTABLE = ("description", "sharingProfile", "softDeletePolicy")


@routes.operation("GET", _ONE, name="Galleries_Get", bucket="GetGallery")
def get(request: Request) -> Reply:
    """One gallery."""
    expand = request.query.get("$expand", "").lower()
    if expand and expand not in _EXPANSIONS:
        raise bad_parameter(f"The value '{request.query['$expand']}' of '$expand' is invalid.", "$expand")
    return Reply(200, request.require().document)


@routes.operation("GET", _PREFIX, name="Galleries_ListByResourceGroup", bucket="ListGalleryInResourceGroup")
def list_in_group(request: Request) -> Reply:
    """The galleries of a resource group."""
    found = request.kernel.store.children(
        f"/subscriptions/{request.params['sub']}/resourceGroups/{request.params['rg']}"
    )
    return paged(request, (_listed(one) for one in found if one.kind == KIND))


@routes.operation(
    "GET",
    "/subscriptions/{sub}/providers/Microsoft.Compute/galleries",
    name="Galleries_List",
    bucket="ListGalleryInResourceGroup",
)
def list_in_subscription(request: Request) -> Reply:
    """The galleries of a subscription."""
    found = request.kernel.store.of_kind(KIND, f"/subscriptions/{request.params['sub']}")
    return paged(request, (_listed(one) for one in found))


def _listed(gallery: Resource) -> dict[str, Any]:
    """A gallery as the lists show it: its resource group in capitals (recorded in every list of galleries)."""
    parts = gallery.id.split("/")
    parts[4] = parts[4].upper()
    return gallery.document | {"id": "/".join(parts)}


@routes.operation("PUT", _ONE, name="Galleries_CreateOrUpdate", bucket="CreateUpdateGallery")
def put(request: Request) -> Reply:
    """201 Creating, or 200 Succeeded for one that exists."""
    rules.check_name("gallery", request.params["gallery"])
    existing = request.kernel.store.get(request.resource_id)
    location, body = rules.location_of(request, existing), rules.body_of(request)
    if existing is not None:
        return _update(request, existing, body, replace=True)
    _check_unique(request)
    gallery = Resource(
        {
            "name": request.params["gallery"],
            "id": request.resource_id,
            "type": KIND,
            "location": location,
            **rules.tagged(body),
            "properties": _properties(body) | {"provisioningState": "Creating"},
        }
    )
    complete(gallery)
    request.kernel.store.put(gallery)
    headers = rules.begin(request, gallery, seconds=_SECONDS, done="gallery.written")
    return Reply(201, gallery.document, headers)


def _check_unique(request: Request) -> None:
    """A gallery's name is one of its subscription, whatever the group (azure-cli#11967,
    troubleshooting-shared-images.md).
    """
    subscription, name = request.params["sub"], request.params["gallery"]
    found = request.kernel.store.of_kind(KIND, f"/subscriptions/{subscription}")
    if any(one.name.lower() == name.lower() for one in found):
        raise conflict(
            f"The gallery name '{name}' is not unique within the subscription '{subscription}'. Please pick another "
            "gallery name."
        )


@routes.operation("PATCH", _ONE, name="Galleries_Update", bucket="CreateUpdateGallery")
def patch(request: Request) -> Reply:
    """200 with the merged gallery."""
    return _update(request, request.require(), rules.body_of(request), replace=False)


def _update(request: Request, gallery: Resource, body: dict[str, Any], *, replace: bool) -> Reply:
    rules.check_not_deleting(gallery, "Gallery")
    rules.retag(gallery, body, replace=replace)
    wanted = _properties(body)
    for name in _MUTABLE:
        if name in wanted:
            gallery.properties[name] = wanted[name]
        elif replace:
            gallery.properties.pop(name, None)
    complete(gallery)
    gallery.properties["provisioningState"] = "Succeeded"
    headers = rules.begin(request, gallery, seconds=_SECONDS, done="gallery.written")
    return Reply(200, gallery.document, headers)


def _properties(body: dict[str, Any]) -> dict[str, Any]:
    given = body.get("properties") or {}
    wanted = {name: copy.deepcopy(given[name]) for name in _MUTABLE if given.get(name) is not None}
    sharing = wanted.get("sharingProfile") or {}
    if "permissions" in sharing:
        sharing["permissions"] = spelled(sharing["permissions"], "Private", "Groups", "Community")
    return wanted


def complete(gallery: Resource) -> None:
    """Add what ARM adds: the unique name is the subscription and the gallery's name in capitals (recorded)."""
    subscription = gallery.id.split("/")[2]
    unique = {"uniqueName": f"{subscription}-{gallery.name.upper()}"}
    gallery.document["properties"] = {"identifier": unique} | gallery.properties
    sharing = gallery.properties.get("sharingProfile") or {}
    community = sharing.get("communityGalleryInfo") or {}
    if sharing.get("permissions") == "Community" and community.get("publicNamePrefix"):
        names = [f"{community['publicNamePrefix']}-{uuid.uuid5(uuid.NAMESPACE_URL, gallery.id)}"]
        sharing["communityGalleryInfo"] = {"communityGalleryEnabled": False, "publicNames": names} | community


@routes.operation("DELETE", _ONE, name="Galleries_Delete", bucket="DeleteGallery")
def delete(request: Request) -> Reply:
    """202, or 204 for one that is not there; 409 while definitions are in it."""
    gallery = request.kernel.store.get(request.resource_id)
    if gallery is None:
        return Reply(204)
    rules.check_no_children(request, gallery)
    return rules.begin_delete(request, gallery, seconds=_SECONDS, done="gallery.deleted")


@routes.operation("POST", _ONE + "/share", name="GallerySharingProfile_Update", bucket="CreateUpdateGallery")
def share(request: Request) -> Reply:
    """202; the sharing groups are kept and shown, nobody is let in or kept out by them here."""
    gallery = request.require(request.scope)
    body = rules.body_of(request)
    action = spelled(body.get("operationType"), "Add", "Remove", "Reset", "EnableCommunity")
    profile = gallery.properties.setdefault("sharingProfile", {"permissions": "Groups"})
    if action not in ("Add", "Remove", "Reset", "EnableCommunity"):
        raise bad_parameter(f"The value '{action}' of 'operationType' is invalid.", "operationType")
    if action == "EnableCommunity":
        profile.setdefault("communityGalleryInfo", {})["communityGalleryEnabled"] = True
    elif action == "Reset":
        gallery.properties["sharingProfile"] = {"permissions": "Private"}  # recorded
    else:
        kept = profile.get("groups", [])
        profile["groups"] = [*kept, *body.get("groups", [])] if action == "Add" else _without(kept, body)
    request.kernel.store.put(gallery)
    return accepted(request, request.begin(gallery.id, seconds=1, location=gallery.location, family=rules.FAMILY))


def _without(groups: list[dict[str, Any]], body: dict[str, Any]) -> list[dict[str, Any]]:
    gone = {(one.get("type"), name) for one in body.get("groups", []) for name in one.get("ids", [])}
    left = [one | {"ids": [name for name in one["ids"] if (one["type"], name) not in gone]} for one in groups]
    return [one for one in left if one["ids"]]


@routes.hook("gallery.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    gallery = kernel.store.get(payload["resource_id"])
    if gallery is not None and not gallery.sim.get("deleting"):
        gallery.properties["provisioningState"] = "Failed" if "failure" in payload else "Succeeded"
        kernel.store.put(gallery)


@routes.hook("gallery.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    if "failure" not in payload:
        kernel.store.delete(payload["resource_id"])


@routes.hook("seed:microsoft.compute/galleries")
def _seeded(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    complete(payload["resource"])
