"""What a machine must be to boot a version in one ring: the traits of the ring's own image definition and the version.

Validation reads them once, and the release keeps them as flat text: the source definition's by their own names, those
of a ring that copies to another definition under ``<ring>/``, as far as they differ. A row of Ringmaster 0.1.0 has
fewer; what it does not say has the defaults of ``ImageTraits``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, cast

from shared.domain.facts import DefinitionFacts, PurchasePlan, VersionFacts


class SecurityType(StrEnum):
    """Security types of virtual machines (Azure REST API, ``securityProfile.securityType``)."""

    STANDARD = "Standard"
    TRUSTED_LAUNCH = "TrustedLaunch"
    CONFIDENTIAL_VM = "ConfidentialVM"


_ALLOWED: Final[Mapping[str, tuple[SecurityType, ...]]] = {
    "trustedlaunch": (SecurityType.TRUSTED_LAUNCH,),
    "trustedlaunchsupported": (SecurityType.TRUSTED_LAUNCH, SecurityType.STANDARD),
    "confidentialvm": (SecurityType.CONFIDENTIAL_VM,),
    "confidentialvmsupported": (SecurityType.CONFIDENTIAL_VM, SecurityType.STANDARD),
    "trustedlaunchandconfidentialvmsupported": (
        SecurityType.TRUSTED_LAUNCH,
        SecurityType.CONFIDENTIAL_VM,
        SecurityType.STANDARD,
    ),
}
"""By the definition's SecurityType, the security types of its machines, the one to test first ("Store and share images
in an Azure Compute Gallery" on Microsoft Learn). A definition that names none has Standard machines."""


@dataclass(frozen=True, slots=True)
class DiskKeys:
    """Disk encryption sets of a version in one region (``targetRegions[].encryption``)."""

    os_disk: str | None = None
    data_disks: Mapping[int, str] = field(default_factory=dict[int, str])
    """By logical unit number."""
    confidential: str | None = None
    """``confidentialVMEncryptionType`` of the OS disk, for example ``EncryptedWithCmk``."""
    confidential_set: str | None = None
    """``secureVMDiskEncryptionSetId``: encrypts the OS disk of a confidential machine with its guest state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTraits:
    """What decides how a machine is made of the version in one ring."""

    os_type: str
    os_state: str
    architecture: str = "x64"
    generation: str | None = None
    """V1 or V2; None when it is not known, which is not compared."""
    security: str = ""
    """The definition's feature SecurityType; empty when it names none."""
    controllers: tuple[str, ...] = ("SCSI",)
    """Disk controllers that the image boots from (feature DiskControllerTypes)."""
    plan: PurchasePlan | None = None
    disallowed_disks: tuple[str, ...] = ()
    data_disks: int = 0
    data_disk_luns: tuple[int, ...] = ()
    keys: Mapping[str, DiskKeys] = field(default_factory=dict[str, DiskKeys])
    """By region."""

    @property
    def security_types(self) -> tuple[SecurityType, ...]:
        """The security types that a machine may have, the one to test first."""
        return _ALLOWED.get(self.security.casefold(), (SecurityType.STANDARD,))


def definition_traits(definition: DefinitionFacts) -> ImageTraits:
    """The traits that a definition decides."""
    listed = definition.feature("DiskControllerTypes") or "SCSI"
    return ImageTraits(
        os_type=definition.os_type,
        os_state=definition.os_state,
        architecture=definition.architecture or "x64",
        generation=definition.hyper_v_generation,
        security=definition.feature("SecurityType") or "",
        controllers=tuple(each.strip() for each in listed.split(",") if each.strip()),
        plan=definition.plan,
        disallowed_disks=definition.disallowed_disk_types,
    )


def traits_of(version: VersionFacts, definition: DefinitionFacts) -> ImageTraits:
    """The traits of a version under a definition: the source's, or the one that a ring copies to."""
    keys = {target.region: _keys(target.kept.get("encryption")) for target in version.targets}
    return replace(
        definition_traits(definition),
        data_disks=len(version.data_disks_gb),
        data_disk_luns=version.data_disk_luns,
        keys={region: found for region, found in keys.items() if found != DiskKeys()},
    )


def written(traits: ImageTraits) -> dict[str, str]:
    """The traits as a release keeps them."""
    trusted = traits.security_types[0] is SecurityType.TRUSTED_LAUNCH
    return {
        "osType": traits.os_type,
        "osState": traits.os_state,
        "architecture": traits.architecture,
        "generation": traits.generation or "",
        "securityType": traits.security,
        "diskControllers": " ".join(traits.controllers),
        "disallowedDisks": " ".join(traits.disallowed_disks),
        "dataDisks": str(traits.data_disks),
        "dataDiskLuns": " ".join(str(lun) for lun in traits.data_disk_luns),
        "trustedLaunch": "yes" if trusted else "no",  # what Ringmaster 0.1.0 reads
        "plan": str(traits.plan or ""),
        **{f"encryption {region}": _written_keys(found) for region, found in traits.keys.items()},
    }


def written_for_ring(ring: str, traits: ImageTraits, source: ImageTraits) -> dict[str, str]:
    """The traits of a ring as a release keeps them beside the source's: those that differ.

    A copy has no keys of the customer (validation refuses it), so that there is none of these.
    """
    usual = written(source)
    return {f"{ring}/{name}": value for name, value in written(traits).items() if usual.get(name) != value}


def read(kept: Mapping[str, str], ring: str | None) -> ImageTraits:
    """The traits for a ring, or for the smoke test (None). Raises KeyError where OS type or state are missing."""
    found = dict(kept)
    if ring is not None:
        prefix = f"{ring}/"
        found |= {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}
    trusted = SecurityType.TRUSTED_LAUNCH.value if found.get("trustedLaunch") == "yes" else ""
    return ImageTraits(
        os_type=found["osType"],
        os_state=found["osState"],
        architecture=found.get("architecture", "x64"),
        generation=found.get("generation") or None,
        security=found.get("securityType", trusted),
        controllers=tuple(found.get("diskControllers", "SCSI").split()),
        plan=PurchasePlan.read(found.get("plan", "")),
        disallowed_disks=tuple(found.get("disallowedDisks", "").split()),
        data_disks=int(found.get("dataDisks", "0")),
        data_disk_luns=tuple(int(lun) for lun in found.get("dataDiskLuns", "").split()),
        keys={
            name.removeprefix("encryption "): _read_keys(value)
            for name, value in found.items()
            if name.startswith("encryption ")
        },
    )


def _keys(encryption: object) -> DiskKeys:
    """The keys of a region, as the gallery says them (``TargetRegionEncryption``)."""
    os_disk = _get(encryption, "osDiskImage")
    security = _get(os_disk, "securityProfile")
    data_disks: dict[int, str] = {}
    for each in _list(encryption, "dataDiskImages"):
        lun, found = _get(each, "lun"), _text(each, "diskEncryptionSetId")
        if isinstance(lun, int) and found:
            data_disks[lun] = found
    return DiskKeys(
        _text(os_disk, "diskEncryptionSetId"),
        data_disks,
        _text(security, "confidentialVMEncryptionType"),
        _text(security, "secureVMDiskEncryptionSetId"),
    )


def _written_keys(keys: DiskKeys) -> str:
    given = {
        "os": keys.os_disk,
        "data": {str(lun): each for lun, each in keys.data_disks.items()},
        "confidential": keys.confidential,
        "confidentialSet": keys.confidential_set,
    }
    return json.dumps({name: value for name, value in given.items() if value}, separators=(",", ":"))


def _read_keys(text: str) -> DiskKeys:
    given = json.loads(text)
    data = {int(lun): str(each) for lun, each in given.get("data", {}).items()}
    return DiskKeys(given.get("os"), data, given.get("confidential"), given.get("confidentialSet"))


def _get(document: object, name: str) -> object:
    return cast("Mapping[str, object]", document).get(name) if isinstance(document, Mapping) else None


def _list(document: object, name: str) -> list[object]:
    found = _get(document, name)
    return cast("list[object]", found) if isinstance(found, list) else []


def _text(document: object, name: str) -> str | None:
    found = _get(document, name)
    return found if isinstance(found, str) and found else None
