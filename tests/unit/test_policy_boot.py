"""Sizes, tags and disk encryption sets of test machines in the policy file."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.domain.boot_test.console_patterns import PatternSeverity
from shared.domain.policy import BootRules, ConsoleRule, SlowBoot, Twins
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


class TestProof:
    def test_by_default_machines_are_restarted_and_compared_and_a_console_is_expected(self) -> None:
        rules = boot("")
        assert rules == BootRules()
        assert (rules.reboot, rules.twins, rules.console) == (True, Twins.COMPARED, ConsoleRule.EXPECTED)

    def test_every_key_is_read(self) -> None:
        rules = boot(
            "reboot: false, rebootWithin: 30m, twins: pair, console: required, maxSlowdown: 2, onSlowBoot: reject, "
            "consolePatterns: {out of memory: warning, kernel warning: error, ordering cycle: ignored}"
        )
        assert rules == BootRules(
            reboot=False,
            reboot_within=timedelta(minutes=30),
            twins=Twins.PAIR,
            console=ConsoleRule.REQUIRED,
            max_slowdown=2,
            on_slow_boot=SlowBoot.REJECT,
            console_patterns={
                "out of memory": PatternSeverity.WARNING,
                "kernel warning": PatternSeverity.ERROR,
                "ordering cycle": None,
            },
        )

    def test_a_ring_can_do_without_restarts(self) -> None:
        definition = only(
            load_policy(MINIMAL.replace("- name: canary", "- name: canary\n        reboot: false"), name="p")
        )
        assert not definition.boot.reboots(definition.rings[0])
        assert definition.boot.reboots(None)

    @pytest.mark.parametrize(
        ("written", "words"),
        [
            ("consolePatterns: {kernel panik: ignored}", "did you mean 'kernel panic'?"),
            ("consolePatterns: {kernel panic: reject}", "use error, warning, ignored"),
            ("twins: 2", "twins"),
            ("console: blank", "console"),
            ("maxSlowdown: 1", "maxSlowdown"),
            ("onSlowBoot: maybe", "onSlowBoot"),
            ("rebootWithin: 10s", "rebootWithin"),
        ],
    )
    def test_what_is_none_of_its_values_is_a_fault(self, written: str, words: str) -> None:
        (fault,) = faults(written)
        assert words in fault

    @pytest.mark.parametrize(
        "same",
        ["reboot: true", "rebootWithin: 15m", "twins: compared", "console: expected", "onSlowBoot: warn"],
    )
    def test_a_default_that_is_written_out_keeps_the_digest(self, same: str) -> None:
        assert digest(same) == digest("")

    @pytest.mark.parametrize(
        "other",
        [
            "reboot: false",
            "rebootWithin: 16m",
            "twins: ignored",
            "console: ignored",
            "onSlowBoot: reject",
            "maxSlowdown: 2",
            "consolePatterns: {kernel warning: ignored}",
        ],
    )
    def test_what_can_change_a_verdict_changes_the_digest(self, other: str) -> None:
        assert digest(other) != digest("")


def digest(written: str) -> str:
    return only(load_policy(text(written), name="p")).digest
