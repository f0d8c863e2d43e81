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
        raise TooLarge(f"a reference to a report has at most {LARGEST} bytes, this has {len(body)}")
    try:
        wire = msgspec.json.decode(body, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(
            f'the body is no reference to a report ({error}): {{"reportUrl": "https://…", "sha256": "…"}} is expected'
        ) from error
    return ReportReference(wire.reportUrl, wire.sha256.lower())
