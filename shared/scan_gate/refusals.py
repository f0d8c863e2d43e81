"""A refused scan report: Ringmaster keeps a document among the evidence and adds a line to the release's history.

The name of the document is made from the report and the reason, not from the time: the same refusal twice is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from shared.domain.evidence_names import evidence_folder
from shared.domain.hop_states import ReportRefused
from shared.domain.image import VersionId
from shared.domain.messages import HINT_LIFE, Command, Kind
from shared.ports import World

LONGEST_TEXT: Final = 2000
LONGEST_LINE: Final = 500


@dataclass(frozen=True, slots=True)
class RefusalReason:
    """Why a report is refused: ``code`` for programs, ``text`` for people."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RefusedReport:
    """What is known of a refused report.

    ``digest`` is the SHA-256 of its body in hex; ``name_in_store`` its name in the report store, where it is kept.
    """

    version: VersionId
    format: str
    why: RefusalReason
    digest: str | None = None
    name_in_store: str | None = None
    sender: str | None = None
    reference: str | None = None
    """The address that it was to be fetched from, without the query."""
    incarnation: str | None = None
    """The incarnation that it was judged for, where it came that far."""


async def record(report: RefusedReport, world: World, *, now: datetime) -> str:
    """Keep a refusal among the evidence. Returns the document's name."""
    name = _name(report)
    document = {
        "schema": 1,
        "version": str(report.version),
        "incarnation": report.incarnation,
        "gate": "scan",
        "answer": "refused",
        "code": report.why.code,
        "reasons": [report.why.text[:LONGEST_TEXT]],
        "format": report.format,
        "sha256": report.digest,
        "report": report.name_in_store,
        "sender": report.sender,
        "reference": report.reference,
        "at": now.isoformat(),
        "by": "ringmaster",
    }
    await world.evidence.put(name, document)
    return name


async def refuse(report: RefusedReport, world: World, *, now: datetime) -> str:
    """Keep a refusal, and have it report in the release's history. Returns the document's name."""
    name = await record(report, world, now=now)
    what = f"{report.digest[:16]} " if report.digest else ""
    by = f" from {report.sender}" if report.sender else ""
    text = f"{what}({report.format}){by} refused: {report.why.text}"[:LONGEST_LINE]
    hint = Command(Kind.SCAN, report.version, seq=0, not_after=now + HINT_LIFE, state=ReportRefused(text, name))
    await world.queues.send(hint)
    return name


def _name(report: RefusedReport) -> str:
    what = (report.name_in_store, report.digest, report.reference, report.format, report.why.code, report.sender)
    digest = sha256("\0".join(part or "" for part in what).encode("utf-8", "replace")).hexdigest()[:16]
    return f"{evidence_folder(report.version, report.incarnation, unknown='unread')}/scan-refused-{digest}.json"
