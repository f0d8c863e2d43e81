"""Consoles of machines that never come up."""

from collections.abc import Iterator

from local.arm.machines.characters import console_parts as parts

_DEPEND = "[\x1b[0;1;38;5;185mDEPEND\x1b[0m]"
_TRACE = (
    "dump_stack_lvl+0x48/0x70",
    "dump_stack+0x10/0x20",
    "panic+0x366/0x3d0",
    "mount_root_generic+0x1f0/0x340",
    "prepare_namespace+0x74/0x2c0",
    "kernel_init_freeable+0x31e/0x3a0",
    "? __pfx_kernel_init+0x10/0x10",
    "kernel_init+0x1b/0x200",
    "ret_from_fork+0x44/0x70",
    "ret_from_fork_asm+0x1b/0x30",
)


def panic(guest: parts.GuestLike) -> Iterator[parts.Timed]:
    """No initial RAM disk for the installed kernel, so no driver for the root disk: the kernel gives up."""
    yield from parts.boot_loader(guest)
    yield from parts.kernel(guest)
    yield parts.dmesg(2.114820, "/dev/root: Can't open blockdev")
    yield parts.dmesg(2.116204, 'VFS: Cannot open root device "PARTUUID=461b6d07-b2f8" or unknown-block(0,0): error -6')
    yield parts.dmesg(2.118973, 'Please append a correct "root=" boot option; here are the available partitions:')
    reason = "VFS: Unable to mount root fs on unknown-block(0,0)"
    yield parts.dmesg(2.121744, f"Kernel panic - not syncing: {reason}")
    yield parts.dmesg(2.124031, f"CPU: 1 PID: 1 Comm: swapper/0 Not tainted {guest.kernel} #15-Ubuntu")
    yield parts.dmesg(
        2.126220, "Hardware name: Microsoft Corporation Virtual Machine/Virtual Machine, BIOS Hyper-V UEFI"
    )
    yield parts.dmesg(2.129104, "Call Trace:")
    yield parts.dmesg(2.130018, " <TASK>")
    for step, frame in enumerate(_TRACE):
        yield parts.dmesg(2.131 + 0.0013 * step, f" {frame}")
    yield parts.dmesg(2.145530, " </TASK>")
    yield parts.dmesg(2.147703, "Kernel Offset: 0x3600000 from 0xffffffff81000000")
    yield parts.dmesg(2.388112, f"---[ end Kernel panic - not syncing: {reason} ]---")


def initramfs(guest: parts.GuestLike) -> Iterator[parts.Timed]:
    """The root device never appears."""
    yield from parts.boot_loader(guest)
    yield from parts.kernel(guest)
    yield parts.plain(1.9, "Begin: Mounting root file system ... Begin: Running /scripts/local-top ... done.")
    yield parts.plain(2.0, "Begin: Waiting for root file system ... Begin: Running /scripts/local-block ... done.")
    yield parts.plain(32.0, "Gave up waiting for root file system device.  Common problems:")
    yield parts.plain(32.0, " - Boot args (cat /proc/cmdline)")
    yield parts.plain(32.0, "   - Check rootdelay= (did the system wait long enough?)")
    yield parts.plain(32.0, " - Missing modules (cat /proc/modules; ls /dev)")
    yield parts.plain(32.1, "ALERT!  PARTUUID=461b6d07-b2f8 does not exist.  Dropping to a shell!")
    yield parts.plain(32.6, "\r\n\r\nBusyBox v1.36.1 (Ubuntu 1:1.36.1-6ubuntu3.1) built-in shell (ash)")
    yield parts.plain(32.6, "Enter 'help' for a list of built-in commands.\r\n")
    yield 35.7, "(initramfs) "


def emergency(guest: parts.GuestLike) -> Iterator[parts.Timed]:
    """A file system that fstab demands is not there."""
    yield from parts.boot_loader(guest)
    yield from parts.kernel(guest)
    yield from parts.early_userspace(guest, first_boot=False)
    data = "/dev/disk/by-uuid/0f3e2b7c"
    yield parts.plain(
        93.4, f"[\x1b[0;1;31m\x1b[0;1;33m TIME \x1b[0m] Timed out waiting for device \x1b[0;1;39m{data}\x1b[0m."
    )
    yield parts.plain(93.4, f"{_DEPEND} Dependency failed for \x1b[0;1;39m/data\x1b[0m.")
    yield parts.plain(93.4, f"{_DEPEND} Dependency failed for \x1b[0;1;39mLocal File Systems\x1b[0m.")
    yield parts.ok(93.5, "Started", "Emergency Shell")
    yield parts.ok(93.5, "Reached target", "Emergency Mode")
    yield parts.plain(93.7, 'You are in emergency mode. After logging in, type "journalctl -xb" to view')
    yield parts.plain(93.7, 'system logs, "systemctl reboot" to reboot, or "exit" to continue bootup.')
    yield parts.plain(93.8, "\r\nCannot open access to console, the root account is locked.")
    yield parts.plain(93.8, "See sulogin(8) man page for more details.\r\n\r\nPress Enter to continue.")
