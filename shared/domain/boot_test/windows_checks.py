"""The checks of ``shared/probes/windows.ps1``, in the order in which it prints them."""

from __future__ import annotations

from typing import Final

from shared.domain.boot_test.probe_check import BASELINE, advised, boot_proof, identity, left_over, required

WINDOWS: Final = (
    required(
        "hostname",
        "The machine has the name that it was given, so provisioning set it.",
        "the machine's host name is {detail}",
        "Remove ComputerName from the answer file, and generalize the build VM with sysprep.",
    ),
    boot_proof("boot_time", "The time of the boot is readable.", "the time of the boot is not readable", "Repair WMI."),
    boot_proof(
        "image_state",
        "Windows Setup has finished.",
        "the Windows setup state is {detail}, not IMAGE_STATE_COMPLETE",
        "Read C:\\Windows\\Panther\\setuperr.log on a VM of the image.",
    ),
    boot_proof(
        "agent",
        "The guest agent's service runs.",
        "the state of the guest agent's service is {detail}",
        "Install the Azure VM Agent in the image.",
    ),
    required(
        "failed_services",
        "RdAgent, Dnscache and EventLog run.",
        "{detail} core services are not running",
        "Set the services to start automatically.",
    ),
    identity("machine_sid", "machine SID"),
    identity("machine_guid", "MachineGuid"),
    identity("wsus_client_id", "WSUS client id"),
    required(
        "clock",
        "The machine has a clock. One that is over an hour off is a warning.",
        "the clock is not readable ({detail})",
        "Set the Windows Time service to start automatically.",
    ),
    advised(
        "activation",
        "Windows is activated.",
        "Windows is not activated: {detail}",
        "Let the VM reach azkms.core.windows.net, port 1688, and use a key of a KMS client (`slmgr /ipk`).",
    ),
    advised(
        "pending_reboot",
        "No update waits for a reboot.",
        "an update waits for a reboot: {detail}",
        "Reboot the build VM after its updates, before sysprep.",
    ),
    advised(
        "dns",
        "A public name is resolved (management.azure.com).",
        "DNS does not work: {detail}",
        "Remove fixed name servers from the image, and take those of DHCP.",
    ),
    advised(
        "imds",
        "Azure Instance Metadata Service answers.",
        "the Instance Metadata Service does not answer: {detail}",
        "Remove firewall rules, routes and proxies for 169.254.169.254 from the image.",
    ),
    advised(
        "disk_grown",
        "The partition of drive C uses the disk.",
        "drive C did not grow: {detail}",
        "Move the recovery partition before drive C, and set ExtendOSPartition in the answer file.",
    ),
    advised(
        "secure_boot",
        "Secure Boot is on if the definition requires it.",
        "Secure Boot is {detail}",
        "Use a definition of generation 2, and a boot loader that Microsoft signed.",
    ),
    advised(
        "bitlocker",
        "Drive C is not encrypted by BitLocker: its keys would be those of the build VM.",
        "BitLocker is not off: {detail}",
        "Run `manage-bde -off C:` and wait for the end, before sysprep.",
    ),
    advised(
        "hotfixes",
        "An update of Windows was installed within the last 90 days.",
        "Windows is not up to date: {detail}",
        "Install the updates before sysprep.",
    ),
    advised(
        "defender_signatures",
        "The signatures of Microsoft Defender Antivirus are at most 14 days old.",
        "signatures of Microsoft Defender Antivirus are old: {detail}",
        "Run `Update-MpSignature` before sysprep.",
    ),
    left_over(
        "event_logs",
        "The event logs Application and System have at most 200 records from before Windows Setup.",
        "the event logs have records of the build VM: {detail}",
        "Clear them before sysprep (`wevtutil cl System`).",
    ),
    left_over(
        "left_over_users",
        "No enabled local user has a password from before Windows Setup.",
        "users are left: {detail}",
        "Delete the users and their profiles before sysprep.",
    ),
    left_over(
        "certificates",
        "No certificate with a private key is older than Windows Setup.",
        "certificates with private keys are left: {detail}",
        "Delete them from Cert:\\LocalMachine\\My, and revoke them: the image has been copied.",
    ),
    left_over(
        "rdp_certificate",
        "The certificate of Remote Desktop was made for this machine. No other test machine of the version has it.",
        "the certificate of Remote Desktop is another machine's: {detail}",
        "Delete Cert:\\LocalMachine\\Remote Desktop before sysprep.",
    ),
    left_over(
        "winrm_certificate",
        "The certificate of a WinRM listener was made for this machine. No other test machine of the version has it.",
        "the certificate of WinRM is another machine's: {detail}",
        "Delete the HTTPS listener and its certificate before sysprep.",
    ),
    left_over(
        "unattend_passwords",
        "No answer file has a password.",
        "answer files have passwords: {detail}",
        "Delete the files, and change the passwords: the image has been copied.",
    ),
    left_over(
        "domain",
        "The machine is in no domain.",
        "the image is a member of a domain: {detail}",
        "Leave the domain before sysprep. Join it when a VM is created.",
    ),
    BASELINE,
)
