"""Identities of a machine: what no two machines of an image may share, and what a reboot must not change.

The probe prints a digest for each, the first 16 hex digits of a SHA-256, and never the value. Equal values have equal
digests, so that two machines can be compared. A disk that was captured without being generalized gives its identities
to every machine; host keys and machine ids that the build VM made are the usual ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_DIGEST: Final = re.compile(r"(?:([A-Za-z0-9_-]{1,24}):)?([0-9a-f]{16})")
DIGEST_LENGTH: Final = 16
"""Hex digits of a digest."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity: the check of the probe that prints it, its name for people, and how an image gets rid of it."""

    check: str
    words: str
    remedy: str
    survives: bool = False
    """Whether a reboot must keep it."""


IDENTITIES: Final = (
    Identity(
        "machine_id",
        "the machine id",
        "empty it as the last step of the build (`cloud-init clean --machine-id`)",
        survives=True,
    ),
    Identity(
        "host_keys",
        "the SSH host key",
        "delete the keys as the last step of the build (`rm /etc/ssh/ssh_host_*`)",
        survives=True,
    ),
    Identity("boot_id", "the boot id", "find out why the kernel has no random numbers at boot"),
    Identity(
        "random_seed",
        "the random seed",
        "delete the seed as the last step of the build (`rm /var/lib/systemd/random-seed`)",
    ),
    Identity(
        "dhcp_id",
        "the DHCP identity",
        "delete the leases, the DUID and NetworkManager's secret key as the last step of the build (`rm "
        "/var/lib/dhcp/* /var/lib/NetworkManager/secret_key`)",
    ),
    Identity("machine_sid", "the machine SID", "generalize the build VM with sysprep", survives=True),
    Identity("machine_guid", "the MachineGuid", "generalize the build VM with sysprep", survives=True),
    Identity("rdp_certificate", "the RDP certificate", "delete the certificate, and generalize with sysprep"),
    Identity("winrm_certificate", "the WinRM certificate", "delete the listener's certificate before the capture"),
    Identity("wsus_client_id", "the WSUS client id", "delete SusClientId and SusClientIdValidation before the capture"),
)
"""Sources: systemd, machine-id(5) and "Building Images Safely"; Microsoft Learn, "Sysprep (Generalize) a Windows
installation" and "Windows Update: clients with duplicate SusClientId"."""
_BY_CHECK: Final = {each.check: each for each in IDENTITIES}


@dataclass(frozen=True, slots=True)
class Shared:
    """An identity that two machines have in common, or that a reboot changed. ``name`` is as ``read`` spells it."""

    name: str

    @property
    def identity(self) -> Identity:
        return _BY_CHECK[self.name.partition(":")[0]]

    @property
    def item(self) -> str:
        """Which of several, such as ``ed25519``; empty where there is one."""
        return self.name.partition(":")[2]

    @property
    def words(self) -> str:
        """Such as ``the SSH host key ed25519``."""
        return f"{self.identity.words} {self.item}".rstrip()


@dataclass(frozen=True, slots=True)
class BootedMachine:
    """What a release keeps of a machine that passed a boot test, to compare others with it."""

    vm: str
    region: str = ""
    size: str = ""
    identities: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)
    """Digests by name. Empty for a specialized image, whose machines share their identities by design."""
    seconds: Mapping[str, int] = field(default_factory=dict[str, int], hash=False)
    """Azure's time for each phase."""


def read(answers: Mapping[str, str]) -> dict[str, str]:
    """The identities among the answers of a probe, by name: the check, and the item where it prints several."""
    found: dict[str, str] = {}
    for identity in IDENTITIES:
        answer = answers.get(identity.check, "")
        if identity.check == "boot_id" and answer:
            found["boot_id"] = hashlib.sha256(answer.encode()).hexdigest()[:DIGEST_LENGTH]
            continue
        for token in answer.split():
            if match := _DIGEST.fullmatch(token):
                found[f"{identity.check}:{match[1]}" if match[1] else identity.check] = match[2]
    return found


def boot_mark(answers: Mapping[str, str]) -> str | None:
    """What differs for each boot of a machine: the boot id on Linux, the time of the boot on Windows."""
    return answers.get("boot_id") or answers.get("boot_time")


def shared(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[Shared, ...]:
    """The identities that two machines have in common."""
    return tuple(Shared(name) for name, digest in one.items() if other.get(name) == digest)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Shared, ...]:
    """The identities that a reboot must keep and that are different, or not there, after it."""
    kept = (Shared(name) for name in before)
    return tuple(each for each in kept if each.identity.survives and after.get(each.name) != before[each.name])
