"""When a machine does what, as pure functions of its birth: times in seconds since the epoch, speed already applied.

Azure's own durations: a VM's creation takes 40 to 90 seconds and the agent reports 12 to 28 seconds later (recorded:
`test_vm_create_special_name.yaml` still says Not Ready 11 s after provisioning, clients that look half a minute after
it find the agent ready). The window after which provisioning
is given up has no official number; users report about twenty minutes.
"""

import random
from dataclasses import asdict, dataclass
from typing import Any

from local.arm.machines.characters import Character, Provisioning

PROVISIONING_WINDOW = 1200.0
"""Seconds of Azure's time until OSProvisioningTimedOut."""
ALLOCATION_FAILS_AFTER = 20.0
"""Seconds of Azure's time until AllocationFailed."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The moments of one boot.

    `created` is the request, `disks_ready` the copied OS disk, `powered_on` the firmware's start (where the console's
    clock stands at 0), `provisioned` the end of the creation (good or bad), `agent_ready` the agent's first report or
    None. `rate` is how many seconds of the guest's boot pass in one second.
    """

    created: float
    disks_ready: float
    powered_on: float
    provisioned: float
    agent_ready: float | None
    rate: float

    def document(self) -> dict[str, Any]:
        """For the store; `Timeline(**document)` reads it back."""
        return asdict(self)

    def guest_seconds(self, now: float) -> float:
        """Seconds on the guest's own clock since its kernel started, 0 before that."""
        return max(0.0, (now - self.powered_on) * self.rate)


def first_boot(character: Character, created: float, speed: float, seed: str, *, generalized: bool = True) -> Timeline:
    """The timeline of a new machine; `seed` makes it reproducible, a specialized image skips OS provisioning."""
    draw = random.Random(f"first boot {seed}")
    factor = character.pace / speed
    disks = created + draw.uniform(2, 5) * factor
    power = disks + draw.uniform(6, 12) * factor
    total = draw.uniform(40, 90) if generalized else draw.uniform(25, 45)
    provisioned = created + total * factor
    if generalized and character.provisioning is not Provisioning.SUCCEEDS:
        provisioned = created + PROVISIONING_WINDOW / speed
    return Timeline(created, disks, power, provisioned, _agent(character, power, provisioned, factor, draw), 1 / factor)


def next_boot(character: Character, powered_on: float, speed: float, seed: str) -> Timeline:
    """The timeline of a restart or of a start after a stop: no provisioning, and the agent reports anew."""
    draw = random.Random(f"next boot {seed}")
    factor = character.pace / speed
    ready = powered_on + draw.uniform(20, 45) * factor if character.has_agent and character.returns else None
    return Timeline(powered_on, powered_on, powered_on, powered_on, ready, 1 / factor)


def _agent(
    character: Character, powered_on: float, provisioned: float, factor: float, draw: random.Random
) -> float | None:
    wait = draw.uniform(12, 28) * factor
    if not character.has_agent:
        return None
    # A disk that was never generalized runs its old agent at once, long before provisioning is given up.
    never_generalized = character.provisioning is Provisioning.NOT_GENERALIZED
    return powered_on + 1.5 * wait if never_generalized else provisioned + wait
