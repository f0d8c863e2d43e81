"""The JSON types of request bodies. ARM refuses a body that it cannot deserialize before it looks at any value.

A shape is a type, a list with one shape of its items, or a dict of shapes by property; what a dict does not name is
free, and null is allowed everywhere but in lists.
"""

from typing import Any

from local.arm.kernel.errors import ArmError


class Number:
    """A whole number; written as text it is one as well, as templates write it."""


type Shape = type | list[Any] | dict[str, Any]

_TAGGED: dict[str, Any] = {"location": str, "tags": dict}
_PLAN = {"name": str, "publisher": str, "product": str}
_SOURCE = {"id": str, "uri": str, "virtualMachineId": str, "communityGalleryImageId": str, "storageAccountId": str}
_REGION = {
    "name": str,
    "regionalReplicaCount": int,
    "storageAccountType": str,
    "excludeFromLatest": bool,
    "encryption": {
        "osDiskImage": {"diskEncryptionSetId": str, "securityProfile": {"secureVMDiskEncryptionSetId": str}},
        "dataDiskImages": [{"lun": int, "diskEncryptionSetId": str}],
    },
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
    "purchasePlan": _PLAN,
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


_CREATION = {
    "createOption": str,
    "sourceResourceId": str,
    "sourceUri": str,
    "galleryImageReference": {"id": str, "sharedGalleryImageId": str, "communityGalleryImageId": str},
    "imageReference": {"id": str},
    "uploadSizeBytes": Number,
}
_PLACED = {
    "lun": Number,
    "name": str,
    "createOption": str,
    "caching": str,
    "deleteOption": str,
    "diskSizeGB": Number,
    "managedDisk": {
        "id": str,
        "storageAccountType": str,
        "diskEncryptionSet": {"id": str},
        "securityProfile": {"securityEncryptionType": str},
    },
    "vhd": {"uri": str},
    "diffDiskSettings": dict,
}
_REFERENCE = {"id": str, "publisher": str, "offer": str, "sku": str, "version": str}
_STORAGE = {"imageReference": _REFERENCE, "osDisk": _PLACED, "dataDisks": [_PLACED], "diskControllerType": str}
_ADDRESS = {"name": str, "properties": {"subnet": {"id": str}, "publicIPAddress": {"id": str}}}
_NIC = {"name": str, "tags": dict, "properties": {"ipConfigurations": [_ADDRESS], "dnsSettings": dict}}
_NETWORK = {"networkApiVersion": str, "networkInterfaces": [{"id": str}], "networkInterfaceConfigurations": [_NIC]}
_SYSTEM = {
    "computerName": str,
    "computerNamePrefix": str,
    "adminUsername": str,
    "linuxConfiguration": {"ssh": {"publicKeys": [dict]}, "patchSettings": dict},
    "windowsConfiguration": {"patchSettings": dict},
}
_MODEL = {
    "storageProfile": _STORAGE,
    "networkProfile": _NETWORK,
    "osProfile": _SYSTEM,
    "diagnosticsProfile": {"bootDiagnostics": {"storageUri": str}},
    "securityProfile": {"securityType": str, "uefiSettings": dict},
}

DISK: Shape = _TAGGED | {
    "sku": {"name": str},
    "zones": [str],
    "properties": {"creationData": _CREATION, "diskSizeGB": Number, "osType": str, "encryption": dict},
}
MACHINE: Shape = _TAGGED | {
    "identity": {"type": str, "userAssignedIdentities": dict},
    "zones": [str],
    "plan": _PLAN,
    "properties": _MODEL | {"hardwareProfile": {"vmSize": str}},
}
SCALE_SET: Shape = _TAGGED | {
    "sku": {"name": str, "capacity": Number},
    "plan": _PLAN,
    "properties": {"virtualMachineProfile": _MODEL, "upgradePolicy": {"mode": str, "rollingUpgradePolicy": dict}},
}
ACTIONS: dict[str, Shape] = {
    "VirtualMachines_RunCommand": {"commandId": str, "script": [str], "parameters": [dict]},
    "Disks_GrantAccess": {"access": str, "durationInSeconds": Number},
    "Snapshots_GrantAccess": {"access": str, "durationInSeconds": Number},
}
RUN_COMMAND: Shape = _TAGGED | {
    "properties": {"source": dict, "parameters": [dict], "protectedParameters": [dict], "timeoutInSeconds": Number}
}


def check(value: Any, shape: Shape, path: str = "") -> None:
    """Raise ARM's 400 at the first place where `value` has not its shape."""
    if value is None:
        return
    if shape is Number and isinstance(value, str) and value.isdigit():
        return
    plain = shape if isinstance(shape, type) else type(shape)
    wanted = int if plain is Number else plain
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
    elif isinstance(shape, dict) and isinstance(value, dict):
        for name, below in shape.items():
            check(value.get(name), below, f"{path}.{name}" if path else name)
