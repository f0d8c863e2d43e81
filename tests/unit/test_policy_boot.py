"""Sizes, tags and disk encryption sets of test machines in the policy file."""

from __future__ import annotations

import pytest

from shared.domain.policy import BootRules
from shared.policy_file import PolicyFaults, load_policy
from tests.unit.policy_texts import MINIMAL, only

KEYS = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-keys/providers/Microsoft.Compute"
    "/diskEncryptionSets/des-{region}"
)


def text(boot: str, minimal: str = MINIMAL) -> str:
    return minimal.replace("    rings:\n", f"    boot: {{{boot}}}\n    rings:\n")


def boot(written: str) -> BootRules:
    return only(load_policy(text(written), name="p")).boot


def faults(written: str, minimal: str = MINIMAL) -> list[str]:
    with pytest.raises(PolicyFaults) as caught:
        load_policy(text(written, minimal), name="p")
    return [str(fault) for fault in caught.value.faults]


class TestSizes:
    def test_a_size_alone_is_for_every_region(self) -> None:
        assert boot("").sizes_in("westeurope") == ("Standard_D2s_v5",)
        assert boot("vmSize: Standard_D4s_v5").sizes_in("westeurope") == ("Standard_D4s_v5",)

    def test_a_list_is_in_order(self) -> None:
        assert boot("vmSize: [Standard_D4s_v5, Standard_D2s_v5]").sizes_in("eastus") == (
            "Standard_D4s_v5",
            "Standard_D2s_v5",
        )

    def test_a_region_can_have_sizes_of_its_own(self) -> None:
        rules = boot("vmSize: {default: Standard_D2s_v5, East US: [Standard_D2as_v5, Standard_D2s_v4]}")
        assert rules.sizes_in("eastus") == ("Standard_D2as_v5", "Standard_D2s_v4")
        assert rules.sizes_in("westeurope") == ("Standard_D2s_v5",)

    @pytest.mark.parametrize(
        ("written", "word"),
        [
            ("D2s_v5", "is not the name of a VM size"),
            ("7", "is not the name of a VM size"),
            ("[]", "1 to 8 different sizes"),
            ("[Standard_D2s_v5, standard_d2s_v5]", "is not the name"),
            ("[Standard_D2s_v5, Standard_d2s_v5]", "different"),
            ("{eastus: Standard_D2s_v5}", "'default'"),
            ("{default: Standard_D2s_v5, eastsu: Standard_D2s_v5}", "Did you mean 'eastus'?"),
            ("{default: Standard_D2s_v5, eastus: Standard_A1, East US: Standard_A1}", "twice"),
        ],
    )
    def test_what_is_no_size_is_refused_at_its_place(self, written: str, word: str) -> None:
        (fault,) = faults(f"vmSize: {written}")
        assert "definitions[0].boot.vmSize: " in fault
        assert word in fault


class TestTags:
    def test_tags_are_taken(self) -> None:
        assert boot("tags: {costCenter: '7', owner: ''}").tags == {"costCenter": "7", "owner": ""}

    @pytest.mark.parametrize(
        ("written", "word"),
        [
            ("{'a/b': x}", "is not a valid tag name"),
            ("{a: x, A: y}", "occurs twice"),
            ("{Microsoft.x: y}", "reserved prefix"),
            ("{ringmaster-release: y}", "reserved prefix"),
            (f"{{a: {'x' * 257}}}", "257 characters; 256"),
            (f"{{{', '.join(f't{number}: x' for number in range(49))}}}", "there are 49 tags"),
        ],
    )
    def test_azures_bounds_hold(self, written: str, word: str) -> None:
        (fault,) = faults(f"tags: {written}")
        assert "definitions[0].boot.tags: " in fault
        assert word in fault


class TestDiskEncryptionSet:
    def test_the_region_has_its_own(self) -> None:
        assert boot(f"diskEncryptionSet: '{KEYS}'").disk_encryption_set_in("eastus") == KEYS.replace(
            "{region}", "eastus"
        )
        assert boot("").disk_encryption_set_in("eastus") is None

    @pytest.mark.parametrize(
        ("written", "word"),
        [
            ("des", "is not the id of a disk encryption set"),
            (KEYS.replace("diskEncryptionSets", "disks"), "is not the id of a disk encryption set"),
            (KEYS.replace("000000000001", "000000000002"), "in another subscription"),
        ],
    )
    def test_it_must_be_one_that_the_machine_can_use(self, written: str, word: str) -> None:
        (fault,) = faults(f"diskEncryptionSet: '{written}'")
        assert "definitions[0].boot.diskEncryptionSet: " in fault
        assert word in fault

    def test_one_for_several_regions_is_refused(self) -> None:
        two = MINIMAL.replace("[westeurope]", "[westeurope, eastus]")
        (fault,) = faults(f"diskEncryptionSet: '{KEYS.replace('-{region}', '')}'", two)
        assert "one disk encryption set for 2 regions" in fault
