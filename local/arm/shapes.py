"""The JSON types of request bodies. ARM refuses a body that it cannot deserialize before it looks at any value.

A shape is a type, a list with one shape of its items, or a dict of shapes by property; what a dict does not name is
free, and null is allowed everywhere but in lists.
"""

from typing import Any

from local.arm.errors import ArmError

type Shape = type | list[Any] | dict[str, Any]

_TAGGED: dict[str, Any] = {"location": str, "tags": dict}
_SOURCE = {"id": str, "uri": str, "virtualMachineId": str, "communityGalleryImageId": str, "storageAccountId": str}
_REGION = {
    "name": str,
    "regionalReplicaCount": int,
    "storageAccountType": str,
    "excludeFromLatest": bool,
    "encryption": {"osDiskImage": dict, "dataDiskImages": [dict]},
    "additionalReplicaSets": [dict],
}
_PUBLISHING = {
    "targetRegions": [_REGION],
    "targetExtendedLocations": [
        {"name": str, "extendedLocation": dict, "extendedLocationReplicaCount": int, "storageAccountType": str}
    ],
    "replicaCount": int,
    "excludeFromLatest": bool,
    "endOfLifeDate": str,
    "storageAccountType": str,
    "replicationMode": str,
}
_VERSION_PROPERTIES = {
    "publishingProfile": _PUBLISHING,
    "storageProfile": {
        "source": _SOURCE,
        "osDiskImage": {"source": _SOURCE, "hostCaching": str},
        "dataDiskImages": [{"lun": int, "source": _SOURCE, "hostCaching": str}],
    },
    "safetyProfile": {"allowDeletionOfReplicatedLocations": bool, "blockDeletionBeforeEndOfLife": bool},
    "restore": bool,
}
_DEFINITION_PROPERTIES = {
    "osType": str,
    "osState": str,
    "hyperVGeneration": str,
    "architecture": str,
    "description": str,
    "endOfLifeDate": str,
    "identifier": {"publisher": str, "offer": str, "sku": str},
    "features": [{"name": str, "value": str}],
    "recommended": dict,
    "disallowed": dict,
    "purchasePlan": dict,
    "allowUpdateImage": bool,
}
_GALLERY_PROPERTIES = {
    "description": str,
    "softDeletePolicy": {"isSoftDeleteEnabled": bool, "retentionPeriodInDays": int, "gracePeriodInDays": int},
    "sharingProfile": {"permissions": str, "communityGalleryInfo": {"publicNamePrefix": str}},
}
_DISK = {"lun": int, "osType": str, "osState": str, "diskSizeGB": int, "caching": str}
_DISK |= {"managedDisk": {"id": str}, "snapshot": {"id": str}, "storageAccountType": str, "blobUri": str}

VERSION: Shape = _TAGGED | {"properties": _VERSION_PROPERTIES}
DEFINITION: Shape = _TAGGED | {"properties": _DEFINITION_PROPERTIES}
GALLERY: Shape = _TAGGED | {"properties": _GALLERY_PROPERTIES}
IMAGE: Shape = _TAGGED | {
    "properties": {
        "hyperVGeneration": str,
        "sourceVirtualMachine": {"id": str},
        "storageProfile": {"osDisk": _DISK, "dataDisks": [_DISK]},
    }
}
GROUP: Shape = _TAGGED
SHARING: Shape = {"operationType": str, "groups": [{"type": str, "ids": [str]}]}


def check(value: Any, shape: Shape, path: str = "") -> None:
    """Raise ARM's 400 at the first place where `value` has not its shape."""
    if value is None:
        return
    wanted = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise ArmError(
            400,
            "InvalidRequestContent",
            f"The request content was invalid and could not be deserialized: 'Error converting value to "
            f"{wanted.__name__}. Path '{path}'.'.",
            target=path or None,
        )
    if isinstance(shape, list):
        for index, item in enumerate(value):
            if item is None:
                raise ArmError(
                    400, "InvalidRequestContent", f"The request content was invalid: null at '{path}[{index}]'."
                )
            check(item, shape[0], f"{path}[{index}]")
    elif isinstance(shape, dict):
        for name, below in shape.items():
            check(value.get(name), below, f"{path}.{name}" if path else name)
