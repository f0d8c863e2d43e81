"""How readers of all formats refuse a body that is not a usable report."""

from __future__ import annotations

from enum import StrEnum


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


def quoted(value: object) -> str:
    """A value from a report, cut to what fits into a message."""
    text = repr(value)
    return text if len(text) <= 120 else text[:120] + "…"
