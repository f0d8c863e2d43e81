"""What is asked of Compute for a boot test, and what its instance views say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.azure.machine_bodies import machine_body, probe_body
from shared.adapters.azure.machine_facts import read_machine, read_probe
from shared.domain.facts import PurchasePlan
from shared.domain.image import DefinitionId, GalleryId, VersionNumber
from shared.domain.image_traits import DiskKeys, SecurityType
from shared.ports import MachineSpec

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
VERSION = DefinitionId(GalleryId(SUBSCRIPTION, "images", "golden"), "ubuntu").version(VersionNumber(1, 0, 0))
SPEC = MachineSpec(
    "rm-0123456789ab",
    "westus2",
    VERSION,
    "Linux",
    "Generalized",
    "x64",
    "Standard_D2s_v5",
    str(VERSION),
    datetime(2026, 3, 1, tzinfo=UTC),
    data_disks=2,
)
SUBNET = "/subscriptions/s/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/v/subnets/machines"


def properties(spec: MachineSpec = SPEC) -> dict[str, Any]:
    return machine_body(spec, SUBNET)["properties"]


def test_everything_a_machine_is_made_of_goes_with_it():
    storage = properties()["storageProfile"]
    nic = properties()["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    assert storage["osDisk"]["deleteOption"] == "Delete"
    assert [disk["deleteOption"] for disk in storage["dataDisks"]] == ["Delete", "Delete"]
    assert nic["deleteOption"] == "Delete"


def test_data_disks_have_the_images_numbers_where_they_are_known():
    assert [disk["lun"] for disk in properties()["storageProfile"]["dataDisks"]] == [0, 1]
    known = properties(replace(SPEC, data_disk_luns=(3, 7)))
    assert [disk["lun"] for disk in known["storageProfile"]["dataDisks"]] == [3, 7]


def test_the_image_is_the_version_itself_and_not_latest():
    assert properties()["storageProfile"]["imageReference"] == {"id": str(VERSION)}


def test_machine_and_nic_carry_release_and_expiry():
    body = machine_body(SPEC, SUBNET)
    tags = {"ringmaster-release": str(VERSION), "ringmaster-expires": "2026-03-01T00:00:00+00:00"}
    assert body["tags"] == tags
    assert body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["tags"] == tags


def test_a_tag_is_never_longer_than_azure_allows():
    assert len(machine_body(replace(SPEC, release="x" * 400), SUBNET)["tags"]["ringmaster-release"]) <= 256


def test_a_machine_has_no_public_address():
    nic = properties()["networkProfile"]["networkInterfaceConfigurations"][0]["properties"]
    assert [list(each["properties"]) for each in nic["ipConfigurations"]] == [
        ["primary", "subnet", "privateIPAddressVersion"]
    ]
    assert nic["ipConfigurations"][0]["properties"]["subnet"] == {"id": SUBNET}


def test_a_generalized_linux_is_given_its_name_and_a_key_that_nobody_has():
    profile = properties()["osProfile"]
    assert profile["computerName"] == SPEC.name
    assert "adminPassword" not in profile
    linux = profile["linuxConfiguration"]
    assert linux["disablePasswordAuthentication"] is True
    assert linux["ssh"]["publicKeys"][0]["keyData"].startswith("ssh-ed25519 ")


def test_no_two_machines_know_the_same_key_or_password():
    windows = replace(SPEC, os_type="Windows")
    assert properties()["osProfile"]["linuxConfiguration"] != properties()["osProfile"]["linuxConfiguration"]
    assert properties(windows)["osProfile"]["adminPassword"] != properties(windows)["osProfile"]["adminPassword"]


def test_a_windows_password_has_what_azure_demands():
    password = properties(replace(SPEC, os_type="Windows"))["osProfile"]["adminPassword"]
    assert 12 <= len(password) <= 123
    assert any(c.islower() for c in password)
    assert any(c.isupper() for c in password)
    assert any(c.isdigit() for c in password)


def test_a_specialized_image_gets_no_os_profile():
    assert "osProfile" not in properties(replace(SPEC, os_state="Specialized"))


def test_boot_diagnostics_are_managed():
    assert properties()["diagnosticsProfile"] == {"bootDiagnostics": {"enabled": True}}


def test_trusted_launch_is_asked_for_only_where_the_image_wants_it():
    assert "securityProfile" not in properties()
    assert (
        properties(replace(SPEC, security=SecurityType.TRUSTED_LAUNCH))["securityProfile"]["securityType"]
        == "TrustedLaunch"
    )


UEFI = {"secureBootEnabled": True, "vTpmEnabled": True}
KEY, OTHER_KEY, SECURE_KEY = "/keys/os", "/keys/data", "/keys/confidential"


def confidential(encryption: str | None, confidential_set: str | None = None) -> dict[str, Any]:
    keys = DiskKeys(KEY, {}, encryption, confidential_set)
    given = properties(replace(SPEC, security=SecurityType.CONFIDENTIAL_VM, keys=keys))
    no_secure_boot = (encryption or "").lower() == "nonpersistedtpm"
    uefi = UEFI | {"secureBootEnabled": not no_secure_boot}
    assert given["securityProfile"] == {"securityType": "ConfidentialVM", "uefiSettings": uefi}
    disk = given["storageProfile"]["osDisk"]["managedDisk"]
    assert "diskEncryptionSet" not in disk
    return disk["securityProfile"]


@pytest.mark.parametrize(
    ("encryption", "expected"),
    [
        (None, {"securityEncryptionType": "VMGuestStateOnly"}),
        ("EncryptedVMGuestStateOnlyWithPmk", {"securityEncryptionType": "VMGuestStateOnly"}),
        ("EncryptedWithPmk", {"securityEncryptionType": "DiskWithVMGuestState"}),
        ("nonpersistedtpm", {"securityEncryptionType": "NonPersistedTPM"}),
        (
            "EncryptedWithCmk",
            {"securityEncryptionType": "DiskWithVMGuestState", "diskEncryptionSet": {"id": SECURE_KEY}},
        ),
    ],
)
def test_a_confidential_machines_disk_is_encrypted_as_its_version(encryption: str | None, expected: dict[str, Any]):
    assert confidential(encryption, SECURE_KEY) == expected


def test_a_set_of_a_confidential_disk_needs_the_encryption_that_takes_it():
    assert "diskEncryptionSet" not in confidential("EncryptedVMGuestStateOnlyWithPmk", SECURE_KEY)


def test_every_disk_has_its_disk_encryption_set():
    spec = replace(SPEC, keys=DiskKeys(KEY, {1: OTHER_KEY}), disk_type="StandardSSD_LRS")
    storage = properties(spec)["storageProfile"]
    assert storage["osDisk"]["managedDisk"] == {
        "storageAccountType": "StandardSSD_LRS",
        "diskEncryptionSet": {"id": KEY},
    }
    assert [disk["managedDisk"] for disk in storage["dataDisks"]] == [
        {"storageAccountType": "StandardSSD_LRS"},
        {"storageAccountType": "StandardSSD_LRS", "diskEncryptionSet": {"id": OTHER_KEY}},
    ]


def test_a_controller_is_named_only_where_it_is_not_the_usual_one():
    assert "diskControllerType" not in properties()["storageProfile"]
    assert properties(replace(SPEC, controller="NVMe"))["storageProfile"]["diskControllerType"] == "NVMe"


def test_a_zone_is_named_only_where_one_is_asked_for():
    assert "zones" not in machine_body(SPEC, SUBNET)
    assert machine_body(replace(SPEC, zone="2"), SUBNET)["zones"] == ["2"]


def test_the_policys_tags_stand_beside_our_own_on_everything():
    body = machine_body(replace(SPEC, tags={"costCenter": "7", "ringmaster-release": "no"}), SUBNET)
    assert (body["tags"]["costCenter"], body["tags"]["ringmaster-release"]) == ("7", str(VERSION))
    assert body["properties"]["networkProfile"]["networkInterfaceConfigurations"][0]["tags"] == body["tags"]
    assert probe_body("westus2", "echo", timedelta(0), {"costCenter": "7"})["tags"] == {"costCenter": "7"}
    assert "tags" not in probe_body("westus2", "echo", timedelta(0))


@pytest.mark.parametrize(
    ("within", "seconds"), [(timedelta(minutes=15), 900), (timedelta(0), 30), (timedelta(days=1), 5400)]
)
def test_a_probe_is_bounded_in_time(within, seconds):
    assert probe_body("westus2", "echo", within)["properties"]["timeoutInSeconds"] == seconds


# --- instance views ---------------------------------------------------------------------------------------------------


def machine(statuses: list[dict[str, str]], agent: dict[str, Any] | None = None):
    view: dict[str, Any] = {"statuses": statuses, **({"vmAgent": agent} if agent else {})}
    document = {
        "id": "/subscriptions/S/resourceGroups/T/providers/Microsoft.Compute/virtualMachines/rm-1",
        "properties": {
            "provisioningState": "Creating",
            "storageProfile": {
                "osDisk": {"managedDisk": {"id": "/x/DISKS/rm-1-os"}},
                "dataDisks": [{"managedDisk": {"id": "/x/disks/rm-1-data0"}}, {"lun": 1}],
            },
            "networkProfile": {"networkInterfaces": [{"id": "/x/nics/rm-1-nic"}]},
            "instanceView": view,
        },
    }
    return read_machine(document, "rm-1")


READY = {"code": "ProvisioningState/succeeded", "displayStatus": "Ready", "message": "Guest Agent is running"}


def test_a_machine_is_ready_when_all_three_say_so():
    facts = machine(
        [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}],
        {"vmAgentVersion": "2.11", "statuses": [READY]},
    )
    assert facts.ready
    assert facts.agent == "2.11 Ready: Guest Agent is running"


def test_an_agent_that_has_not_reported_yet_is_not_ready():
    # Recorded before the agent's first report (Azure/azure-xplat-cli#2848).
    waiting = {
        "code": "ProvisioningState/Unavailable",
        "displayStatus": "Not Ready",
        "message": "VM status blob is found but not yet populated.",
    }
    facts = machine([], {"vmAgentVersion": "Unknown", "statuses": [waiting]})
    assert not facts.agent_ready
    assert "not yet populated" in facts.agent


def test_an_agent_that_succeeded_but_is_not_ready_is_not_ready():
    assert not machine([], {"statuses": [{**READY, "displayStatus": "Not Ready"}]}).agent_ready


@pytest.mark.parametrize("code", ["ProvisioningState/creating/OSProvisioningComplete", "ProvisioningState/updating"])
def test_a_substate_is_not_success(code):
    assert not machine([{"code": code}]).os_provisioned


def test_a_failure_is_told_by_the_code_behind_it():
    failed = {"code": "ProvisioningState/failed/OSProvisioningTimedOut", "message": "did not finish"}
    facts = machine([failed])
    assert (facts.failure_code, facts.failure_message) == ("OSProvisioningTimedOut", "did not finish")


def test_a_failure_without_a_code_is_a_failure_still():
    assert machine([{"code": "ProvisioningState/failed"}]).failure_code == "ProvisioningFailed"


def test_the_parts_of_a_machine_are_named_once_and_in_lower_case():
    assert machine([]).parts == (
        "/subscriptions/s/resourcegroups/t/providers/microsoft.compute/virtualmachines/rm-1",
        "/x/disks/rm-1-os",
        "/x/disks/rm-1-data0",
        "/x/nics/rm-1-nic",
    )


def test_a_document_without_a_view_says_nothing():
    facts = read_machine({}, "rm-1")
    assert (facts.ready, facts.failure_code, facts.parts) == (False, None, ())


def test_a_run_command_that_ran_is_not_one_that_succeeded():
    # Recorded in test_run_command_v2: provisioning Succeeded, execution Failed with exit code 3.
    facts = read_probe(
        {
            "properties": {
                "provisioningState": "Succeeded",
                "instanceView": {"exitCode": 3, "executionState": "Failed", "executionMessage": "Execution failed: x"},
            }
        }
    )
    assert (facts.execution_state, facts.exit_code, facts.failure) == ("Failed", 3, "Execution failed: x")


def test_a_run_command_without_a_view_is_unknown():
    assert read_probe({"properties": {"provisioningState": "Succeeded"}}).execution_state == "Unknown"


def test_the_plan_of_the_definition_is_named_where_there_is_one():
    plan = PurchasePlan("canonical", "0001-com-ubuntu-pro", "pro-22_04")
    expected = {"publisher": "canonical", "product": "0001-com-ubuntu-pro", "name": "pro-22_04"}
    assert machine_body(replace(SPEC, plan=plan), SUBNET)["plan"] == expected
    assert "plan" not in machine_body(SPEC, SUBNET)
    assert PurchasePlan.read(str(plan)) == plan
