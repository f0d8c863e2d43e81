"""What a machine writes to its serial port, line by line with the guest's clock, after real consoles of Azure machines.

Real consoles end in NULs (the blob grows in pages of 512 bytes), end lines in CR LF (systemd's, seen through the
agent, in CR CR LF), colour systemd's `OK`, begin with the boot loader's screen codes and mix writers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from local.arm.machines.characters import console_parts as parts
from local.arm.machines.characters.console_failures import emergency, initramfs, panic

type Lines = Iterable[tuple[float, str]]

PAGE = 512
"""The blob's growth in bytes: every recorded serial log is a multiple of it, filled with NULs."""


@dataclass(frozen=True, slots=True)
class Guest:
    """What the console tells of a machine: its names, address, kernel and the moment it was powered on (epoch)."""

    computer_name: str
    image_host_name: str
    private_ip: str
    mac: str
    kernel: str
    powered_on: float

    def clock(self, seconds: float) -> datetime:
        """The guest's wall clock `seconds` after power on."""
        return datetime.fromtimestamp(self.powered_on + seconds, UTC)


def _normal(guest: parts.GuestLike) -> Lines:
    yield from parts.boot_loader(guest)
    yield from parts.kernel(guest)
    yield from parts.early_userspace(guest)
    yield from parts.cloud_init(guest)
    yield from parts.services(guest)
    yield from parts.agent(guest)
    yield from parts.login(guest, guest.computer_name)


def _degraded(guest: parts.GuestLike) -> Lines:
    yield from parts.boot_loader(guest)
    yield from parts.kernel(guest)
    yield from parts.early_userspace(guest)
    yield from parts.cloud_init(guest)
    yield from parts.services(guest)
    yield from parts.failed_unit("A high performance web server and a reverse proxy server", "nginx.service")
    yield from parts.agent(guest)
    yield from parts.login(guest, guest.computer_name)


def _no_agent(guest: parts.GuestLike) -> Lines:
    yield from parts.boot_loader(guest)
    yield from parts.kernel(guest)
    yield from parts.early_userspace(guest)
    yield from parts.cloud_init(guest)
    yield from parts.services(guest)
    yield from parts.login(guest, guest.computer_name)


def _never_generalized(guest: parts.GuestLike) -> Lines:
    """The machine comes up as the one it was copied from: old name, old keys, nothing to provision."""
    yield from parts.boot_loader(guest)
    yield from parts.kernel(guest)
    yield from parts.early_userspace(guest, first_boot=False)
    yield from parts.cloud_init_again(guest)
    yield from parts.services(guest)
    yield from parts.agent_of_an_old_machine(guest)
    yield from parts.login(guest, guest.image_host_name)


def _blank(guest: parts.GuestLike) -> Lines:
    """A kernel without `console=ttyS0`: the blob is there, with nothing in it."""
    yield _FIRMWARE, "\0"


def _late(guest: parts.GuestLike) -> Lines:
    """The same until somebody opens the port: what was written until then comes all at once."""
    yield from _blank(guest)
    yield from ((max(at, LATE_SECONDS), line) for at, line in _normal(guest))


LATE_SECONDS = 600.0
_FIRMWARE = 0.4

SCRIPTS: dict[str, Callable[[parts.GuestLike], Lines]] = {
    "normal": _normal,
    "degraded": _degraded,
    "blank": _blank,
    "none": lambda guest: (),
    "late": _late,
    "no-agent": _no_agent,
    "never-generalized": _never_generalized,
    "panic": panic,
    "initramfs": initramfs,
    "emergency": emergency,
}


def console(script: str, guest: Guest, guest_seconds: float) -> bytes:
    """The console after `guest_seconds` of running: all that was written by then, NULs up to a full page.

    Empty while the kernel has not started: the blob does not exist yet.
    """
    if guest_seconds <= 0:
        return b""
    text = "".join(line for at, line in SCRIPTS[script](guest) if at <= guest_seconds)
    raw = text.encode()
    return raw + b"\0" * (-len(raw) % PAGE)
