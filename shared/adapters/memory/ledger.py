"""The ledger in memory.

Rows are stored encoded, as in the Azure ledger, so that encoding errors occur here, too. No method awaits between a
read and a write, so each is atomic.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.common.dead_letters import truncate
from shared.codec import CodecError, decode_release, encode_release
from shared.domain.image import DefinitionId, VersionId
from shared.domain.release import Release
from shared.domain.release_summary import ReleaseSummary
from shared.ports import Conflict, DeadLetter, Stored

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Row:
    body: bytes
    etag: str
    summary: ReleaseSummary


@dataclass(frozen=True, slots=True)
class _Lease:
    holder: str
    until: datetime


class MemoryLedger:
    """``Ledger`` in memory."""

    def __init__(self) -> None:
        """Create an empty ledger."""
        self._rows: dict[DefinitionId, dict[VersionId, _Row]] = {}
        self._archive: dict[VersionId, list[bytes]] = {}
        self._leases: dict[DefinitionId, _Lease] = {}
        self._claims: dict[str, datetime] = {}
        self._adopted: dict[DefinitionId, datetime] = {}
        self._letters: dict[str, DeadLetter] = {}
        self._writes = 0

    async def read(self, version: VersionId) -> Stored | None:
        row = self._rows.get(version.definition, {}).get(version)
        return None if row is None else Stored(decode_release(row.body), row.etag)

    async def insert(self, release: Release) -> Stored:
        version = release.version
        if version in self._rows.get(version.definition, {}):
            raise Conflict(f"the ledger row of {version.short} exists; read it first")
        return self._write(release, encode_release(release))

    async def replace(self, stored: Stored, release: Release, *, archive: Release | None = None) -> Stored:
        version = stored.release.version
        row = self._rows.get(version.definition, {}).get(version)
        body = encode_release(release)
        former = None if archive is None else encode_release(archive)
        if row is None or row.etag != stored.etag or release.version != version:
            raise Conflict(f"the ledger row of {version.short} has changed; read it again")
        if former is not None:
            self._archive.setdefault(version, []).append(former)
        return self._write(release, body)

    async def rows(self, *, definition: DefinitionId | None = None, unsettled: bool = False) -> AsyncIterator[Stored]:
        definitions = sorted(self._rows) if definition is None else [definition]
        for each in definitions:
            for version, row in sorted(self._rows.get(each, {}).items()):
                if unsettled and row.summary.is_settled:
                    continue
                try:
                    yield Stored(decode_release(row.body), row.etag)
                except CodecError:
                    _log.exception("the ledger row of %s cannot be decoded and is skipped", version.short)

    async def summaries(self, definition: DefinitionId) -> AsyncIterator[ReleaseSummary]:
        for _, row in sorted(self._rows.get(definition, {}).items()):
            yield row.summary

    async def archived(self, version: VersionId) -> Sequence[Release]:
        """The previous incarnations of this version number, oldest first."""
        return [decode_release(body) for body in self._archive.get(version, [])]

    async def acquire_lease(self, definition: DefinitionId, holder: str, *, until: datetime, now: datetime) -> bool:
        lease = self._leases.get(definition)
        if lease is not None and lease.holder != holder and lease.until > now:
            return False
        self._leases[definition] = _Lease(holder, until)
        return True

    async def release_lease(self, definition: DefinitionId, holder: str) -> None:
        lease = self._leases.get(definition)
        if lease is not None and lease.holder == holder:
            del self._leases[definition]

    async def claim_once(self, key: str, *, until: datetime, now: datetime) -> bool:
        remembered = self._claims.get(key)
        if remembered is not None and remembered > now:
            return False
        self._claims[key] = until
        return True

    async def purge_claims(self, *, now: datetime) -> int:
        """Delete expired claims. Returns how many were deleted."""
        over = [key for key, until in self._claims.items() if until <= now]
        for key in over:
            del self._claims[key]
        return len(over)

    async def adopted(self, definition: DefinitionId, *, now: datetime) -> datetime:
        return self._adopted.setdefault(definition, now)

    async def note_dead_letter(self, letter: DeadLetter) -> None:
        kept = truncate(letter)
        self._letters[kept.id] = kept

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        for letter in list(self._letters.values()):
            yield letter

    def _write(self, release: Release, body: bytes) -> Stored:
        self._writes += 1
        row = _Row(body, f'W/"{self._writes}"', ReleaseSummary.of(release))
        self._rows.setdefault(release.version.definition, {})[release.version] = row
        return Stored(release, row.etag)
