"""The activity log's list: `Microsoft.Insights/eventtypes/management/values` ("Activity Logs - List" in Azure's REST
API reference, which allows few patterns of `$filter`: a start, an end, and one of resource, group, provider and
correlation id). `caller`, `status` and `resourceId` are sent by `az monitor activity-log list` (azure-cli 2.91,
command_modules/monitor/custom.py), which also sends one of those four alone.
"""

import re
from datetime import UTC, datetime
from typing import Any

from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Reply
from local.arm.kernel.paging import paged
from local.arm.kernel.routing import Request, Routes

routes = Routes()

_SCOPES = {"resourcegroupname", "resourceuri", "resourceid", "resourceprovider", "correlationid"}

_LIST = "/subscriptions/{sub}/providers/Microsoft.Insights/eventtypes/management/values"
_CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ge|le)\s+'?([^']*?)'?\s*", re.IGNORECASE)
_EXACT = {
    "resourcegroupname": ("resourceGroupName",),
    "resourceuri": ("resourceId",),
    "resourceid": ("resourceId",),
    "resourceprovider": ("resourceProviderName", "value"),
    "resourcetype": ("resourceType", "value"),
    "correlationid": ("correlationId",),
    "caller": ("caller",),
    "status": ("status", "value"),
    "eventchannels": (),
}


@routes.operation("GET", _LIST, name="ActivityLogs_List")
def list_events(request: Request) -> Reply:
    """The entries since `eventTimestamp ge`, newest first; `$select` names the members that are wanted."""
    start, end, wanted = _filter(request.query.get("$filter", ""), request.now)
    subscription = request.params["sub"].lower()
    found = [
        one["entry"]
        for one in request.kernel.activity.visible(request.now)
        if start <= one["at"] <= end
        and one["entry"]["subscriptionId"].lower() == subscription
        and all(_at(one["entry"], path).lower() == value.lower() for path, value in wanted)
    ]
    members = {name.strip().lower() for name in request.query.get("$select", "").split(",") if name.strip()}
    if members:
        found = [{key: value for key, value in one.items() if key.lower() in members} for one in found]
    return paged(request, found)


def _filter(text: str, now: float) -> tuple[float, float, list[tuple[tuple[str, ...], str]]]:
    start, end, scopes = None, now, 0
    wanted: list[tuple[tuple[str, ...], str]] = []
    for part in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        match = _CLAUSE.fullmatch(part)
        field, operator = (match[1].lower(), match[2].lower()) if match else ("", "")
        if match and field == "eventtimestamp" and operator == "ge":
            start = _time(match[3])
        elif match and field == "eventtimestamp" and operator == "le":
            end = _time(match[3])
        elif match and field in _EXACT and operator == "eq":
            wanted += [(_EXACT[field], match[3])] if _EXACT[field] else []
            scopes += field in _SCOPES
        else:
            raise _refused(f"The filter clause '{part}' is not supported.")
    if start is None:
        raise _refused("The start time of the query ('eventTimestamp ge') is required.")
    if scopes > 1:
        raise _refused("Only one of resource, resource group, resource provider and correlation id can be given.")
    if start < now - 90 * 24 * 3600:
        raise _refused("The start time cannot be more than 90 days in the past.")
    return start, end, wanted


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError as fault:
        raise _refused(f"'{text}' is not a time.") from fault


def _at(entry: dict[str, Any], path: tuple[str, ...]) -> str:
    for name in path:
        entry = entry[name]
    return str(entry)


def _refused(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)
