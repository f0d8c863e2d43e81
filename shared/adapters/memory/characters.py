"""Behavior profiles of simulated machines, as data.

Times count from the request that creates the machine. Messages are copied from Azure: failures from
Azure/azure-cli#29203, console lines from recorded consoles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed provisioning: Azure's error code and message, and after how long it fails."""

    code: str
    message: str
    after: timedelta = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Character:
    """How a machine behaves. ``None`` for a time means never."""

    name: str
    powered_after: timedelta = timedelta(seconds=20)
    provisioned_after: timedelta | None = timedelta(seconds=70)
    agent_after: timedelta | None = timedelta(seconds=90)
    failure: Failure | None = None
    refused: tuple[str, str, int] | None = None
    """Code, message and status with which the request to create the machine is refused."""
    console: tuple[tuple[timedelta, str], ...] = ()
    """Lines on the serial console, and when they appear."""
    console_after: timedelta | None = timedelta(seconds=30)
    """When the console log becomes available."""
    answers: Mapping[str, str | None] = field(default_factory=dict)
    """Lines of the probe (result and detail) that differ from a healthy machine's. None means no line."""
    probe_takes: timedelta | None = timedelta(seconds=12)
    probe_cut: bool = False
    """Whether the output of the probe is truncated."""
    restart_takes: timedelta = timedelta(seconds=25)
    """From the request to restart the machine until the platform has restarted it."""
    back_after: timedelta | None = timedelta(seconds=55)
    """From the request to restart the machine until its agent is ready again."""
    restarts: bool = True
    """Whether a restart does anything in the guest."""
    console_again: tuple[tuple[timedelta, str], ...] | None = None
    """What a restarted machine writes to the console, if it is not what it wrote at first. Times count from the request
    to restart it."""
    is_cloned: bool = False
    """Whether the machine has the identities of the disk that was captured, as all others of the image."""
    changes_identity: bool = False
    """Whether each boot gives the machine new identities."""
    leaves_disk: bool = False
    """Whether the OS disk is left after the machine is deleted."""
    deletion_takes: timedelta = timedelta(seconds=40)
    """From the request to delete the machine until everything is deleted."""


def _s(seconds: int) -> timedelta:
    return timedelta(seconds=seconds)


_KERNEL: Final = (
    (_s(21), "[    0.000000] Linux version 6.8.0-1017-azure (buildd@lcy02-amd64-081) #20-Ubuntu SMP"),
    (_s(22), "[    0.000000] Command line: BOOT_IMAGE=/vmlinuz root=PARTUUID=6a3 ro console=tty1 console=ttyS0"),
)
_LOGIN: Final = (
    *_KERNEL,
    (_s(40), "[   12.101010] systemd[1]: Reached target multi-user.target - Multi-User System."),
    (_s(60), "Ubuntu 24.04.1 LTS ttyS0"),
    (_s(61), "login: "),
)
_TIMED_OUT: Final = (
    "OS Provisioning for VM '{vm}' did not finish in the allotted time. "
    "The VM may still finish provisioning successfully. Please check provisioning state later."
)
_NOT_PREPARED: Final = (
    "OS Provisioning for VM '{vm}' did not finish in the allotted time. However, the VM guest agent was detected "
    "running. This suggests the guest OS has not been properly prepared to be used as a VM image "
    "(with CreateOption=FromImage)."
)

CLEAN: Final = Character("clean", console=_LOGIN)
NEVER_GENERALIZED: Final = Character(
    "never generalized",
    provisioned_after=None,
    agent_after=_s(60),
    failure=Failure("OSProvisioningTimedOut", _NOT_PREPARED),
    console=_LOGIN,
)
PANICS: Final = Character(
    "panics at boot",
    provisioned_after=None,
    agent_after=None,
    failure=Failure("OSProvisioningTimedOut", _TIMED_OUT),
    console=(
        *_KERNEL,
        (_s(24), "[    2.412020] VFS: Unable to mount root fs on unknown-block(0,0)"),
        (_s(25), "[    2.412399] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"),
        (_s(25), "[    2.413001] CPU: 0 PID: 1 Comm: swapper/0 Not tainted 6.8.0-1017-azure #20-Ubuntu"),
    ),
)
NO_AGENT: Final = Character("agent never ready", agent_after=None, console=_LOGIN)
SLOW: Final = Character("slow", provisioned_after=_s(600), agent_after=_s(660), console=_LOGIN)
DEGRADED: Final = Character(
    "a unit fails", console=_LOGIN, answers={"systemd": "fail degraded", "failed_units": "fail nginx.service"}
)
KEEPS_ITS_NAME: Final = Character("keeps its host name", console=_LOGIN, answers={"hostname": "pass builder-vm"})
READ_ONLY_ROOT: Final = Character("root is read-only", console=_LOGIN, answers={"root_writable": "fail no"})
CLONED: Final = Character("cloned", console=_LOGIN, is_cloned=True)
NEW_IDENTITY: Final = Character("another identity after a reboot", console=_LOGIN, changes_identity=True)
NEVER_BACK: Final = Character("never comes back from a reboot", console=_LOGIN, back_after=None)
STUCK_AT_REBOOT: Final = Character(
    "stuck at its second boot",
    console=_LOGIN,
    back_after=None,
    console_again=(
        *_KERNEL,
        (_s(40), 'You are in emergency mode. After logging in, type "journalctl -xb" to view'),
    ),
)
NOT_RESTARTED: Final = Character("restart has no effect", console=_LOGIN, restarts=False)
PROBE_CUT: Final = Character("probe is cut", console=_LOGIN, probe_cut=True)
PROBE_HANGS: Final = Character("probe never ends", console=_LOGIN, probe_takes=None)
BLANK_CONSOLE: Final = Character("blank console", console=((_s(21), "\0"),))
NO_CONSOLE: Final = Character("no console", console=_LOGIN, console_after=None)
LEAVES_DISK: Final = Character("its disk stays", console=_LOGIN, leaves_disk=True)
NO_CAPACITY: Final = Character(
    "no capacity",
    provisioned_after=None,
    agent_after=None,
    failure=Failure("AllocationFailed", "Allocation failed. We do not have sufficient capacity.", _s(30)),
    console_after=None,
)
NO_QUOTA: Final = Character(
    "no quota",
    refused=("OperationNotAllowed", "Operation could not be completed as it results in exceeding approved quota.", 409),
)
