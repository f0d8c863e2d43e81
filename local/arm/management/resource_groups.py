"""Resource groups; deleting one deletes what is in it, in the background."""

import re
import uuid
from typing import Any

from local.arm.kernel import ids, regions, shapes
from local.arm.kernel.errors import ArmError, group_not_found
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

_ONE = "/subscriptions/{sub}/resourceGroups/{rg}"
_KIND = "Microsoft.Resources/resourceGroups"
_NAME = re.compile(r"[-\w._()]{0,89}[-\w_()]")
_DELETE_SECONDS = 60


def group_document(subscription: str, name: str, location: str, tags: dict[str, str] | None) -> dict[str, Any]:
    """A resource group as ARM shows it."""
    document: dict[str, Any] = {
        "id": ids.group_id(subscription, name),
        "name": name,
        "type": _KIND,
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    }
    return document if tags is None else document | {"tags": tags}


def _id(request: Request) -> str:
    return ids.group_id(request.params["sub"], request.params["rg"])


def _body(request: Request) -> dict[str, Any]:
    body = request.body if isinstance(request.body, dict) else {}
    shapes.check(body, shapes.GROUP)
    return body


def _require(request: Request) -> Resource:
    found = request.kernel.store.get(_id(request))
    if found is None:
        raise group_not_found(request.params["rg"])
    return found


@routes.operation("GET", "/subscriptions/{sub}/resourceGroups", name="ResourceGroups_List")
def list_groups(request: Request) -> Reply:
    """All groups of a subscription."""
    found = request.kernel.store.of_kind(_KIND, f"/subscriptions/{request.params['sub']}")
    return paged(request, (one.document for one in sorted(found, key=lambda one: one.id.lower())))


@routes.operation("GET", _ONE, name="ResourceGroups_Get")
def get(request: Request) -> Reply:
    """One group."""
    return Reply(200, _require(request).document)


@routes.operation("HEAD", _ONE, name="ResourceGroups_CheckExistence")
def head(request: Request) -> Reply:
    """204 when there is such a group, else 404 without a body."""
    return Reply(404 if request.kernel.store.get(_id(request)) is None else 204)


@routes.operation("PUT", _ONE, name="ResourceGroups_CreateOrUpdate")
def put(request: Request) -> Reply:
    """Create a group (201) or replace its tags (200)."""
    if not _NAME.fullmatch(request.params["rg"]):
        raise ArmError(400, "InvalidResourceGroupName", f"The resource group name '{request.params['rg']}' is invalid.")
    body = _body(request)
    location = body.get("location")
    if not location or not regions.is_known(location):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    existing = request.kernel.store.get(_id(request))
    if existing is not None and existing.location != regions.short(location):
        raise ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{location}'. The Resource group already exists in location "
            f"'{existing.location}'.",
        )
    name = existing.name if existing else request.params["rg"]
    document = group_document(request.params["sub"], name, regions.short(location), body.get("tags"))
    request.kernel.store.put(Resource(document))
    return Reply(200 if existing else 201, document)


@routes.operation("PATCH", _ONE, name="ResourceGroups_Update")
def patch(request: Request) -> Reply:
    """Replace the tags."""
    found = _require(request)
    body = _body(request)
    if body.get("tags") is not None:
        found.document["tags"] = body["tags"]
    return Reply(200, request.kernel.store.put(found).document)


@routes.operation("DELETE", _ONE, name="ResourceGroups_Delete")
def delete(request: Request) -> Reply:
    """202 with a Location that answers 202 until all is gone."""
    found = _require(request)
    found.properties["provisioningState"] = "Deleting"
    request.kernel.store.put(found)
    request.silent = True
    key, clock = uuid.uuid4().hex.upper(), request.kernel.clock
    described = request.kernel.events.describe(request, found.id)
    payload = {"key": key, "group": found.id, "event": described}
    request.kernel.store.table("group_deletion")[key] = {"done": False}
    request.kernel.schedule.at(request.now + clock.scaled(_DELETE_SECONDS), "group.delete", payload)
    return Reply(202, headers=_location(request, key))


def _location(request: Request, key: str) -> dict[str, str]:
    where = f"{request.base_url}/subscriptions/{request.params['sub']}/operationresults/{key}"
    return {
        "Location": f"{where}?api-version={request.api_version}",
        "Retry-After": str(request.kernel.clock.retry_after(15)),
    }


@routes.operation("GET", "/subscriptions/{sub}/operationresults/{key}", name="ResourceGroups_OperationResult")
def result(request: Request) -> Reply:
    """202 while the group is being deleted, then 200."""
    stored = request.kernel.store.table("group_deletion").get(request.params["key"])
    if stored is None:
        raise ArmError(404, "NotFound", f"The operation '{request.params['key']}' could not be found.")
    return Reply(200) if stored["done"] else Reply(202, headers=_location(request, request.params["key"]))


@routes.hook("group.delete")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    for one in kernel.store.descendants(payload["group"]):
        kernel.store.delete(one.id)
        operation = f"{one.kind}/delete"
        kernel.events.publish(payload["event"] | {"resource_id": one.id, "operation": operation}, succeeded=True, at=at)
    kernel.store.delete(payload["group"])
    kernel.events.publish(payload["event"], succeeded=True, at=at)
    kernel.store.table("group_deletion")[payload["key"]] = {"done": True}
