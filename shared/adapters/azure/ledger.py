"""The ledger in an Azure table.

Writes are conditional. An insert fails when the row exists (409), and a replacement when the row's ETag has changed
(412). Both raise ``Conflict``; read the row again before you continue.

A write whose response is lost raises ``Unavailable``, although it may have taken effect. If it is repeated, it raises
``Conflict``, and reading the row shows the state, so nothing is written twice. ``claim_once`` has no such check: a
claim whose response is lost counts as made, and its repetition returns False.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from shared.adapters.azure import entities
from shared.adapters.azure.entities import entity_of, instant, release_of
from shared.adapters.azure.storage_clients import AzureStorage, create_if_missing
from shared.adapters.azure.storage_errors import code_of, translate_errors
from shared.adapters.common.dead_letters import truncate
from shared.adapters.common.names import key
from shared.codec import CodecError
from shared.domain.image import DefinitionId, VersionId
from shared.domain.release import Release
from shared.domain.release_summary import ReleaseSummary
from shared.ports import Conflict, DeadLetter, Stored

TABLE: Final = "ringmaster"
_MISSING: Final = frozenset({"TableNotFound"})
_log = logging.getLogger(__name__)


class AzureLedger:
    """``Ledger`` in one table."""

    def __init__(self, storage: AzureStorage, table: str = TABLE) -> None:
        """Use a table of the storage account. A missing table is created."""
        self._storage = storage
        self._name = table

    async def read(self, version: VersionId) -> Stored | None:
        entity = await self._get(
            key(version.definition), entities.row_key(version), f"reading the row of {version.short}"
        )
        return None if entity is None else Stored(release_of(entity), _etag(entity))

    async def insert(self, release: Release) -> Stored:
        entity = entity_of(release, entities.row_key(release.version))
        written = await self._create(entity, f"inserting the row of {release.version.short}")
        return Stored(release, written)

    async def replace(self, stored: Stored, release: Release, *, archive: Release | None = None) -> Stored:
        version = stored.release.version
        what = f"replacing the row of {version.short}"
        if release.version != version:
            raise Conflict(f"{what}: the new row is of {release.version.short}")
        entity = entity_of(release, entities.row_key(version))
        if archive is None:
            return Stored(release, await self._update(entity, stored.etag, what))
        former = entity_of(archive, entities.archive_key(archive))
        return Stored(release, await self._update_and_create(entity, stored.etag, former, what))

    async def rows(self, *, definition: DefinitionId | None = None, unsettled: bool = False) -> AsyncIterator[Stored]:
        query = "RowKey ge @first and RowKey lt @after"
        parameters: dict[str, Any] = {"first": entities.FIRST_ROW, "after": entities.AFTER_ROWS}
        if definition is not None:
            query += " and PartitionKey eq @partition"
            parameters["partition"] = key(definition)
        if unsettled:
            query += " and settled eq false"
        async for entity in self._query(query, parameters, "listing ledger rows"):
            if (stored := _decoded(entity)) is not None:
                yield stored

    async def summaries(self, definition: DefinitionId) -> AsyncIterator[ReleaseSummary]:
        query = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @after"
        parameters = {"partition": key(definition), "first": entities.FIRST_ROW, "after": entities.AFTER_ROWS}
        without: list[str] = []
        async for entity in self._query(
            query, parameters, "listing summaries of ledger rows", select=entities.SUMMARY_COLUMNS
        ):
            summary = entities.summary_of(entity)
            if summary is None:
                without.append(entity["RowKey"])
            else:
                yield summary
        async for stored in self._rows_of(definition, without):
            yield ReleaseSummary.of(stored.release)

    async def _rows_of(self, definition: DefinitionId, keys: Sequence[str]) -> AsyncIterator[Stored]:
        """The rows with these keys, in ascending order, by one query: there may be one row or thousands."""
        if not keys:
            return
        query = "PartitionKey eq @partition and RowKey ge @first and RowKey le @last"
        parameters = {"partition": key(definition), "first": keys[0], "last": keys[-1]}
        wanted = frozenset(keys)
        async for entity in self._query(query, parameters, "listing ledger rows without summaries"):
            if entity["RowKey"] in wanted and (stored := _decoded(entity)) is not None:
                yield stored

    async def archived(self, version: VersionId) -> Sequence[Release]:
        """The previous incarnations of this version number, oldest first."""
        first = entities.archive_prefix(version)
        parameters = {"partition": key(version.definition), "first": first, "after": first + "\x7f"}
        query = "PartitionKey eq @partition and RowKey ge @first and RowKey lt @after"
        found = [release_of(each) async for each in self._query(query, parameters, f"archive of {version.short}")]
        return sorted(found, key=lambda release: release.seq)

    async def acquire_lease(self, definition: DefinitionId, holder: str, *, until: datetime, now: datetime) -> bool:
        partition, what = key(definition), f"acquiring the lease of {definition.name}"
        lease = {"PartitionKey": partition, "RowKey": entities.LEASE, "holder": holder, "until": until}
        current = await self._get(partition, entities.LEASE, what)
        if current is not None and current["holder"] != holder and instant(current["until"]) > now:
            return False
        return await self._won(lease, current, what)

    async def release_lease(self, definition: DefinitionId, holder: str) -> None:
        partition, what = key(definition), f"releasing the lease of {definition.name}"
        current = await self._get(partition, entities.LEASE, what)
        if current is not None and current["holder"] == holder:
            # If another holder acquired it meanwhile, that holder keeps it.
            with contextlib.suppress(Conflict):
                await self._delete(partition, entities.LEASE, _etag(current), what)

    async def claim_once(self, key: str, *, until: datetime, now: datetime) -> bool:
        partition, row = entities.claim_keys(key)
        what = "claiming a key"
        claim = {"PartitionKey": partition, "RowKey": row, "expires": until}
        if await self._won(claim, None, what):
            return True
        current = await self._get(partition, row, what)
        if current is not None and instant(current["expires"]) > now:
            return False
        return await self._won(claim, current, what)

    async def purge_claims(self, *, now: datetime) -> int:
        """Delete expired claims. Returns how many were deleted."""
        query = "PartitionKey ge @first and PartitionKey lt @after and expires le @now"
        parameters = {"first": "once~", "after": "once\x7f", "now": now}
        count = 0
        async for entity in self._query(query, parameters, "listing expired claims"):
            with contextlib.suppress(Conflict):
                await self._delete(entity["PartitionKey"], entity["RowKey"], _etag(entity), "deleting an expired claim")
                count += 1
        return count

    async def adopted(self, definition: DefinitionId, *, now: datetime) -> datetime:
        partition, what = key(definition), f"recording the start of management of {definition.name}"
        current = await self._get(partition, entities.ADOPTED, what)
        if current is None:
            entity = {"PartitionKey": partition, "RowKey": entities.ADOPTED, "at": now}
            if await self._won(entity, None, what):
                return now
            current = await self._get(partition, entities.ADOPTED, what)
        if current is None:
            raise Conflict(f"{what}: the entry was deleted concurrently")
        return instant(current["at"])

    async def note_dead_letter(self, letter: DeadLetter) -> None:
        entity = entities.letter_entity(truncate(letter))
        with translate_errors(f"storing the dead letter {letter.id[:100]}"):
            await self._creating(lambda: self._table.upsert_entity(entity, mode=_replace_mode()))

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        parameters = {"partition": entities.DEAD_LETTERS}
        async for entity in self._query("PartitionKey eq @partition", parameters, "listing dead letters"):
            try:
                letter = entities.letter_of(entity)
            except CodecError:
                _log.exception("a dead letter cannot be decoded and is skipped")
                continue
            yield letter

    # --- single requests

    @property
    def _table(self) -> Any:
        return self._storage.table(self._name)

    async def _creating(self, action: Any) -> Any:
        return await create_if_missing(action, lambda: self._table.create_table(), _MISSING)

    async def _get(self, partition: str, row: str, what: str) -> Any | None:
        from azure.core.exceptions import ResourceNotFoundError

        with translate_errors(what):
            try:
                return await self._table.get_entity(partition, row)
            except ResourceNotFoundError:
                return None

    async def _create(self, entity: Mapping[str, Any], what: str) -> str:
        with translate_errors(what):
            written = await self._creating(lambda: self._table.create_entity(entity))
        return written["etag"]

    async def _update(self, entity: Mapping[str, Any], etag: str, what: str) -> str:
        with _gone_is_conflict(what):
            options = {"mode": _replace_mode(), "etag": etag, "match_condition": _unchanged()}
            written = await self._table.update_entity(entity, **options)
        return written["etag"]

    async def _update_and_create(self, row: dict[str, Any], etag: str, former: dict[str, Any], what: str) -> str:
        options = {"mode": _replace_mode(), "etag": etag, "match_condition": _unchanged()}
        with _gone_is_conflict(what):
            written = await self._table.submit_transaction([("update", row, options), ("create", former)])
        return written[0]["etag"]

    async def _delete(self, partition: str, row: str, etag: str, what: str) -> None:
        with translate_errors(what):
            await self._table.delete_entity(partition, row, etag=etag, match_condition=_unchanged())

    async def _won(self, entity: Mapping[str, Any], current: Any | None, what: str) -> bool:
        """Write an entity in place of ``current`` (None: insert). Returns False when another instance was first."""
        try:
            if current is None:
                await self._create(entity, what)
            else:
                await self._update(entity, _etag(current), what)
        except Conflict:
            return False
        return True

    async def _query(
        self, query: str, parameters: Mapping[str, Any], what: str, *, select: Sequence[str] | None = None
    ) -> AsyncIterator[Any]:
        from azure.core.exceptions import ResourceNotFoundError

        pages = self._table.query_entities(query, parameters=parameters, select=select).by_page()
        while True:
            with translate_errors(what):
                try:
                    page = [entity async for entity in await anext(pages)]
                except (StopAsyncIteration, ResourceNotFoundError):
                    return
            for entity in page:
                yield entity


def _decoded(entity: Any) -> Stored | None:
    """The row in an entity, or None when it cannot be decoded, which is logged."""
    try:
        return Stored(release_of(entity), _etag(entity))
    except CodecError:
        _log.exception("the ledger row of %s cannot be decoded and is skipped", entity.get("version"))
        return None


@contextlib.contextmanager
def _gone_is_conflict(what: str) -> Any:
    """Treat a deleted row as a conflict: another instance changed it first."""
    from azure.core.exceptions import ResourceNotFoundError

    with translate_errors(what):
        try:
            yield
        except ResourceNotFoundError as error:
            raise Conflict(f"{what}: the row does not exist ({code_of(error)})") from error


def _etag(entity: Any) -> str:
    return entity.metadata["etag"]


def _unchanged() -> Any:
    from azure.core import MatchConditions

    return MatchConditions.IfNotModified


def _replace_mode() -> Any:
    from azure.data.tables import UpdateMode

    return UpdateMode.REPLACE
