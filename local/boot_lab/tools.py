"""The tools of the boot lab, and how they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

PACKAGES: Final = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "qemu-system-x86_64": "qemu-system-x86",
}
"""Debian's packages, by the command that is needed of them."""


class MissingTool(Exception):
    """Something that the lab needs is not here, and cannot be installed. The text says what, and why."""


def find(name: str) -> str | None:
    """The path of a command. Those of an administrator are not on everyone's path."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def install() -> None:
    """Install what is missing with apt-get. Raises MissingTool."""
    if os.geteuid() != 0:
        raise MissingTool("the boot lab makes a root file system with owners of its own: run it as root")
    missing = {name: package for name, package in PACKAGES.items() if find(name) is None}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if find("apt-get") is None:
        raise MissingTool(f"{', '.join(missing)} are missing, and there is no apt-get: install {', '.join(packages)}")
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    still = [name for name in missing if find(name) is None]
    if done.returncode or still:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise MissingTool(f"{', '.join(still or missing)} cannot be installed: {' / '.join(said)}")
