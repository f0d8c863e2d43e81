"""Storage accounts as far as machines with unmanaged disks and diagnostics of their own need them: there or not.

Recorded in `test_vm_create_state_modifications.yaml` and the .NET sessions: PUT answers 202 with a Location that ends
at the account. Nothing is stored in them.
"""

import re
from typing import Any

from local.arm.kernel.clock import iso_z
from local.arm.kernel.conventions import body_of, listing, location_of, new_document, properties_of, scope_of, tags_of
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Request, Routes
from local.arm.kernel.store import Resource

routes = Routes()

KIND = "Microsoft.Storage/storageAccounts"
_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/" + KIND
_SECONDS = 17.0
_NAME = re.compile(r"[a-z0-9]{3,24}")
_SERVICES = ("blob", "queue", "table", "file")


@routes.operation("PUT", _GROUP + "/{account}", name="StorageAccounts_Create")
def put(request: Request) -> Reply:
    """202 without a body for a new account, 200 with it for one that is there."""
    body, existing = body_of(request), request.kernel.store.get(request.resource_id)
    location = location_of(body, existing)
    document = new_document(request, KIND, request.params["account"], location, tags_of(body, existing) or {})
    document |= {key: body[key] for key in ("sku", "kind") if key in body}
    document["properties"] = properties_of(body) | {"provisioningState": "Creating"}
    resource = Resource(document, {})
    if existing is not None:
        complete(resource, request.now)
    request.kernel.store.put(resource)
    if existing is not None:
        return Reply(200, resource.document)
    operation = request.begin(
        resource.id, seconds=_SECONDS, location=location, family="asyncoperations", done="account.written"
    )
    return Reply(202, headers=operation.location(request))


def complete(resource: Resource, at: float) -> None:
    """Add what the storage provider adds once an account is there."""
    document, host = resource.document, "core.windows.net"
    sku = document.setdefault("sku", {"name": resource.properties.pop("accountType", "Standard_LRS")})
    sku.setdefault("tier", sku["name"].split("_")[0])
    document.setdefault("kind", "Storage")
    kinds = ("blob",) if sku["tier"] == "Premium" else _SERVICES
    document["properties"] = resource.properties | {
        "primaryEndpoints": {one: f"https://{resource.name}.{one}.{host}/" for one in kinds},
        "primaryLocation": resource.location,
        "statusOfPrimary": "available",
        "creationTime": iso_z(at),
        "provisioningState": "Succeeded",
    }


@routes.operation("GET", _GROUP + "/{account}", name="StorageAccounts_GetProperties")
def get(request: Request) -> Reply:
    """An account; one that is being made is not there yet."""
    resource = request.require()
    if resource.properties["provisioningState"] == "Creating":
        raise ArmError(
            409,
            "StorageAccountIsNotProvisioned",
            f"The storage account '{resource.name}' must have succeeded to be provisioned before the operation.",
        )
    return Reply(200, resource.document)


@routes.operation("DELETE", _GROUP + "/{account}", name="StorageAccounts_Delete")
def delete(request: Request) -> Reply:
    """200, or 204 for one that is not there; at once."""
    gone = request.kernel.store.delete(request.resource_id)
    return Reply(204 if gone is None else 200)


@routes.operation(
    "POST",
    "/subscriptions/{sub}/providers/Microsoft.Storage/checkNameAvailability",
    name="StorageAccounts_CheckNameAvailability",
)
def check_name(request: Request) -> Reply:
    """Whether an account may have a name: one of all subscriptions ("Storage Accounts - Check Name Availability")."""
    request.silent = True
    name = body_of(request).get("name")
    if not isinstance(name, str):
        raise bad_parameter("Required parameter 'name' is missing (null).", "name")
    if not _NAME.fullmatch(name):
        message = (
            f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            "length and use numbers and lower-case letters only."
        )
        return Reply(200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": message})
    if any(one.name == name for one in request.kernel.store.of_kind(KIND)):
        message = f"The storage account named {name} is already taken."
        return Reply(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Reply(200, {"nameAvailable": True})


def _list(request: Request) -> Reply:
    return listing(request, request.kernel.store.of_kind(KIND, scope_of(request)))


routes.operation("GET", _GROUP, name="StorageAccounts_ListByResourceGroup")(_list)
routes.operation("GET", "/subscriptions/{sub}/providers/" + KIND, name="StorageAccounts_List")(_list)


@routes.hook("account.written")
def _written(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    resource = kernel.store.get(payload["resource_id"])
    if resource is not None:
        complete(resource, at)
        kernel.store.put(resource)
        payload["output"] = resource.document


@routes.hook(f"seed:{KIND}".lower())
def _seed(kernel: Kernel, payload: dict[str, Any], at: float) -> None:
    complete(payload["resource"], at)
