"""Boot-test machines, and whatever was made with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.domain.boot import MachineFacts, ProbeFacts
from shared.domain.facts import PurchasePlan
from shared.domain.image import VersionId


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A boot-test machine: ``image`` is the version to boot, from the replica in ``region``."""

    name: str
    region: str
    image: VersionId
    os_type: str
    os_state: str
    architecture: str
    vm_size: str
    release: str
    """Value of the release tag; proof, with name and resource group, that the machine is ours."""
    expires: datetime
    trusted_launch: bool = False
    plan: PurchasePlan | None = None
    """The definition's marketplace plan. Azure refuses a machine without it (``VMMarketplaceInvalidInput``)."""
    data_disks: int = 0
    """How many data disks the image has: each must be told to go with the machine."""
    data_disk_luns: tuple[int, ...] = ()
    """Their logical unit numbers, where known; 0, 1, 2 … otherwise."""


@dataclass(frozen=True, slots=True)
class OwnMachine:
    """Something in the test resource group that carries our tag and our name."""

    resource_id: str
    name: str
    release: str | None
    expires: datetime | None


class Machines(Protocol):
    """Boot-test machines in the test resource group, and nothing else."""

    async def create(self, spec: MachineSpec) -> None:
        """Ask for a machine with an inline NIC, all of it deleted with it. Asking twice is asking once.

        Raises Refused with the platform's code.
        """
        ...

    async def view(self, name: str) -> MachineFacts | None:
        """The machine with its instance view, or None when there is none."""
        ...

    async def start_probe(
        self, name: str, probe: str, *, region: str, script: str, os_type: str, within: timedelta
    ) -> None:
        """Start one managed run command of that name on the machine; does not wait for it."""
        ...

    async def probe(self, name: str, probe: str) -> ProbeFacts | None:
        """The run command's instance view, or None when there is none."""
        ...

    async def serial_log(self, name: str) -> bytes | None:
        """The tail of the serial console, at most 1 MiB; None when Azure has none (yet). Never logs its address."""
        ...

    async def delete(self, name: str) -> None:
        """Ask for the deletion of the machine with all it was made of. A machine that isn't there is no fault."""
        ...

    async def remaining(self, parts: Sequence[str]) -> Sequence[str]:
        """Which of these resource ids still exist."""
        ...

    async def delete_part(self, resource_id: str) -> None:
        """Delete a disk or NIC that outlived its machine.

        Raises ForeignTarget unless resource group, name and tag prove it ours.
        """
        ...

    async def ours(self) -> Sequence[OwnMachine]:
        """Everything of ours in the test resource group: machines, disks and NICs."""
        ...
