"""CSV bodies, row by row: exports of consoles, with titles above the header and several lines in a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Final

from shared.scanners.report import Refusal, RefusalReason

_LONGEST_CELL: Final = 8 * 1024 * 1024
"""Nessus writes a plugin's whole output into one cell."""
_HEADER_WITHIN: Final = 20
"""Lines in which the header must stand; consoles put a title and an address above it."""

Row = dict[str, str]


def header(body: bytes, wanted: frozenset[str]) -> tuple[str, ...] | None:
    """The header of a CSV body that has one of the names, in lower case; None when there is none."""
    try:
        for line in _lines(body[: 256 * 1024]):
            names = tuple(cell.strip().casefold() for cell in line)
            if wanted.intersection(names):
                return names
    except csv.Error:
        return None
    return None


def rows(body: bytes, wanted: frozenset[str], name: str) -> Iterator[Row]:
    """Rows by column names in lower case. Raises Refusal when there is no such header, or a row is broken."""
    names: Sequence[str] | None = None
    try:
        for number, line in enumerate(_lines(body), 1):
            if names is None:
                cells = tuple(cell.strip().casefold() for cell in line)
                if wanted.intersection(cells):
                    names = cells
                elif number > _HEADER_WITHIN:
                    break
            elif any(line):
                yield _row(names, line, number)
    except csv.Error as error:
        early = "unexpected end of data" in str(error)
        reason = RefusalReason.TRUNCATED if early else RefusalReason.NOT_CSV
        told = f"the report ends in the middle, after {len(body)} bytes" if early else f"not CSV: {error}"
        raise Refusal(reason, told) from error
    if names is None:
        raise Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: no row of column names was found")


def _row(names: Sequence[str], line: list[str], number: int) -> Row:
    # Consoles close with a line of their own (a copyright, a count); what is cut off has one cell or more too few.
    if len(line) < len(names):
        told = f"row {number} has {len(line)} cells, {len(names)} are expected: the report ends in the middle"
        raise Refusal(RefusalReason.TRUNCATED, told)
    return {column: cell.strip() for column, cell in zip(names, line, strict=False) if column}


def _lines(body: bytes) -> Iterator[list[str]]:
    if csv.field_size_limit() < _LONGEST_CELL:
        csv.field_size_limit(_LONGEST_CELL)
    # Names and numbers are ASCII; what else stands in texts must not stop the reading.
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", errors="replace", newline="")
    return csv.reader(text, strict=True)
