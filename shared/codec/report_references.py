"""References to scan reports on the wire: ``{"reportUrl": "https://…", "sha256": "…"}``."""

from __future__ import annotations

from typing import Final

import msgspec

from shared.codec.errors import Malformed, TooLarge
from shared.domain.report_reference import ReportReference

CONTENT_TYPE: Final = "application/vnd.ringmaster.report-reference+json"
LARGEST: Final = 16 * 1024


class _Wire(msgspec.Struct):
    reportUrl: str  # noqa: N815 - the name on the wire
    sha256: str


def decode_reference(body: bytes) -> ReportReference:
    """Read a reference. Says nothing of whether it may be followed. Raises Malformed or TooLarge."""
    if len(body) > LARGEST:
        raise TooLarge(f"the reference to a report has {len(body)} bytes; the maximum is {LARGEST}")
    try:
        wire = msgspec.json.decode(body, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(
            f'the body is not a reference to a report ({error}): use {{"reportUrl": "https://…", "sha256": "…"}}'
        ) from error
    return ReportReference(wire.reportUrl, wire.sha256.lower())
