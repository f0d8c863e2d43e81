"""Evidence and scan reports as blobs.

Documents are only ever created (``If-None-Match: *``), so that the container may have an immutability policy. The name
of a report holds the hash of its content: the same report twice is one blob.

A large report goes in as blocks, which become a blob only when all of them are there and their digest is right; blocks
that nobody commits are deleted by the service within a week ("Put Block"). It comes out piece by piece into one buffer.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from shared.adapters.azure.storage_clients import AzureStorage, create_if_missing
from shared.adapters.azure.storage_errors import code_of, translate_errors
from shared.adapters.common.names import (
    check_blob_name,
    is_blob_name,
    report_folder,
    report_format,
    report_name,
    report_name_of,
)
from shared.adapters.common.report_bounds import LARGEST_REPORT, check_report, verified
from shared.codec import TooLarge, decode_document, encode_document
from shared.codec.documents import LARGEST_DOCUMENT
from shared.domain.image import VersionId
from shared.ports import StoredReport

EVIDENCE: Final = "ringmaster-evidence"
REPORTS: Final = "ringmaster-reports"
_THERE_ALREADY: Final = {"BlobAlreadyExists", "BlobImmutableDueToPolicy"}
_NOT_THERE: Final = {"BlobNotFound", "ContainerNotFound"}
_BLOCK: Final = 4 * 1024 * 1024


class AzureEvidence:
    """``Evidence`` in two containers of one account; each is created when it turns out to be missing."""

    def __init__(self, storage: AzureStorage, *, evidence: str = EVIDENCE, reports: str = REPORTS) -> None:
        """Use these containers."""
        self._storage = storage
        self._evidence = evidence
        self._reports = reports

    async def put(self, name: str, document: Mapping[str, Any]) -> None:
        await self._create(self._evidence, check_blob_name(name), encode_document(document))

    async def get(self, name: str) -> Mapping[str, Any] | None:
        body = await self._read(self._evidence, name, LARGEST_DOCUMENT)
        return None if body is None else decode_document(body)

    async def save_report(self, version: VersionId, scan_format: str, body: bytes, *, at: datetime) -> str:
        check_report(body)
        name = report_name(version, scan_format, body)
        if len(body) > _BLOCK:
            await self._create_in_blocks(self._reports, name, _cut(body), _metadata(scan_format, at))
        else:
            await self._create(self._reports, name, body, _metadata(scan_format, at))
        return name

    async def save_report_pieces(
        self, version: VersionId, scan_format: str, pieces: AsyncIterator[bytes], *, sha256: str, at: datetime
    ) -> str:
        name = report_name_of(version, scan_format, sha256)
        blocks = _gathered(verified(pieces, sha256))
        await self._create_in_blocks(self._reports, name, blocks, _metadata(scan_format, at))
        return name

    async def reports(self, version: VersionId) -> Sequence[StoredReport]:
        from azure.core.exceptions import ResourceNotFoundError

        folder = report_folder(version)
        blobs = self._storage.container(self._reports).list_blobs(name_starts_with=folder, include=["metadata"])
        with translate_errors(f"listing the scan reports of {version.short}"):
            try:
                found = [_report(blob) async for blob in blobs]
            except ResourceNotFoundError:
                return []
        return sorted(found, key=lambda report: (report.at, report.name), reverse=True)

    async def read_report(self, name: str) -> bytes | None:
        return await self._read(self._reports, name, LARGEST_REPORT)

    async def _create(self, container: str, name: str, body: bytes, metadata: Mapping[str, str] | None = None) -> None:
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import ContentSettings

        client = self._storage.container(container)
        options: dict[str, Any] = {
            "content_settings": ContentSettings(content_type="application/json"),
            "metadata": dict(metadata) if metadata else None,
        }
        with translate_errors(f"writing the blob {name} in {container}"):
            try:
                await create_if_missing(
                    lambda: client.upload_blob(name, body, overwrite=False, **options),
                    client.create_container,
                    {"ContainerNotFound"},
                )
            except ResourceExistsError as error:
                if code_of(error) not in _THERE_ALREADY:
                    raise

    async def _create_in_blocks(
        self, container: str, name: str, blocks: AsyncIterator[bytes], metadata: Mapping[str, str]
    ) -> None:
        """Write a blob once, in blocks. Whatever ``blocks`` raises leaves nothing."""
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError, ResourceExistsError
        from azure.storage.blob import BlobBlock, ContentSettings

        client = self._storage.container(container)
        blob = client.get_blob_client(name)
        # Ids of our own: another who writes the same blob at this moment can't put a block of his among ours.
        writer, ids = secrets.token_hex(8), list[str]()
        what = f"writing the blob {name} in {container}"
        async for block in blocks:
            ids.append(f"{writer}-{len(ids):06d}")
            put = partial(blob.stage_block, ids[-1], block)
            with translate_errors(what):
                await (
                    put() if len(ids) > 1 else create_if_missing(put, client.create_container, {"ContainerNotFound"})
                )
        with translate_errors(what):
            try:
                await blob.commit_block_list(
                    [BlobBlock(each) for each in ids],
                    content_settings=ContentSettings(content_type="application/json"),
                    metadata=dict(metadata),
                    match_condition=MatchConditions.IfMissing,
                )
            except ResourceExistsError as error:
                if code_of(error) not in _THERE_ALREADY:
                    raise
            except HttpResponseError:
                # Whoever commits first discards the blocks of the other; what is there has the same content.
                if not await blob.exists():
                    raise

    async def _read(self, container: str, name: str, largest: int) -> bytes | None:
        from azure.core.exceptions import ResourceNotFoundError

        if not is_blob_name(name):
            return None
        with translate_errors(f"reading the blob {name} in {container}"):
            try:
                download = await self._storage.container(container).download_blob(name)
            except ResourceNotFoundError as error:
                if code_of(error) in _NOT_THERE:
                    return None
                raise
            if download.size > largest:
                raise TooLarge(f"the blob {name} in {container} has {download.size} bytes; at most {largest} are read")
            # Grows in place and hands out its own buffer: the body is held once.
            whole = io.BytesIO()
            await download.readinto(whole)
            return whole.getvalue()


def _metadata(scan_format: str, at: datetime) -> dict[str, str]:
    return {"at": at.astimezone(UTC).isoformat(), "format": scan_format}


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _BLOCK):
        yield body[start : start + _BLOCK]


async def _gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces of any size as blocks of one size, at least one."""
    block, first = bytearray(), True
    async for piece in pieces:
        block += piece
        while len(block) >= _BLOCK:
            yield bytes(block[:_BLOCK])
            del block[:_BLOCK]
            first = False
    if block or first:
        yield bytes(block)


def _report(blob: Any) -> StoredReport:
    """What a listing tells of a report. One that a scanner stored itself lacks our metadata."""
    metadata = blob.metadata or {}
    try:
        at = datetime.fromisoformat(metadata.get("at", ""))
    except ValueError:
        at = blob.last_modified
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return StoredReport(blob.name, metadata.get("format") or report_format(blob.name), at, blob.size or 0)
