"""Customer-managed keys of a version: one disk encryption set for each disk in each region, from the first write on.

Source: "Create an encrypted image version with customer-managed keys" and "Troubleshoot images in an Azure Compute
Gallery" on Microsoft Learn, which has the texts. Disk encryption sets themselves are not simulated: whether there is
one, and in which region, cannot be told; one set for two regions can be.
"""

from collections.abc import Iterator
from typing import Any

from local.arm.galleries.rules import property_change
from local.arm.kernel import ids, regions
from local.arm.kernel.errors import ArmError, bad_parameter

type Disks = dict[str, str]
"""Disk encryption sets by disk: `os` or a logical unit number."""

_REGIONS = "galleryArtifactVersion.properties.publishingProfile.targetRegions"
_OS_DISK = f"{_REGIONS}.encryption.osDiskImage.diskEncryptionSetId"


def _sets(region: dict[str, Any]) -> Disks:
    encryption = region.get("encryption") or {}
    disk = encryption.get("osDiskImage") or {}
    confidential = (disk.get("securityProfile") or {}).get("secureVMDiskEncryptionSetId")
    found = {"os": disk.get("diskEncryptionSetId") or confidential}
    found |= {str(one.get("lun")): one.get("diskEncryptionSetId") for one in encryption.get("dataDiskImages") or []}
    return {disk: key for disk, key in found.items() if key}


def encrypted(profile: dict[str, Any]) -> bool:
    """Whether a version is encrypted with keys of the customer."""
    return any(_sets(region) for region in profile.get("targetRegions", ()))


def check_new(profile: dict[str, Any], subscription: str, luns: list[int] | None, source: str | None) -> None:
    """Refuse the encryption of a new version where Azure does.

    `luns` are those of its data disks, where they are known. `source` is the id of the version that it is copied from,
    or None: such copies cannot be encrypted.
    """
    found = profile["targetRegions"]
    if source is not None and encrypted(profile):
        raise bad_parameter(
            f"Encryption is not supported for source resource '{source}'. Please use a different source resource type "
            "which supports encryption or remove encryption properties."
        )
    for region in found:
        _check_luns(region, luns)
    _check_regions(found, subscription)


def check_update(profile: dict[str, Any], stored: dict[str, Any], subscription: str) -> None:
    """Refuse to add, change or take away keys in a region that is there; a new region needs its own."""
    before = {regions.short(one["name"]): _sets(one) for one in stored["targetRegions"]}
    for region in profile["targetRegions"]:
        had, has = before.get(regions.short(region["name"])), _sets(region)
        if had is None or had == has:
            continue
        added = sorted(disk for disk in has if disk not in had and disk != "os")
        if added:
            raise bad_parameter(
                f"Cannot specify new data disk image encryption lun [{added[0]}] with a disk encryption set in region "
                f"[{region['name']}] for update gallery image version request. To update this version, remove the new "
                "lun. If you need to change the data disk image encryption settings, you must create a new gallery "
                "image version with the correct settings."
            )
        raise property_change(_OS_DISK.replace("galleryArtifactVersion", "galleryImageVersion"))
    _check_regions(profile["targetRegions"], subscription)


def _check_luns(region: dict[str, Any], luns: list[int] | None) -> None:
    given = [one.get("lun") for one in (region.get("encryption") or {}).get("dataDiskImages") or []]
    doubled = [lun for lun in given if given.count(lun) > 1]
    if doubled:
        raise bad_parameter(
            f"Duplicate luns '{doubled[0]}' were specified in target region '{region['name']}' "
            "encryption.dataDiskImages."
        )
    for lun in given:
        if luns is not None and lun not in luns:
            raise bad_parameter(
                f"An invalid lun [{lun}] was specified in encryption.dataDiskImages. The lun must be one of the "
                f"following values ['{','.join(map(str, luns))}']."
            )


def _check_regions(found: list[dict[str, Any]], subscription: str) -> None:
    """Every set is one, in the gallery's subscription; a disk that has one somewhere has one in every region."""
    used = {region["name"]: _sets(region) for region in found}
    for disk, key in _all(used):
        parsed = ids.parse(key)
        where = _OS_DISK if disk == "os" else _OS_DISK.replace("osDiskImage", "dataDiskImages")
        if parsed is None or parsed.kind.lower() != "microsoft.compute/diskencryptionsets":
            raise bad_parameter(f"The value of parameter {where} is invalid.", where)
        if parsed.subscription.lower() != subscription.lower():
            raise bad_parameter(
                f"The disk encryption set '{key}' must be in the same subscription '{subscription}' as the gallery "
                "resource.",
                where,
            )
    for disk in {disk for disks in used.values() for disk in disks}:
        _check_everywhere(disk, used)


def _all(used: dict[str, Disks]) -> Iterator[tuple[str, str]]:
    for disks in used.values():
        yield from disks.items()


def _check_everywhere(disk: str, used: dict[str, Disks]) -> None:
    first = next(region for region, disks in used.items() if disk in disks)
    keys: dict[str, str] = {}
    for region, disks in used.items():
        if disk not in disks:
            name = _OS_DISK if disk == "os" else f"LUN {disk}"
            raise bad_parameter(
                f"A disk encryption set is required for disk '{name}' in target region '{region}' since disk "
                "encryption "
                f"set '{used[first][disk]}' is used for the corresponding disk in region '{first}'."
            )
        other = keys.setdefault(disks[disk].lower(), region)
        if other != region:
            raise ArmError(
                404,
                "NotFound",
                f"The disk encryption set '{disks[disk]}' was not found in region '{region}'. Disk encryption sets can "
                "be used only in the same subscription and region in which they were created.",
            )
