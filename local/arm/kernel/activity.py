"""The activity log: one entry for every write, delete and action that ended, as Azure Monitor shows it.

Shape: "Azure Activity Log event schema" on Microsoft Learn, category Administrative. Entries are there 3 to 20 minutes
after the event ("Activity log in Azure Monitor"), for 90 days.
"""

import uuid
from collections.abc import Callable
from random import Random
from typing import Any

from local.arm.kernel.clock import Clock, iso_z
from local.arm.kernel.store import Store

KEPT_SECONDS = 90 * 24 * 3600.0
LAG_SECONDS = (180.0, 1200.0)
_MOST = 20_000


class ActivityLog:
    """Takes down what happened, and answers what can be seen of it by now."""

    def __init__(self, store: Store, clock: Clock, *, dice: Callable[..., Random]) -> None:
        """Entries are rows of a table of `store`; `dice(*parts)` says how late each is seen."""
        self._clock = clock
        self._table = store.table("activity")
        self._dice = dice

    def record(self, described: dict[str, Any], *, succeeded: bool, at: float) -> None:
        """Take down the end of what `Events.describe` has described."""
        key = str(uuid.uuid4())
        lag = self._dice("activity", described["resource_id"], described["operation"], at).uniform(*LAG_SECONDS)
        seen = at + self._clock.scaled(lag)
        self._table[key] = {"at": at, "seen": seen, "entry": _entry(key, described, succeeded, at, seen)}
        self._table.trim(_MOST)

    def visible(self, now: float) -> list[dict[str, Any]]:
        """The entries that can be seen, newest first, each with `at`, the time of its event (epoch)."""
        oldest = now - self._clock.scaled(KEPT_SECONDS)
        found = [one for _, one in self._table.items() if one["seen"] <= now and one["at"] >= oldest]
        return sorted(found, key=lambda one: one["at"], reverse=True)


def _entry(key: str, described: dict[str, Any], succeeded: bool, at: float, seen: float) -> dict[str, Any]:
    resource_id, operation = described["resource_id"], described["operation"]
    parts = resource_id.split("/")
    kind = operation.rsplit("/", 2 if operation.endswith("/action") else 1)[0]
    status = "Succeeded" if succeeded else "Failed"
    return {
        "authorization": {"action": operation, "scope": resource_id},
        "caller": described["claims"]["appid"],
        "channels": "Operation",
        "claims": described["claims"],
        "correlationId": described["correlation_id"],
        "description": "",
        "eventDataId": key,
        "eventName": _named("EndRequest", "End request"),
        "category": _named("Administrative"),
        "eventTimestamp": iso_z(at),
        "id": f"{resource_id}/events/{key}/ticks/{int(at * 10**7)}",
        "level": "Informational" if succeeded else "Error",
        "operationId": described["correlation_id"],
        "operationName": _named(operation),
        "properties": {"eventCategory": "Administrative", "entity": resource_id, "message": operation},
        "resourceGroupName": parts[4] if len(parts) > 4 else "",
        "resourceProviderName": _named(kind.split("/")[0]),
        "resourceType": _named(kind),
        "resourceId": resource_id,
        "status": _named(status),
        "subStatus": _named(""),
        "submissionTimestamp": iso_z(seen),
        "subscriptionId": parts[2],
        "tenantId": described["tenant"],
    } | ({"httpRequest": described["http"]} if described["http"] else {})


def _named(value: str, localized: str | None = None) -> dict[str, str]:
    return {"value": value, "localizedValue": value if localized is None else localized}
