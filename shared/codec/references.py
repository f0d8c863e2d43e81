"""References to reports on the wire: ``{"reportUrl": "https://…", "sha256": "…"}``; and orders to fetch them.

An order is the state of a command, which no ledger row stands behind: ``{format, url, sha256, sender}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from shared.codec.faults import Malformed, TooLarge
from shared.domain.report_reference import InvalidReference, ReportReference, check_digest
from shared.domain.scan_formats import is_format_name

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


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """A report that is to be fetched: what it should be, where it lies, and who said so."""

    format: str
    reference: ReportReference
    sender: str


def encode_order(order: FetchOrder) -> dict[str, Any]:
    """The state of the command that fetches."""
    reference = order.reference
    return {"format": order.format, "url": reference.url, "sha256": reference.sha256, "sender": order.sender}


def decode_order(state: Mapping[str, Any]) -> FetchOrder:
    """Read the state of a command that fetches. Raises Malformed, and shows nothing of the address."""
    wrong = [name for name in ("format", "url", "sha256", "sender") if not isinstance(state.get(name), str)]
    if wrong:
        raise Malformed(f"the order to fetch a report has no text for {', '.join(wrong)}: send the report again")
    try:
        check_digest(state["sha256"])
    except InvalidReference as error:
        raise Malformed(f"the order to fetch a report is broken: {error}") from error
    if not is_format_name(state["format"]):
        raise Malformed(f"the order to fetch a report names the format {state['format'][:40]!r}, which can be none")
    return FetchOrder(state["format"], ReportReference(state["url"], state["sha256"]), state["sender"])
