"""What is there before anybody writes: subscriptions, resource groups and any resources, given as data.

```
{"subscriptions": [{"id": "<guid>", "name": "Images"}],
 "identities": ["ringmaster", "image-builder"],
 "resource_groups": [{"id": "/subscriptions/<guid>/resourceGroups/images", "location": "westeurope", "tags": {}}],
 "resources": [{"id": "/subscriptions/…/providers/Microsoft.Compute/images/base", "location": "westeurope",
                "character": "clean", "tags": {}, "properties": {"storageProfile": {"osDisk": {"osType": "Linux"}}}}]}
```

A resource's type follows from its id. Images, galleries and definitions are completed as ARM completes them.
"""

import copy
from typing import Any

from local.arm.kernel import ids, regions
from local.arm.kernel.kernel import Kernel
from local.arm.kernel.store import Resource
from local.arm.kernel.tokens import identity
from local.arm.management.resource_groups import group_document

DEFAULT_SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
DEFAULT: dict[str, Any] = {
    "subscriptions": [{"id": DEFAULT_SUBSCRIPTION, "name": "Local subscription"}],
    "resource_groups": [],
    "resources": [],
}
_KEYS = {"subscriptions", "identities", "resource_groups", "resources"}


class BadWorld(Exception):
    """Seed data that cannot be used."""


def seed(kernel: Kernel, given: Any) -> None:
    """Add what `given` describes; what is there already is left as it is. Raises BadWorld and then adds nothing
    more.
    """
    if not isinstance(given, dict) or set(given) - _KEYS:
        raise BadWorld(f"a world is an object with {', '.join(sorted(_KEYS))}")
    if given.get("subscriptions") and given is not DEFAULT:
        _make_room(kernel)
    for one in given.get("subscriptions", []):
        _subscription(kernel, one)
    for name in given.get("identities", []):
        kernel.tokens.add(identity(name))
    for one in given.get("resource_groups", []):
        _group(kernel, one)
    for one in given.get("resources", []):
        _resource(kernel, one)
    kernel.store.commit()


def reset(kernel: Kernel) -> None:
    """Forget resources, operations, planned work, events and calls; subscriptions, identities and fault rules stay."""
    for resource in kernel.store:
        kernel.store.delete(resource.id)
    for name in ("operation", "schedule", "outbox", "activity", "lock"):
        kernel.store.table(name).clear()
    kernel.calls.clear()
    kernel.store.commit()


def set_characters(kernel: Kernel, given: Any) -> None:
    """Give existing resources a character: `{resource id: character}`."""
    if not isinstance(given, dict):
        raise BadWorld("characters are an object {resource id: character}")
    found = {resource_id: kernel.store.get(resource_id) for resource_id in given}
    missing = [resource_id for resource_id, resource in found.items() if resource is None]
    if missing:
        raise BadWorld(f"there is no {', '.join(missing)}")
    for resource_id, resource in found.items():
        assert resource is not None
        resource.sim["character"] = str(given[resource_id])
        kernel.store.put(resource)


def _make_room(kernel: Kernel) -> None:
    """The subscription that is there when nobody gave one goes when a world brings its own, as long as it is empty."""
    table = kernel.store.table("subscription")
    key = f"/subscriptions/{DEFAULT_SUBSCRIPTION}"
    if [name for name, _ in table.items()] == [key] and not any(True for _ in kernel.store):
        table.pop(key)


def _subscription(kernel: Kernel, given: dict[str, Any]) -> None:
    guid = _needs(given, "id", "a subscription")
    table = kernel.store.table("subscription")
    key = f"/subscriptions/{guid}".lower()
    if key not in table:
        table[key] = {"id": guid, "name": given.get("name", guid)}


def _group(kernel: Kernel, given: dict[str, Any]) -> None:
    group_id = _needs(given, "id", "a resource group")
    parts = group_id.strip("/").split("/")
    if len(parts) != 4 or parts[2].lower() != "resourcegroups":
        raise BadWorld(f"{group_id!r} is not the id of a resource group")
    if f"/subscriptions/{parts[1]}".lower() not in kernel.store.table("subscription"):
        raise BadWorld(f"{group_id}: there is no subscription {parts[1]}")
    if kernel.store.get(group_id) is None:
        kernel.store.put(Resource(group_document(parts[1], parts[3], _region(given), given.get("tags"))))


def _resource(kernel: Kernel, given: dict[str, Any]) -> None:
    resource_id = _needs(given, "id", "a resource")
    parsed = ids.parse(resource_id)
    if parsed is None:
        raise BadWorld(f"{resource_id!r} is not the id of a resource in a resource group")
    if kernel.store.get(ids.group_id(parsed.subscription, parsed.group)) is None:
        raise BadWorld(f"{resource_id}: there is no resource group {parsed.group}")
    if parsed.parent and kernel.store.get(str(parsed.parent)) is None:
        raise BadWorld(f"{resource_id}: there is no {parsed.parent}; name it earlier in the list")
    if kernel.store.get(resource_id) is not None:
        return
    properties = copy.deepcopy(given.get("properties", {})) | {"provisioningState": "Succeeded"}
    document = {
        "name": parsed.name,
        "id": str(parsed),
        "type": parsed.kind,
        "location": _region(given),
        "tags": dict(given.get("tags", {})),
        **{key: given[key] for key in ("sku", "zones", "identity") if key in given},
        "properties": properties,
    }
    resource = Resource(document, {"character": given["character"]} if "character" in given else {})
    hook = f"seed:{parsed.kind}".lower()
    if hook in kernel.hooks:
        kernel.run_hook(hook, {"resource": resource}, kernel.clock.now())
    kernel.store.put(resource)


def _region(given: dict[str, Any]) -> str:
    location = _needs(given, "location", given["id"])
    if not regions.is_known(location):
        raise BadWorld(f"{given['id']}: there is no region {location!r}")
    return regions.short(location)


def _needs(given: Any, key: str, what: str) -> str:
    if not isinstance(given, dict) or not isinstance(given.get(key), str):
        raise BadWorld(f"{what} needs {key!r}, a string")
    return given[key]
