"""Listings of findings as evidence keeps them: in pages, with every text cut, so that a page has a bounded size.

What is cut here is whole in the scan report, which is kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from shared.codec.errors import Malformed
from shared.domain.findings_list import Disposition, Entry, FindingsList, Group, Range
from shared.domain.policy import ScanException, Severity

SCHEMA: Final = 1
_NAME: Final = 200
_TEXT: Final = 300
_SHORT: Final = 100
_PLACES: Final = 3
_ALIASES: Final = 5


class ExceptionWire(msgspec.Struct, omit_defaults=True, frozen=True):
    """The exception that excuses a finding, or that has expired."""

    id: str
    owner: str
    expires: datetime
    reason: str = ""
    source: str = ""


class LineWire(msgspec.Struct, omit_defaults=True, frozen=True):
    """One finding and how it stands."""

    id: str
    package: str
    installed: str
    severity: Severity
    standing: Disposition
    fixed: str = ""
    fix: str = ""
    """The state of the fix, if there is no fixed version."""
    new: bool = False
    codes: tuple[str, ...] = ()
    cvss: float | None = None
    epss: float | None = None
    exploited: bool = False
    aliases: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    places: int = 0
    """The number of locations, if there are more than those listed."""
    scanners: tuple[str, ...] = ()
    exception: ExceptionWire | None = None


class GroupWire(msgspec.Struct, omit_defaults=True, frozen=True):
    """A package in one installed version. ``severities`` counts its findings; ``runs`` are start and count of lines."""

    package: str
    installed: str
    severities: dict[Severity, int]
    runs: tuple[tuple[int, int], ...]
    target: str = ""
    fixable: int = 0
    decided: int = 0
    excepted: int = 0
    new: int = 0

    @property
    def total(self) -> int:
        """How many findings it has."""
        return sum(self.severities.values())


class RangeWire(msgspec.Struct, omit_defaults=True, frozen=True):
    """Lines of one kind, which stand together."""

    standing: Disposition
    severity: Severity
    start: int
    count: int
    new: bool = False


class ListingWire(msgspec.Struct, frozen=True, rename="camel"):
    """What the evidence of a verdict says of its listing.

    A page is the name of a document in ``folder``, or, where the listing is short, that document itself.
    """

    folder: str
    lines: int
    groups: int
    ranges: tuple[RangeWire, ...]
    lines_a_page: int
    groups_a_page: int
    line_pages: tuple[str | dict[str, Any], ...]
    group_pages: tuple[str | dict[str, Any], ...]


class _LinePage(msgspec.Struct):
    lines: list[LineWire]


class _GroupPage(msgspec.Struct):
    groups: list[GroupWire]


def line_page(lines: Iterable[Entry]) -> dict[str, Any]:
    """A page of lines as a document."""
    return {"schema": SCHEMA, "lines": msgspec.to_builtins([_line(line) for line in lines])}


def group_page(groups: Iterable[Group]) -> dict[str, Any]:
    """A page of groups as a document."""
    return {"schema": SCHEMA, "groups": msgspec.to_builtins([_group(group) for group in groups])}


def listing_facts(
    listing: FindingsList,
    *,
    folder: str,
    lines_a_page: int,
    groups_a_page: int,
    line_pages: Sequence[str | dict[str, Any]],
    group_pages: Sequence[str | dict[str, Any]],
) -> dict[str, Any]:
    """What the evidence of a verdict says of its listing, as plain data."""
    ranges = tuple(
        RangeWire(each.disposition, each.severity, each.start, each.count, each.new) for each in listing.ranges
    )
    wire = ListingWire(
        folder,
        len(listing.entries),
        len(listing.groups),
        ranges,
        lines_a_page,
        groups_a_page,
        tuple(line_pages),
        tuple(group_pages),
    )
    return msgspec.to_builtins(wire)


def read_listing(facts: Mapping[str, Any]) -> ListingWire:
    """What the facts of a verdict say of its listing. Raises Malformed."""
    return _converted(facts, ListingWire)


def read_ranges(wire: ListingWire) -> tuple[Range, ...]:
    """The ranges of a listing."""
    return tuple(Range(each.standing, each.severity, each.new, each.start, each.count) for each in wire.ranges)


def read_lines(document: Mapping[str, Any]) -> Sequence[LineWire]:
    """The lines of a page. Raises Malformed."""
    return _converted(document, _LinePage).lines


def read_groups(document: Mapping[str, Any]) -> Sequence[GroupWire]:
    """The groups of a page. Raises Malformed."""
    return _converted(document, _GroupPage).groups


def _converted[T](document: Mapping[str, Any], kind: type[T]) -> T:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise Malformed(f"this is not a page of a list of findings: {error}") from error


def _line(line: Entry) -> LineWire:
    finding = line.finding
    return LineWire(
        id=_cut(finding.id, _NAME),
        package=_cut(finding.package, _NAME),
        installed=_cut(finding.installed, _NAME),
        severity=finding.severity,
        standing=line.disposition,
        fixed=_cut(finding.fixed or "", _NAME),
        fix="" if finding.fixed else finding.fix.value,
        new=line.new,
        codes=line.codes,
        cvss=finding.cvss_score,
        epss=finding.epss,
        exploited=finding.known_exploited,
        aliases=tuple(_cut(each, _SHORT) for each in finding.aliases[:_ALIASES]),
        where=tuple(_cut(each, _NAME) for each in finding.where[:_PLACES]),
        places=len(finding.where) if len(finding.where) > _PLACES else 0,
        scanners=tuple(_cut(each, _SHORT) for each in finding.scanners[:_ALIASES]),
        exception=_exception(line.exception) if line.exception else None,
    )


def _exception(exception: ScanException) -> ExceptionWire:
    return ExceptionWire(
        id=_cut(exception.id, _NAME),
        owner=_cut(exception.owner, _SHORT),
        expires=exception.expires,
        reason=_cut(exception.reason, _TEXT),
        source=_cut(exception.source, _TEXT),
    )


def _group(group: Group) -> GroupWire:
    return GroupWire(
        package=_cut(group.package, _NAME),
        installed=_cut(group.installed, _NAME),
        severities=group.severities,
        runs=tuple(group.runs),
        target=_cut(group.target, _NAME),
        fixable=group.fixable,
        decided=group.decided,
        excepted=group.excepted,
        new=group.new,
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
