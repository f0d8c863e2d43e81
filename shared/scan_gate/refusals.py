"""What becomes of a report that is refused: a document among the evidence, and a line in the release's history.

The name of the document tells the report and the reason, not the time: the same refusal twice is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from shared.domain.evidence_names import evidence_folder
from shared.domain.hop_states import ReportRefused
from shared.domain.image import VersionId
from shared.domain.messages import Command, Kind
from shared.ports import World
from shared.scan_gate.reports import HINT_LIFE

LONGEST_TEXT: Final = 2000
LONGEST_LINE: Final = 500


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a report is not taken: ``code`` for programs, ``text`` for people."""

    code: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a refused report. ``digest`` is the SHA-256 of its body; ``report`` its name when it is kept."""

    version: VersionId
    format: str
    why: Refused
    digest: str | None = None
    report: str | None = None
    sender: str | None = None
    reference: str | None = None
    """Where it was to be fetched from, without the query."""
    incarnation: str | None = None
    """The bearer of the number that it was held against, where it came that far."""


async def record(told: Told, world: World, *, now: datetime) -> str:
    """Keep a refusal among the evidence. Returns the document's name."""
    name = _name(told)
    document = {
        "schema": 1,
        "version": str(told.version),
        "incarnation": told.incarnation,
        "gate": "scan",
        "answer": "refused",
        "code": told.why.code,
        "reasons": [told.why.text[:LONGEST_TEXT]],
        "format": told.format,
        "sha256": told.digest,
        "report": told.report,
        "sender": told.sender,
        "reference": told.reference,
        "at": now.isoformat(),
        "by": "ringmaster",
    }
    await world.evidence.put(name, document)
    return name


async def refuse(told: Told, world: World, *, now: datetime) -> str:
    """Keep a refusal, and have it told in the release's history. Returns the document's name."""
    name = await record(told, world, now=now)
    what = f"{told.digest[:16]} " if told.digest else ""
    by = f" from {told.sender}" if told.sender else ""
    text = f"{what}({told.format}){by} refused: {told.why.text}"[:LONGEST_LINE]
    hint = Command(Kind.SCAN, told.version, seq=0, not_after=now + HINT_LIFE, state=ReportRefused(text, name))
    await world.queues.send(hint)
    return name


def _name(told: Told) -> str:
    what = (told.report, told.digest, told.reference, told.format, told.why.code, told.sender)
    digest = sha256("\0".join(part or "" for part in what).encode("utf-8", "replace")).hexdigest()[:16]
    return f"{evidence_folder(told.version, told.incarnation, unknown='unread')}/scan-refused-{digest}.json"
