"""Reads the resource that a version was created from."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from shared.adapters.azure.arm_errors import translate_arm_errors
from shared.adapters.azure.arm_fields import document, part, text, text_or_none
from shared.adapters.azure.arm_fields import parts as objects
from shared.adapters.azure.gallery_facts import read_time
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
_POWER: Final = "powerstate/"
_KINDS: Final = {
    "images": SourceKind.MANAGED_IMAGE,
    "virtualmachines": SourceKind.VM,
    "disks": SourceKind.DISK,
    "snapshots": SourceKind.SNAPSHOT,
}


def source_name(version: VersionFacts) -> str | None:
    """The id or URL of the version's source. ``source.id`` can name any type, also a virtual machine."""
    named = version.source_id or version.source_vm_id or version.source_community_id
    return named or (version.disk_source_ids[0] if version.disk_source_ids else None)


async def read_source(arm: Arm, version: VersionFacts) -> SourceFacts | None:
    """Read the source. Raises the port's transient errors. A source that the app may not read has no details."""
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
            return SourceFacts(kind, name, unread=True)
        raise


async def _image(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    images, what = arm.compute(parts["subscription"]).images, f"read managed image {parts['name']}"
    with translate_arm_errors(what):
        image = document(await images.get(parts["group"], parts["name"]), what)
    properties = part(image, "properties")
    disk = part(part(properties, "storageProfile"), "osDisk")
    return SourceFacts(
        SourceKind.MANAGED_IMAGE,
        name,
        text_or_none(disk.get("osType")),
        text_or_none(disk.get("osState")),
        text_or_none(properties.get("hyperVGeneration")),
    )


async def _machine(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    machines, what = arm.compute(parts["subscription"]).virtual_machines, f"read virtual machine {parts['name']}"
    with translate_arm_errors(what):
        machine = document(await machines.get(parts["group"], parts["name"], expand="instanceView"), what)
    properties = part(machine, "properties")
    disk = part(part(properties, "storageProfile"), "osDisk")
    view = part(properties, "instanceView")
    codes = {text(status.get("code")).lower() for status in objects(view, "statuses")}
    linux = part(part(properties, "osProfile"), "linuxConfiguration").get("disablePasswordAuthentication")
    return SourceFacts(
        SourceKind.VM,
        name,
        text_or_none(disk.get("osType")),
        "Generalized" if "osstate/generalized" in codes else "Specialized",
        text_or_none(view.get("hyperVGeneration")),
        power=next((code.removeprefix(_POWER) for code in sorted(codes) if code.startswith(_POWER)), None),
        created_at=read_time(properties.get("timeCreated")),
        used_at=await _used_at(arm, text(part(disk, "managedDisk").get("id"))),
        password_login=not linux if isinstance(linux, bool) else None,
    )


async def _used_at(arm: Arm, disk_id: str) -> datetime | None:
    """When the machine of a disk was last started or stopped; None where the app may not read the disk."""
    match = _ID.fullmatch(disk_id)
    if match is None or match["type"] is None or match["type"].lower() != "disks":
        return None
    try:
        return (await _disk(arm, disk_id, match)).used_at
    except Refused as refused:
        if refused.status in {403, 404}:
            return None
        raise


async def _disk(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    disks, what = arm.compute(parts["subscription"]).disks, f"read disk {parts['name']}"
    with translate_arm_errors(what):
        found = document(await disks.get(parts["group"], parts["name"]), what)
    return _of_disk(SourceKind.DISK, name, found)


async def _snapshot(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    snapshots, what = arm.compute(parts["subscription"]).snapshots, f"read snapshot {parts['name']}"
    with translate_arm_errors(what):
        found = document(await snapshots.get(parts["group"], parts["name"]), what)
    return _of_disk(SourceKind.SNAPSHOT, name, found)


def _of_disk(kind: SourceKind, name: str, found: Mapping[str, Any]) -> SourceFacts:
    properties = part(found, "properties")
    return SourceFacts(
        kind,
        name,
        text_or_none(properties.get("osType")),
        None,
        text_or_none(properties.get("hyperVGeneration")),
        text_or_none(part(properties, "supportedCapabilities").get("architecture")),
        created_at=read_time(properties.get("timeCreated")),
        used_at=read_time(properties.get("LastOwnershipUpdateTime")),
    )


async def _gallery_version(arm: Arm, name: str, parts: re.Match[str]) -> SourceFacts:
    client = arm.compute(parts["subscription"])
    where = (parts["group"], parts["gallery"], parts["definition"])
    what = f"read image version {'/'.join(where[1:])}/{parts['number']}"
    with translate_arm_errors(what):
        version = document(await client.gallery_image_versions.get(*where, parts["number"]), what)
        definition = document(await client.gallery_images.get(*where), what)
    traits = part(definition, "properties")
    return SourceFacts(
        SourceKind.GALLERY_VERSION,
        name,
        text_or_none(traits.get("osType")),
        text_or_none(traits.get("osState")),
        text_or_none(traits.get("hyperVGeneration")),
        text_or_none(traits.get("architecture")),
        created_at=read_time(part(part(version, "properties"), "publishingProfile").get("publishedDate")),
    )


_READERS: Final[Mapping[SourceKind, Callable[[Arm, str, re.Match[str]], Awaitable[SourceFacts]]]] = {
    SourceKind.MANAGED_IMAGE: _image,
    SourceKind.VM: _machine,
    SourceKind.DISK: _disk,
    SourceKind.SNAPSHOT: _snapshot,
    SourceKind.GALLERY_VERSION: _gallery_version,
}
