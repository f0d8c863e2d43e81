"""Managed disks and snapshots: 202 with both headers and `Updating`, the whole document in the operation's output.

Recorded in `test_vm_trusted_launch_os_disk_secure_upload.yaml`, `test_snapshot_access.yaml` and `lro-traces.jsonl`.
"""

from typing import TYPE_CHECKING, Any

from local.arm.clock import iso
from local.arm.compute_common import (
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
from local.arm.errors import ArmError, bad_parameter
from local.arm.lineage import character_of
from local.arm.routing import Reply, Request, Routes
from local.arm.store import Document, Resource

if TYPE_CHECKING:
    from local.arm.kernel import Kernel

routes = Routes()

DISK = "Microsoft.Compute/disks"
SNAPSHOT = "Microsoft.Compute/snapshots"
_FAMILY = "DiskOperations"
_SUBSCRIPTION = "/subscriptions/{sub}/providers/"
_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/"
_SECONDS = {"PUT": 4.0, "PATCH": 3.0, "DELETE": 4.0, "POST": 2.0}
_GIB = 1024**3
_TIERS = ((4, "P1"), (8, "P2"), (16, "P3"), (32, "P4"), (64, "P6"), (128, "P10"), (256, "P15"), (512, "P20"))


def disk_document(
    disk_id: str, location: str, *, sku: str, size_gib: int, at: float, creation: Document, tags: dict[str, str] | None
) -> Document:
    """A managed disk as a finished GET shows it (`test_enable_trusted_launch_on_v2.yaml`)."""
    document: Document = {
        "name": disk_id.rsplit("/", 1)[1],
        "id": disk_id,
        "type": DISK,
        "location": location,
        "sku": {"name": sku, "tier": sku.split("_")[0].removesuffix("V2")},
        "properties": {"creationData": creation},
    }
    if tags is not None:
        document["tags"] = tags
    complete(document, size_gib, at)
    return document


def complete(document: Document, size_gib: int, at: float) -> None:
    """Add what the disk provider adds once a disk is there."""
    sku = document.setdefault("sku", {"name": "Standard_LRS"})["name"]
    document["sku"]["tier"] = sku.split("_")[0].removesuffix("V2")
    premium = sku.startswith("Premium")
    document["properties"] |= {
        "diskSizeGB": size_gib,
        "diskIOPSReadWrite": 120 if premium else 500,
        "diskMBpsReadWrite": 25 if premium else 60,
        "encryption": document["properties"].get("encryption", {"type": "EncryptionAtRestWithPlatformKey"}),
        "networkAccessPolicy": document["properties"].get("networkAccessPolicy", "AllowAll"),
        "publicNetworkAccess": document["properties"].get("publicNetworkAccess", "Enabled"),
        "timeCreated": document["properties"].get("timeCreated", iso(at)),
        "provisioningState": "Succeeded",
        "diskState": document["properties"].get("diskState", "Unattached"),
        "diskSizeBytes": size_gib * _GIB,
        "uniqueId": stable_guid(document["id"].lower(), "unique"),
    }
    if premium:
        document["properties"]["tier"] = next((tier for size, tier in _TIERS if size_gib <= size), "P30")


def _put(kind: str) -> Any:
    def put(request: Request) -> Reply:
        body, existing = body_of(request), request.kernel.store.get(request.resource_id)
        location = location_of(body, existing)
        document = new_document(request, kind, request.params["name"], location, tags_of(body, existing) or {})
        document |= {key: body[key] for key in ("sku", "zones") if key in body}
        document["properties"] = (existing.properties if existing else {}) | properties_of(body)
        size, source = _source(request, location, document["properties"])
        document["properties"]["provisioningState"] = "Updating"
        sim = dict(existing.sim) if existing else {"character": character_of(request.kernel.store, source)}
        resource = request.kernel.store.put(Resource(document, sim | {"size": size}))
        return _accepted(request, resource, "disk.written", shown=resource.document)

    return put


def _source(request: Request, location: str, properties: Document) -> tuple[int, str]:
    """The size in GiB of what a disk is made of, and the id of that."""
    creation = properties.get("creationData")
    if not isinstance(creation, dict) or "createOption" not in creation:
        raise bad_parameter("Required parameter 'disk.creationData' is missing (null).", "disk.creationData")
    option, given = creation["createOption"], properties.get("diskSizeGB")
    if option == "Empty" and not given:
        raise bad_parameter("Required parameter 'disk.diskSizeGB' is missing (null).", "disk.diskSizeGB")
    if option == "Upload":
        return -(-int(creation.get("uploadSizeBytes", 0)) // _GIB) or 1, ""
    reference = creation.get("galleryImageReference") or creation.get("imageReference") or {}
    source_id = creation.get("sourceResourceId") or reference.get("id") or ""
    if option in ("Copy", "FromImage") and source_id.lower().startswith("/subscriptions/"):
        same = None if option == "FromImage" else location
        found = request.kernel.store.get(source_id) or referenced(
            request.kernel.store, source_id, request.resource_id, same
        )
        return int(given or found.properties.get("diskSizeGB") or 30), found.id
    return int(given or 30), source_id


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
    return _accepted(request, resource, "disk.written", shown=resource.document)


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
    seconds = body_of(request).get("durationInSeconds", 3600)
    return _accepted(request, resource, "disk.access", payload={"seconds": seconds, "base": request.base_url})


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
def _written(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    resource = kernel.store.get(payload["resource_id"])
    if resource is None:
        return
    if "failure" in payload:
        resource.properties["provisioningState"] = "Failed"
    else:
        complete(resource.document, int(resource.sim.get("size", 30)), at)
    kernel.store.put(resource)
    payload["output"] = resource.document


@routes.hook("disk.deleted")
def _deleted(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    if "failure" not in payload:
        kernel.store.delete(payload["resource_id"])


@routes.hook("disk.access")
def _granted(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    name = stable_guid(payload["resource_id"].lower(), payload["operation"])
    query = f"sv=2018-03-28&sr=b&si={name}&sig={stable_guid(name, str(kernel.seed))}"
    payload["output"] = {"accessSAS": f"{payload['base']}/_blob/md-impexp/{name}/abcd?{query}"}


@routes.hook("disk.access_ended")
def _revoked(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
    return


def _get(request: Request) -> Reply:
    return Reply(200, request.require().document)


def _lister(kind: str) -> Any:
    return lambda request: listing(request, request.kernel.store.of_kind(kind, scope_of(request)))


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
    def seeded(kernel: "Kernel", payload: dict[str, Any], at: float) -> None:
        resource: Resource = payload["resource"]
        resource.properties.setdefault("creationData", {"createOption": "Empty"})
        complete(resource.document, int(resource.properties.get("diskSizeGB", 30)), at)


_register(DISK, "Disks")
_register(SNAPSHOT, "Snapshots")
