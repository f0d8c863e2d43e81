"""What identifies a machine, and how two machines are compared."""

import pytest

from shared.domain.boot_test.identities import IDENTITIES, BootedMachine, boot_mark, changed, read, shared
from shared.domain.boot_test.probe_checks import LINUX, WINDOWS

ONE, TWO = "0123456789abcdef", "fedcba9876543210"


def test_every_identity_is_a_check_of_a_probe() -> None:
    assert {each.check for each in IDENTITIES} <= {each.id for each in (*LINUX, *WINDOWS)}


def test_several_items_of_a_check_are_compared_one_by_one() -> None:
    one = read({"host_keys": f"rsa:{ONE} ed25519:{TWO}"})
    other = read({"host_keys": f"rsa:{ONE} ed25519:{ONE}"})
    (same,) = shared(one, other)
    assert (same.name, same.words) == ("host_keys:rsa", "the SSH host key rsa")


@pytest.mark.parametrize("answer", ["none", "made from the machine id", "fail: none", "", ONE[:15], f"{ONE}0"])
def test_what_is_no_digest_is_no_identity(answer: str) -> None:
    assert read({"machine_id": answer}) == {}


def test_what_is_missing_on_both_machines_is_not_shared() -> None:
    assert shared(read({"winrm_certificate": "none"}), read({"winrm_certificate": "none"})) == ()


def test_the_boot_id_is_kept_as_a_digest() -> None:
    (digest,) = read({"boot_id": "6f4a5f0e-0000-4000-8000-000000000001"}).values()
    assert len(digest) == 16
    assert "6f4a5f0e" not in digest


@pytest.mark.parametrize("check", ["random_seed", "dhcp_id", "rdp_certificate", "winrm_certificate", "wsus_client_id"])
def test_a_reboot_may_change_what_no_user_relies_on(check: str) -> None:
    assert changed(read({check: ONE}), read({check: TWO})) == ()


@pytest.mark.parametrize("after", [f"rsa:{TWO}", "none"])
def test_a_reboot_must_keep_host_keys(after: str) -> None:
    (lost,) = changed(read({"host_keys": f"rsa:{ONE}"}), read({"host_keys": after}))
    assert lost.words == "the SSH host key rsa"


def test_a_boot_is_told_by_its_id_or_its_time() -> None:
    assert (boot_mark({"boot_id": "a"}), boot_mark({"boot_time": "b"}), boot_mark({})) == ("a", "b", None)


def test_a_machine_can_be_an_element_of_a_set() -> None:
    assert len({BootedMachine("rm-1", identities={"a": ONE}), BootedMachine("rm-1", identities={"a": ONE})}) == 1
