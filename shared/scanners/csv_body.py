"""CSV bodies, read row by row: console exports, with title lines above the header and line breaks within cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Final

from shared.scanners.report_refusal import Refusal, RefusalReason, truncated

_MAX_CELL: Final = 8 * 1024 * 1024
"""Characters in a cell; Nessus writes the whole output of a plugin into one."""
_MAX_HEADER_LINE: Final = 20
"""The header is among the first lines of a file, up to this one; consoles put a title and an address above it."""
_HEADER_BYTES: Final = 256 * 1024
"""Bytes from the start of a file in which the header is searched."""
_DELIMITERS: Final = (",", ";", "\t")
"""Spreadsheet programs use the list separator of the user's locale."""

_NO_ALIASES: Final[Mapping[str, str]] = MappingProxyType({})

Row = dict[str, str]
"""Cells by the column's name in lowercase, without surrounding white space."""


def read_header(body: bytes, wanted: frozenset[str]) -> tuple[str, ...] | None:
    """The column names of a CSV body in lowercase, or None when no line has one of the names ``wanted``."""
    found = _header(body, wanted)
    return found[1] if found else None


def _header(body: bytes, wanted: frozenset[str]) -> tuple[str, tuple[str, ...]] | None:
    """The delimiter of a CSV body, and its column names in lowercase."""
    for delimiter in _DELIMITERS:
        try:
            for line in islice(_lines(body[:_HEADER_BYTES], delimiter), _MAX_HEADER_LINE):
                names = _names(line)
                if wanted.intersection(names):
                    return delimiter, names
        except csv.Error:
            continue
    return None


def _names(line: list[str]) -> tuple[str, ...]:
    return tuple(cell.strip().casefold() for cell in line)


def read_rows(
    body: bytes,
    wanted: frozenset[str],
    name: str,
    *,
    aliases: Mapping[str, str] = _NO_ALIASES,
    end_marker: str | None = None,
) -> Iterator[Row]:
    """The rows of a CSV body, one by one.

    The header is the first line with one of the column names ``wanted``. ``name`` says what the body should be, for
    messages. ``aliases`` maps column names to the names that the rows use instead. A line whose first cell is
    ``end_marker`` ends the table. Raises Refusal when there is no header, or when a row is broken or incomplete.
    """
    found = _header(body, wanted)
    if found is None:
        raise _no_header(body, name)
    delimiter, written = found
    names = tuple(aliases.get(column, column) for column in written)
    in_table = False
    try:
        for number, line in enumerate(_lines(body, delimiter), 1):
            if in_table and line[:1] == [end_marker]:
                return
            if in_table and any(line):
                yield _row(names, line, number)
            in_table = in_table or _names(line) == written
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise truncated(len(body)) from error
        raise Refusal(RefusalReason.NOT_CSV, f"not CSV: {error}") from error


def _no_header(body: bytes, name: str) -> Refusal:
    """The refusal of a body without a header: not CSV, also when it ends within its first lines, or another table."""
    try:
        for _ in islice(_lines(body[:_HEADER_BYTES], ","), _MAX_HEADER_LINE):
            pass
    except csv.Error as error:
        return Refusal(RefusalReason.NOT_CSV, f"not CSV: {error}")
    return Refusal(RefusalReason.WRONG_SHAPE, f"not {name}: no header row was found")


def _row(names: Sequence[str], line: list[str], number: int) -> Row:
    # A row may have more cells than the header. One with fewer cells was cut off.
    if len(line) < len(names):
        text = f"the report is incomplete: row {number} has {len(line)} of {len(names)} cells"
        raise Refusal(RefusalReason.TRUNCATED, text)
    return {column: cell.strip() for column, cell in zip(names, line, strict=False) if column}


def _lines(body: bytes, delimiter: str) -> Iterator[list[str]]:
    if csv.field_size_limit() < _MAX_CELL:
        csv.field_size_limit(_MAX_CELL)
    # Names and numbers are ASCII. Invalid UTF-8 in descriptions must not make the report unreadable.
    text = io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig", errors="replace", newline="")
    return csv.reader(text, delimiter=delimiter, strict=True)
