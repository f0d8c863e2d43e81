"""Evidence of verdicts, and the scan reports that they rest on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from shared.domain.image import VersionId


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
