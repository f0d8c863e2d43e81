"""Evidence and scan reports as blobs.

Evidence is only created, never overwritten (``If-None-Match: *``), so the container can have an immutability policy.
The name of a report contains the digest of its content, so the same report is stored once.

A large report is uploaded in blocks. They become a blob only after all blocks are uploaded and the digest is correct;
uncommitted blocks are deleted after a week (Azure REST API, "Put Block"). A download goes into one buffer.
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
from shared.adapters.common.report_bounds import check_report, verified
from shared.codec import TooLarge, decode_document, encode_document
from shared.codec.documents import LARGEST_DOCUMENT
from shared.domain.image import VersionId
from shared.domain.limits import MAX_REPORT_BYTES
from shared.ports import StoredReport

EVIDENCE: Final = "ringmaster-evidence"
REPORTS: Final = "ringmaster-reports"
_THERE_ALREADY: Final = {"BlobAlreadyExists", "BlobImmutableDueToPolicy"}
_NOT_THERE: Final = {"BlobNotFound", "ContainerNotFound"}
_BLOCK: Final = 4 * 1024 * 1024


class AzureEvidence:
    """``Evidence`` in two containers of a storage account. A missing container is created."""

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
        return await self._read(self._reports, name, MAX_REPORT_BYTES)

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
        """Create a blob from blocks. If ``blocks`` raises, nothing is stored."""
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError, ResourceExistsError
        from azure.storage.blob import BlobBlock, ContentSettings

        client = self._storage.container(container)
        blob = client.get_blob_client(name)
        # Unique block ids: another instance may be uploading the same blob at the same time.
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
                # The first commit discards the blocks of the other upload. The existing blob has the same content.
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
            # BytesIO grows in place and returns its own buffer, so the body is in memory only once.
            whole = io.BytesIO()
            await download.readinto(whole)
            return whole.getvalue()


def _metadata(scan_format: str, at: datetime) -> dict[str, str]:
    return {"at": at.astimezone(UTC).isoformat(), "format": scan_format}


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _BLOCK):
        yield body[start : start + _BLOCK]


async def _gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Combine chunks into blocks of one size. Yields at least one block."""
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
    """The metadata of a stored report. A report that a scanner stored itself has no metadata of Ringmaster."""
    metadata = blob.metadata or {}
    try:
        at = datetime.fromisoformat(metadata.get("at", ""))
    except ValueError:
        at = blob.last_modified
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return StoredReport(blob.name, metadata.get("format") or report_format(blob.name), at, blob.size or 0)
