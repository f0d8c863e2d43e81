"""Management locks of a subscription, a group or a resource, and what they forbid.

Sources: "Lock your resources to protect your infrastructure" on Microsoft Learn and "Management Locks" in Azure's REST
API reference; the refusal is quoted whole in Azure/apiops#606. Deleting a group or a parent meets the locks inside.
"""

from local.arm.kernel import ids
from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import ArmError, bad_parameter, resource_not_found
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Store, Table

routes = Routes()

_LIST = "{scope}/providers/Microsoft.Authorization/locks"
_ONE = _LIST + "/{lock}"
_LEVELS = ("CanNotDelete", "ReadOnly")
_TABLE = "lock"


@routes.operation("PUT", _ONE, name="ManagementLocks_CreateOrUpdateByScope")
def put(request: Request) -> Reply:
    """Create a lock (201) or change it (200)."""
    _require_scope(request)
    given = request.body.get("properties") if isinstance(request.body, dict) else None
    level = spelled(given.get("level"), *_LEVELS) if isinstance(given, dict) else None
    if not isinstance(given, dict) or level not in _LEVELS:
        raise bad_parameter(f"The lock level must be one of {', '.join(_LEVELS)}.", "properties.level")
    table, key = _locks(request.kernel.store), _id(request).lower()
    known = key in table
    document: Document = {
        "properties": {"level": level} | ({"notes": str(given["notes"])} if given.get("notes") else {}),
        "id": _id(request),
        "type": "Microsoft.Authorization/locks",
        "name": request.params["lock"],
    }
    table[key] = {"scope": request.params["scope"], "document": document}
    return Reply(200 if known else 201, document)


@routes.operation("GET", _ONE, name="ManagementLocks_GetByScope")
def get(request: Request) -> Reply:
    """One lock."""
    found = _locks(request.kernel.store).get(_id(request).lower())
    if found is None:
        raise ArmError(404, "LockNotFound", f"The lock '{request.params['lock']}' could not be found.")
    return Reply(200, found["document"])


@routes.operation("DELETE", _ONE, name="ManagementLocks_DeleteByScope")
def delete(request: Request) -> Reply:
    """200, or 204 for one that is not there."""
    return Reply(204 if _locks(request.kernel.store).pop(_id(request).lower()) is None else 200)


@routes.operation("GET", _LIST, name="ManagementLocks_ListByScope")
def list_locks(request: Request) -> Reply:
    """The locks at a scope and below it; `$filter=atScope()` leaves those below out."""
    scope = request.params["scope"].lower()
    at_scope = request.query.get("$filter", "").lower().replace(" ", "") == "atscope()"
    found = [
        one["document"]
        for _, one in _locks(request.kernel.store).items()
        if one["scope"].lower() == scope or (not at_scope and one["scope"].lower().startswith(f"{scope}/"))
    ]
    return paged(request, sorted(found, key=lambda one: one["id"].lower()))


def _id(request: Request) -> str:
    return f"{request.params['scope']}/providers/Microsoft.Authorization/locks/{request.params['lock']}"


def _require_scope(request: Request) -> None:
    scope = request.params["scope"]
    parsed = ids.parse(scope)
    if parsed is not None and request.kernel.store.get(scope) is None:
        raise resource_not_found(parsed.kind, "/".join(parsed.names), parsed.group)


def _locks(store: Store) -> Table:
    """All locks; those of what is not there any more go."""
    table = store.table(_TABLE)
    for key, one in table.items():
        if one["scope"].count("/") > 2 and store.get(one["scope"]) is None:
            table.pop(key)
    return table


def check(request: Request) -> None:
    """Refuse what a lock forbids: a deletion, and with `ReadOnly` every change and action."""
    if request.method in ("GET", "HEAD") or request.route.public or request.route.name.startswith("ManagementLocks_"):
        return
    if not len(request.kernel.store.table(_TABLE)):
        return
    deletes = request.method == "DELETE"
    target = (request.params.get("scope") or request.resource_id).lower()
    held = [
        one["scope"]
        for _, one in _locks(request.kernel.store).items()
        if (deletes or one["document"]["properties"]["level"] == "ReadOnly")
        and (
            f"{target}/".startswith(one["scope"].lower() + "/")
            or (deletes and one["scope"].lower().startswith(f"{target}/"))
        )
    ]
    if held:
        verb = "delete" if deletes else "write"
        raise ArmError(
            409,
            "ScopeLocked",
            f"The scope '{request.params.get('scope') or request.resource_id}' cannot perform {verb} operation because "
            f"following scope(s) are locked: '{','.join(held)}'. Please remove the lock and try again.",
        )
