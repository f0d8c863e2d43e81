"""A root file system of Debian, and disks of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.boot_lab.tools import MissingTool, find

SUITE: Final = "bookworm"
MIRROR: Final = "http://deb.debian.org/debian"
HOST_NAME: Final = "boot-lab"
_PACKAGES: Final = "systemd-sysv,udev,dbus,openssh-server,systemd-timesyncd,linux-image-cloud-amd64,initramfs-tools"
_SIZE: Final = "1200M"
_DAY: Final = 86400
_RUN_PROBE: Final = """\
[Unit]
Description=Run the probe of the second disk
After=multi-user.target
[Service]
Type=exec
ExecStart=/usr/local/sbin/lab-probe
[Install]
WantedBy=multi-user.target
"""
_PROBE: Final = """\
#!/bin/sh
# Frames go to the second serial port: on the first, lines of the kernel run into them.
[ -b /dev/vdb ] || exit 0
exec >/dev/ttyS1 2>&1
tr -d '\\000' </dev/vdb >/run/probe.sh
sh /run/probe.sh
echo "lab machine-id $(cat /etc/machine-id)"
for key in /etc/ssh/ssh_host_*_key.pub; do echo "lab $(basename "$key") $(sha256sum <"$key" | cut -c1-32)"; done
echo 'lab end'
sync
systemctl --no-block reboot
"""
_NEW_KEYS: Final = """\
[Unit]
Description=Make the SSH host keys that are missing
Before=ssh.service
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
[Install]
WantedBy=multi-user.target
"""
_SSHD: Final = "PasswordAuthentication no\nClientAliveInterval 120\n"


@dataclass(frozen=True, slots=True)
class Root:
    """A root directory, and its kernel."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return next((self.folder / "boot").glob("vmlinuz-*"))

    @property
    def initrd(self) -> Path:
        return next((self.folder / "boot").glob("initrd.img-*"))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingTool(f"{command[0]} failed: {' / '.join(done.stderr.strip().splitlines()[-3:])}")


def make_root(folder: Path) -> Root:
    """Make a generalized root file system: no identifier, no host keys. Raises MissingTool."""
    root = Root(folder)
    if folder.exists():
        shutil.rmtree(folder)
    program = find("mmdebstrap") or "mmdebstrap"
    _run(program, "--variant=minbase", f"--include={_PACKAGES}", SUITE, str(folder), MIRROR)
    _write(folder, "etc/hostname", f"{HOST_NAME}\n")
    _write(folder, "etc/fstab", "/dev/vda / ext4 rw 0 1\n")
    _write(folder, "etc/ssh/sshd_config.d/lab.conf", _SSHD)
    _write(folder, "etc/systemd/system/lab-probe.service", _RUN_PROBE)
    _write(folder, "etc/systemd/system/lab-keys.service", _NEW_KEYS)
    _write(folder, "usr/local/sbin/lab-probe", _PROBE, mode=0o755)
    for unit in ("lab-probe", "lab-keys"):
        wants = folder / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / f"{unit}.service").symlink_to(f"/etc/systemd/system/{unit}.service")
    generalize(root)
    return root


def generalize(root: Root) -> None:
    """Take the identity away, as the last step before a capture does."""
    _write(root.folder, "etc/machine-id", "")
    for key in (root.folder / "etc/ssh").glob("ssh_host_*"):
        key.unlink()


def bake_identity(root: Root) -> None:
    """Give the root what a build VM leaves in an image that nobody generalized, a day old."""
    _write(root.folder, "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    _run("chroot", str(root.folder), "ssh-keygen", "-A")
    before = time.time() - _DAY
    for file in (root.folder / "etc/machine-id", *(root.folder / "etc/ssh").glob("ssh_host_*")):
        os.utime(file, (before, before))


def _write(folder: Path, name: str, text: str, *, mode: int = 0o644) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)


def make_disk(root: Root, disk: Path) -> None:
    """Write the root into an ext4 file system without a partition table."""
    disk.unlink(missing_ok=True)
    _run(find("mke2fs") or "mke2fs", "-q", "-t", "ext4", "-d", str(root.folder), str(disk), _SIZE)


def add_missing_mount(disk: Path, work: Path) -> None:
    """Put a line for a device that does not exist into the fstab of a disk."""
    fstab = work / "fstab"
    fstab.write_text(
        "/dev/vda / ext4 rw 0 1\n"
        "UUID=5b1dc0de-0000-4000-8000-000000000001 /data ext4 x-systemd.device-timeout=15s 0 2\n"
    )
    for request in ("rm /etc/fstab", f"write {fstab} /etc/fstab"):
        _run(find("debugfs") or "debugfs", "-w", "-R", request, str(disk))
