"""The addresses of long-running operations: their status and their monitor."""

from typing import Any

from local.arm.kernel.clock import iso
from local.arm.kernel.errors import ArmError
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import Operation
from local.arm.kernel.routing import Request, Routes

routes = Routes()


@routes.hook("operation.done")
def _done(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    kernel.operations.finish(payload["id"], at)


@routes.hook("operation.forget")
def _forget(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    kernel.store.table("operation").pop(payload["id"])


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
        own = Operation(request.params["operation"], stored)
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
