"""Virtual machines for boot tests, and the disks and network interfaces that belong to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Protocol

from shared.domain.boot_test.failures import MachineFacts, ProbeFacts
from shared.domain.boot_test.machine_sizes import Sizes
from shared.domain.facts import PurchasePlan
from shared.domain.image import VersionId
from shared.domain.image_traits import DiskKeys, SecurityType

NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A virtual machine for a boot test.

    ``image`` is the image version, and ``region`` the region whose replica is booted. ``os_type`` is ``Linux`` or
    ``Windows``, ``os_state`` ``Generalized`` or ``Specialized``, and ``architecture`` ``x64`` or ``Arm64``, as in the
    image definition. ``expires`` is when the cleanup may delete the machine.
    """

    name: str
    region: str
    image: VersionId
    os_type: str
    os_state: str
    architecture: str
    vm_size: str
    release: str
    """Value of the tag ``ringmaster-release``. With name and resource group, it proves that Ringmaster created the
    machine.
    """
    expires: datetime
    security: SecurityType = SecurityType.STANDARD
    """Machines of other types have secure boot and a vTPM."""
    keys: DiskKeys = field(default_factory=DiskKeys)
    """Disk encryption sets of the machine's disks, and the encryption of a confidential machine's OS disk."""
    controller: str | None = None
    """Disk controller (``NVMe``), if it is not the default of the size."""
    disk_type: str = "Standard_LRS"
    """Storage account type of the disks."""
    zone: str | None = None
    """Availability zone. Without one, Azure chooses."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further tags of the machine, its disks and its network interface."""
    plan: PurchasePlan | None = None
    """The definition's marketplace plan. Azure refuses a machine without it (``VMMarketplaceInvalidInput``)."""
    data_disks: int = 0
    """How many data disks the image has. Each needs ``deleteOption: Delete``, because Azure keeps disks by default
    ("Delete a VM and attached resources", Microsoft Learn).
    """
    data_disk_luns: tuple[int, ...] = ()
    """Logical unit numbers of the data disks, if known. Otherwise they are numbered from 0."""


@dataclass(frozen=True, slots=True)
class OwnMachine:
    """A machine, disk or network interface in the test resource group that has Ringmaster's name prefix and tag.

    ``expires`` is None when the tag is missing or not a valid time.
    """

    resource_id: str
    name: str
    release: str | None
    expires: datetime | None


class Machines(Protocol):
    """Manage boot-test machines in the test resource group, and in no other.

    No method waits for a long-running operation: read the resource later to see the result. Every method may raise
    Throttled, Unavailable and Refused. Methods that write raise ForeignTarget for a name that does not have
    Ringmaster's prefix.
    """

    async def create(self, spec: MachineSpec) -> None:
        """Start to create a machine with an inline network interface. Deleting the machine deletes its disks and
        interface.

        Does nothing when the machine exists and belongs to the same release. Raises ForeignTarget when a machine of
        this name belongs to something else, Refused with Azure's error code, and Conflict while the name is being
        deleted.

        Source: Azure REST API, "Virtual Machines - Create Or Update" (``networkInterfaceConfigurations``,
        ``deleteOption``).
        """
        ...

    async def sizes(self, region: str) -> Sizes:
        """The sizes of machines in a region, with their capabilities and the subscription's restrictions.

        A process asks Azure at most once an hour for each region. The answer does not show free capacity.

        Source: Azure REST API, "Resource Skus - List".
        """
        ...

    async def view(self, name: str) -> MachineFacts | None:
        """Read a machine with its instance view. Returns None when it does not exist."""
        ...

    async def start_probe(
        self,
        name: str,
        probe: str,
        *,
        region: str,
        script: str,
        os_type: str,
        within: timedelta,
        tags: Mapping[str, str] = NO_TAGS,
    ) -> None:
        """Start a managed run command on the machine, with these tags. Does not wait for its result.

        ``probe`` is the name of the run command, ``script`` a shell script (Linux) or PowerShell script (Windows).
        ``within`` is the time limit of the script, from 30 seconds to 90 minutes; other values are adjusted.

        Source: Microsoft Learn, "Run scripts in your Linux VM by using managed Run Commands" (``timeoutInSeconds``).
        """
        ...

    async def probe(self, name: str, probe: str) -> ProbeFacts | None:
        """Read the state and output of a run command. Returns None when it does not exist.

        The output is at most the last 4 KiB. ``provisioningState`` says only that the command ran; ``executionState``
        and ``exitCode`` of the instance view hold its result (same source as ``start_probe``).
        """
        ...

    async def restart(self, name: str) -> None:
        """Start to restart a machine. Until the restart has ended, its provisioning state is Updating, and the agent's
        last report may still say Ready.

        Raises Refused, with status 404 for a machine that does not exist, and Conflict while another operation runs.

        Source: Azure REST API, "Virtual Machines - Restart".
        """
        ...

    async def serial_log(self, name: str) -> bytes | None:
        """Read the last 1 MiB of the serial console log. Returns None when Azure has no log (yet).

        The log is read through a signed URL, which is a secret and is never logged.

        Source: Azure REST API, "Virtual Machines - Retrieve Boot Diagnostics Data".
        """
        ...

    async def delete(self, name: str) -> None:
        """Start to delete a machine and everything that was created with it. Does nothing when it does not exist.

        Raises ForeignTarget for a machine without Ringmaster's tag.
        """
        ...

    async def remaining(self, parts: Sequence[str]) -> Sequence[str]:
        """Return those of these resource ids that still exist."""
        ...

    async def delete_part(self, resource_id: str) -> None:
        """Delete a disk or network interface that was left after its machine was deleted. Does nothing when it does not
        exist.

        Raises ForeignTarget unless resource group, name and tag prove that Ringmaster created it.
        """
        ...

    async def ours(self) -> Sequence[OwnMachine]:
        """List all machines, disks and network interfaces in the test resource group that Ringmaster created."""
        ...
