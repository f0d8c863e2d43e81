"""Resources of any type: lists over all providers with ARM's filters, and any resource by its id.

Nested resources are listed where they are tracked ones, with a location of their own: image definitions and versions,
but no subnets (recorded lists of groups; "Resources - List" in Azure's REST API reference).
"""

import re
from collections.abc import Callable
from typing import Any

from local.arm.kernel import ids
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

_SHOWN = ("id", "name", "type", "location", "tags", "sku", "zones", "plan", "kind", "identity", "managedBy")
INSTANCE = "microsoft.compute/virtualmachinescalesets/virtualmachines"
_NOT_TRACKED = ("microsoft.resources/deployments", "microsoft.resources/resourcegroups", INSTANCE)
_CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_SUBSTRING = re.compile(r"\s*(substringof|startswith)\('?([^',]*)'?\s*,\s*'?([^')]*)'?\)\s*", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)", re.IGNORECASE)

type _Test = Callable[[Resource, ids.ResourceId], bool]


@routes.operation("GET", "/subscriptions/{sub}/resources", name="Resources_List")
def list_resources(request: Request) -> Reply:
    """The tracked resources of a subscription."""
    return paged(request, _generic(request, f"/subscriptions/{request.params['sub']}"))


@routes.operation("GET", "/subscriptions/{sub}/resourceGroups/{rg}/resources", name="Resources_ListByResourceGroup")
def list_group_resources(request: Request) -> Reply:
    """The tracked resources of a group."""
    return paged(request, _generic(request, ids.group_id(request.params["sub"], request.params["rg"])))


def is_tracked(resource: Resource) -> bool:
    """Whether ARM's lists hold a resource: it has a location, and is no deployment or group."""
    return bool(resource.location) and resource.kind.lower() not in _NOT_TRACKED


def _generic(request: Request, scope: str) -> list[dict[str, Any]]:
    tests = _tests(request.query.get("$filter", ""))
    prefix = scope.lower() + "/"
    found = []
    for one in request.kernel.store:
        parsed = ids.parse(one.id)
        if parsed is None or not one.id.lower().startswith(prefix) or not is_tracked(one):
            continue
        if all(test(one, parsed) for test in tests):
            found.append(shown(one, parsed))
    found.sort(key=lambda one: one["id"].lower())
    top = request.query.get("$top", "")
    return found[: int(top)] if top.isdigit() else found


def shown(resource: Resource, parsed: ids.ResourceId) -> dict[str, Any]:
    """A resource as ARM's lists show it: a nested one under all of its names."""
    document = {key: resource.document[key] for key in _SHOWN if key in resource.document}
    return document | {"name": "/".join(parsed.names)}


def _tests(text: str) -> list[_Test]:
    """The clauses of a `$filter`, all of which must hold; ARM's 400 for one that it does not know."""
    clauses = [part for part in _AND.split(text.strip()) if part]
    values = {match[1].lower(): match[3] for match in map(_CLAUSE.fullmatch, clauses) if match}
    return [_test(clause, text, values) for clause in clauses]


def _test(clause: str, whole: str, values: dict[str, str]) -> _Test:
    if match := _CLAUSE.fullmatch(clause):
        field, operator, value = match[1].lower(), match[2].lower(), match[3].replace("''", "'")
        if field == "tagvalue" and "tagname" in values:
            return lambda one, parsed: _tag(one, values["tagname"]) == value
        if field == "tagname":
            return lambda one, parsed: _tag(one, value) is not None
        if field in _FACTS:
            wanted = operator == "eq"
            return lambda one, parsed: (_FACTS[field](one, parsed).lower() == value.lower()) is wanted
    if match := _SUBSTRING.fullmatch(clause):
        starts = match[1].lower() == "startswith"
        field, value = (match[2], match[3]) if starts else (match[3], match[2])
        if field.lower() == "tagname" and starts:
            return lambda one, parsed: any(
                name.lower().startswith(value.lower()) for name in one.document.get("tags") or {}
            )
        if field.lower() in _FACTS and not starts:
            return lambda one, parsed: value.lower() in _FACTS[field.lower()](one, parsed).lower()
    raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter '{whole}' specified in the query string.")


_FACTS: dict[str, Callable[[Resource, ids.ResourceId], str]] = {
    "resourcetype": lambda one, parsed: parsed.kind,
    "resourcegroup": lambda one, parsed: parsed.group,
    "name": lambda one, parsed: "/".join(parsed.names),
    "location": lambda one, parsed: one.location,
}


def _tag(resource: Resource, name: str) -> str | None:
    tags = {key.lower(): value for key, value in (resource.document.get("tags") or {}).items()}
    return tags.get(name.lower())
