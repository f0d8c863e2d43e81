"""The checks of ``shared/probes/linux.sh``, in the order in which it prints them."""

from __future__ import annotations

from typing import Final

from shared.domain.boot_test.probe_check import (
    BASELINE,
    advised,
    boot_proof,
    identity,
    left_over,
    older_than_boot,
    required,
)

DEPROVISION: Final = "Run `waagent -deprovision+user -force` as the last step before the capture."

LINUX: Final = (
    required(
        "hostname",
        "The machine has the name that it was given, so provisioning set it.",
        "the machine's host name is {detail}",
        "Remove a fixed host name (/etc/hostname, preserve_hostname of cloud-init).",
    ),
    boot_proof(
        "boot_id",
        "The kernel's identifier of this boot is readable.",
        "the identifier of the boot is {detail}",
        "Mount /proc.",
    ),
    required(
        "machine_id",
        "The machine has an identifier, of which a digest is compared with those of all other test machines.",
        "/etc/machine-id has no identifier ({detail})",
        "Leave an empty /etc/machine-id in the image, so that systemd writes one at the first boot.",
    ),
    identity("host_keys", "SSH host keys"),
    identity("random_seed", "stored random seed"),
    identity("dhcp_id", "DHCP identity"),
    required(
        "systemd",
        "The boot has finished, and no unit failed, except those in `boot.ignoreUnits`.",
        "systemd is {detail}",
        "Correct or disable the units that `systemctl --failed` lists, or add them to boot.ignoreUnits of the policy.",
    ),
    advised(
        "failed_units",
        "No unit of systemd failed, except those in `boot.ignoreUnits`.",
        "failed units: {detail}",
        "Correct or disable the units. `journalctl -u UNIT` has the reasons.",
    ),
    boot_proof(
        "cloud_init",
        "cloud-init has finished without an error, is disabled, or is not installed.",
        "cloud-init ended with {detail!r}",
        "Read /var/log/cloud-init.log on a VM of the image.",
    ),
    advised(
        "cloud_init_errors",
        "cloud-init recorded no error, in its result or its log.",
        "cloud-init recorded errors: {detail}",
        "Read /var/log/cloud-init.log on a VM of the image.",
    ),
    advised(
        "agent_version",
        "The Azure Linux Agent is 2.2.53.1 or newer, or updates itself.",
        "the Azure Linux Agent is {detail}",
        "Update the agent, and leave AutoUpdate in /etc/waagent.conf on.",
    ),
    required(
        "root_writable",
        "A file can be written to /var/tmp.",
        "the root file system is not writable",
        "Correct the mount options of / in /etc/fstab, and free space on the disk.",
    ),
    advised(
        "disk_grown",
        "The root partition and its file system use the disk.",
        "the root file system did not grow: {detail}",
        "Install cloud-guest-utils (growpart), and enable growpart and resizefs in cloud-init.",
    ),
    advised(
        "swap",
        "No swap is on the OS disk.",
        "swap is on the OS disk: {detail}",
        "Remove the swap from /etc/fstab. Let the agent or cloud-init create it on the temporary disk.",
    ),
    required(
        "clock",
        "The machine has a clock. One that is over an hour off is a warning.",
        "the clock is not readable ({detail})",
        "Enable chrony with the source /dev/ptp_hyperv.",
    ),
    advised(
        "dns",
        "A public name is resolved (management.azure.com).",
        "DNS does not work: {detail}",
        "Remove fixed name servers from the image, and take those of DHCP.",
    ),
    advised(
        "pending_reboot",
        "No update waits for a reboot.",
        "an update waits for a reboot: {detail}",
        "Reboot the build VM after its updates, before the capture.",
    ),
    advised("core_dumps", "No program left a core dump.", "core dumps are left: {detail}", "Delete the core dumps."),
    advised(
        "udev_net_rules",
        "No rule binds the name of a network interface to the build VM's address.",
        "udev rules for the build VM's network interface are left: {detail}",
        "Delete the files.",
    ),
    required(
        "ssh_keys",
        "The number of SSH host keys is readable.",
        "the number of SSH host keys is not readable ({detail})",
        "Make /etc/ssh readable.",
    ),
    older_than_boot(
        "ssh_key_age",
        "The SSH host keys were made by this boot.",
        "SSH host keys are older than the boot: {detail}",
        f"{DEPROVISION} Otherwise all VMs have the same host keys.",
    ),
    older_than_boot(
        "machine_id_age",
        "The machine's identifier was made by this boot.",
        "the machine's identifier is older than the boot: {detail}",
        "Empty /etc/machine-id as the last step before the capture. Otherwise all VMs have the same identifier.",
    ),
    left_over(
        "password_hashes",
        "No user has a password. The user of a test VM has a key only.",
        "users with a password are left: {detail}",
        f"Delete or lock the users. {DEPROVISION}",
    ),
    older_than_boot(
        "authorized_keys",
        "No authorized key is older than this boot.",
        "authorized keys are left: {detail}",
        f"Delete the files. {DEPROVISION}",
    ),
    left_over(
        "shell_history",
        "No user has a shell history.",
        "the history of a shell is left: {detail}",
        "Delete the files. Histories often contain secrets.",
    ),
    left_over(
        "cloud_credentials",
        "No user has stored credentials or cached tokens (.aws, .azure, .kube, .docker, .netrc, and the like).",
        "credentials are left: {detail}",
        "Delete the files, and revoke the credentials: the image has been copied.",
    ),
    older_than_boot(
        "private_keys",
        "No private key in /etc, /root, /home, /opt or /srv is older than this boot, except the distribution's.",
        "private keys are left: {detail}",
        "Delete the files, and replace the keys: the image has been copied.",
    ),
    older_than_boot(
        "left_over_users",
        "No home directory of a user who can log in is older than this boot.",
        "users are left: {detail}",
        f"Delete the users and their home directories. {DEPROVISION}",
    ),
    left_over(
        "environment_secrets",
        "No environment file sets a variable that is named as a secret (`*_SECRET`, `*_TOKEN`, and the like).",
        "environment files have secrets: {detail}",
        "Remove the variables, and revoke the secrets: the image has been copied.",
    ),
    older_than_boot(
        "identity_tokens",
        "No token of a managed identity or a user, and no certificate of the agent, is older than this boot.",
        "tokens of the build VM are left: {detail}",
        f"Delete the files, and revoke tokens that are still valid. {DEPROVISION}",
    ),
    left_over(
        "domain",
        "The machine is in no domain (SSSD, Kerberos keytab, Samba).",
        "the image is a member of a domain: {detail}",
        "Leave the domain before the capture (`realm leave`). Join it when a VM is created.",
    ),
    advised(
        "ca_certificates",
        "No certificate authority was added to those of the distribution.",
        "certificate authorities were added: {detail}",
        "Delete the files. If your VMs need them, turn the check off.",
    ),
    advised(
        "log_size",
        "/var/log has at most 200 MiB.",
        "logs are large: {detail}",
        "Delete the build VM's logs before the capture (`journalctl --vacuum-size=1M`).",
    ),
    advised(
        "sshd_config",
        "sshd takes no passwords, root has none, and idle connections are kept alive (ClientAliveInterval 1 to 235).",
        "settings of sshd are not hardened: {detail}",
        "Correct /etc/ssh/sshd_config and /etc/ssh/sshd_config.d. `sshd -T` prints the effective settings.",
    ),
    advised(
        "listening_ports",
        "No service takes connections from other machines, except SSH, DHCP, NTP and LLMNR.",
        "services listen for other machines: {detail}",
        "Disable the services, or bind them to 127.0.0.1. `ss -tulpn` lists them.",
    ),
    advised(
        "serial_console",
        "The kernel writes to a serial port.",
        "the serial console is missing: {detail}",
        "Add console=ttyS0 (Arm64: ttyAMA0) to the kernel's command line.",
    ),
    advised(
        "time_sync",
        "A service synchronizes the clock.",
        "the clock is not synchronized: {detail}",
        "Enable chrony with the source /dev/ptp_hyperv.",
    ),
    advised(
        "imds",
        "Azure Instance Metadata Service answers.",
        "the Instance Metadata Service does not answer: {detail}",
        "Remove firewall rules, routes and proxies for 169.254.169.254 from the image.",
    ),
    advised(
        "repositories",
        "The package manager has repositories, none of which is local or has credentials in its URL.",
        "repositories are wrong: {detail}",
        "Correct the repositories. Revoke the credentials: the image has been copied.",
    ),
    advised(
        "kernel_modules",
        "The running kernel has its modules, and the drivers of Hyper-V.",
        "kernel modules are missing: {detail}",
        "Install the modules of the kernel that boots, and reboot the build VM before the capture.",
    ),
    advised(
        "secure_boot",
        "Secure Boot is on if the definition requires it. Its keys are enrolled.",
        "Secure Boot is {detail}",
        "Use a signed boot loader and kernel. `mokutil --sb-state` prints the state.",
    ),
    BASELINE,
)
