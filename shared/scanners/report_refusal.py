"""How readers of all formats refuse a body that is not a usable report."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

_MAX_QUOTED: Final = 120
_MAX_DESCRIPTION: Final = 300


class RefusalReason(StrEnum):
    """Why a body is not a usable report. The values are part of evidence and of webhook answers."""

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
    """A body that is not a usable report.

    ``reason`` is for programs. ``text`` is for people: a fragment without a final period, in which every value from
    the body is quoted and cut.
    """

    def __init__(self, reason: RefusalReason, text: str) -> None:
        self.reason = reason
        self.text = text
        super().__init__(text)


def truncated(size: int) -> Refusal:
    """The refusal of a body of ``size`` bytes that ends before its document does."""
    return Refusal(RefusalReason.TRUNCATED, f"the report is incomplete: it ends after {size} bytes")


def unknown_format(what: str) -> Refusal:
    """The refusal of a body whose format is not detected; ``what`` says what the body is, with its article."""
    return Refusal(
        RefusalReason.UNKNOWN_FORMAT, f"the format cannot be detected: the body is {what[:_MAX_DESCRIPTION]}"
    )


def quoted(value: object) -> str:
    """A value from a report as a message shows it: escaped, in quotes, of at most 120 characters."""
    text = repr(value)
    return text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "…"
