"""What readers of all formats share: the normal form, and how they refuse."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final

from shared.domain.findings import Finding, FixState, OsInfo, ScanReport, SuppressedFinding, VexState

__all__ = [
    "Compact",
    "Finding",
    "FixState",
    "OsInfo",
    "Refusal",
    "RefusalReason",
    "ScanReport",
    "SuppressedFinding",
    "VexState",
    "shown",
]


class RefusalReason(StrEnum):
    """Why a body is not a report."""

    UNKNOWN_FORMAT = "unknown-format"
    TOO_LARGE = "too-large"
    EMPTY = "empty"
    NOT_JSON = "not-json"
    NOT_XML = "not-xml"
    NOT_CSV = "not-csv"
    UNSAFE = "unsafe"
    TRUNCATED = "truncated"
    WRONG_SHAPE = "wrong-shape"
    WRONG_SCHEMA = "wrong-schema"
    NOT_SCANNED = "not-scanned"


class Refusal(Exception):
    """A body that can't be taken for a report: ``reason`` for programs, ``text`` for people."""

    def __init__(self, reason: RefusalReason, text: str) -> None:
        self.reason = reason
        self.text = text
        super().__init__(text)


class Compact:
    """Keeps values once that many findings share: names of packages and sources, places, vectors, versions."""

    def __init__(self) -> None:
        self._kept: dict[Any, Any] = {}

    def __call__(self, finding: Finding) -> Finding:
        """The same finding, of values that are kept already."""
        kept = self._kept
        values = list(_VALUES(finding))
        for index, value in enumerate(values):
            # Of exactly these types: a severity equals the word for it, and must not be replaced by that.
            if type(value) is str or type(value) is tuple:
                values[index] = kept.setdefault(value, value) if len(kept) < _KEPT else kept.get(value, value)
        return Finding(*values)


_VALUES: Final = attrgetter(*(one.name for one in fields(Finding)))
_KEPT: Final = 50_000


def shown(value: object) -> str:
    """A value from a report, cut to what fits into a message."""
    text = repr(value)
    return text if len(text) <= 120 else text[:120] + "…"
