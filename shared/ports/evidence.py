"""Evidence of verdicts, and the scan reports that the verdicts are based on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.domain.image import VersionId


class Evidence(Protocol):
    """The immutable record of verdicts, and the scan reports that the verdicts are based on.

    Every method raises Throttled or Unavailable when storage does not answer in time.
    """

    async def put(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON document once. If a document with this name exists, it stays as it is, and nothing is raised.

        ``name`` is a blob name. Parts between slashes must not be empty, ``.`` or ``..`` (ValueError). Raises
        CodecError for a document that cannot be encoded or is too large.
        """
        ...

    async def get(self, name: str) -> Mapping[str, Any] | None:
        """Read a document.

        Returns None when there is none with this name. Raises CodecError when it cannot be decoded.
        """
        ...

    async def save_report(self, version: VersionId, scan_format: str, body: bytes, *, at: datetime) -> str:
        """Store a scan report for a version. Returns the report's name.

        ``scan_format`` is the name of a report format, such as ``trivy`` (ValueError otherwise). ``at`` is when the
        report was received. The name contains the SHA-256 of ``body``, so storing the same report again changes
        nothing. Raises TooLarge for a body over 200 MiB.
        """
        ...

    async def save_report_pieces(
        self, version: VersionId, scan_format: str, pieces: AsyncIterator[bytes], *, sha256: str, at: datetime
    ) -> str:
        """Store a scan report that is read in chunks, such as a download. Returns the report's name.

        ``sha256`` is the expected digest of the whole report, as 64 lowercase hex digits. The implementation holds a
        few chunks in memory at a time. Raises ReportRefused, and stores nothing, when the digest differs or the report
        is larger than 200 MiB. Exceptions from ``pieces`` are passed on unchanged.
        """
        ...

    async def reports(self, version: VersionId) -> Sequence[StoredReport]:
        """List the reports that are stored for a version, newest first."""
        ...

    async def read_report(self, name: str) -> bytes | None:
        """Read a report's body. Returns None when there is no report with this name. Raises TooLarge over 200 MiB."""
        ...


@dataclass(frozen=True, slots=True)
class StoredReport:
    """Metadata of a stored scan report. ``name`` is its name in the store, ``at`` when it was received."""

    name: str
    format: str
    at: datetime
    size: int = 0
    """In bytes."""
