"""Long-running operations: how they begin and end, and the headers that lead to them; see `operation_status.py`.

Shapes are recorded (`test_gallery_e2e.yaml`, `lro-traces.jsonl`): galleries use `capsOperations`, virtual machines and
images `operations` with `?p=` and `azure-asyncnotification`, disks `DiskOperations` with `?p=` and `monitor`.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.arm.kernel.clock import Clock
from local.arm.kernel.errors import ArmError
from local.arm.kernel.events import Events
from local.arm.kernel.messages import Reply, RoutedRequest
from local.arm.kernel.schedule import Schedule
from local.arm.kernel.store import Document, Store

_UNSHARDED = ("capsOperations", "asyncoperations")
"""Families whose addresses name no shard (`p=`); network operations name none either."""
_KEEP_FINISHED_SECONDS = 24 * 3600
_SHARD = "4da1aac7-dfbb-41ae-bded-ca0db7baa978"


@dataclass(frozen=True, slots=True)
class Operation:
    """A running or finished operation, and what is stored of it in the table `operation` under `id`."""

    id: str
    stored: Document

    def headers(self, request: RoutedRequest, *, location: bool = False) -> dict[str, str]:
        """The long-running headers of the first answer; DELETE and POST carry `Location` as well."""
        found = {"Azure-AsyncOperation": self._address(request, monitor=False)}
        if location:
            found["Location"] = self._address(request, monitor=True)
        if self.stored["family"] == "operations":
            found["Azure-AsyncNotification"] = "Enabled"
        found["Retry-After"] = str(self.stored["retry_after"])
        return found

    def location(self, request: RoutedRequest) -> dict[str, str]:
        """The headers of an answer that has `Location` alone, as the storage and network providers give it."""
        return {"Location": self._address(request, monitor=True), "Retry-After": str(self.stored["retry_after"])}

    def _address(self, request: RoutedRequest, *, monitor: bool) -> str:
        stored = self.stored
        provider = stored["resource_id"].split("/providers/")[1].split("/")[0]
        unsharded = stored["family"] in _UNSHARDED or provider.lower() != "microsoft.compute"
        shard = "" if unsharded else f"p={_SHARD}&"
        return (
            f"{request.base_url}/subscriptions/{stored['subscription']}/providers/{provider}/locations/"
            f"{stored['location']}/{stored['family']}/{self.id}?{shard}{'monitor=true&' if monitor else ''}"
            f"api-version={request.api_version}"
        )


class Operations:
    """Starts operations and finishes them when their time has come."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        schedule: Schedule,
        events: Events,
        *,
        run_hook: Callable[[str, Document, float], None],
    ) -> None:
        """Keep operations in a table of `store`; `run_hook(name, payload, at)` does the work of one that ends."""
        self._clock = clock
        self._schedule = schedule
        self._events = events
        self._run_hook = run_hook
        self._table = store.table("operation")

    def begin(
        self,
        request: RoutedRequest,
        resource_id: str,
        *,
        seconds: float,
        location: str,
        family: str = "operations",
        done: str | None = None,
        payload: dict[str, Any] | None = None,
        poll_seconds: float = 10,
        injected: ArmError | None = None,
    ) -> Operation:
        """Start an operation that lasts `seconds` of Azure's time.

        When it ends, the hook named `done` runs with `payload` plus `operation` and `resource_id`. A hook that raises
        ArmError makes the operation fail with that error. `payload["output"]`, set by the hook, is what the monitor
        answers. Success and failure are told to Event Grid. `poll_seconds` becomes `Retry-After`. `injected` is the
        error that the fault plan lets it end with.
        """
        guid, clock = str(uuid.uuid4()), self._clock
        self._table[guid] = {
            "resource_id": resource_id,
            "subscription": request.params.get("sub", resource_id.split("/")[2]),
            "location": location,
            "family": family,
            "begun_at": request.now,
            "done_at": request.now + clock.scaled(seconds),
            "retry_after": clock.retry_after(poll_seconds),
            "status": "InProgress",
            "done": done,
            "payload": dict(payload or {}),
            "injected": injected and injected.document(),
            "event": self._events.describe(request, resource_id),
        }
        self._schedule.at(request.now + clock.scaled(seconds), "operation.done", {"id": guid})
        return Operation(guid, self._table[guid])

    def postpone(self, operation_id: str, until: float) -> None:
        """Let a running operation end later, at `until`; for hooks of other work that it waits for."""
        self._table[operation_id] = self._table[operation_id] | {"done_at": until}
        self._schedule.at(until, "operation.done", {"id": operation_id})

    def abandon(self, operation_id: str, at: float) -> None:
        """End a running operation as Canceled, without its hook: a later write or delete has taken its place."""
        stored = self._table.get(operation_id)
        if stored is None or stored["status"] != "InProgress":
            return
        error = {"code": "OperationPreempted", "message": "The operation was preempted by a more recent operation."}
        self._table[operation_id] = stored | {"status": "Canceled", "error": error, "ended_at": at}

    def finish(self, operation_id: str, at: float) -> None:
        """End an operation whose time has come; one that ended before or was postponed stays as it is."""
        stored = self._table.get(operation_id)
        if stored is None or stored["status"] != "InProgress" or stored["done_at"] > at:
            return
        stored |= self._outcome(operation_id, stored, at) | {"ended_at": at}
        self._table[operation_id] = stored
        self._events.publish(stored["event"], succeeded=stored["status"] == "Succeeded", at=at)
        self._schedule.at(at + _KEEP_FINISHED_SECONDS, "operation.forget", {"id": operation_id})

    def _outcome(self, operation_id: str, stored: dict[str, Any], at: float) -> dict[str, Any]:
        payload = stored["payload"] | {"operation": operation_id, "resource_id": stored["resource_id"]}
        injected = stored["injected"] and ArmError(**stored["injected"])
        if injected:
            payload["failure"] = injected.error()
        try:
            if stored["done"]:
                self._run_hook(stored["done"], payload, at)
            if injected:
                raise injected
        except ArmError as failure:
            return {"status": "Failed", "error": failure.error()}
        return {"status": "Succeeded", "output": payload.get("output")}


def accepted(request: RoutedRequest, operation: Operation) -> Reply:
    """202 with both headers and no body: how DELETE and POST begin."""
    return Reply(202, headers=operation.headers(request, location=True))
