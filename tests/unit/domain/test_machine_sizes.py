"""Which sizes boot which image, and as what the test machine is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.boot_test.machine_sizes import (
    Placement,
    SizeFacts,
    controller,
    disk_type,
    obstacles,
    placements,
    security_type,
)
from shared.domain.image_traits import DiskKeys, ImageTraits, SecurityType

IMAGE = ImageTraits(os_type="Linux", os_state="Generalized", generation="V2")
D2 = SizeFacts(name="Standard_D2s_v5", max_data_disks=4)
D2_V6 = SizeFacts(name="Standard_D2s_v6", generations=("V2",), controllers=("NVMe",))
ARM = SizeFacts(name="Standard_D2ps_v6", architecture="Arm64", generations=("V2",), controllers=("SCSI", "NVMe"))
DC2 = SizeFacts(name="Standard_DC2as_v5", generations=("V2",), trusted_launch=False, confidential="SNP")
BOTH = ("SCSI", "NVMe")
STATELESS = {"westeurope": DiskKeys(confidential="NonPersistedTPM")}


@pytest.mark.parametrize(
    ("image", "size", "word"),
    [
        ({}, ARM, "it is Arm64, but the image is x64"),
        ({"architecture": "Arm64"}, D2, "use an Arm64 size"),
        ({"generation": "V1"}, D2_V6, "it boots generation V2, but the image is V1"),
        ({"security": "TrustedLaunch"}, DC2, "security type TrustedLaunch"),
        ({"security": "ConfidentialVM"}, D2, "DCasv5 or ECasv5"),
        ({"security": "ConfidentialVM", "keys": STATELESS}, DC2, "use a size with TDX"),
        ({}, D2_V6, "its disk controller is NVMe, but the image boots from SCSI"),
        ({"controllers": ("NVMe",)}, D2, "its disk controller is SCSI, but the image boots from NVMe"),
        ({"data_disks": 5}, D2, "it supports 4 data disks, but the image has 5"),
        ({"disallowed_disks": ("Standard_LRS", "StandardSSD_LRS", "premium_lrs")}, D2, "disallows every disk type"),
        (
            {"disallowed_disks": ("Standard_LRS", "StandardSSD_LRS")},
            replace(D2, premium=False),
            "disallows every disk type",
        ),
    ],
    ids=str,
)
def test_a_size_that_cannot_boot_the_image_says_why(image: dict[str, Any], size: SizeFacts, word: str) -> None:
    (found,) = obstacles(size, replace(IMAGE, **image))
    assert word in found


@pytest.mark.parametrize(
    ("image", "size"),
    [
        ({}, D2),
        ({"generation": None}, D2),
        ({"generation": "V1"}, D2),
        ({"security": "TrustedLaunchSupported"}, DC2),
        ({"security": "ConfidentialVMSupported"}, D2),
        ({"security": "ConfidentialVM"}, DC2),
        ({"security": "ConfidentialVM", "keys": STATELESS}, replace(DC2, confidential="TDX")),
        ({"controllers": BOTH}, D2_V6),
        ({"architecture": "arm64"}, ARM),
    ],
    ids=str,
)
def test_a_size_that_can_has_no_obstacle(image: dict[str, Any], size: SizeFacts) -> None:
    assert list(obstacles(size, replace(IMAGE, **image))) == []


@pytest.mark.parametrize(
    ("security", "size", "expected"),
    [
        ("", D2, SecurityType.STANDARD),
        ("Standard", D2, SecurityType.STANDARD),
        ("TrustedLaunch", D2, SecurityType.TRUSTED_LAUNCH),
        ("TrustedLaunchSupported", D2, SecurityType.TRUSTED_LAUNCH),
        ("TrustedLaunchSupported", None, SecurityType.TRUSTED_LAUNCH),
        ("TrustedLaunchSupported", replace(D2, trusted_launch=False), SecurityType.STANDARD),
        ("ConfidentialVM", DC2, SecurityType.CONFIDENTIAL_VM),
        ("ConfidentialVM", None, SecurityType.CONFIDENTIAL_VM),
        ("ConfidentialVMSupported", D2, SecurityType.STANDARD),
        ("ConfidentialVMSupported", DC2, SecurityType.CONFIDENTIAL_VM),
        ("TrustedLaunchAndConfidentialVmSupported", D2, SecurityType.TRUSTED_LAUNCH),
        ("TrustedLaunchAndConfidentialVmSupported", DC2, SecurityType.CONFIDENTIAL_VM),
    ],
)
def test_the_machine_has_the_first_security_type_of_image_and_size(
    security: str, size: SizeFacts | None, expected: SecurityType
) -> None:
    assert security_type(replace(IMAGE, security=security), size) is expected


@pytest.mark.parametrize(
    ("controllers", "size", "generation", "expected"),
    [
        (("SCSI",), D2, "V2", None),
        (BOTH, D2, "V2", None),
        (BOTH, None, "V2", None),
        (BOTH, D2_V6, "V2", "NVMe"),
        (BOTH, ARM, "V2", None),
        (("NVMe",), ARM, "V2", "NVMe"),
        (("NVMe",), None, "V2", "NVMe"),
        (("NVMe",), None, "V1", None),
    ],
)
def test_the_controller_is_named_only_where_it_is_not_scsi(
    controllers: tuple[str, ...], size: SizeFacts | None, generation: str, expected: str | None
) -> None:
    assert controller(replace(IMAGE, controllers=controllers, generation=generation), size) == expected


def test_the_disk_is_the_cheapest_that_the_definition_allows() -> None:
    assert disk_type(IMAGE, D2) == "Standard_LRS"
    assert disk_type(replace(IMAGE, disallowed_disks=("standard_lrs",)), D2) == "StandardSSD_LRS"


SIZES = {each.name.lower(): each for each in (replace(D2, zones=("1", "3")), ARM, DC2)}


class TestPlacements:
    def test_each_size_comes_before_the_zones(self) -> None:
        names = ("Standard_D2s_v5", "Standard_DC2as_v5")
        assert [str(each) for each in placements(names, SIZES, IMAGE)] == [
            "Standard_D2s_v5",
            "Standard_DC2as_v5",
            "Standard_D2s_v5 in zone 1",
            "Standard_D2s_v5 in zone 3",
        ]

    def test_a_size_that_cannot_boot_the_image_is_left_out(self) -> None:
        names = ("Standard_D2ps_v6", "standard_dc2as_v5")
        assert placements(names, SIZES, IMAGE) == (Placement("standard_dc2as_v5"),)

    def test_a_size_that_the_subscription_may_not_use_comes_last(self) -> None:
        restricted = {**SIZES, "standard_d2s_v5": replace(D2, restricted="NotAvailableForSubscription")}
        names = ("Standard_D2s_v5", "Standard_DC2as_v5")
        assert [each.size for each in placements(names, restricted, IMAGE)] == list(reversed(names))

    def test_where_no_size_can_azure_says_so_itself(self) -> None:
        assert placements(("Standard_D2ps_v6",), SIZES, IMAGE) == (Placement("Standard_D2ps_v6"),)

    def test_sizes_that_are_not_known_are_tried_as_they_are(self) -> None:
        names = ("Standard_D2s_v5", "Standard_X1")
        assert placements(names, {}, IMAGE) == (Placement("Standard_D2s_v5"), Placement("Standard_X1"))
