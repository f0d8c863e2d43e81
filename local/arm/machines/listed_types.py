"""Types that the simulator only lists and shows, because what is in them refers to images: they come with a world.

Image templates (`Microsoft.VirtualMachineImages`) and restore point collections: "List" and "Get" in Azure's REST API
reference. Their writes are not played, and are refused as unknown operations.
"""

from local.arm.kernel.conventions import listing, scope_of
from local.arm.kernel.messages import Reply
from local.arm.kernel.routing import Handler, Request, Routes

routes = Routes()

_TYPES = {
    "VirtualMachineImageTemplates": ("Microsoft.VirtualMachineImages", "imageTemplates", None),
    "RestorePointCollections": ("Microsoft.Compute", "restorePointCollections", "HighCostGet"),
}
"""Namespace, type and throttling bucket, by the group of operations in the OpenAPI."""


def _lister(kind: str) -> Handler:
    def list_all(request: Request) -> Reply:
        return listing(request, request.kernel.store.of_kind(kind, scope_of(request)))

    return list_all


def _get(request: Request) -> Reply:
    return Reply(200, request.require().document)


for _group, (_namespace, _type, _bucket) in _TYPES.items():
    _path = f"/providers/{_namespace}/{_type}"
    _within = "/subscriptions/{sub}/resourceGroups/{rg}" + _path
    _list = _lister(f"{_namespace}/{_type}")
    routes.operation("GET", "/subscriptions/{sub}" + _path, name=f"{_group}_List", bucket=_bucket)(_list)
    routes.operation("GET", _within, name=f"{_group}_ListByResourceGroup", bucket=_bucket)(_list)
    routes.operation("GET", _within + "/{name}", name=f"{_group}_Get", bucket=_bucket)(_get)
