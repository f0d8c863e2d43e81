"""CSV bodies, row by row: exports of consoles, with titles above the header and several lines in a cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final

from shared.scanners.report_refusal import Refusal, RefusalReason

_LONGEST_CELL: Final = 8 * 1024 * 1024
"""Nessus writes a plugin's whole output into one cell."""
_HEADER_WITHIN: Final = 20
"""Lines in which the header must stand; consoles put a title and an address above it."""
_BEGIN: Final = 256 * 1024
_DELIMITERS: Final = (",", ";", "\t")
"""Spreadsheets write what their reader's country uses."""

_AS_WRITTEN: Final[Mapping[str, str]] = MappingProxyType({})

Row = dict[str, str]


def read_header(body: bytes, wanted: frozenset[str]) -> tuple[str, ...] | None:
    """The header of a CSV body that has one of the names, in lower case; None when there is none."""
    found = _header(body, wanted)
    return found[1] if found else None


def _header(body: bytes, wanted: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    """The delimiter of a CSV body, and its header."""
    for delimiter in _DELIMITERS:
        try:
            for line in islice(_lines(body[:_BEGIN], delimiter), _HEADER_WITHIN):
                names = _names(line)
                if wanted.intersection(names):
                    return delimiter, names
        except csv.Error:
            continue
    return None


def _names(line: list[str]) -> tuple[str, ...]:
    return tuple(cell.strip().casefold() for cell in line)


def read_rows(
    body: bytes, wanted: frozenset[str], name: str, same: Mapping[str, str] = _AS_WRITTEN, end: str | None = None
) -> Iterator[Row]:
    """Rows by column names in lower case; columns in ``same`` by the name that it gives them.

    A line that is ``end`` alone closes the table. Raises Refusal when there is no header with one of the names
    ``wanted``, or a row is broken.
    """
    found = _header(body, wanted)
    if found is None:
        raise _headless(body, name)
    delimiter, written = found
    names = tuple(same.get(column, column) for column in written)
    begun = False
    try:
        for number, line in enumerate(_lines(body, delimiter), 1):
            if begun and line[:1] == [end]:
                return
            if begun and any(line):
                yield _row(names, line, number)
            begun = begun or _names(line) == written
    except csv.Error as error:
        early = "unexpected end of data" in str(error)
        reason = RefusalReason.TRUNCATED if early else RefusalReason.NOT_CSV
        told = f"the report ends in the middle, after {len(body)} bytes" if early else f"not CSV: {error}"
        raise Refusal(reason, told) from error


def _headless(body: bytes, name: str) -> Refusal:
    """What to say of a body without a header, which may also be cut off within it."""
    try:
        for _ in islice(_lines(body[:_BEGIN], ","), _HEADER_WITHIN):
            pass
    except csv.Error as error:
        return Refusal(RefusalReason.NOT_CSV, f"not CSV: {error}")
    return Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: no row of column names was found")


def _row(names: Sequence[str], line: list[str], number: int) -> Row:
    # Consoles close with a line of their own (a copyright, a count); what is cut off has one cell or more too few.
    if len(line) < len(names):
        told = f"row {number} has {len(line)} cells, {len(names)} are expected: the report ends in the middle"
        raise Refusal(RefusalReason.TRUNCATED, told)
    return {column: cell.strip() for column, cell in zip(names, line, strict=False) if column}


def _lines(body: bytes, delimiter: str) -> Iterator[list[str]]:
    if csv.field_size_limit() < _LONGEST_CELL:
        csv.field_size_limit(_LONGEST_CELL)
    # Names and numbers are ASCII; what else stands in texts must not stop the reading.
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", errors="replace", newline="")
    return csv.reader(text, delimiter=delimiter, strict=True)
