"""The maximum size of a scan report, for all adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

from shared.codec import TooLarge
from shared.domain.limits import MAX_REPORT_BYTES
from shared.ports import ReportRefused


def check_report(body: bytes) -> None:
    """Raise TooLarge for a report over the maximum size."""
    if len(body) > MAX_REPORT_BYTES:
        raise TooLarge(f"the report has {len(body) >> 20} MiB; the maximum is {MAX_REPORT_BYTES >> 20} MiB")


async def verified(pieces: AsyncIterator[bytes], expected: str) -> AsyncIterator[bytes]:
    """Pass on the chunks.

    Raises ReportRefused when they exceed the maximum size, or at the end when the digest differs.
    """
    seen, size = sha256(), 0
    async for piece in pieces:
        size += len(piece)
        if size > MAX_REPORT_BYTES:
            raise ReportRefused("too-large", f"the report is larger than {MAX_REPORT_BYTES >> 20} MiB")
        seen.update(piece)
        yield piece
    if seen.hexdigest() != expected:
        raise ReportRefused(
            "digest", f"the report of {size} bytes has the SHA-256 {seen.hexdigest()}, but {expected} was expected"
        )
