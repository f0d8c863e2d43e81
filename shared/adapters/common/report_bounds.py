"""How large a scan report may be, for every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

from shared.codec import TooLarge
from shared.ports import ReportRefused

LARGEST_REPORT = 200 * 1024 * 1024
"""Bytes of any scan report, whatever the settings allow."""


def check_report(body: bytes) -> None:
    """Raise TooLarge for a report that no scanner of one image writes."""
    if len(body) > LARGEST_REPORT:
        raise TooLarge(f"the report takes {len(body) >> 20} MiB; at most {LARGEST_REPORT >> 20} MiB are kept")


async def verified(pieces: AsyncIterator[bytes], expected: str) -> AsyncIterator[bytes]:
    """The same pieces. Raises ReportRefused as soon as they are too many, or at their end when they are others."""
    seen, size = sha256(), 0
    async for piece in pieces:
        size += len(piece)
        if size > LARGEST_REPORT:
            raise ReportRefused("too-large", f"the report takes more than the {LARGEST_REPORT >> 20} MiB that are kept")
        seen.update(piece)
        yield piece
    if seen.hexdigest() != expected:
        raise ReportRefused(
            "digest", f"the report of {size} bytes has the SHA-256 {seen.hexdigest()}, not {expected} as was said"
        )
