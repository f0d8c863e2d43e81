"""The stretches that a Linux console on Azure is made of: `(seconds since power on, text)`, in order."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

_BROWN = "\x1b[0;1;39m"
_GREEN = "\x1b[0;32m"
_RED = "\x1b[0;1;31m"
_PLAIN = "\x1b[0m"
# The firmware and the boot loader run before the kernel's clock starts.
_KERNEL_STARTS = 3.0


class GuestLike(Protocol):
    """What the stretches read of a machine."""

    @property
    def computer_name(self) -> str:
        """The name given at creation."""
        ...

    @property
    def image_host_name(self) -> str:
        """The name of the machine that the image was made of."""
        ...

    @property
    def private_ip(self) -> str:
        """The address on eth0."""
        ...

    @property
    def mac(self) -> str:
        """The hardware address, with colons."""
        ...

    @property
    def kernel(self) -> str:
        """The kernel's release."""
        ...

    def clock(self, seconds: float) -> datetime:
        """The guest's wall clock."""
        ...


type Timed = tuple[float, str]


def dmesg(at: float, text: str) -> Timed:
    """A line of the kernel at `at` seconds on its own clock."""
    return _KERNEL_STARTS + at, f"[{at:12.6f}] {text}\r\n"


def ok(at: float, verb: str, unit: str) -> Timed:
    """A green line of systemd."""
    return _KERNEL_STARTS + at, f"[{_GREEN}  OK  {_PLAIN}] {verb} {_BROWN}{unit}{_PLAIN}.\r\n"


def starting(at: float, unit: str) -> Timed:
    """A start, as systemd announces it."""
    return _KERNEL_STARTS + at, f"         Starting {_BROWN}{unit}{_PLAIN}...\r\n"


def plain(at: float, text: str) -> Timed:
    """A line without a time stamp."""
    return _KERNEL_STARTS + at, f"{text}\r\n"


def failed(at: float, text: str, unit: str | None = None) -> Iterator[Timed]:
    """A red line of systemd and where to look."""
    yield _KERNEL_STARTS + at, f"[{_RED}FAILED{_PLAIN}] {text}.\r\n"
    if unit:
        yield plain(at, f"See 'systemctl status {unit}' for details.")


def boot_loader(guest: GuestLike) -> Iterator[Timed]:
    """GRUB's screen codes and its two lines, which it writes twice."""
    yield 0.4, "\x1b[0m\x1b[30m\x1b[47mWelcome to GRUB!\n\r\n\r\x1b[0m\x1b[37m\x1b[40m\x1b[2J\x1b[01;01H\x1b[0m\x1b[37m"
    for loading in (f"Loading Linux {guest.kernel} ...", "Loading initial ramdisk ..."):
        yield 1.6, f"\r\n\r{loading}{loading}\n"


def kernel(guest: GuestLike) -> Iterator[Timed]:
    """The kernel until it hands over to init."""
    version = guest.kernel
    yield dmesg(0, f"Linux version {version} (buildd@lcy02-amd64-090) (x86_64-linux-gnu-gcc-13, GNU ld 2.42) #15 SMP")
    yield dmesg(
        0, f"Command line: BOOT_IMAGE=/vmlinuz-{version} root=PARTUUID=461b6d07-b2f8 ro console=tty1 console=ttyS0"
    )
    yield dmesg(0, "BIOS-provided physical RAM map:")
    yield dmesg(0, "BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable")
    yield dmesg(0, "BIOS-e820: [mem 0x0000000000100000-0x000000003ff40fff] usable")
    yield dmesg(0, "BIOS-e820: [mem 0x000000003ff71000-0x000000003ffc8fff] reserved")
    yield dmesg(0, "efi: EFI v2.7 by Microsoft")
    yield dmesg(0, "SMBIOS 3.1.0 present.")
    yield dmesg(0, "DMI: Microsoft Corporation Virtual Machine/Virtual Machine, BIOS Hyper-V UEFI Release v4.1")
    yield dmesg(0, "Hypervisor detected: Microsoft Hyper-V")
    yield dmesg(0, "Hyper-V: privilege flags low 0xae7f, high 0x3b8030, hints 0x9e4e24, misc 0xe0bed7b2")
    yield dmesg(0.000001, "tsc: Marking TSC unstable due to running on Hyper-V")
    yield dmesg(0.118203, "ACPI: Early table checksum verification disabled")
    yield dmesg(0.402117, "smpboot: Allowing 2 CPUs, 0 hotplug CPUs")
    yield dmesg(0.871932, "hv_vmbus: Vmbus version:5.3")
    yield dmesg(1.004417, "hv_vmbus: registering driver hv_storvsc")
    yield dmesg(1.019330, "scsi host0: storvsc_host_t")


def early_userspace(guest: GuestLike, *, first_boot: bool = True) -> Iterator[Timed]:
    """The root disk and systemd's first steps; a first boot makes itself a machine id."""
    host = "ubuntu" if first_boot else guest.image_host_name
    yield dmesg(1.242086, "sd 0:0:0:0: [sda] Attached SCSI disk")
    yield dmesg(1.261204, " sda: sda1 sda14 sda15")
    yield dmesg(1.881034, "EXT4-fs (sda1): mounted filesystem 7d1e9f6b ro with ordered data mode. Quota mode: none.")
    yield dmesg(2.605997, "systemd[1]: systemd 255.4-1ubuntu8 running in system mode (+PAM +AUDIT +SELINUX +APPARMOR)")
    yield dmesg(2.613129, "systemd[1]: Detected virtualization microsoft.")
    yield dmesg(2.614925, "systemd[1]: Detected architecture x86-64.")
    yield dmesg(2.618937, f"systemd[1]: Hostname set to <{host}>.")
    if first_boot:
        yield dmesg(2.620909, "systemd[1]: Initializing machine ID from random generator.")
    yield ok(2.787578, "Created slice", "Slice /system/getty")
    yield ok(2.805603, "Listening on", "Journal Socket")
    yield starting(2.920000, "Remount Root and Kernel File Systems")
    yield ok(2.968000, "Finished", "Remount Root and Kernel File Systems")
    yield ok(3.110420, "Started", "Journal Service")
    yield dmesg(3.203344, "hv_utils: Heartbeat IC version 3.0")
    yield dmesg(3.204818, "hv_utils: TimeSync IC version 4.0")
    yield ok(3.390112, "Reached target", "Local File Systems")


def _stage(guest: GuestLike, at: float, stage: str) -> Timed:
    when = guest.clock(at).strftime("%a, %d %b %Y %H:%M:%S +0000")
    return dmesg(
        at, f"cloud-init[612]: Cloud-init v. 24.4.1-0ubuntu0 running '{stage}' at {when}. Up {at:.2f} seconds."
    )


def _address(guest: GuestLike, at: float) -> Timed:
    row = f"|  eth0  | True | {guest.private_ip:^12} | 255.255.255.0 | {guest.mac} |"
    return dmesg(at, f"cloud-init[640]: ci-info: {row}")


def cloud_init(guest: GuestLike) -> Iterator[Timed]:
    """A first boot's cloud-init: address, keys, the user."""
    yield starting(3.601200, "Cloud-init: Local Stage (pre-network)")
    yield _stage(guest, 4.12, "init-local")
    yield ok(6.330000, "Finished", "Cloud-init: Local Stage (pre-network)")
    yield ok(7.002114, "Reached target", "Network")
    yield _stage(guest, 8.42, "init")
    rule = "cloud-init[640]: ci-info: +--------+------+--------------+---------------+--------+-------------------+"
    yield dmesg(8.471204, rule)
    yield dmesg(
        8.474667, f"cloud-init[640]: ci-info: |  eth0  | True | {guest.private_ip:^12} | 255.255.255.0 | {guest.mac} |"
    )
    yield dmesg(8.478578, rule)
    yield dmesg(9.865779, "cloud-init[640]: Generating public/private rsa key pair.")
    yield dmesg(9.873825, "cloud-init[640]: The key fingerprint is:")
    yield dmesg(9.875455, f"cloud-init[640]: SHA256:1cgns8D2VZ9t80SkaeCkhOVQZPLYY2dF root@{guest.computer_name}")
    yield ok(9.902120, "Finished", "Cloud-init: Network Stage")


def cloud_init_again(guest: GuestLike) -> Iterator[Timed]:
    """cloud-init on a disk that still carries the state of the machine it came from: it has nothing to do."""
    yield starting(3.601200, "Cloud-init: Local Stage (pre-network)")
    yield _stage(guest, 4.12, "init-local")
    yield ok(4.610000, "Finished", "Cloud-init: Local Stage (pre-network)")
    yield _stage(guest, 6.42, "init")
    yield dmesg(
        6.474667, f"cloud-init[640]: ci-info: |  eth0  | True | {guest.private_ip:^12} | 255.255.255.0 | {guest.mac} |"
    )
    yield ok(6.902120, "Finished", "Cloud-init: Network Stage")


def services(guest: GuestLike) -> Iterator[Timed]:
    """The services of an ordinary server."""
    yield ok(10.110980, "Reached target", "Network is Online")
    yield ok(10.214500, "Reached target", "System Initialization")
    yield ok(10.330871, "Listening on", "D-Bus System Message Bus Socket")
    yield ok(10.702133, "Started", "chrony, an NTP client/server")
    yield ok(10.911028, "Started", "OpenBSD Secure Shell server")
    yield ok(11.020017, "Started", "User Login Management")
    yield ok(11.204419, "Started", "Serial Getty on ttyS0")
    yield _stage(guest, 12.61, "modules:config")
    yield _stage(guest, 13.35, "modules:final")
    yield dmesg(13.770312, "cloud-init[981]: Cloud-init v. 24.4.1 finished. Datasource DataSourceAzure.")


def failed_unit(description: str, unit: str) -> Iterator[Timed]:
    """A unit that fails although the rest of the machine comes up."""
    yield starting(13.801200, description)
    yield from failed(13.940032, f"Failed to start {_BROWN}{unit}{_PLAIN} - {description}", unit)


def _agent_line(guest: GuestLike, at: float, text: str) -> Timed:
    stamp = guest.clock(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return _KERNEL_STARTS + at, f"{stamp} INFO {text}\r\r\n"


def agent(guest: GuestLike) -> Iterator[Timed]:
    """The Azure Linux agent until it reports."""
    yield ok(14.001120, "Started", "Azure Linux Agent")
    yield _agent_line(guest, 14.3, "Daemon Azure Linux Agent Version:2.2.46")
    yield _agent_line(guest, 14.4, "Daemon cloud-init is enabled: True")
    yield _agent_line(guest, 14.8, "Daemon Wire server endpoint:168.63.129.16")
    yield _agent_line(guest, 16.1, "Daemon Agent WALinuxAgent-2.2.46 is successfully running")
    yield _agent_line(guest, 17.4, "Daemon Determined Agent WALinuxAgent-2.15.0.1 to be the latest agent")
    yield _agent_line(guest, 18.9, "ExtHandler ExtHandler The agent will now check for updates and process extensions.")


def agent_of_an_old_machine(guest: GuestLike) -> Iterator[Timed]:
    """The agent of a disk that was not deprovisioned: for it, provisioning is long over."""
    yield ok(14.001120, "Started", "Azure Linux Agent")
    yield _agent_line(guest, 14.3, "Daemon Azure Linux Agent Version:2.2.46")
    yield _agent_line(guest, 14.5, "Daemon Provisioning already completed, skipping.")
    yield _agent_line(guest, 14.8, "Daemon Wire server endpoint:168.63.129.16")
    yield _agent_line(guest, 18.9, "ExtHandler ExtHandler The agent will now check for updates and process extensions.")


def login(guest: GuestLike, host: str) -> Iterator[Timed]:
    """The prompt, and what the kernel writes behind it later."""
    yield plain(19.5, "\r\nUbuntu 24.04.2 LTS " + host + " ttyS0\r\n")
    yield _KERNEL_STARTS + 19.5, f"{host} login: "
    yield dmesg(59.287063, "hv_balloon: Max. dynamic memory size: 8192 MB")
    _ = guest
