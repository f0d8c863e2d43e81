"""How machines made from an image behave: which images boot, which provision, what their console and their guest say.

An image version or a managed image names its character in the tag `sim-character`; several names may stand there,
separated by commas, since the gallery side has characters of its own (`replication-fails-once`, …). The first name
known here is the machine's character; without any it is `clean`.
"""

from dataclasses import dataclass
from enum import Enum


class Provisioning(Enum):
    """How the provisioning of the operating system ends."""

    SUCCEEDS = "succeeds"
    NOT_GENERALIZED = "not generalized"
    TIMES_OUT = "times out"


@dataclass(frozen=True, slots=True)
class Character:
    """What one kind of image does.

    `console` names a script of `console.SCRIPTS`; `pace` multiplies every duration; `failed_units` are systemd units
    that fail at boot; `refuses_allocations` is how many creations per image and region fail with AllocationFailed.
    Machines that are `is_cloned` have the machine id and host keys of the disk that was captured; with
    `renews_identity` each boot makes new ones. `returns` says whether the agent reports after a restart, and
    `console_again` is the script of such a boot's console.
    """

    name: str
    summary: str
    console: str = "normal"
    provisioning: Provisioning = Provisioning.SUCCEEDS
    has_agent: bool = True
    pace: float = 1.0
    failed_units: tuple[str, ...] = ()
    refuses_allocations: int = 0
    run_commands_hang: bool = False
    is_cloned: bool = False
    renews_identity: bool = False
    returns: bool = True
    console_again: str | None = None


_ALL = (
    Character("clean", "boots, provisions, agent ready, healthy"),
    Character(
        "never-generalized",
        "a disk that was never deprovisioned: the old agent reports, provisioning never completes",
        console="never-generalized",
        provisioning=Provisioning.NOT_GENERALIZED,
    ),
    Character(
        "panics-at-boot",
        "the kernel finds no root file system and panics",
        console="panic",
        provisioning=Provisioning.TIMES_OUT,
        has_agent=False,
    ),
    Character(
        "initramfs-shell",
        "the root device never appears; the boot ends in the initramfs shell",
        console="initramfs",
        provisioning=Provisioning.TIMES_OUT,
        has_agent=False,
    ),
    Character(
        "emergency-mode",
        "a file system in fstab cannot be mounted; systemd ends in emergency mode",
        console="emergency",
        provisioning=Provisioning.TIMES_OUT,
        has_agent=False,
    ),
    Character("agent-never-ready", "provisions, but no VM agent ever reports", console="no-agent", has_agent=False),
    Character("slow", "as clean, four times slower", pace=4.0),
    Character(
        "probe-fails",
        "boots and reports ready, but systemd is degraded: a unit failed",
        console="degraded",
        failed_units=("nginx.service",),
    ),
    Character("blank-console", "as clean, but nothing is ever written to the serial port", console="blank"),
    Character("no-console", "as clean, but there never is a serial log", console="none"),
    Character("late-console", "as clean, but the serial port is silent for ten minutes", console="late"),
    Character("allocation-fails-once", "the region lacks capacity for the first machine", refuses_allocations=1),
    Character(
        "cloned",
        "provisions under its new name, but with the machine id and host keys of the captured disk",
        is_cloned=True,
    ),
    Character("identity-changes", "each boot makes another machine id and other host keys", renews_identity=True),
    Character(
        "never-returns",
        "clean at first; its second boot ends in emergency mode",
        returns=False,
        console_again="emergency",
    ),
    Character("run-command-hangs", "ready, but a run command never ends", run_commands_hang=True),
)
CHARACTERS = {character.name: character for character in _ALL}


def named(text: str | None) -> Character:
    """The machine character in the value of a `sim-character` tag; `clean` where none is named."""
    names = [name.strip().lower() for name in (text or "").split(",")]
    return next((CHARACTERS[name] for name in names if name in CHARACTERS), CHARACTERS["clean"])
