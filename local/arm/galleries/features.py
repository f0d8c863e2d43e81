"""The features of an image definition: what machines may be made of its versions.

Source: "Store and share images in an Azure Compute Gallery" on Microsoft Learn, section "Image definitions", and
"Trusted Launch FAQ" for `DiskControllerTypes`.
"""

from typing import Any

from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import bad_parameter
from local.arm.kernel.store import Resource

STANDARD, TRUSTED, CONFIDENTIAL = "Standard", "TrustedLaunch", "ConfidentialVM"
ANY_SECURITY = "TrustedLaunchAndConfidentialVmSupported"
ALLOWS: dict[str, tuple[str, ...]] = {
    STANDARD: (STANDARD,),
    TRUSTED: (TRUSTED,),
    "TrustedLaunchSupported": (STANDARD, TRUSTED),
    CONFIDENTIAL: (CONFIDENTIAL,),
    "ConfidentialVMSupported": (STANDARD, CONFIDENTIAL),
    ANY_SECURITY: (STANDARD, TRUSTED, CONFIDENTIAL),
}
"""The security types of the machines that may be made, by the definition's SecurityType."""


def feature(definition: Resource, name: str) -> str | None:
    """The value of a definition's feature, or None."""
    found = (one for one in definition.properties.get("features") or () if one.get("name", "").lower() == name.lower())
    return next((one.get("value") for one in found), None)


def security_of(definition: Resource) -> str:
    """A definition's SecurityType; `Standard` where it names none."""
    return spelled(feature(definition, "SecurityType") or STANDARD, *ALLOWS)


def controllers_of(definition: Resource) -> tuple[str, ...]:
    """The disk controllers that its images boot from: SCSI, unless `DiskControllerTypes` says more."""
    listed = feature(definition, "DiskControllerTypes") or "SCSI"
    return tuple(spelled(one.strip(), "SCSI", "NVMe") for one in listed.split(","))


def check_features(properties: dict[str, Any]) -> None:
    """Refuse a SecurityType that there is not (azure-cli#24142), or one that needs UEFI on generation 1.

    Azure's spelling is put in the place of the one given.
    """
    for one in properties.get("features") or []:
        if str(one.get("name")).lower() != "securitytype":
            continue
        one["value"] = spelled(one.get("value"), *ALLOWS)
        if one["value"] not in ALLOWS:
            raise bad_parameter(
                f"The value '{one['value']}' for feature 'SecurityType' is invalid. Allowed values are: "
                f"{', '.join(ALLOWS)}.",
                "galleryImage.properties.features",
            )
        if one["value"] != STANDARD and properties.get("hyperVGeneration") == "V1":
            raise bad_parameter(
                f"The value '{one['value']}' for feature 'SecurityType' is only supported for Hyper-V generation 'V2'.",
                "galleryImage.properties.features",
            )
