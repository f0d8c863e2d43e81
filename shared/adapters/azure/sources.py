"""What a version was made from, where it can still be read."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_errors import arm_faults
from shared.domain.facts import SourceFacts, SourceKind, VersionFacts
from shared.ports import Refused

if TYPE_CHECKING:
    from shared.adapters.azure.arm import Arm

_ID: Final = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)/providers/microsoft\.compute/"
    r"(?:(?P<type>images|virtualmachines|disks|snapshots)/(?P<name>[^/]+)"
    r"|galleries/(?P<gallery>[^/]+)/images/(?P<definition>[^/]+)/versions/(?P<number>[^/]+))/?",
    re.IGNORECASE,
)
_KINDS: Final = {
    "images": SourceKind.MANAGED_IMAGE,
    "virtualmachines": SourceKind.VM,
    "disks": SourceKind.DISK,
    "snapshots": SourceKind.SNAPSHOT,
}


def source_name(version: VersionFacts) -> str | None:
    """The id or address of what the version was made from. ``source.id`` names any type, also a machine (recorded)."""
    named = version.source_id or version.source_vm_id or version.source_community_id
    return named or (version.disk_source_ids[0] if version.disk_source_ids else None)


async def read_source(arm: Arm, version: VersionFacts) -> SourceFacts | None:
    """What is known of the source. Raises the port's passing faults; what isn't allowed to be read is unknown."""
    name = source_name(version)
    if name is None:
        return None
    match = _ID.fullmatch(name)
    if match is None:
        is_vhd = name.lower().startswith("https://") or "/storageaccounts/" in name.lower()
        return SourceFacts(SourceKind.VHD if is_vhd else SourceKind.OTHER, name)
    kind = SourceKind.GALLERY_VERSION if match["gallery"] else _KINDS[match["type"].lower()]
    try:
        return await _READERS[kind](arm, name, match)
    except Refused as refused:
        if refused.status == 404:
            return SourceFacts(SourceKind.GONE, name)
        if refused.status == 403:
            return SourceFacts(kind, name)
        raise


async def _image(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    with arm_faults(f"read managed image {parts['name']}"):
        image = (await arm.compute(parts["subscription"]).images.get(parts["group"], parts["name"])).as_dict()
    properties = image.get("properties") or {}
    disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
    return SourceFacts(
        SourceKind.MANAGED_IMAGE,
        name,
        disk.get("osType"),
        disk.get("osState"),
        properties.get("hyperVGeneration"),
        None,
        disk.get("diskSizeGB"),
    )


async def _machine(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    machines = arm.compute(parts["subscription"]).virtual_machines
    with arm_faults(f"read virtual machine {parts['name']}"):
        machine = (await machines.get(parts["group"], parts["name"], expand="instanceView")).as_dict()
    properties = machine.get("properties") or {}
    disk = (properties.get("storageProfile") or {}).get("osDisk") or {}
    view = properties.get("instanceView") or {}
    generalized = any(str(s.get("code")).lower() == "osstate/generalized" for s in view.get("statuses") or ())
    return SourceFacts(
        SourceKind.VM,
        name,
        disk.get("osType"),
        "Generalized" if generalized else "Specialized",
        view.get("hyperVGeneration"),
        None,
        disk.get("diskSizeGB"),
    )


async def _disk(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    with arm_faults(f"read disk {parts['name']}"):
        found = (await arm.compute(parts["subscription"]).disks.get(parts["group"], parts["name"])).as_dict()
    return _of_disk(SourceKind.DISK, name, found)


async def _snapshot(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    with arm_faults(f"read snapshot {parts['name']}"):
        found = (await arm.compute(parts["subscription"]).snapshots.get(parts["group"], parts["name"])).as_dict()
    return _of_disk(SourceKind.SNAPSHOT, name, found)


def _of_disk(kind: SourceKind, name: str, document: Mapping[str, Any]) -> SourceFacts:
    properties = document.get("properties") or {}
    return SourceFacts(
        kind,
        name,
        properties.get("osType"),
        None,
        properties.get("hyperVGeneration"),
        (properties.get("supportedCapabilities") or {}).get("architecture"),
        properties.get("diskSizeGB"),
    )


async def _gallery_version(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    client = arm.compute(parts["subscription"])
    where = (parts["group"], parts["gallery"], parts["definition"])
    with arm_faults(f"read image version {'/'.join(where[1:])}/{parts['number']}"):
        version = (await client.gallery_image_versions.get(*where, parts["number"])).as_dict()
        definition = (await client.gallery_images.get(*where)).as_dict()
    traits = definition.get("properties") or {}
    storage = (version.get("properties") or {}).get("storageProfile") or {}
    return SourceFacts(
        SourceKind.GALLERY_VERSION,
        name,
        traits.get("osType"),
        traits.get("osState"),
        traits.get("hyperVGeneration"),
        traits.get("architecture"),
        (storage.get("osDiskImage") or {}).get("sizeInGB"),
    )


_READERS: Final[Mapping[SourceKind, Callable[[Arm, str, re.Match[str]], Awaitable[SourceFacts]]]] = {
    SourceKind.MANAGED_IMAGE: _image,
    SourceKind.VM: _machine,
    SourceKind.DISK: _disk,
    SourceKind.SNAPSHOT: _snapshot,
    SourceKind.GALLERY_VERSION: _gallery_version,
}
