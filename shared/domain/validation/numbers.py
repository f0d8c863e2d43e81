"""Version numbers: their format, order and gaps, and whether another version has the same one.

Calendar numbers begin with a date: ``2026.11.28``, ``2026.11.3`` (a counter in the month), ``202611.28.0`` or
``20261128.1.0``. The gallery's own rule, three integers, holds already where a version can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from shared.domain.image import VersionNumber
from shared.domain.policy import ValidationRules
from shared.domain.validation.facts import ValidationFacts
from shared.domain.validation.findings import ValidationFinding, error, finding, warning
from shared.domain.validation.policy import NumberFormat, NumberOrder, NumberRules


def number_findings(facts: ValidationFacts, rules: ValidationRules) -> Iterator[ValidationFinding]:
    """The findings on the number of a version."""
    assert facts.version is not None
    number, wanted = facts.version.id.number, rules.numbers
    newest = facts.newest_published
    others = [each.id.number for each in facts.siblings]
    highest = max(others, default=None)
    if wanted is not None and wanted.order is NumberOrder.ASCENDING and highest is not None and number < highest:
        yield error("number-order", f"{highest} already exists, and numbers must be ascending: build a higher number")
    elif newest is not None and number < newest:
        yield warning("number-order", f"{newest} is already published, so latest would never resolve to this number")
    if wanted is None:
        return
    if (fault := _format_fault(number, wanted)) is not None:
        yield finding("number-format", f"the number {number} {fault}")
    elif wanted.format is NumberFormat.SEMVER:
        yield from _gap(number, [each for each in others if each < number])
    yield from _duplicates(facts, number)


def _format_fault(number: VersionNumber, rules: NumberRules) -> str | None:
    """What is wrong with the format of a number; None if it is right."""
    match rules.format:
        case NumberFormat.SEMVER:
            return "has leading zeros, which semantic versions do not have" if number.spelling else None
        case NumberFormat.CALENDAR:
            return None if _is_calendar(number) else "does not begin with a date, such as 2026.11.28 or 202611.28.0"
        case NumberFormat.PATTERN:
            matches = rules.pattern is not None and rules.pattern.fullmatch(str(number))
            return None if matches else f"does not match {rules.pattern.pattern if rules.pattern else 'a pattern'}"


def _is_calendar(number: VersionNumber) -> bool:
    major, minor, patch = number.major, number.minor, number.patch
    if major >= 1_000_00_00:
        return _is_date(major // 10_000, major // 100 % 100, major % 100)
    if major >= 1_000_00:
        return _is_date(major // 100, major % 100, minor)
    return _is_date(major, minor, 1) and patch >= 0


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        return 2000 <= date(year, month, day).year <= 2199
    except ValueError:
        return False


def _gap(number: VersionNumber, lower: list[VersionNumber]) -> Iterator[ValidationFinding]:
    before = max(lower, default=None)
    if before is None:
        return
    following = (
        VersionNumber(before.major, before.minor, before.patch + 1),
        VersionNumber(before.major, before.minor + 1, 0),
        VersionNumber(before.major + 1, 0, 0),
    )
    if number not in following:
        told = ", ".join(map(str, following[:-1]))
        yield finding("number-gap", f"{number} follows {before}: {told} or {following[-1]} would be next")


def _duplicates(facts: ValidationFacts, number: VersionNumber) -> Iterator[ValidationFinding]:
    assert facts.version is not None
    for other in facts.siblings:
        same = other.id.number
        if (same.major, same.minor, same.patch) == (number.major, number.minor, number.patch):
            yield finding("number-duplicate", f"the definition has the same number with other zeros: {same}")
    for definition, twin in facts.twins.items():
        if (twin.source_id or "").casefold() != str(facts.version.id).casefold():
            yield finding(
                "number-duplicate",
                f"{definition} already has {number}, made from {twin.source_id or 'another source'}: delete it there, "
                "or build another number",
            )
