"""The ledger: the state of releases, and other state that all instances share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.image import DefinitionId, VersionId
from shared.domain.release import Release
from shared.domain.release_summary import ReleaseSummary


@dataclass(frozen=True, slots=True)
class Stored:
    """A row as it was read, with the ETag that makes the next write conditional."""

    release: Release
    etag: str


class Ledger(Protocol):
    """One row for each release, and other state that all instances share.

    Every method may raise Throttled and Unavailable. After Unavailable, a write may have taken effect: read the row
    again. Writes raise CodecError for a release that cannot be encoded or exceeds the size of a row.
    """

    async def read(self, version: VersionId) -> Stored | None:
        """Read the row of the current incarnation of a version. Returns None when there is no release."""
        ...

    async def insert(self, release: Release) -> Stored:
        """Insert a row for a new release. Raises Conflict when the version has a row."""
        ...

    async def replace(self, stored: Stored, release: Release, *, archive: Release | None = None) -> Stored:
        """Replace a row if it has not changed since it was read. Returns the new row with its new ETag.

        ``archive`` is stored in the same transaction, as a previous incarnation of the same version number. Raises
        Conflict when the row was changed or deleted since ``stored`` was read.
        """
        ...

    def rows(self, *, definition: DefinitionId | None = None, unsettled: bool = False) -> AsyncIterator[Stored]:
        """Iterate over the current rows of one definition, or of all definitions.

        ``unsettled`` limits the result to releases that have pending work. Rows that cannot be decoded are logged and
        skipped.
        """
        ...

    def summaries(self, definition: DefinitionId) -> AsyncIterator[ReleaseSummary]:
        """Iterate over the current rows of one definition in short, in no particular order.

        Reads a fraction of what ``rows`` reads. A row that another version of the app has written may be read in full;
        if it cannot be decoded, it is logged and skipped.
        """
        ...

    async def acquire_lease(self, definition: DefinitionId, holder: str, *, until: datetime, now: datetime) -> bool:
        """Acquire the right to be the only writer of a definition until ``until``. Returns whether it was acquired.

        ``holder`` identifies the owner. Returns True also when this holder has the lease already; its end is then
        ``until``. An expired lease can be acquired by another holder.
        """
        ...

    async def release_lease(self, definition: DefinitionId, holder: str) -> None:
        """Release the lease. Does nothing when another holder, or nobody, has it."""
        ...

    async def claim_once(self, key: str, *, until: datetime, now: datetime) -> bool:
        """Return whether this key is claimed for the first time, across all instances and restarts.

        The claim is remembered until ``until``. A claim whose response was lost counts as made, so that its repetition
        returns False.
        """
        ...

    async def purge_claims(self, *, now: datetime) -> int:
        """Delete expired claims. Returns how many were deleted."""
        ...

    async def archived(self, version: VersionId) -> Sequence[Release]:
        """List the releases of previous incarnations of a version number, oldest first."""
        ...

    async def adopted(self, definition: DefinitionId, *, now: datetime) -> datetime:
        """Return when Ringmaster started to manage this definition; records ``now`` at the first call.

        Versions that were published well before that time are not released.
        """
        ...

    async def note_dead_letter(self, letter: DeadLetter) -> None:
        """Store a message that could not be processed, so that it is shown in the status.

        Replaces an entry with the same id.
        """
        ...

    def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Iterate over all stored dead letters, in no particular order."""
        ...


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be processed.

    ``queue`` is the queue that it came from and ``reason`` why processing failed. ``body`` is cut to 8 KiB and
    ``reason`` to 4,096 characters when it is stored. ``release`` is the version id of its release, if known.
    """

    id: str
    queue: str
    reason: str
    body: str
    at: datetime
    release: str | None = None
