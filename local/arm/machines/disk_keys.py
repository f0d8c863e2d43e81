"""Disk encryption sets that a machine names for its disks.

Source: "Server-side encryption of Azure Disk Storage" on Microsoft Learn: a disk encryption set, its machine and its
disks are in one subscription and region. The sets themselves are not simulated, so that only their ids are checked.
"""

from typing import Any

from local.arm.kernel import ids
from local.arm.kernel.errors import bad_parameter
from local.arm.kernel.store import Document

_KIND = "microsoft.compute/diskencryptionsets"


def check_disk_keys(given: Document, subscription: str) -> None:
    """Refuse what is no disk encryption set of the machine's subscription."""
    profile = given.get("storageProfile") or {}
    for disk in (profile.get("osDisk") or {}, *(profile.get("dataDisks") or [])):
        managed = disk.get("managedDisk") or {}
        for holder in (managed, managed.get("securityProfile") or {}):
            if holder.get("diskEncryptionSet"):
                _check(holder["diskEncryptionSet"], subscription)


def _check(named: Any, subscription: str) -> None:
    key = str(named.get("id") if isinstance(named, dict) else named)
    parsed = ids.parse(key)
    if parsed is None or parsed.kind.lower() != _KIND:
        raise bad_parameter(f"Id {key} is not a valid resource reference.", "managedDisk.diskEncryptionSet.id")
    if parsed.subscription.lower() != subscription.lower():
        raise bad_parameter(
            f"The disk encryption set '{key}' must be in the same subscription '{subscription}' as the machine.",
            "managedDisk.diskEncryptionSet.id",
        )
