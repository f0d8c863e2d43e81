"""The model of a guest: what its files and its tools say, written into a directory that a script then runs in.

`/etc`, `/proc`, `/sys`, `/var`, `/run`, `/boot`, `/home` and `/root` of the guest are real files below one directory;
the answers of its tools (`systemctl`, `cloud-init`, `curl` to the metadata service …) are small files that the shell
scripts in `tools/` read. See `sandbox.py` for how a script gets to see them.
"""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KERNEL = "6.8.0-1021-azure"
AGENT = "2.15.0.1"
_UNITS = {
    "chrony.service": "chrony, an NTP client/server",
    "cloud-config.service": "Cloud-init: Config Stage",
    "cloud-final.service": "Cloud-init: Final Stage",
    "cloud-init-local.service": "Cloud-init: Local Stage (pre-network)",
    "cloud-init.service": "Cloud-init: Network Stage",
    "cron.service": "Regular background program processing daemon",
    "dbus.service": "D-Bus System Message Bus",
    "ssh.service": "OpenBSD Secure Shell server",
    "systemd-journald.service": "Journal Service",
    "systemd-networkd.service": "Network Configuration",
    "systemd-resolved.service": "Network Name Resolution",
    "walinuxagent.service": "Azure Linux Agent",
}
_HOSTS = {
    "localhost": "127.0.0.1",
    "metadata.azure.internal": "169.254.169.254",
    "management.azure.com": "20.49.120.1",
    "login.microsoftonline.com": "40.126.32.74",
    "packages.microsoft.com": "13.81.113.237",
    "archive.ubuntu.com": "185.125.190.82",
    "azure.archive.ubuntu.com": "20.52.60.1",
    "security.ubuntu.com": "185.125.190.83",
    "mcr.microsoft.com": "150.171.70.10",
}
_DRIVERS = """kernel/drivers/hv/hv_vmbus.ko
kernel/drivers/net/hyperv/hv_netvsc.ko
kernel/drivers/scsi/hv_storvsc.ko
"""
_TCP = """  sl  local_address rem_address   st
   0: 3500007F:0035 00000000:0000 0A
   1: 00000000:0016 00000000:0000 0A
"""
_SSHD = """passwordauthentication no
permitemptypasswords no
permitrootlogin without-password
clientaliveinterval 120
"""
_GLOBAL_VARIABLE = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""The vendor of the variables that UEFI itself defines."""
_ISSUE = """PRETTY_NAME="Ubuntu 24.04.2 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.2 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
"""


@dataclass(frozen=True, slots=True)
class GuestModel:
    """A running Linux machine. Times are seconds since the epoch; sizes in GiB and MiB."""

    host_name: str
    vm_name: str
    vm_id: str
    subscription: str
    group: str
    location: str
    size: str
    private_ip: str
    mac: str
    admin: str
    booted_at: float
    boot_number: int
    cores: int = 2
    memory_mib: int = 8192
    disk_gib: int = 30
    failed_units: tuple[str, ...] = ()
    is_new: bool = True
    image_id: str = ""
    origin: str = ""
    """What machine id and host keys are made from; empty for the machine itself."""

    @property
    def boot_id(self) -> str:
        """What the kernel draws at every boot."""
        return str(uuid.uuid5(uuid.UUID(self.vm_id), f"boot {self.boot_number}"))

    @property
    def machine_id(self) -> str:
        """What systemd draws at the first boot; a disk that was never generalized keeps that of its origin."""
        return uuid.uuid5(uuid.NAMESPACE_OID, self.origin or (self.vm_id if self.is_new else self.host_name)).hex

    def host_key(self, kind: str) -> str:
        """What sshd draws at the first boot, or a cloned disk brings."""
        if self.origin:
            return uuid.uuid5(uuid.NAMESPACE_OID, f"{self.origin} {kind}").hex
        return uuid.uuid5(uuid.UUID(self.vm_id) if self.is_new else uuid.NAMESPACE_OID, kind).hex

    @property
    def random_seed(self) -> str:
        """What systemd stores anew at each boot."""
        return uuid.uuid5(uuid.UUID(self.vm_id), f"seed {self.boot_number}").hex


def write(model: GuestModel, root: Path, state: Path, now: float) -> None:
    """Write the guest's files below `root` and its tools' answers below `state`."""
    uptime = max(1.0, now - model.booted_at)
    for name, text in (_etc(model) | _proc(model, uptime)).items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for folder in ("var/tmp", "tmp", "root", f"home/{model.admin}", "var/log", "var/lib/waagent", "run/systemd", "mnt"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, text in _answers(model, uptime).items():
        file = state / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _etc(model: GuestModel) -> dict[str, str]:
    files = {
        "etc/hostname": model.host_name + "\n",
        "etc/hosts": f"127.0.0.1 localhost\n{model.private_ip} {model.host_name}\n",
        "etc/machine-id": model.machine_id + "\n",
        "etc/os-release": _ISSUE,
        "usr/lib/os-release": _ISSUE,
        "etc/resolv.conf": "nameserver 127.0.0.53\noptions edns0 trust-ad\n",
        "etc/fstab": "LABEL=cloudimg-rootfs / ext4 discard,commit=30,errors=remount-ro 0 1\n",
        "etc/timezone": "Etc/UTC\n",
        "etc/waagent.conf": "Provisioning.Agent=auto\nResourceDisk.Format=n\nLogs.Verbose=n\n",
        "etc/passwd": f"root:x:0:0:root:/root:/bin/bash\n{model.admin}:x:1000:1000::/home/{model.admin}:/bin/bash\n",
        "etc/shadow": f"root:*:20000:0:99999:7:::\n{model.admin}:!:20000:0:99999:7:::\n",
        "var/log/waagent.log": "INFO Daemon Daemon Azure Linux Agent Version:2.2.46\n",
        "var/log/cloud-init.log": "handlers.py[DEBUG]: finish: modules-final: SUCCESS: running modules for final\n",
        "var/lib/cloud/data/result.json": '{"v1": {"datasource": "DataSourceAzure [seed=/dev/sr0]", "errors": []}}\n',
        "var/lib/cloud/data/instance-id": model.vm_id + "\n",
        "run/cloud-init/result.json": '{"v1": {"datasource": "DataSourceAzure [seed=/dev/sr0]", "errors": []}}\n',
        "var/lib/systemd/random-seed": model.random_seed,
        "var/lib/waagent/provisioned": model.vm_id + "\n",
        "etc/apt/sources.list.d/ubuntu.sources": "Types: deb\nURIs: http://azure.archive.ubuntu.com/ubuntu/\n",
        f"usr/lib/modules/{KERNEL}/modules.builtin": _DRIVERS,
        "boot/config-" + KERNEL: "CONFIG_HYPERV=y\nCONFIG_HYPERV_STORAGE=y\nCONFIG_HYPERV_NET=y\n",
    }
    for kind in ("rsa", "ecdsa", "ed25519"):
        word = model.host_key(kind)
        files[f"etc/ssh/ssh_host_{kind}_key"] = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{word}\n"
        files[f"etc/ssh/ssh_host_{kind}_key.pub"] = f"ssh-{kind} {word} root@{model.host_name}\n"
    return files


def _proc(model: GuestModel, uptime: float) -> dict[str, str]:
    total = model.memory_mib * 1024
    return {
        "proc/sys/kernel/random/boot_id": model.boot_id + "\n",
        "proc/sys/kernel/hostname": model.host_name + "\n",
        "proc/sys/kernel/osrelease": KERNEL + "\n",
        "proc/version": f"Linux version {KERNEL} (buildd@lcy02-amd64-090) #24-Ubuntu SMP\n",
        "proc/cmdline": f"BOOT_IMAGE=/vmlinuz-{KERNEL} root=PARTUUID=461b6d07-b2f8 ro console=tty1 console=ttyS0\n",
        "proc/uptime": f"{uptime:.2f} {uptime * model.cores * 0.97:.2f}\n",
        "proc/loadavg": "0.08 0.05 0.01 1/171 1893\n",
        "proc/meminfo": f"MemTotal: {total} kB\nMemFree: {total // 2} kB\nMemAvailable: {total * 4 // 5} kB\n",
        "proc/mounts": "/dev/root / ext4 rw,relatime,discard,errors=remount-ro,commit=30 0 0\n",
        "proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n",
        "proc/net/tcp": _TCP,
        f"sys/firmware/efi/efivars/SecureBoot-{_GLOBAL_VARIABLE}": "\6\0\0\0\1",
        f"sys/firmware/efi/efivars/SetupMode-{_GLOBAL_VARIABLE}": "\6\0\0\0\0",
        "proc/self/mountinfo": "25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard,errors=remount-ro\n",
        "sys/dev/block/8:1/uevent": "MAJOR=8\nMINOR=1\nDEVNAME=sda1\nDEVTYPE=partition\n",
        "sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n",
        "sys/class/dmi/id/product_name": "Virtual Machine\n",
        "sys/class/dmi/id/chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77\n",
        "sys/class/dmi/id/product_uuid": model.vm_id + "\n",
        "sys/class/net/eth0/address": model.mac + "\n",
        "sys/class/net/eth0/operstate": "up\n",
    }


def _answers(model: GuestModel, uptime: float) -> dict[str, str]:
    """What the tools answer from; the formats are those of `tools/`."""
    units = {name: f"active running enabled {text}" for name, text in _UNITS.items()}
    units |= {name: f"failed failed enabled {name.removesuffix('.service')} server" for name in model.failed_units}
    cidr = f"    inet {model.private_ip}/24 metric 100 brd 10.0.0.255 scope global eth0\n"
    answers = {
        "hostname": model.host_name,
        "kernel": KERNEL,
        "machine": "x86_64",
        "agent": AGENT,
        "system-state": "degraded" if model.failed_units else "running",
        "cloud-init": "done",
        "sshd": _SSHD,
        "units": "".join(f"{name} {text}\n" for name, text in sorted(units.items())),
        "booted-at": f"{model.booted_at:.0f}",
        "uptime": f"{uptime:.0f}",
        "cores": str(model.cores),
        "hosts": "".join(f"{address} {name}\n" for name, address in _HOSTS.items())
        + f"{model.private_ip} {model.host_name}\n",
        "df": _df(model.disk_gib),
        "free": _free(model.memory_mib),
        "ip": f"2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP\n    link/ether {model.mac}\n{cidr}",
        "lsblk": f"NAME   MAJ:MIN RM SIZE RO TYPE MOUNTPOINTS\nsda      8:0    0  {model.disk_gib}G  0 disk\n"
        f"├─sda1   8:1    0  {model.disk_gib - 1}G  0 part /\n└─sda15  8:15   0 106M  0 part /boot/efi\n",
    }
    return answers | _metadata(model)


def _df(gib: int) -> str:
    total, used = gib * 1024 * 1024, 2 * 1024 * 1024
    return (
        "Filesystem     1K-blocks    Used Available Use% Mounted on\n"
        f"/dev/root      {total:>9} {used:>7} {total - used:>9} {100 * used // total:>3}% /\n"
    )


def _free(mib: int) -> str:
    return (
        "               total        used        free      shared  buff/cache   available\n"
        f"Mem:    {mib * 1024:>12} {mib * 200:>11} {mib * 512:>11}        1024 {mib * 312:>11} {mib * 800:>11}\n"
        "Swap:              0           0           0\n"
    )


def _metadata(model: GuestModel) -> dict[str, str]:
    """The instance metadata service, as one document and as one file a leaf (`format=text`)."""
    compute: dict[str, Any] = {
        "azEnvironment": "AzurePublicCloud",
        "location": model.location,
        "name": model.vm_name,
        "osType": "Linux",
        "resourceGroupName": model.group,
        "resourceId": f"/subscriptions/{model.subscription}/resourceGroups/{model.group}"
        f"/providers/Microsoft.Compute/virtualMachines/{model.vm_name}",
        "storageProfile": {"imageReference": {"id": model.image_id}},
        "subscriptionId": model.subscription,
        "vmId": model.vm_id,
        "vmSize": model.size,
    }
    mac = model.mac.replace(":", "").upper()
    address = {"privateIpAddress": model.private_ip, "publicIpAddress": ""}
    interface = {
        "ipv4": {"ipAddress": [address], "subnet": [{"address": "10.0.0.0", "prefix": "24"}]},
        "macAddress": mac,
    }
    whole = {"compute": compute, "network": {"interface": [interface]}}
    leaves = {f"imds/compute/{key}": value for key, value in compute.items() if isinstance(value, str)}
    documents = {"imds/instance.json": whole, "imds/compute.json": compute, "imds/network.json": whole["network"]}
    return leaves | {name: json.dumps(value) for name, value in documents.items()}
