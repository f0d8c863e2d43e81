"""Managed disks and snapshots: 202 with both headers and `Updating`, the whole document in the operation's output.

Recorded in `test_vm_trusted_launch_os_disk_secure_upload.yaml`, `test_snapshot_access.yaml` and `lro-traces.jsonl`.
"""

from typing import Any

from local.arm.galleries.lineage import CLEAN, character_of
from local.arm.galleries.replication import require_replica
from local.arm.kernel.conventions import (
    body_of,
    listing,
    location_of,
    new_document,
    properties_of,
    referenced,
    scope_of,
    stable_guid,
    tags_of,
)
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Document, Resource
from local.arm.storage.disk_model import (
    DISK,
    GIB,
    SNAPSHOT,
    complete,
    is_platform_image,
    normalized,
    platform_image_gib,
)

routes = Routes()

_FAMILY = "DiskOperations"
_SUBSCRIPTION = "/subscriptions/{sub}/providers/"
_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/"
_OWNERSHIP_TIME_SINCE = "2023-10-02"
"""The first api-version with `LastOwnershipUpdateTime` ("API version change log for Microsoft.Compute/disks")."""
_SECONDS = {"PUT": 4.0, "PATCH": 3.0, "DELETE": 4.0, "POST": 2.0}


def _put(kind: str) -> Any:
    def put(request: Request) -> Reply:
        body, existing = body_of(request), request.kernel.store.get(request.resource_id)
        location = location_of(body, existing)
        document = new_document(request, kind, request.params["name"], location, tags_of(body))
        document |= {key: body[key] for key in ("sku", "zones") if key in body}
        size, source = _source(request, location, properties_of(body), existing)
        given = normalized(properties_of(body), source)
        document["properties"] = (existing.properties if existing else {}) | given
        document["properties"]["provisioningState"] = "Updating"
        _system_of_version(request, document["properties"], source)
        inherited = character_of(request.kernel.store, source.id) if source else CLEAN
        sim = dict(existing.sim) if existing else {"character": inherited}
        sim |= {"size": size, "source": source.id if source else None}
        resource = request.kernel.store.put(Resource(document, sim))
        return _accepted(request, resource, "disk.written", shown=_first_answer(document, properties_of(body)))

    return put


def _system_of_version(request: Request, properties: Document, source: Resource | None) -> None:
    """A disk of a gallery version runs what its definition says."""
    if source is not None and source.kind.lower().endswith("/galleries/images/versions"):
        definition = request.kernel.store.get(source.id.rsplit("/versions/", 1)[0])
        properties.setdefault("osType", definition.properties.get("osType", "Linux") if definition else "Linux")


def _first_answer(document: Document, given: Document) -> Document:
    """A disk that is being written: what was asked for, without what will be added (recorded)."""
    shown = {key: value for key, value in document.items() if key != "zones"}
    return shown | {"properties": given | {"provisioningState": "Updating"}}


def _source(
    request: Request, location: str, properties: Document, existing: Resource | None
) -> tuple[int, Resource | None]:
    """The size in GiB that a disk gets, and the resource that it is made of, if it is one."""
    creation, given = _creation_of(properties, existing)
    if str(creation["createOption"]).lower().startswith("upload"):
        return -(-int(creation.get("uploadSizeBytes", 0)) // GIB) or 1, None
    reference = creation.get("galleryImageReference") or creation.get("imageReference") or {}
    if existing is None and (reference.get("id") or "").lower().count("/versions/") == 1 and _is_gallery(reference):
        version = require_replica(request.kernel, reference["id"], location, request.now)
        return int(given or _size_of(version)), version
    source_id = creation.get("sourceResourceId") or reference.get("id") or creation.get("sourceUri") or ""
    if is_platform_image(source_id):
        return int(given or platform_image_gib(source_id)), None
    found = _resource(request, location, creation, source_id)
    return int(given or (_size_of(found) if found else 30)), found


def _creation_of(properties: Document, existing: Resource | None) -> tuple[Document, Any]:
    """The creation data of a disk, and the size that is asked for."""
    creation = properties.get("creationData") or (existing and existing.properties["creationData"])
    if not isinstance(creation, dict) or "createOption" not in creation:
        raise bad_parameter("Required parameter 'disk.creationData' is missing (null).", "disk.creationData")
    given = properties.get("diskSizeGB") or (existing and existing.properties.get("diskSizeGB"))
    if str(creation["createOption"]).lower() == "empty" and not given:
        raise bad_parameter("Required parameter 'disk.diskSizeGB' is missing (null).", "disk.diskSizeGB")
    return creation, given


def _resource(request: Request, location: str, creation: Document, source_id: str) -> Resource | None:
    """The resource with this id that a disk is copied from."""
    option = str(creation["createOption"]).lower()
    if option not in ("copy", "fromimage") or not source_id.strip("/").lower().startswith("subscriptions/"):
        return None
    store = request.kernel.store
    same = None if option == "fromimage" else location
    return store.get(source_id) or referenced(store, source_id, request.resource_id, same)


def _is_gallery(reference: Document) -> bool:
    return "/providers/microsoft.compute/galleries/" in reference["id"].lower()


def _size_of(source: Resource) -> int:
    image = source.properties.get("storageProfile", {}).get("osDiskImage") or {}
    return source.properties.get("diskSizeGB") or image.get("sizeInGB") or 30


def _patch(request: Request) -> Reply:
    resource, body = request.require(), body_of(request)
    tags = tags_of(body, resource)
    if tags is not None:
        resource.document["tags"] = tags
    if "sku" in body:
        resource.document["sku"] = body["sku"]
    resource.properties.update(properties_of(body))
    resource.sim["size"] = resource.properties.get("diskSizeGB", resource.sim.get("size", 30))
    resource.properties["provisioningState"] = "Updating"
    request.kernel.store.put(resource)
    kept = {key: resource.properties[key] for key in ("creationData", "diskSizeGB") if key in resource.properties}
    return _accepted(
        request, resource, "disk.written", shown=_first_answer(resource.document, kept | properties_of(body))
    )


def _delete(request: Request) -> Reply:
    resource = request.kernel.store.get(request.resource_id)
    if resource is None:
        return Reply(204)
    machine = resource.document.get("managedBy")
    if machine:
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Disk {resource.name} is attached to VM {machine}.",
        )
    return _accepted(request, resource, "disk.deleted")


def _begin_access(request: Request) -> Reply:
    resource = request.require(request.scope)
    body = body_of(request)
    payload = {"base": request.base_url, "guest_state": bool(body.get("getSecureVMGuestStateSAS"))}
    return _accepted(request, resource, "disk.access", payload=payload)


def _end_access(request: Request) -> Reply:
    return _accepted(request, request.require(request.scope), "disk.access_ended")


def _accepted(
    request: Request,
    resource: Resource,
    done: str,
    *,
    shown: Document | None = None,
    payload: Document | None = None,
) -> Reply:
    operation = request.begin(
        resource.id,
        seconds=_SECONDS[request.method],
        location=resource.location,
        family=_FAMILY,
        done=done,
        payload=payload,
        poll_seconds=2,
    )
    return Reply(202, shown, operation.headers(request, location=True))


@routes.hook("disk.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    resource = kernel.store.get(payload["resource_id"])
    if resource is None:
        return
    if "failure" in payload:
        resource.properties["provisioningState"] = "Failed"
    else:
        source = kernel.store.get(resource.sim.get("source") or "")
        complete(resource.document, int(resource.sim.get("size", 30)), at, source)
    kernel.store.put(resource)
    payload["output"] = resource.document


@routes.hook("disk.deleted")
def _deleted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    if "failure" not in payload:
        kernel.store.delete(payload["resource_id"])


@routes.hook("disk.access")
def _granted(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    name = stable_guid(payload["resource_id"].lower(), payload["operation"])
    query = f"sv=2018-03-28&sr=b&si={name}&sig={stable_guid(name, str(kernel.seed))}"
    _set_state(kernel, payload["resource_id"], "ActiveSAS")
    address = f"{payload['base']}/_blob/md-impexp/{name}/abcd?{query}"
    payload["output"] = {"accessSAS": address}
    if payload["guest_state"]:
        payload["output"]["securityDataAccessSAS"] = address.replace("/abcd?", "/abcd-guest-state?")


@routes.hook("disk.access_ended")
def _revoked(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    _set_state(kernel, payload["resource_id"], "Unattached")


def _set_state(kernel: Kernel, resource_id: str, state: str) -> None:
    """An address that may be read makes a free disk `ActiveSAS`, one that may be written `ActiveUpload`."""
    resource = kernel.store.get(resource_id)
    if resource is None or "managedBy" in resource.document:
        return
    uploads = resource.properties.get("diskState") in ("ReadyToUpload", "ActiveUpload")
    resource.properties["diskState"] = "ActiveUpload" if uploads and state == "ActiveSAS" else state
    kernel.store.put(resource)


def _get(request: Request) -> Reply:
    return Reply(200, _versioned(request, request.require().document))


def _lister(kind: str) -> Any:
    def list_all(request: Request) -> Reply:
        reply = listing(request, request.kernel.store.of_kind(kind, scope_of(request)))
        reply.body["value"] = [_versioned(request, each) for each in reply.body["value"]]
        return reply

    return list_all


def _versioned(request: Request, document: Document) -> Document:
    """The disk as its api-version shows it."""
    if request.api_version >= _OWNERSHIP_TIME_SINCE:
        return document
    properties = {key: value for key, value in document["properties"].items() if key != "LastOwnershipUpdateTime"}
    return document | {"properties": properties}


def _register(kind: str, operations: str) -> None:
    one = _GROUP + kind + "/{name}"
    routes.operation("GET", one, name=f"{operations}_Get", bucket="LowCostGet")(_get)
    routes.operation("PUT", one, name=f"{operations}_CreateOrUpdate", bucket="CreateUpdateDisks")(_put(kind))
    routes.operation("PATCH", one, name=f"{operations}_Update", bucket="CreateUpdateDisks")(_patch)
    routes.operation("DELETE", one, name=f"{operations}_Delete", bucket="DeleteDisks")(_delete)
    routes.operation("POST", one + "/beginGetAccess", name=f"{operations}_GrantAccess", bucket="HighCostDiskHydrate")(
        _begin_access
    )
    routes.operation("POST", one + "/endGetAccess", name=f"{operations}_RevokeAccess", bucket="HighCostDiskHydrate")(
        _end_access
    )
    routes.operation("GET", _GROUP + kind, name=f"{operations}_ListByResourceGroup", bucket="LowCostGet")(_lister(kind))
    routes.operation("GET", _SUBSCRIPTION + kind, name=f"{operations}_List", bucket="LowCostGet")(_lister(kind))

    @routes.hook(f"seed:{kind}".lower())
    def seeded(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
        resource: Resource = payload["resource"]
        resource.properties.setdefault("creationData", {"createOption": "Empty"})
        complete(resource.document, int(resource.properties.get("diskSizeGB", 30)), at)


_register(DISK, "Disks")
_register(SNAPSHOT, "Snapshots")
