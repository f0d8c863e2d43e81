"""Which machines may be made of which image, and on which size."""

from typing import Any

import pytest

from local.arm.machines.sizes import size_named
from tests.unit.local.arm.arm_driver import COMPUTE, VERSION, Arm
from tests.unit.local.arm.machine_driver import (
    MACHINE,
    SCALE_SET,
    ended,
    image,
    machine,
    scale_set,
    security,
    with_network,
)

API = "2024-07-01"
UEFI = {"secureBootEnabled": True, "vTpmEnabled": True}
TRUSTED = {"securityProfile": {"securityType": "TrustedLaunch", "uefiSettings": UEFI}}
ENCRYPTED = {"managedDisk": {"securityProfile": {"securityEncryptionType": "VMGuestStateOnly"}}}
CONFIDENTIAL = {
    "securityProfile": {"securityType": "ConfidentialVM", "uefiSettings": UEFI},
    "disk": ENCRYPTED,
    "size": "Standard_DC2as_v5",
}
STANDARD: dict[str, Any] = {}
KINDS = {"Standard": STANDARD, "TrustedLaunch": TRUSTED, "ConfidentialVM": CONFIDENTIAL}
ONLY = "The provided gallery image only supports creation of VMs and VM Scale Sets with '{}' security type."
NO_TRUST = "Use of TrustedLaunch setting is not supported for the provided image."
NO_CONFIDENCE = "SecurityType 'ConfidentialVM' is not supported by given image."


@pytest.mark.parametrize(
    ("feature", "standard", "trusted", "confidential"),
    [
        (None, "", NO_TRUST, NO_CONFIDENCE),
        ("Standard", "", NO_TRUST, NO_CONFIDENCE),
        ("TrustedLaunchSupported", "", "", NO_CONFIDENCE),
        ("TrustedLaunch", ONLY.format("TrustedLaunch"), "", ONLY.format("TrustedLaunch")),
        ("ConfidentialVMSupported", "", NO_TRUST, ""),
        ("ConfidentialVM", ONLY.format("ConfidentialVM"), ONLY.format("ConfidentialVM"), ""),
        ("TrustedLaunchAndConfidentialVmSupported", "", "", ""),
    ],
)
def test_the_definition_says_which_machines_there_may_be(
    arm: Arm, feature: str | None, standard: str, trusted: str, confidential: str
) -> None:
    image(with_network(arm), **({"features": security(feature)} if feature else {}))
    for number, (text, kind) in enumerate(zip((standard, trusted, confidential), KINDS, strict=True)):
        reply = arm.call("PUT", f"{MACHINE}{number}", machine(**KINDS[kind]), api=API)
        assert reply.status == (400 if text else 201), reply.body
        if text:
            assert reply.body["error"]["message"].startswith(text)


def test_scale_sets_follow_the_same_rule(arm: Arm) -> None:
    image(with_network(arm), features=security("TrustedLaunch"))
    error = arm.error("PUT", SCALE_SET, scale_set(), api=API)
    assert (error["status"], error["code"], error["message"]) == (400, "BadRequest", ONLY.format("TrustedLaunch"))
    assert arm.call("PUT", SCALE_SET, scale_set(**TRUSTED), api=API).status == 201


def test_a_confidential_machine_says_how_its_disk_is_encrypted(arm: Arm) -> None:
    image(with_network(arm), features=security("ConfidentialVM"))
    error = arm.error("PUT", MACHINE, machine(**(CONFIDENTIAL | {"disk": {}})), api=API)
    assert error["message"] == (
        "Required parameter for Confidential VMs 'managedDisk.securityProfile.securityEncryptionType' is missing "
        "(null)."
    )
    without = CONFIDENTIAL | {"securityProfile": {"securityType": "ConfidentialVM"}}
    assert "vTpmEnabled" in arm.error("PUT", MACHINE, machine(**without), api=API)["message"]
    ended(arm, arm.call("PUT", MACHINE, machine(**CONFIDENTIAL), api=API))
    disk = arm.document(MACHINE, api=API)["properties"]["storageProfile"]["osDisk"]["managedDisk"]
    assert disk["securityProfile"] == {"securityEncryptionType": "VMGuestStateOnly"}


@pytest.mark.parametrize(
    ("size", "kind"),
    [("Standard_M64", TRUSTED), ("Standard_D2s_v5", CONFIDENTIAL), ("Standard_DC2as_v5", TRUSTED)],
)
def test_a_size_has_its_security_types(arm: Arm, size: str, kind: dict[str, Any]) -> None:
    image(with_network(arm), features=security("TrustedLaunchAndConfidentialVmSupported"))
    error = arm.error("PUT", MACHINE, machine(**(kind | {"size": size})), api=API)
    assert error["message"].startswith(
        f"The VM size '{size}' is not supported for creation of VMs and Virtual Machine Scale Set with "
    )


def test_a_standard_machine_has_no_uefi_settings(arm: Arm) -> None:
    image(with_network(arm))
    error = arm.error("PUT", MACHINE, machine(securityProfile={"uefiSettings": UEFI}), api=API)
    assert error["target"] == "securityProfile.uefiSettings"


def test_new_api_versions_say_standard_where_nothing_was_said(arm: Arm) -> None:
    image(with_network(arm))
    ended(arm, arm.call("PUT", MACHINE, machine(), api=API))
    assert "securityProfile" not in arm.document(MACHINE, api="2025-04-01")["properties"]
    assert arm.document(MACHINE, api="2025-11-01")["properties"]["securityProfile"] == {"securityType": "Standard"}


def test_a_trusted_machine_cannot_become_a_managed_image(arm: Arm) -> None:
    image(with_network(arm), features=security("TrustedLaunchSupported"))
    ended(arm, arm.call("PUT", MACHINE, machine(**TRUSTED), api=API))
    arm.call("POST", f"{MACHINE}/deallocate", api=API)
    arm.advance(600)
    arm.call("POST", f"{MACHINE}/generalize", api=API)
    body = {"location": "westeurope", "properties": {"sourceVirtualMachine": {"id": MACHINE}}}
    error = arm.error("PUT", f"{COMPUTE}/images/captured", body, api=API)
    assert (error["status"], error["code"]) == (409, "OperationNotAllowed")
    assert "not supported for virtual machine with TrustedLaunch security type" in error["message"]


def confidential(encryption: str, size: str = "Standard_DC2as_v5", *, secure_boot: bool = True, **more: Any) -> Any:
    """The body of a confidential machine whose OS disk is encrypted like this."""
    uefi = {"secureBootEnabled": secure_boot, "vTpmEnabled": True}
    disk = {"managedDisk": {"securityProfile": {"securityEncryptionType": encryption, **more}}}
    return machine(securityProfile={"securityType": "ConfidentialVM", "uefiSettings": uefi}, disk=disk, size=size)


KEY = {"id": f"{COMPUTE}/diskEncryptionSets/des"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (confidential("VMGuestStateOnly"), ""),
        (confidential("DiskWithVMGuestState", diskEncryptionSet=KEY), ""),
        (confidential("NonPersistedTPM", "Standard_DC2es_v5", secure_boot=False), ""),
        (confidential("VMGuestStateOnly", diskEncryptionSet=KEY), "only with security encryption type 'DiskWithVMGu"),
        (confidential("NonPersistedTPM", secure_boot=False), "does not support security encryption type 'NonPersist"),
        (confidential("NonPersistedTPM", "Standard_EC2es_v5"), "secureBootEnabled' must be false"),
    ],
)
def test_an_encryption_of_a_confidential_disk_has_its_needs(arm: Arm, body: dict[str, Any], text: str) -> None:
    image(with_network(arm), features=security("ConfidentialVM"))
    reply = arm.call("PUT", MACHINE, body, api=API)
    assert reply.status == (400 if text else 201), reply.body
    assert not text or text in reply.body["error"]["message"]


def test_only_a_confidential_machine_has_a_security_profile_of_its_disk(arm: Arm) -> None:
    image(with_network(arm), features=security("TrustedLaunchSupported"))
    disk = {"managedDisk": {"securityProfile": {"diskEncryptionSet": KEY}}}
    for kind in (STANDARD, TRUSTED):
        error = arm.error("PUT", MACHINE, machine(disk=disk, **kind), api=API)
        assert "is allowed for Confidential VMs only" in error["message"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (f"{COMPUTE}/disks/des", "is not a valid resource reference"),
        (
            "/subscriptions/99999999-9999-4999-8999-999999999999/resourceGroups/k/providers/Microsoft.Compute"
            "/diskEncryptionSets/des",
            "must be in the same subscription",
        ),
    ],
)
def test_a_disk_encryption_set_is_one_of_the_machines_subscription(arm: Arm, key: str, text: str) -> None:
    image(with_network(arm))
    for place in ({"disk": {"managedDisk": {"diskEncryptionSet": {"id": key}}}}, data_disk(key)):
        error = arm.error("PUT", MACHINE, machine(**place), api=API)
        assert (error["status"], error["code"]) == (400, "InvalidParameter")
        assert text in error["message"]
    body = machine(disk={"managedDisk": {"diskEncryptionSet": KEY}})
    ended(arm, arm.call("PUT", MACHINE, body, api=API))
    disk = arm.document(MACHINE, api=API)["properties"]["storageProfile"]["osDisk"]["managedDisk"]
    assert disk["diskEncryptionSet"] == KEY


def data_disk(key: str) -> dict[str, Any]:
    disk = {"lun": 0, "createOption": "Empty", "diskSizeGB": 4, "managedDisk": {"diskEncryptionSet": {"id": key}}}
    return {"storage": {"dataDisks": [disk]}}


def test_a_zone_is_one_of_the_region(arm: Arm) -> None:
    image(with_network(arm))
    error = arm.error("PUT", MACHINE, machine() | {"zones": ["4"]}, api=API)
    assert (error["status"], error["code"], error["message"]) == (
        400,
        "InvalidAvailabilityZone",
        "The zone(s) '4' for resource 'Microsoft.Compute/virtualMachines/probe' is not supported. The supported zones "
        "for location 'westeurope' are '1,2,3'",
    )
    assert arm.call("PUT", MACHINE, machine() | {"zones": ["2"]}, api=API).status == 201


NVME = [{"name": "DiskControllerTypes", "value": "SCSI, NVMe"}]


@pytest.mark.parametrize(
    ("features", "size", "asked", "found"),
    [
        ([], "Standard_D2s_v5", None, "SCSI"),
        (NVME, "Standard_D2s_v6", None, "NVMe"),
        (NVME, "Standard_E2bs_v5", None, "SCSI"),
        (NVME, "Standard_E2bs_v5", "nvme", "NVMe"),
        ([], "Standard_D2ps_v6", None, "SCSI"),
    ],
)
def test_the_controller_follows_from_image_and_size(
    arm: Arm, features: list[dict[str, str]], size: str, asked: str | None, found: str
) -> None:
    image(with_network(arm), features=features, architecture=size_named(size).architecture)
    storage = {"diskControllerType": asked} if asked else {}
    body = machine(size=size, storage=storage)
    assert arm.call("PUT", MACHINE, body, api=API).status == 201
    assert arm.document(MACHINE, api=API)["properties"]["storageProfile"]["diskControllerType"] == found


@pytest.mark.parametrize(
    ("features", "size", "asked", "target", "text"),
    [
        ([], "Standard_D2s_v6", None, "vmSize", "cannot boot with OS image or disk. Please check that disk controller"),
        ([], "Standard_E2bs_v5", "NVMe", "vmSize", "cannot boot with OS image or disk."),
        (NVME, "Standard_D2s_v5", "NVMe", "storageProfile.diskControllerType", "DiskControllerType 'NVMe'."),
        (NVME, "Standard_D2s_v6", "SCSI", "storageProfile.diskControllerType", "DiskControllerType 'SCSI'."),
    ],
)
def test_a_controller_that_image_or_size_lack_is_refused(
    arm: Arm, features: list[dict[str, str]], size: str, asked: str | None, target: str, text: str
) -> None:
    image(with_network(arm), features=features)
    body = machine(size=size, storage={"diskControllerType": asked} if asked else {})
    for path, given in (
        (MACHINE, body),
        (SCALE_SET, scale_set(size=size, storageProfile=body["properties"]["storageProfile"])),
    ):
        error = arm.error("PUT", path, given, api=API)
        assert (error["status"], error["code"], error["target"]) == (400, "InvalidParameter", target)
        assert text in error["message"]


@pytest.mark.parametrize(
    ("architecture", "size", "text"),
    [
        ("Arm64", "Standard_D2s_v5", "only supports a CPU Architecture of 'x64', but an image or disk with CPU"),
        ("x64", "Standard_D2ps_v5", "only supports a CPU Architecture of 'Arm64', but an image or disk with CPU"),
    ],
)
def test_an_image_of_another_architecture_is_refused(arm: Arm, architecture: str, size: str, text: str) -> None:
    image(with_network(arm), architecture=architecture)
    for path, body in ((MACHINE, machine(size=size)), (SCALE_SET, scale_set(size=size))):
        error = arm.error("PUT", path, body, api=API)
        assert (error["status"], error["code"]) == (400, "BadRequest")
        assert text in error["message"]


def test_an_image_of_another_generation_is_refused(arm: Arm) -> None:
    image(with_network(arm), hyperVGeneration="V1")
    error = arm.error("PUT", MACHINE, machine(size="Standard_B2s_v2"), api=API)
    assert "cannot boot Hypervisor Generation '1'" in error["message"]


def test_a_disk_needs_a_replica_where_it_is_made(arm: Arm) -> None:
    image(with_network(arm))
    creation = {"createOption": "FromImage", "galleryImageReference": {"id": VERSION}}
    body = {"location": "northeurope", "properties": {"creationData": creation}}
    error = arm.error("PUT", f"{COMPUTE}/disks/copy", body, api="2024-03-02")
    assert (error["status"], error["code"]) == (404, "GalleryImageNotFound")
    assert arm.call("PUT", f"{COMPUTE}/disks/copy", body | {"location": "westeurope"}, api="2024-03-02").status == 202
