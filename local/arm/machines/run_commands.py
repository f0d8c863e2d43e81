"""Run commands: the managed resource (v2) and the action (v1). Scripts run for real, see `characters/sandbox.py`.

Recorded in `test_run_command_v2.yaml`, `test_shared_gallery.yaml` and `test_vmss_run_command_with_parameters.yaml`:
201 `Creating` and 200 `Updating` with a polling address, an instance view only with `$expand=instanceView`, and
`provisioningState` Succeeded although the script failed unless `treatFailureAsDeploymentFailure` is set.
"""

from typing import Any

from local.arm.kernel.conventions import body_of, listing, properties_of, tags_of
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.operations import accepted
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource
from local.arm.machines.machine import Machine, machine, require_not_deleting, status
from local.arm.machines.run_command_execution import begin_execution
from local.arm.machines.run_command_execution import routes as _execution

routes = Routes()
routes.hooks |= _execution.hooks

KIND = "Microsoft.Compute/virtualMachines/runCommands"
_MACHINE = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Compute/virtualMachines/{vm}"
_ONE = _MACHINE + "/runCommands/{name}"
_MOST = 25
_FOREVER = 10 * 24 * 3600.0
_FIELDS = (
    "source",
    "parameters",
    "protectedParameters",
    "asyncExecution",
    "runAsUser",
    "runAsPassword",
    "timeoutInSeconds",
    "outputBlobUri",
    "errorBlobUri",
    "treatFailureAsDeploymentFailure",
)
_DONE = "Provisioning succeeded"
_SECRET = ("protectedParameters", "runAsPassword")


@routes.operation("PUT", _ONE, name="VirtualMachineRunCommands_CreateOrUpdate", bucket="UpdateVM")
def put(request: Request) -> Reply:
    """Create (or replace) a run command; the script begins to run once the agent takes it."""
    owner = request.require_parent()
    assert owner is not None
    existing = request.kernel.store.get(request.resource_id)
    body = body_of(request)
    commands = request.kernel.store.children(owner.id, KIND)
    if existing is None and len(commands) >= _MOST:
        raise ArmError(
            409, "OperationNotAllowed", f"The maximum number of run commands on VM '{owner.name}' is {_MOST}."
        )
    given = {key: value for key, value in properties_of(body).items() if key in _FIELDS}
    properties = {"source": {}, "timeoutInSeconds": 0, "asyncExecution": False} | given
    return _write(request, owner, existing, properties, tags_of(body))


@routes.operation("PATCH", _ONE, name="VirtualMachineRunCommands_Update", bucket="UpdateVM")
def patch(request: Request) -> Reply:
    """Change a run command and run it again."""
    owner = request.require_parent()
    existing = request.require()
    assert owner is not None
    given = {key: value for key, value in properties_of(body_of(request)).items() if key in _FIELDS}
    before = {key: value for key, value in existing.properties.items() if key in _FIELDS}
    return _write(request, owner, existing, before | given, tags_of(body_of(request), existing))


def _write(
    request: Request, owner: Resource, existing: Resource | None, properties: Document, tags: dict[str, str] | None
) -> Reply:
    """Store the command and start its execution; the operation ends with it."""
    require_not_deleting(machine(request, owner.id), "Create or Update RunCommand")
    _check(properties)
    shown = {key: value for key, value in properties.items() if key not in _SECRET}
    document: Document = {
        "name": request.params["name"],
        "id": request.resource_id,
        "type": KIND,
        "location": owner.location,
        **({"tags": tags} if tags is not None else {}),
        "properties": shown | {"provisioningState": "Updating" if existing else "Creating"},
    }
    secrets = {key: properties[key] for key in _SECRET if key in properties}
    resource = request.kernel.store.put(Resource(document, {"secrets": secrets}))
    operation = request.begin(
        resource.id, seconds=_FOREVER, location=owner.location, done="run_command.written", poll_seconds=5
    )
    begin_execution(
        request.kernel,
        owner,
        {
            "command_id": resource.id,
            "operation": operation.id,
            "script": (properties["source"] or {}).get("script"),
            "command": (properties["source"] or {}).get("commandId"),
            "uri": (properties["source"] or {}).get("scriptUri"),
            "parameters": [*(properties.get("parameters") or []), *(properties.get("protectedParameters") or [])],
            "timeout": int(properties["timeoutInSeconds"] or 0),
            "async": bool(properties["asyncExecution"]),
        },
        request.now,
    )
    return Reply(200 if existing else 201, document, operation.headers(request))


def _check(properties: Document) -> None:
    source, timeout = properties.get("source"), properties.get("timeoutInSeconds") or 0
    if not isinstance(source, dict):
        raise bad_parameter("Required parameter 'source' is missing (null).", "source")
    if not isinstance(timeout, int) or timeout < 0:
        raise bad_parameter(f"The value '{timeout}' of parameter 'timeoutInSeconds' is invalid.", "timeoutInSeconds")
    for one in properties.get("parameters") or []:
        if not isinstance(one, dict) or "value" not in one:
            raise bad_parameter("Every run command parameter needs 'name' and 'value'.", "parameters")


@routes.hook("run_command.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    """The operation of a PUT or PATCH ends: Succeeded as soon as the script could be run at all."""
    resource = kernel.store.get(payload["resource_id"])
    if resource is None:
        return
    failure = payload.get("failure") or resource.sim.get("failure")
    view = resource.sim.get("view") or {}
    if not failure and resource.properties.get("treatFailureAsDeploymentFailure") and _failed(view):
        failure = {
            "code": "VMExtensionProvisioningError",
            "message": f"RunCommand '{resource.name}' failed with execution state {view['executionState']} and exit "
            f"code {view.get('exitCode')}: {view.get('executionMessage') or view.get('error', '')}",
        }
    resource.properties["provisioningState"] = "Failed" if failure else "Succeeded"
    kernel.store.put(resource)
    if failure and "failure" not in payload:
        raise ArmError(409, failure["code"], failure["message"])


def _failed(view: Document) -> bool:
    return view.get("executionState") in ("Failed", "TimedOut", "Canceled")


def _shown(request: Request, resource: Resource) -> Document:
    document = dict(resource.document)
    if request.query.get("$expand", "").lower() == "instanceview":
        view = resource.sim.get("view") or {"executionState": "Pending", "output": "", "error": ""}
        document["properties"] = resource.properties | {"instanceView": view}
    return document


@routes.operation("GET", _ONE, name="VirtualMachineRunCommands_GetByVirtualMachine", bucket="GetVM")
def get(request: Request) -> Reply:
    """A run command; `$expand=instanceView` adds how its script is doing."""
    request.require_parent()
    return Reply(200, _shown(request, request.require()))


@routes.operation(
    "GET", _MACHINE + "/runCommands", name="VirtualMachineRunCommands_ListByVirtualMachine", bucket="GetVM"
)
def list_commands(request: Request) -> Reply:
    """The run commands of a machine."""
    owner = request.require(request.scope)
    return listing(request, request.kernel.store.children(owner.id, KIND), lambda one: _shown(request, one))


@routes.operation("DELETE", _ONE, name="VirtualMachineRunCommands_Delete", bucket="UpdateVM")
def delete(request: Request) -> Reply:
    """Delete a run command; a script that runs is killed."""
    resource = request.kernel.store.get(request.resource_id)
    if resource is None:
        return Reply(204)
    resource.properties["provisioningState"] = "Deleting"
    request.kernel.store.put(resource)
    location = resource.location
    return accepted(
        request, request.begin(resource.id, seconds=8, location=location, done="run_command.deleted", poll_seconds=5)
    )


@routes.hook("run_command.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    if "failure" not in payload:
        kernel.store.delete(payload["resource_id"])


@routes.operation("POST", _MACHINE + "/runCommand", name="VirtualMachines_RunCommand", bucket="UpdateVM")
def run(request: Request) -> Reply:
    """The older action: 202; output and error come with the operation's result. One at a time on a machine."""
    owner = machine(request, request.scope)
    require_not_deleting(owner, "runCommand")
    body, resource = body_of(request), owner.resource
    if body.get("commandId") not in ("RunShellScript", "RunPowerShellScript"):
        raise ArmError(
            400,
            "BadRequest",
            f"The entity was not found: run command '{body.get('commandId')}' is not one of RunShellScript, "
            "RunPowerShellScript.",
        )
    if owner.facts.get("action") and _is_running(request, owner.facts["action"]):
        raise ArmError(
            409,
            "Conflict",
            "Run command extension execution is in progress. Please wait for completion before invoking a run command.",
        )
    operation = request.begin(
        resource.id, seconds=_FOREVER, location=resource.location, done="run_command.action", poll_seconds=10
    )
    owner.facts["action"] = operation.id
    request.kernel.store.put(resource)
    begin_execution(
        request.kernel,
        resource,
        {
            "command_id": None,
            "operation": operation.id,
            "script": "\n".join(body.get("script") or []),
            "parameters": body.get("parameters") or [],
            "timeout": 0,
            "async": False,
        },
        request.now,
    )
    return accepted(request, operation)


def _is_running(request: Request, operation_id: str) -> bool:
    stored = request.kernel.store.table("operation").get(operation_id)
    return stored is not None and stored["status"] == "InProgress"


@routes.hook("run_command.action")
def _acted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    result = kernel.store.table("run_command_action").pop(payload["operation"]) or {}
    if result.get("failure"):
        raise ArmError(409, result["failure"]["code"], result["failure"]["message"])
    output, error = result.get("output", ""), result.get("error", "")
    owner = kernel.store.get(payload["resource_id"])
    image = Machine(owner).image if owner is not None else None
    if image is not None and image.os_type.lower() == "windows":
        parts = {"ComponentStatus/StdOut/succeeded": output, "ComponentStatus/StdErr/succeeded": error}
    else:
        parts = {"ProvisioningState/succeeded": f"Enable succeeded: \n[stdout]\n{output}\n[stderr]\n{error}"}
    payload["output"] = {"value": [status(code, "Info", _DONE, message=text) for code, text in parts.items()]}
