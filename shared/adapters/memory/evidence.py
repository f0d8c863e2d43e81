"""Evidence and reports in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.adapters.common.names import check_blob_name, report_folder, report_name, report_name_of
from shared.adapters.common.report_bounds import check_report, verified
from shared.codec import decode_document, encode_document
from shared.domain.image import VersionId
from shared.ports import StoredReport


class MemoryEvidence:
    """``Evidence`` in memory."""

    def __init__(self) -> None:
        """Create an empty store."""
        self._documents: dict[str, bytes] = {}
        self._reports: dict[str, tuple[StoredReport, bytes]] = {}

    async def put(self, name: str, document: Mapping[str, Any]) -> None:
        self._documents.setdefault(check_blob_name(name), encode_document(document))

    async def get(self, name: str) -> Mapping[str, Any] | None:
        body = self._documents.get(name)
        return None if body is None else decode_document(body)

    async def save_report(self, version: VersionId, scan_format: str, body: bytes, *, at: datetime) -> str:
        check_report(body)
        name = report_name(version, scan_format, body)
        self._reports.setdefault(name, (StoredReport(name, scan_format, at, len(body)), body))
        return name

    async def save_report_pieces(
        self, version: VersionId, scan_format: str, pieces: AsyncIterator[bytes], *, sha256: str, at: datetime
    ) -> str:
        name = report_name_of(version, scan_format, sha256)
        body = b"".join([piece async for piece in verified(pieces, sha256)])
        self._reports.setdefault(name, (StoredReport(name, scan_format, at, len(body)), body))
        return name

    async def reports(self, version: VersionId) -> Sequence[StoredReport]:
        folder = report_folder(version)
        found = [report for name, (report, _) in self._reports.items() if name.startswith(folder)]
        return sorted(found, key=lambda report: (report.at, report.name), reverse=True)

    async def read_report(self, name: str) -> bytes | None:
        found = self._reports.get(name)
        return None if found is None else found[1]

    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """All documents by name."""
        return {name: decode_document(body) for name, body in self._documents.items()}
