"""The checks of the probe: what each proves, how severe a failure is, and what to do.

``shared/probes/linux.sh`` and ``windows.ps1`` print one line for each; ``docs/probe-checks.md`` is generated from here.
A check whose severity is *warn* never rejects an image: its failure is a warning in the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.domain.identities import IDENTITIES


class CheckSeverity(StrEnum):
    """What a failed check does to the verdict."""

    REJECT = "reject"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class ProbeCheck:
    """One check. ``failure`` is the text of a failed one, with the script's detail in it."""

    id: str
    severity: CheckSeverity
    proves: str
    failure: str
    remedy: str
    has_value: bool = False
    """Whether it passes only with a value, which becomes part of the evidence."""
    generalized: bool = False
    """Whether it says something about generalized images alone: a specialized one keeps what it has."""


def _reject(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    return ProbeCheck(check, CheckSeverity.REJECT, proves, failure, remedy, has_value=True)


def _warn(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    return ProbeCheck(check, CheckSeverity.WARN, proves, failure, remedy)


def _left(check: str, proves: str, failure: str, remedy: str) -> ProbeCheck:
    return ProbeCheck(check, CheckSeverity.WARN, proves, failure, remedy, generalized=True)


def _identity(check: str, what: str) -> ProbeCheck:
    """A digest, which is compared with those of the other machines of the version: see ``identities``."""
    remedy = next(each.remedy for each in IDENTITIES if each.check == check)
    return _warn(
        check,
        f"No other test machine of the version has this machine's {what}. The verdict compares all machines, and "
        "rejects the version where two share it.",
        f"the {what} cannot be read: {{detail}}",
        f"Generalize the image: {remedy}.",
    )


_DEPROVISION: Final = "Run `waagent -deprovision+user -force` as the last step before the capture."

LINUX: Final = (
    _reject(
        "hostname",
        "The machine has the name that it was given, so provisioning set it.",
        "the machine's host name is {detail}",
        "Remove a fixed host name (/etc/hostname, preserve_hostname of cloud-init).",
    ),
    _reject(
        "boot_id",
        "The kernel's identifier of this boot is readable.",
        "the identifier of the boot is {detail}",
        "Mount /proc.",
    ),
    _reject(
        "machine_id",
        "The machine has an identifier, of which a digest is compared with those of all other test machines.",
        "/etc/machine-id has no identifier ({detail})",
        "Leave an empty /etc/machine-id in the image, so that systemd writes one at the first boot.",
    ),
    _identity("host_keys", "SSH host keys"),
    _identity("random_seed", "stored random seed"),
    _identity("dhcp_id", "DHCP identity"),
    _reject(
        "systemd",
        "The boot has finished, and no unit failed.",
        "systemd is {detail}",
        "Correct or disable the units that `systemctl --failed` lists.",
    ),
    _warn(
        "failed_units",
        "No unit of systemd failed.",
        "failed units: {detail}",
        "Correct or disable the units. `journalctl -u UNIT` has the reasons.",
    ),
    _reject(
        "cloud_init",
        "cloud-init has finished without an error, is disabled, or is not installed.",
        "cloud-init ended with {detail!r}",
        "Read /var/log/cloud-init.log on a VM of the image.",
    ),
    _warn(
        "cloud_init_errors",
        "cloud-init recorded no error, in its result or its log.",
        "cloud-init recorded errors: {detail}",
        "Read /var/log/cloud-init.log on a VM of the image.",
    ),
    _warn(
        "agent_version",
        "The Azure Linux Agent is 2.2.53.1 or newer, or updates itself.",
        "the Azure Linux Agent is {detail}",
        "Update the agent, and leave AutoUpdate in /etc/waagent.conf on.",
    ),
    _reject(
        "root_writable",
        "A file can be written to /var/tmp.",
        "the root file system is not writable",
        "Correct the mount options of / in /etc/fstab, and free space on the disk.",
    ),
    _warn(
        "disk_grown",
        "The root partition and its file system use the disk.",
        "the root file system did not grow: {detail}",
        "Install cloud-guest-utils (growpart), and enable growpart and resizefs in cloud-init.",
    ),
    _warn(
        "swap",
        "No swap is on the OS disk.",
        "swap is on the OS disk: {detail}",
        "Remove the swap from /etc/fstab. Let the agent or cloud-init create it on the temporary disk.",
    ),
    _reject(
        "clock",
        "The machine has a clock. One that is over an hour off is a warning.",
        "the clock is not readable ({detail})",
        "Enable chrony with the source /dev/ptp_hyperv.",
    ),
    _warn(
        "dns",
        "A public name is resolved (management.azure.com).",
        "DNS does not work: {detail}",
        "Remove fixed name servers from the image, and take those of DHCP.",
    ),
    _warn(
        "pending_reboot",
        "No update waits for a reboot.",
        "an update waits for a reboot: {detail}",
        "Reboot the build VM after its updates, before the capture.",
    ),
    _warn("core_dumps", "No program left a core dump.", "core dumps are left: {detail}", "Delete the core dumps."),
    _warn(
        "udev_net_rules",
        "No rule binds the name of a network interface to the build VM's address.",
        "udev rules for the build VM's network interface are left: {detail}",
        "Delete the files.",
    ),
    _reject(
        "ssh_keys",
        "The number of SSH host keys is readable.",
        "the number of SSH host keys is not readable ({detail})",
        "Make /etc/ssh readable.",
    ),
    _left(
        "ssh_key_age",
        "The SSH host keys were made by this boot.",
        "SSH host keys are older than the boot: {detail}",
        f"{_DEPROVISION} Otherwise all VMs have the same host keys.",
    ),
    _left(
        "machine_id_age",
        "The machine's identifier was made by this boot.",
        "the machine's identifier is older than the boot: {detail}",
        "Empty /etc/machine-id as the last step before the capture. Otherwise all VMs have the same identifier.",
    ),
    _left(
        "password_hashes",
        "No user has a password. The user of a test VM has a key only.",
        "users with a password are left: {detail}",
        f"Delete or lock the users. {_DEPROVISION}",
    ),
    _left(
        "authorized_keys",
        "No authorized key is older than this boot.",
        "authorized keys are left: {detail}",
        f"Delete the files. {_DEPROVISION}",
    ),
    _left(
        "shell_history",
        "No user has a shell history.",
        "the history of a shell is left: {detail}",
        "Delete the files. Histories often contain secrets.",
    ),
    _left(
        "cloud_credentials",
        "No user has stored credentials or cached tokens (.aws, .azure, .kube, .docker, .netrc, and the like).",
        "credentials are left: {detail}",
        "Delete the files, and revoke the credentials: the image has been copied.",
    ),
    _left(
        "private_keys",
        "No private key in /etc, /root, /home, /opt or /srv is older than this boot, except the distribution's.",
        "private keys are left: {detail}",
        "Delete the files, and replace the keys: the image has been copied.",
    ),
)
WINDOWS: Final = (
    _reject(
        "hostname",
        "The machine has the name that it was given, so provisioning set it.",
        "the machine's host name is {detail}",
        "Remove ComputerName from the answer file, and generalize the build VM with sysprep.",
    ),
    _reject("boot_time", "The time of the boot is readable.", "the time of the boot is not readable", "Repair WMI."),
    _reject(
        "image_state",
        "Windows Setup has finished.",
        "the Windows setup state is {detail}, not IMAGE_STATE_COMPLETE",
        "Read C:\\Windows\\Panther\\setuperr.log on a VM of the image.",
    ),
    _reject(
        "agent",
        "The guest agent's service runs.",
        "the state of the guest agent's service is {detail}",
        "Install the Azure VM Agent in the image.",
    ),
    _reject(
        "failed_services",
        "RdAgent, Dnscache and EventLog run.",
        "{detail} core services are not running",
        "Set the services to start automatically.",
    ),
    _identity("machine_sid", "machine SID"),
    _identity("machine_guid", "MachineGuid"),
    _identity("rdp_certificate", "certificate for RDP"),
    _identity("winrm_certificate", "certificate for WinRM"),
    _identity("wsus_client_id", "WSUS client id"),
)


def checks_of(os_type: str) -> tuple[ProbeCheck, ...]:
    """The checks of an operating system's probe, in the order in which it prints them."""
    return WINDOWS if os_type.lower() == "windows" else LINUX
