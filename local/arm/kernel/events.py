"""Event Grid's side of ARM: one event for every write, delete and action that ended, sent until a sink takes it.

The shape is the documented one (azure-docs, event-schema-subscriptions.md): id casing varies, `httpRequest` is there on
updates and deletes only, delivery is at least once and in no order. How often events are doubled, late or out of order
is a plan; its dice are seeded.
"""

import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from local.arm.kernel.activity import ActivityLog
from local.arm.kernel.clock import Clock, iso_z
from local.arm.kernel.messages import RoutedRequest
from local.arm.kernel.store import Store

type EventSink = Callable[[list[dict[str, Any]]], Awaitable[None]]
"""Takes events, or raises `SinkUnavailable`; then the same events come again."""

OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
"""The claim that names who called ("Azure Activity Log event schema" on Microsoft Learn)."""
_VERBS = {"PUT": "Write", "PATCH": "Write", "DELETE": "Delete", "POST": "Action"}


class SinkUnavailable(Exception):
    """A sink did not take the events now."""


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """How badly events travel: shares between 0 and 1, times in seconds of Azure's time."""

    duplicate: float = 0.1
    late: float = 0.05
    delay_seconds: float = 5
    late_seconds: float = 300


class Events:
    """Describes events when a request comes; publishes them, and takes them down, when its work has ended."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        plan: DeliveryPlan,
        *,
        dice: Callable[..., Random],
        wake: Callable[[], None],
    ) -> None:
        """The outbox is a table of `store`; `dice(*parts)` gives the dice of one event, `wake()` tells of a new one."""
        self.activity = ActivityLog(store, clock, dice=dice)
        self._clock = clock
        self.outbox = store.table("outbox")
        self.plan = plan
        self._dice = dice
        self._wake = wake
        self._told: Counter[tuple[str, str]] = Counter()

    def describe(self, request: RoutedRequest, resource_id: str) -> dict[str, Any]:
        """What the event of this request will say, to be kept until the work has ended."""
        return {
            "verb": _VERBS.get(request.method, ""),
            "resource_id": resource_id,
            "operation": operation_name(request, resource_id),
            "claims": {"appid": request.caller.app_id, OBJECT_ID: request.caller.object_id},
            "tenant": request.caller.tenant_id,
            "correlation_id": request.correlation_id,
            "http": _http_request(request) if request.existed or request.method == "DELETE" else None,
        }

    def publish(self, described: dict[str, Any], *, succeeded: bool, at: float) -> None:
        """Put the event (and, by the plan's dice, a second copy of it) into the outbox."""
        if not described["verb"]:
            return
        self.activity.record(described, succeeded=succeeded, at=at)
        event = _event(described, succeeded=succeeded, at=at)
        told = (described["resource_id"].lower(), described["operation"])
        self._told[told] += 1
        dice = self._dice("event", *told, self._told[told])
        for _ in range(2 if dice.random() < self.plan.duplicate else 1):
            wait = dice.uniform(0, self.plan.delay_seconds)
            if dice.random() < self.plan.late:
                wait += dice.uniform(0, self.plan.late_seconds)
            due = at + self._clock.scaled(wait)
            self.outbox[uuid.uuid4().hex] = {"due": due, "event": event}
        self._wake()

    def due(self, now: float) -> list[tuple[str, dict[str, Any]]]:
        """The keys and events whose time has come, earliest first."""
        found = [(entry["due"], key, entry["event"]) for key, entry in self.outbox.items() if entry["due"] <= now]
        return [(key, event) for _, key, event in sorted(found, key=lambda one: one[0])]

    def next_due(self) -> float | None:
        """When the next event shall leave, or None."""
        return min((entry["due"] for _, entry in self.outbox.items()), default=None)

    def sent(self, keys: list[str]) -> None:
        """Forget events that every sink has taken."""
        for key in keys:
            self.outbox.pop(key)


def operation_name(request: RoutedRequest, resource_id: str) -> str:
    """The name that role definitions and events use, e.g. `Microsoft.Compute/galleries/images/versions/write`."""
    parts = resource_id.strip("/").split("/")
    provider = next((at for at in range(len(parts) - 1, -1, -1) if parts[at].lower() == "providers"), None)
    if provider is None:
        kind = "Microsoft.Resources/subscriptions/resourceGroups"
    else:
        kind = "/".join([parts[provider + 1], *parts[provider + 2 :: 2]])
    if request.method == "POST":
        return f"{kind}/{request.path.rstrip('/').rsplit('/', 1)[1]}/action"
    return f"{kind}/{'delete' if request.method == 'DELETE' else 'write'}"


def _http_request(request: RoutedRequest) -> dict[str, str]:
    return {
        "clientRequestId": request.headers.get("x-ms-client-request-id", request.correlation_id),
        "clientIpAddress": "127.0.0.1",
        "method": request.method,
        "url": f"{request.base_url}{request.path}?api-version={request.api_version}",
    }


def _event(described: dict[str, Any], *, succeeded: bool, at: float) -> dict[str, Any]:
    verb, resource_id = described["verb"], described["resource_id"]
    if verb == "Write":  # the documentation's own examples spell it so on writes, and in camel case on deletes
        resource_id = re.sub("/resourceGroups/", "/resourcegroups/", resource_id, flags=re.IGNORECASE)
    subscription = resource_id.split("/")[2]
    data: dict[str, Any] = {
        "authorization": {"scope": resource_id, "action": described["operation"], "evidence": {"role": "Contributor"}},
        "claims": described["claims"],
        "correlationId": described["correlation_id"],
        "resourceProvider": described["operation"].split("/", 1)[0],
        "resourceUri": resource_id,
        "operationName": described["operation"],
        "status": "Succeeded" if succeeded else "Failed",
        "subscriptionId": subscription,
        "tenantId": described["tenant"],
    }
    if described["http"]:
        data["httpRequest"] = described["http"]
    return {
        "subject": resource_id,
        "eventType": f"Microsoft.Resources.Resource{verb}{'Success' if succeeded else 'Failure'}",
        "eventTime": iso_z(at),
        "id": str(uuid.uuid4()),
        "data": data,
        "dataVersion": "2",
        "metadataVersion": "1",
        "topic": f"/subscriptions/{subscription}",
    }
