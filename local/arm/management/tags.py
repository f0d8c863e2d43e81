"""Tags: those of one scope (`Microsoft.Resources/tags/default`), and the names and values of a subscription.

Sources: "Tags" in Azure's REST API reference (operations At Scope, and the list of a subscription), and "Use tags to
organize your Azure resources" for the limits.
"""

from collections import Counter, defaultdict
from typing import Any

from local.arm.kernel import ids
from local.arm.kernel.errors import ArmError, resource_not_found
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource
from local.arm.management.resources import is_tracked

routes = Routes()

_AT = "{scope}/providers/Microsoft.Resources/tags/default"
_NAMES = "/subscriptions/{sub}/tagNames"
_MOST, _LONGEST_NAME, _LONGEST_VALUE = 50, 512, 256


@routes.operation("GET", _AT, name="Tags_GetAtScope")
def get(request: Request) -> Reply:
    """The tags of a resource, group or subscription."""
    return Reply(200, _shown(request, _tags(request)))


@routes.operation("PUT", _AT, name="Tags_CreateOrUpdateAtScope")
def put(request: Request) -> Reply:
    """Give it these tags and no others."""
    return _write(request, _given(request))


@routes.operation("PATCH", _AT, name="Tags_UpdateAtScope")
def patch(request: Request) -> Reply:
    """`Merge` these tags into those that are there, `Replace` those, or `Delete` them."""
    operation = str((request.body or {}).get("operation", "")).lower() if isinstance(request.body, dict) else ""
    given, present = _given(request), _tags(request)
    lowered = {name.lower() for name in given}
    rest = {name: value for name, value in present.items() if name.lower() not in lowered}
    if operation == "replace":
        return _write(request, given)
    if operation == "merge":
        spelled = {name.lower(): name for name in present}
        return _write(request, present | {spelled.get(name.lower(), name): value for name, value in given.items()})
    if operation == "delete":
        wanted = {name.lower(): value for name, value in given.items()}
        kept = {name: value for name, value in present.items() if wanted.get(name.lower(), value) != value}
        return _write(request, rest | kept)
    raise ArmError(
        400,
        "InvalidTagsPatchOperation",
        f"The tags patch operation '{operation}' is not valid. The allowed operations are Merge, Replace and Delete.",
    )


@routes.operation("DELETE", _AT, name="Tags_DeleteAtScope")
def delete(request: Request) -> Reply:
    """Take all tags away."""
    _write(request, {})
    return Reply(200)


def _resource(request: Request) -> Resource | None:
    """What the scope names; None for a subscription, whose tags are kept apart."""
    scope = request.params["scope"]
    if scope.count("/") == 2:
        return None
    found = request.kernel.store.get(scope)
    if found is None:
        parsed = ids.parse(scope)
        if parsed is None:
            raise ArmError(404, "NotFound", f"The scope '{scope}' could not be found.")
        raise resource_not_found(parsed.kind, "/".join(parsed.names), parsed.group)
    return found


def _tags(request: Request) -> dict[str, str]:
    found = _resource(request)
    if found is not None:
        return dict(found.document.get("tags") or {})
    return dict(_subscription(request).get("tags") or {})


def _subscription(request: Request) -> Document:
    return request.kernel.store.table("subscription")[f"/subscriptions/{request.params['sub']}".lower()]


def _given(request: Request) -> dict[str, str]:
    properties = request.body.get("properties") if isinstance(request.body, dict) else None
    tags = properties.get("tags") if isinstance(properties, dict) else None
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise ArmError(400, "InvalidTagsParameter", "The property 'properties.tags' must be an object of strings.")
    return tags


def _write(request: Request, tags: dict[str, str]) -> Reply:
    if len(tags) > _MOST or any(
        len(name) > _LONGEST_NAME or len(value) > _LONGEST_VALUE for name, value in tags.items()
    ):
        raise ArmError(
            400,
            "InvalidTag",
            f"Tags are up to {_MOST} names of {_LONGEST_NAME} characters with values of {_LONGEST_VALUE} characters.",
        )
    found = _resource(request)
    if found is not None:
        found.document["tags"] = tags
        request.kernel.store.put(found)
    else:
        key = f"/subscriptions/{request.params['sub']}".lower()
        request.kernel.store.table("subscription")[key] = _subscription(request) | {"tags": tags}
    return Reply(200, _shown(request, tags))


def _shown(request: Request, tags: dict[str, str]) -> Document:
    where = f"{request.params['scope']}/providers/Microsoft.Resources/tags/default"
    return {"id": where, "name": "default", "type": "Microsoft.Resources/tags", "properties": {"tags": tags}}


@routes.operation("GET", _NAMES, name="Tags_List")
def list_names(request: Request) -> Reply:
    """Every tag of the subscription's resources and groups, with its values and how often each is there."""
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for name, value in _predefined(request):
        used[name][value] += 0
    for one in request.kernel.store:
        if one.id.lower().startswith(f"/subscriptions/{request.params['sub']}/".lower()) and _has_tags(one):
            for name, value in (one.document.get("tags") or {}).items():
                used[name][value] += 1
    return paged(request, [_name(request, name, used[name]) for name in sorted(used)])


def _has_tags(resource: Resource) -> bool:
    return is_tracked(resource) or resource.kind.lower() == "microsoft.resources/resourcegroups"


def _name(request: Request, name: str, values: Counter[str]) -> dict[str, Any]:
    where = f"/subscriptions/{request.params['sub']}/tagNames/{name}"
    return {
        "id": where,
        "tagName": name,
        "count": {"type": "Total", "value": values.total()},
        "values": [
            {"id": f"{where}/tagValues/{value}", "tagValue": value, "count": {"type": "Total", "value": count}}
            for value, count in sorted(values.items())
            if value
        ],
    }


def _predefined(request: Request) -> list[tuple[str, str]]:
    return [(name, value) for name, value in _subscription(request).get("tag_names") or []]


def _predefine(request: Request, kept: list[tuple[str, str]]) -> None:
    key = f"/subscriptions/{request.params['sub']}".lower()
    stored = _subscription(request) | {"tag_names": sorted({tuple(one) for one in kept})}
    request.kernel.store.table("subscription")[key] = stored


def _put_name(request: Request) -> Reply:
    name, value = request.params["tag"], request.params.get("value", "")
    known = (name, value) in _predefined(request)
    _predefine(request, [*_predefined(request), (name, value)])
    shown = _name(request, name, Counter({value: 0} if value else {}))
    return Reply(200 if known else 201, shown["values"][0] if value else shown)


def _delete_name(request: Request) -> Reply:
    name, value = request.params["tag"], request.params.get("value")
    kept = [one for one in _predefined(request) if one[0] != name or (value is not None and one[1] != value)]
    known = len(kept) < len(_predefined(request))
    _predefine(request, kept)
    return Reply(200 if known else 204)


routes.operation("PUT", _NAMES + "/{tag}", name="Tags_CreateOrUpdate")(_put_name)
routes.operation("DELETE", _NAMES + "/{tag}", name="Tags_Delete")(_delete_name)
routes.operation("PUT", _NAMES + "/{tag}/tagValues/{value}", name="Tags_CreateOrUpdateValue")(_put_name)
routes.operation("DELETE", _NAMES + "/{tag}/tagValues/{value}", name="Tags_DeleteValue")(_delete_name)
