"""Resource Graph: queries over the resources of several subscriptions, in pages.

Shape and refusal are recorded (`azure-cli-extensions/resource-graph`); paging is that of "Work with large data sets" on
Microsoft Learn: a skip token is given where the rows have their `id`, else the result is only said to be truncated.
Real Resource Graph is seconds to hours behind; this one is where it is told to (`graph_index`). Subscriptions that the
caller may not read are left out of a result without a word, and only where none can be read the answer is 403
("Understanding the Azure Resource Graph permissions" on Microsoft Learn).
"""

import base64
from collections.abc import Iterable
from typing import Any

from local.arm.kernel import ids
from local.arm.kernel.clock import iso_z
from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource
from local.arm.management import kql
from local.arm.management.kql_expressions import BadQuery
from local.arm.management.resources import INSTANCE, is_tracked

routes = Routes()

_MOST = 1000
_COLUMNS = ("tags", "properties", "sku", "plan", "zones", "identity", "managedBy", "kind")


@routes.operation("POST", "/providers/Microsoft.ResourceGraph/resources", name="Resources")
def query(request: Request) -> Reply:
    """The rows of a query: 200 with `data`, `totalRecords`, `count` and, where there is more, `$skipToken`."""
    request.silent = True
    body = request.body if isinstance(request.body, dict) else {}
    options = body.get("options") if isinstance(body.get("options"), dict) else {}
    assert isinstance(options, dict)
    readable = _readable(request, body.get("subscriptions"))
    try:
        rows = kql.run(str(body.get("query") or ""), lambda table: _rows(request, table, readable))
    except BadQuery as fault:
        raise _refused(request, fault) from fault
    top = min(_whole(request, options.get("$top", _MOST)), _MOST)
    start = _whole(request, options.get("$skip", 0))
    if options.get("$skipToken"):
        start = _position(request, str(options["$skipToken"]))
    page = rows[start : start + top]
    more = start + top < len(rows)
    has_ids = all("id" in row for row in page)
    answer: dict[str, Any] = {
        "totalRecords": len(rows),
        "count": len(page),
        "data": _table(page) if _wants_table(request, options) else page,
        "facets": [],
        "resultTruncated": "true" if more and not has_ids else "false",
    }
    if more and has_ids:
        answer["$skipToken"] = base64.b64encode(f"rows={start + top}".encode()).decode()
    return Reply(200, answer)


def _readable(request: Request, subscriptions: Any) -> set[str]:
    """The subscriptions of a query that the caller may read."""
    known = [key.split("/")[2] for key, _ in request.kernel.store.table("subscription").items()]
    wanted = [str(one).lower() for one in subscriptions] if isinstance(subscriptions, list) else known
    denied = request.kernel.faults.denies_reading
    readable = {one for one in wanted if one in known and not denied(f"/subscriptions/{one}", request.now)}
    if wanted and not readable:
        raise ArmError(
            403,
            "AccessDenied",
            "Access is denied to the requested resource. The user might not have enough permission.",
        )
    return readable


def _rows(request: Request, table: str, wanted: set[str]) -> Iterable[dict[str, Any]]:
    names = {key.split("/")[2]: one for key, one in request.kernel.store.table("subscription").items()}
    if table == "resourcecontainers":
        for key, one in names.items():
            if key in wanted:
                yield _container(request, key, one)
    for one in sorted(request.kernel.graph_view(request.now), key=lambda one: one.id.lower()):
        subscription = one.id.split("/")[2]
        if subscription.lower() in wanted and _is_in(table, one):
            yield _row(request, one)


def _is_in(table: str, one: Resource) -> bool:
    """Whether a table has a resource ("Azure Resource Graph table and resource type reference" on Microsoft Learn)."""
    kind = one.kind.lower()
    if table == "resourcecontainers":
        return kind == "microsoft.resources/resourcegroups"
    return kind == INSTANCE if table == "computeresources" else is_tracked(one)


def _row(request: Request, one: Resource) -> dict[str, Any]:
    parsed = ids.parse(one.id)
    kind = "microsoft.resources/subscriptions/resourcegroups" if parsed is None else one.kind.lower()
    return {
        "id": one.id,
        "name": one.name,
        "type": kind,
        "tenantId": request.kernel.tokens.tenant_id,
        "location": one.location,
        "resourceGroup": one.id.split("/")[4].lower(),
        "subscriptionId": one.id.split("/")[2].lower(),
    } | {key: one.document.get(key) for key in _COLUMNS}


def _container(request: Request, key: str, one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{one['id']}",
        "name": one["name"],
        "type": "microsoft.resources/subscriptions",
        "tenantId": request.kernel.tokens.tenant_id,
        "location": "",
        "resourceGroup": "",
        "subscriptionId": key,
        "tags": one.get("tags"),
        "properties": {"state": "Enabled"},
    }


def _wants_table(request: Request, options: dict[str, Any]) -> bool:
    default = "objectArray" if request.api_version >= "2020-04-01" else "table"
    return str(options.get("resultFormat", default)).lower() == "table"


def _table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = list(rows[0]) if rows else []
    columns = [{"name": name, "type": "object" if name in ("tags", "properties") else "string"} for name in names]
    return {"columns": columns, "rows": [[row[name] for name in names] for row in rows]}


def _whole(request: Request, given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise _refused(request, BadQuery("a whole number is expected", found=str(given)))
    return given


def _position(request: Request, token: str) -> int:
    try:
        return int(base64.b64decode(token, validate=True).decode().removeprefix("rows="))
    except ValueError as fault:
        raise _refused(request, BadQuery("the skip token is invalid", found=token)) from fault


def _refused(request: Request, fault: BadQuery) -> ArmError:
    details = [
        {
            "code": "InvalidQuery",
            "message": "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and "
            "fix "
            "the error before retrying.",
        },
        {
            "code": "ParserFailure",
            "message": f"ParserFailure: {fault}",
            "line": 1,
            "characterPositionInLine": fault.position,
            "token": fault.found,
            "expectedToken": "",
        },
    ]
    return ArmError(
        400,
        "BadRequest",
        f"Please provide below info when asking for support: timestamp = {iso_z(request.now)}, correlationId = "
        f"{request.correlation_id}.",
        details=details,
    )
