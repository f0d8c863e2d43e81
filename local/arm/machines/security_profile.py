"""Security types: what a machine's `securityProfile` may say, given its image and its size.

Sources: "Trusted Launch for Azure virtual machines" and "Store and share images in an Azure Compute Gallery" on
Microsoft Learn (which image allows which machine); the refusals are quoted in kubermatic/machine-controller#2013,
azure-cli#27975, azure-cli#28005, azure-cli#22200 and avdaccelerator#609. What `NonPersistedTPM` needs is told in
azure-cli#27479 (a TDX size) and microsoft/lisa#3087 (no secure boot); which encryption has a disk encryption set, in
the description of `VMDiskSecurityProfile` and by the Azure CLI.
"""

from local.arm.galleries.features import ALLOWS, CONFIDENTIAL, STANDARD, TRUSTED
from local.arm.kernel.conventions import spelled
from local.arm.kernel.errors import ArmError, bad_parameter
from local.arm.kernel.store import Document
from local.arm.machines.image_reference import Image
from local.arm.machines.sizes import Size, parsed

STANDARD_SHOWN_SINCE = "2025-11-01"
"""Since this api-version a machine without a security type says `Standard` (ComputeRP: description of it)."""
_FAQ = "For more information, see https://aka.ms/TrustedLaunch-FAQ."
_ENCRYPTIONS = ("VMGuestStateOnly", "DiskWithVMGuestState", "NonPersistedTPM")


def check_security(given: Document, image: Image | None, size: Size) -> None:
    """Refuse a security type that image or size do not allow, or that lacks what it needs.

    `given` are the properties of a machine or of a scale set's model; Azure's spelling is put in the place of the one
    given.
    """
    profile = given.get("securityProfile") or {}
    if "securityType" in profile:
        profile["securityType"] = spelled(profile["securityType"], STANDARD, TRUSTED, CONFIDENTIAL)
    kind = profile.get("securityType") or STANDARD
    if kind not in (STANDARD, TRUSTED, CONFIDENTIAL):
        raise bad_parameter(
            f"The value '{kind}' of parameter 'securityType' is invalid.", "securityProfile.securityType"
        )
    if image is not None:
        _check_image(kind, spelled(image.security or STANDARD, *ALLOWS))
    if kind not in size.security:
        raise _refused(
            f"The VM size '{size.name}' is not supported for creation of VMs and Virtual Machine Scale Set with "
            f"'{kind}' "
            f"security type. {_FAQ}"
        )
    if kind == STANDARD and any((profile.get("uefiSettings") or {}).values()):
        raise bad_parameter("Parameter 'securityProfile.uefiSettings' is not allowed.", "securityProfile.uefiSettings")
    _check_disk(kind, profile, (given.get("storageProfile") or {}).get("osDisk") or {}, is_new=image is not None)
    if kind == CONFIDENTIAL:
        _check_encryption(given, profile, size)


def _check_image(kind: str, feature: str) -> None:
    allowed = ALLOWS.get(feature, (STANDARD,))
    if kind in allowed:
        return
    if STANDARD not in allowed:
        raise _refused(
            f"The provided gallery image only supports creation of VMs and VM Scale Sets with '{allowed[0]}' security "
            "type."
        )
    if kind == TRUSTED:
        raise _refused(
            "Use of TrustedLaunch setting is not supported for the provided image. Please select Trusted Launch "
            f"Supported Gen2 OS Image. {_FAQ}"
        )
    raise bad_parameter(f"SecurityType '{kind}' is not supported by given image.", "securityProfile.securityType")


def _check_disk(kind: str, profile: Document, os_disk: Document, *, is_new: bool) -> None:
    """A confidential machine says how its OS disk is encrypted, and has a virtual TPM; others say nothing of it.

    A disk that is attached says it itself (recorded: `test_enable_trusted_launch_on_v2.yaml`).
    """
    disk = (os_disk.get("managedDisk") or {}).get("securityProfile") or {}
    encryption = spelled(disk.get("securityEncryptionType"), *_ENCRYPTIONS)
    if kind != CONFIDENTIAL:
        if disk:
            raise bad_parameter(
                "Parameter 'managedDisk.securityProfile.securityEncryptionType' is allowed for Confidential VMs only.",
                "osDisk.managedDisk.securityProfile.securityEncryptionType",
            )
        return
    if encryption is None and not is_new:
        return
    if encryption is None:
        raise _refused(
            "Required parameter for Confidential VMs 'managedDisk.securityProfile.securityEncryptionType' is missing "
            "(null)."
        )
    if encryption not in _ENCRYPTIONS:
        raise bad_parameter(
            f"The value '{encryption}' of parameter 'securityEncryptionType' is invalid.",
            "osDisk.managedDisk.securityProfile.securityEncryptionType",
        )
    settings = profile.get("uefiSettings") or {}
    needed = {"vTpmEnabled"} | ({"secureBootEnabled"} if encryption == "DiskWithVMGuestState" else set())
    missing = sorted(name for name in needed if not settings.get(name))
    if missing:
        raise _refused(
            f"'securityProfile.uefiSettings.{missing[0]}' must be true for a Confidential VM with security encryption "
            f"type '{encryption}'."
        )


def _check_encryption(given: Document, profile: Document, size: Size) -> None:
    """What an encryption of a confidential machine's OS disk needs besides its virtual TPM."""
    disk = ((given.get("storageProfile") or {}).get("osDisk") or {}).get("managedDisk") or {}
    security = disk.get("securityProfile") or {}
    encryption = spelled(security.get("securityEncryptionType"), *_ENCRYPTIONS)
    if security.get("diskEncryptionSet") and encryption != "DiskWithVMGuestState":
        raise bad_parameter(
            "Parameter 'managedDisk.securityProfile.diskEncryptionSet' is allowed only with security encryption type "
            "'DiskWithVMGuestState'.",
            "osDisk.managedDisk.securityProfile.diskEncryptionSet",
        )
    if encryption != "NonPersistedTPM":
        return
    if parsed(size.name).computing != "TDX":
        raise _refused(f"The VM size '{size.name}' does not support security encryption type 'NonPersistedTPM'.")
    if (profile.get("uefiSettings") or {}).get("secureBootEnabled"):
        raise _refused(
            "'securityProfile.uefiSettings.secureBootEnabled' must be false for a Confidential VM with security "
            "encryption type 'NonPersistedTPM'."
        )


def _refused(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)


def shown_security(properties: Document, api_version: str) -> Document:
    """A machine's properties as one api-version shows them."""
    profile = properties.get("securityProfile") or {}
    if api_version < STANDARD_SHOWN_SINCE or profile.get("securityType"):
        return properties
    return properties | {"securityProfile": profile | {"securityType": STANDARD}}
