"""The ledger: releases, and what else all instances must agree on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.domain.image import DefinitionId, VersionId
from shared.domain.release import Release


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
