"""Long-running operations: their headers, their status address and their monitor.

Shapes are recorded (`test_gallery_e2e.yaml`, `lro-traces.jsonl`): galleries use `capsOperations`, virtual machines and
images `operations` with `?p=` and `azure-asyncnotification`, disks `DiskOperations` with `?p=` and `monitor`.
"""

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.arm.kernel.clock import iso
from local.arm.kernel.errors import ArmError
from local.arm.kernel.routing import Reply, Request, Routes

if TYPE_CHECKING:
    from local.arm.kernel.kernel import Kernel

routes = Routes()

_UNSHARDED = ("capsOperations", "asyncoperations")
"""Families whose addresses name no shard (`p=`); network operations name none either."""
_KEEP_FINISHED_SECONDS = 24 * 3600
_SHARD = "4da1aac7-dfbb-41ae-bded-ca0db7baa978"


@dataclass(frozen=True, slots=True)
class Operation:
    """A running or finished operation, as stored in the table `operation` under `id`."""

    kernel: "Kernel"
    id: str

    @property
    def document(self) -> dict[str, Any]:
        """What is stored of it."""
        return self.kernel.store.table("operation")[self.id]

    def headers(self, request: Request, *, location: bool = False) -> dict[str, str]:
        """The long-running headers of the first answer; DELETE and POST carry `Location` as well."""
        found = {"Azure-AsyncOperation": self._address(request, monitor=False)}
        if location:
            found["Location"] = self._address(request, monitor=True)
        if self.document["family"] == "operations":
            found["Azure-AsyncNotification"] = "Enabled"
        found["Retry-After"] = str(self.document["retry_after"])
        return found

    def location(self, request: Request) -> dict[str, str]:
        """The headers of an answer that has `Location` alone, as the storage and network providers give it."""
        return {"Location": self._address(request, monitor=True), "Retry-After": str(self.document["retry_after"])}

    def _address(self, request: Request, *, monitor: bool) -> str:
        stored = self.document
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

    def __init__(self, kernel: "Kernel") -> None:
        """Use the kernel's store and schedule."""
        self._kernel = kernel
        self._table = kernel.store.table("operation")

    def begin(
        self,
        request: Request,
        resource_id: str,
        *,
        seconds: float,
        location: str,
        family: str = "operations",
        done: str | None = None,
        payload: dict[str, Any] | None = None,
        poll_seconds: float = 10,
    ) -> Operation:
        """Start an operation that lasts `seconds` of Azure's time.

        When it ends, the hook named `done` runs with `payload` plus `operation` and `resource_id`. A hook that raises
        ArmError makes the operation fail with that error. `payload["output"]`, set by the hook, is what the monitor
        answers. Success and failure are told to Event Grid. `poll_seconds` becomes `Retry-After`.
        """
        guid, clock = str(uuid.uuid4()), self._kernel.clock
        failure = request.injected_failure
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
            "injected": failure and failure.document(),
            "event": self._kernel.events.describe(request, resource_id),
        }
        self._kernel.schedule.at(request.now + clock.scaled(seconds), "operation.done", {"id": guid})
        operation = Operation(self._kernel, guid)
        request.operations.append(operation)
        return operation

    def postpone(self, operation_id: str, until: float) -> None:
        """Let a running operation end later, at `until`; for hooks of other work that it waits for."""
        self._table[operation_id] = self._table[operation_id] | {"done_at": until}
        self._kernel.schedule.at(until, "operation.done", {"id": operation_id})

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
        self._kernel.events.publish(stored["event"], succeeded=stored["status"] == "Succeeded", at=at)
        self._kernel.schedule.at(at + _KEEP_FINISHED_SECONDS, "operation.forget", {"id": operation_id})

    def _outcome(self, operation_id: str, stored: dict[str, Any], at: float) -> dict[str, Any]:
        payload = stored["payload"] | {"operation": operation_id, "resource_id": stored["resource_id"]}
        injected = stored["injected"] and ArmError(**stored["injected"])
        if injected:
            payload["failure"] = injected.error()
        try:
            if stored["done"]:
                self._kernel.router.hooks[stored["done"]](self._kernel, payload, at)
            if injected:
                raise injected
        except ArmError as failure:
            return {"status": "Failed", "error": failure.error()}
        return {"status": "Succeeded", "output": payload.get("output")}


@routes.hook("operation.done")
def _done(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    kernel.operations.finish(payload["id"], at)


@routes.hook("operation.forget")
def _forget(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    kernel.store.table("operation").pop(payload["id"])


def accepted(request: Request, operation: Operation) -> Reply:
    """202 with both headers and no body: how DELETE and POST begin."""
    return Reply(202, headers=operation.headers(request, location=True))


def _answer(request: Request) -> Reply:
    stored = request.kernel.store.table("operation").get(request.params["operation"])
    if stored is None or stored["subscription"].lower() != request.params["sub"].lower():
        raise ArmError(404, "NotFound", f"The operation '{request.params['operation']}' could not be found.")
    running = stored["status"] == "InProgress"
    headers = {"Retry-After": str(stored["retry_after"])} if running else {}
    if "monitor" in request.query:
        return _monitor(request, stored, headers)
    if request.route.name == "NetworkOperations_Get":  # recorded
        return Reply(200, {"status": stored["status"]}, headers)
    body: dict[str, Any] = {"startTime": iso(stored["begun_at"])}
    if not running:
        body["endTime"] = iso(stored["ended_at"])
    body |= {"status": stored["status"], "name": request.params["operation"]}
    if stored.get("output") is not None:
        body["properties"] = {"output": stored["output"]}
    if stored.get("error"):
        body["error"] = stored["error"]
    return Reply(200, body, headers)


def _monitor(request: Request, stored: dict[str, Any], headers: dict[str, str]) -> Reply:
    if stored["status"] == "InProgress":
        own = Operation(request.kernel, request.params["operation"])
        given = own.location(request) if stored["family"] == "asyncoperations" else own.headers(request, location=True)
        return Reply(202, headers=given | headers)
    if stored.get("error"):
        error = stored["error"]
        raise ArmError(409, error["code"], error["message"], details=error.get("details", ()))
    return Reply(200, stored.get("output"))


_PATH = "/subscriptions/{sub}/providers/Microsoft.Compute/locations/{location}"
routes.operation(
    "GET", _PATH + "/capsOperations/{operation}", name="GalleryOperations_Get", bucket="GetOperationStatus"
)(_answer)
routes.operation("GET", _PATH + "/operations/{operation}", name="Operations_Get", bucket="GetOperation")(_answer)
routes.operation("GET", _PATH + "/DiskOperations/{operation}", name="DiskOperations_Get", bucket="GetDiskOperation")(
    _answer
)
routes.operation(
    "GET",
    "/subscriptions/{sub}/providers/Microsoft.Storage/locations/{location}/asyncoperations/{operation}",
    name="StorageOperations_Get",
)(_answer)
routes.operation(
    "GET",
    "/subscriptions/{sub}/providers/Microsoft.Network/locations/{location}/operations/{operation}",
    name="NetworkOperations_Get",
)(_answer)
