"""What the stages need of the world: protocols, and the faults that each may raise.

Rules for every port:

* A method either does what it says or raises. Faults that pass by themselves are ``PassingFault``; the same command is
  sent again later. ``Refused`` is the platform's final no to this very request, with its code; the stage judges it.
  Anything else is unforeseen and escapes to the queue's own retry.
* Adapters chain the service's error (``raise … from error``) and put no secret into a message.
* Reading something that isn't there returns None; it is not a fault.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.domain.boot import MachineFacts, ProbeFacts
from shared.domain.facts import DefinitionFacts, GalleryFacts, RegionTargetFacts, SourceFacts, VersionFacts
from shared.domain.image import DefinitionId, GalleryId, VersionId
from shared.domain.messages import Announcement, Command
from shared.domain.policy import Policy
from shared.domain.release import Release

# --- faults -----------------------------------------------------------------------------------------------------------


class PassingFault(Exception):
    """The service can't do it now. ``retry_after`` is what the service asked for, if it did."""

    def __init__(self, text: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Throttled(PassingFault):
    """Too many requests (429)."""


class Unavailable(PassingFault):
    """No answer, a time-out, or a 5xx. The request may have taken effect all the same."""


class Conflict(PassingFault):
    """Another operation is under way on the same thing, or somebody else wrote the row first."""


class Refused(Exception):
    """The platform's final no to this request: its error code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class ForeignTarget(Exception):
    """A write to something that the policy doesn't name, or a delete of something that isn't ours (laws 7 and 9)."""


class ReportRefused(Exception):
    """A report that is never taken, whoever asks again: ``code`` for programs, ``text`` for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


# --- galleries --------------------------------------------------------------------------------------------------------


class Galleries(Protocol):
    """Compute galleries, read and written.

    Every write goes only to galleries that the policy names (``ForeignTarget`` otherwise) and carries
    ``allowDeletionOfReplicatedLocations: false``. No write waits for its long-running operation.
    """

    async def version(self, version: VersionId, *, replication: bool = False) -> VersionFacts | None:
        """An image version, with its replication status where asked for; None when there is none."""
        ...

    async def versions(self, definition: DefinitionId) -> Sequence[VersionFacts]:
        """Every version of a definition, without replication status. Empty also when the definition isn't there."""
        ...

    async def definition(self, definition: DefinitionId) -> DefinitionFacts | None:
        """An image definition, or None."""
        ...

    async def gallery(self, gallery: GalleryId) -> GalleryFacts | None:
        """A gallery, or None."""
        ...

    async def source(self, version: VersionFacts) -> SourceFacts | None:
        """What the version was made from; its kind is GONE when it is no longer there; None when it names no source."""
        ...

    async def write_targets(
        self, version: VersionFacts, targets: Sequence[RegionTargetFacts], *, excluded: bool
    ) -> None:
        """Set the full list of target regions, and the version's own ``excludeFromLatest``.

        Raises Conflict while another write is under way, and Refused for what Azure will never accept.
        """
        ...

    async def copy_version(
        self, source: VersionFacts, target: VersionId, *, location: str, targets: Sequence[RegionTargetFacts]
    ) -> None:
        """Start a copy of a version into another gallery (``storageProfile.source.id``), hidden from ``latest``."""
        ...


INCARNATION_TAG = "ringmaster-incarnation"
"""Tag of a copy in another gallery: the publication date of the version that it is a copy of."""

# --- boot-test machines -----------------------------------------------------------------------------------------------


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


# --- queues -----------------------------------------------------------------------------------------------------------


class Queues(Protocol):
    """One queue for each kind of command."""

    async def send(self, command: Command, *, delay: timedelta = timedelta(0)) -> None:
        """Send a command, invisible for ``delay`` (whole seconds, at most seven days; longer waits are cut to that)."""
        ...

    async def open(self, body: bytes) -> bytes:
        """The body that a message stands for: itself, or the blob that it names when it was too large for a queue."""
        ...


# --- the ledger -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as it was read, with the tag that makes the next write conditional."""

    release: Release
    etag: str


class Ledger(Protocol):
    """One row for each release, and what else must be agreed on by all instances."""

    async def read(self, version: VersionId) -> Stored | None:
        """The row of a version's current incarnation, or None."""
        ...

    async def insert(self, release: Release) -> Stored:
        """A new row. Raises Conflict when there is one."""
        ...

    async def replace(self, stored: Stored, release: Release, *, archive: Release | None = None) -> Stored:
        """Replace a row that nobody changed since it was read; with it, in one transaction, archive a former bearer.

        Raises Conflict when somebody did.
        """
        ...

    def rows(self, *, definition: DefinitionId | None = None, unsettled: bool = False) -> AsyncIterator[Stored]:
        """Current rows, of one definition or of all; only those with something pending where asked."""
        ...

    async def acquire_lease(self, definition: DefinitionId, holder: str, *, until: datetime, now: datetime) -> bool:
        """Become the one writer of a definition until a time. True also when this holder has it already."""
        ...

    async def release_lease(self, definition: DefinitionId, holder: str) -> None:
        """Give the lease back. Nothing happens when the holder hasn't got it."""
        ...

    async def claim_once(self, key: str, *, until: datetime, now: datetime) -> bool:
        """Whether this key is seen for the first time, over all instances and restarts; remembered until a time."""
        ...

    async def purge_claims(self, *, now: datetime) -> int:
        """Forget claims whose time is over. Returns how many."""
        ...

    async def archived(self, version: VersionId) -> Sequence[Release]:
        """Former bearers of a version's number."""
        ...

    async def adopted(self, definition: DefinitionId, *, now: datetime) -> datetime:
        """When this definition was first looked after: now, if it never was. Older versions are left alone."""
        ...

    async def note_dead_letter(self, letter: DeadLetter) -> None:
        """Keep what is known of a message that nobody can work on, where people look."""
        ...

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """All that were noted."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up: from which queue, why, and its body (cut to 8 KiB)."""

    id: str
    queue: str
    reason: str
    body: str
    at: datetime
    release: str | None = None


# --- evidence and reports ---------------------------------------------------------------------------------------------


class Evidence(Protocol):
    """The immutable record of verdicts, and the scan reports they rest on."""

    async def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a document once. Writing the same name again changes nothing and is no fault."""
        ...

    async def get(self, name: str) -> Mapping[str, Any] | None:
        """A document, or None."""
        ...

    async def save_report(self, version: VersionId, scan_format: str, body: bytes, *, at: datetime) -> str:
        """Keep a scan report for a version; the same report twice is one. Returns its name."""
        ...

    async def save_report_pieces(
        self, version: VersionId, scan_format: str, pieces: AsyncIterator[bytes], *, sha256: str, at: datetime
    ) -> str:
        """Keep a report that comes in pieces, whose SHA-256 (hex) is known beforehand; holds a few pieces at a time.

        The same report twice is one. Nothing is kept, and ReportRefused is raised, when the pieces have another digest
        or are more than a report may have. What the pieces themselves raise passes through.
        """
        ...

    async def reports(self, version: VersionId) -> Sequence[StoredReport]:
        """The reports kept for a version, newest first."""
        ...

    async def read_report(self, name: str) -> bytes | None:
        """A report's body, or None."""
        ...


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A scan report in the store."""

    name: str
    format: str
    at: datetime
    size: int = 0
    """Bytes."""


class ReportSource(Protocol):
    """Where reports lie that are sent by reference."""

    def why_not(self, url: str) -> str | None:
        """Why this address is never fetched from, or None. Asks nobody."""
        ...

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What lies at an address, in pieces, with any content encoding undone.

        Raises ReportRefused for what is never fetched (another host, an address that isn't public, a redirect to
        elsewhere, too many bytes, a final no), and Throttled or Unavailable for what passes, time limits included.
        """
        ...


class NoReportSource:
    """``ReportSource`` of an app that fetches from nowhere."""

    def why_not(self, url: str) -> str | None:
        return "reports are fetched from nowhere: RINGMASTER_REPORT_HOSTS names no host"

    def open(self, url: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise ReportRefused("host", self.why_not(url) or "")


class Publisher(Protocol):
    """Tells consumers of images."""

    async def publish(self, announcement: Announcement) -> None:
        """Publish one CloudEvent; its id makes a repetition recognisable."""
        ...


# --- all of it --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """Every port, and what is the same for all of them."""

    galleries: Galleries
    machines: Machines
    queues: Queues
    ledger: Ledger
    evidence: Evidence
    publisher: Publisher
    policy: Policy
    own_writers: frozenset[str] = frozenset()
    """Application and object ids under which this app writes to ARM, in lower case."""
    pace: float = 1.0
    """Every wait is divided by this; 1 in production. The local stack runs Azure's time faster, and ours with it."""
    report_source: ReportSource = field(default_factory=NoReportSource)
    large: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a large report is in memory: a worker handles many messages at once, and has room for one of these."""
    nonce: Callable[[], str] = field(default=lambda: secrets.token_hex(16))
    """An unguessable word, another one each time: for a probe, and for the holder of a lease."""

    def paced(self, wait: timedelta) -> timedelta:
        """How long a wait really takes here."""
        return wait / self.pace
