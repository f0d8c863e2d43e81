"""What a release keeps of its image, for every ring."""

from __future__ import annotations

from dataclasses import replace

from shared.domain.facts import DefinitionFacts, ProvisioningState, PurchasePlan, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionNumber
from shared.domain.image_traits import DiskKeys, SecurityType, read, traits_of, written, written_for_ring
from tests.unit.domain.version_facts import DEFINITION as SOURCE

OK = ProvisioningState.SUCCEEDED
SET = "/subscriptions/s/resourceGroups/keys/providers/Microsoft.Compute/diskEncryptionSets/des"
PLAN = PurchasePlan("canonical", "ubuntu", "pro")
DEFINITION = DefinitionFacts(
    SOURCE,
    OK,
    "westeurope",
    "Linux",
    "Generalized",
    "V2",
    "Arm64",
    {"securitytype": "TrustedLaunchSupported", "DiskControllerTypes": "SCSI, NVMe"},
    PLAN,
    disallowed_disk_types=("Standard_LRS",),
)
ENCRYPTION = {
    "osDiskImage": {
        "diskEncryptionSetId": SET,
        "securityProfile": {"confidentialVMEncryptionType": "EncryptedWithCmk", "secureVMDiskEncryptionSetId": "/cvm"},
    },
    "dataDiskImages": [{"lun": 3, "diskEncryptionSetId": "/data"}, {"lun": "x"}, 7],
}
VERSION = VersionFacts(
    SOURCE.version(VersionNumber(1, 0, 0)),
    OK,
    "westeurope",
    targets=(RegionTargetFacts("westeurope", kept={"encryption": ENCRYPTION}), RegionTargetFacts("eastus")),
    data_disks_gb=(4, 8),
    data_disk_luns=(3, 7),
)


def test_what_is_kept_is_read_as_it_was() -> None:
    traits = traits_of(VERSION, DEFINITION)
    assert read({**written(traits), "location": "westeurope"}, None) == traits
    assert traits.keys == {"westeurope": DiskKeys(SET, {3: "/data"}, "EncryptedWithCmk", "/cvm")}
    assert traits.security_types == (SecurityType.TRUSTED_LAUNCH, SecurityType.STANDARD)


def test_a_ring_has_its_own_definitions_traits() -> None:
    other = replace(DEFINITION, features={"SecurityType": "ConfidentialVM"}, plan=None, disallowed_disk_types=())
    source, ring = traits_of(VERSION, DEFINITION), traits_of(VERSION, other)
    kept = written(source) | written_for_ring("prod", ring, source)
    assert read(kept, None) == read(kept, "canary") == source
    assert read(kept, "prod") == ring


def test_a_ring_without_a_difference_keeps_nothing() -> None:
    traits = traits_of(VERSION, DEFINITION)
    assert written_for_ring("prod", traits, traits) == {}


def test_a_row_of_the_version_before_is_read() -> None:
    kept = {
        "osType": "Windows",
        "osState": "Specialized",
        "architecture": "x64",
        "location": "westeurope",
        "dataDisks": "2",
        "dataDiskLuns": "0 1",
        "trustedLaunch": "yes",
        "plan": str(PLAN),
    }
    traits = read(kept, "prod")
    assert (traits.os_type, traits.os_state, traits.generation) == ("Windows", "Specialized", None)
    assert (traits.security_types, traits.controllers) == ((SecurityType.TRUSTED_LAUNCH,), ("SCSI",))
    assert (traits.data_disks, traits.data_disk_luns, traits.plan, dict(traits.keys)) == (2, (0, 1), PLAN, {})
    assert read({**kept, "trustedLaunch": "no"}, None).security_types == (SecurityType.STANDARD,)


def test_the_version_before_reads_what_is_kept() -> None:
    kept = written(traits_of(VERSION, DEFINITION))
    assert (kept["trustedLaunch"], kept["dataDisks"], kept["dataDiskLuns"], kept["plan"]) == (
        "yes",
        "2",
        "3 7",
        "canonical/ubuntu/pro",
    )
