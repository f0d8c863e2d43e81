"""The operating system's part of a new machine: what `osProfile` must hold, and what ARM shows of it."""

from local.arm.kernel.errors import bad_parameter
from local.arm.kernel.store import Document
from local.arm.machines.image_reference import Image


def check_os_profile(given: Document, image: Image | None, name: str) -> Document | None:
    """The completed `osProfile`: required for a generalized image, refused for a specialized one or attached disk."""
    asked = given.get("osProfile")
    if image is None or not image.generalized:
        if asked is not None:
            raise bad_parameter("Parameter 'osProfile' is not allowed.", "osProfile")
        return None
    if not asked:
        raise bad_parameter("Required parameter 'osProfile' is missing (null).", "osProfile")
    if not asked.get("adminUsername"):
        raise bad_parameter(
            "Required parameter 'osProfile.adminUsername' is missing (null).", "osProfile.adminUsername"
        )
    shown = {"computerName": name} | {key: value for key, value in asked.items() if key not in _SECRET}
    windows = image.os_type.lower() == "windows"
    if len(shown["computerName"]) > (15 if windows else 64):
        raise bad_parameter(
            f"{'Windows' if windows else 'Linux'} computer name cannot be more than {15 if windows else 64} characters "
            "long, be entirely numeric, or contain the following characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } "
            "\\ | ; : . ' \" , < > / ?.",
            "osProfile.computerName",
        )
    return shown | _os_configuration(asked, windows=windows)


_SECRET = ("adminPassword", "customData", "linuxConfiguration", "windowsConfiguration")


def _os_configuration(asked: Document, *, windows: bool) -> Document:
    common = {
        "secrets": asked.get("secrets", []),
        "allowExtensionOperations": True,
        "requireGuestProvisionSignal": True,
    }
    if windows:
        if not asked.get("adminPassword"):
            raise bad_parameter("Required parameter 'adminPassword' is missing (null).", "adminPassword")
        given = asked.get("windowsConfiguration") or {}
        settings = {"provisionVMAgent": True, "enableAutomaticUpdates": True} | given
        patches = {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"}
        settings["patchSettings"] = patches | (given.get("patchSettings") or {})
        settings.setdefault("enableVMAgentPlatformUpdates", False)
        return {"windowsConfiguration": settings} | common
    linux = asked.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys")
    if not asked.get("adminPassword") and not keys:
        raise bad_parameter(
            "Authentication using either SSH or by user name and password must be enabled in Linux profile.",
            "linuxConfiguration",
        )
    settings = {
        "disablePasswordAuthentication": bool(linux.get("disablePasswordAuthentication", False)),
        **({"ssh": linux["ssh"]} if keys else {}),
        "provisionVMAgent": linux.get("provisionVMAgent", True),
        "patchSettings": {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"}
        | (linux.get("patchSettings") or {}),
        "enableVMAgentPlatformUpdates": False,
    }
    return {"linuxConfiguration": settings} | common
