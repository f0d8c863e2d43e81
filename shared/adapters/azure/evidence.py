"""Evidence and scan reports as blobs.

Documents are only ever created (``If-None-Match: *``), so that the container may have an immutability policy. The name
of a report holds the hash of its content: the same report twice is one blob.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from shared.adapters.azure.errors import code_of, speaking
from shared.adapters.azure.storage import AzureStorage, creating
from shared.adapters.names import check_blob_name, is_blob_name, report_folder, report_format, report_name
from shared.adapters.reports import LARGEST_REPORT, check_report
from shared.codec import TooLarge, decode_document, encode_document
from shared.codec.documents import LARGEST_DOCUMENT
from shared.domain.image import VersionId
from shared.ports import StoredReport

EVIDENCE: Final = "ringmaster-evidence"
REPORTS: Final = "ringmaster-reports"
_THERE_ALREADY: Final = {"BlobAlreadyExists", "BlobImmutableDueToPolicy"}
_NOT_THERE: Final = {"BlobNotFound", "ContainerNotFound"}


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
        metadata = {"at": at.astimezone(UTC).isoformat(), "format": scan_format}
        await self._create(self._reports, name, body, metadata)
        return name

    async def reports(self, version: VersionId) -> Sequence[StoredReport]:
        from azure.core.exceptions import ResourceNotFoundError

        folder = report_folder(version)
        blobs = self._storage.container(self._reports).list_blobs(name_starts_with=folder, include=["metadata"])
        with speaking(f"listing the scan reports of {version.short}"):
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
        with speaking(f"writing the blob {name} in {container}"):
            try:
                await creating(
                    lambda: client.upload_blob(name, body, overwrite=False, **options),
                    client.create_container,
                    {"ContainerNotFound"},
                )
            except ResourceExistsError as error:
                if code_of(error) not in _THERE_ALREADY:
                    raise

    async def _read(self, container: str, name: str, largest: int) -> bytes | None:
        from azure.core.exceptions import ResourceNotFoundError

        if not is_blob_name(name):
            return None
        with speaking(f"reading the blob {name} in {container}"):
            try:
                download = await self._storage.container(container).download_blob(name)
            except ResourceNotFoundError as error:
                if code_of(error) in _NOT_THERE:
                    return None
                raise
            if download.size > largest:
                raise TooLarge(f"the blob {name} in {container} has {download.size} bytes; at most {largest} are read")
            return await download.readall()


def _report(blob: Any) -> StoredReport:
    """What a listing tells of a report. One that a scanner stored itself lacks our metadata."""
    metadata = blob.metadata or {}
    try:
        at = datetime.fromisoformat(metadata.get("at", ""))
    except ValueError:
        at = blob.last_modified
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return StoredReport(blob.name, metadata.get("format") or report_format(blob.name), at)
