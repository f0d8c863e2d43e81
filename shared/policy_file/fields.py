"""Types of single values in the policy file: durations, resource ids, regions, regular expressions.

Each checks one value and says what was expected; ``checks`` compares values with each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from shared.domain.identifiers import GUID
from shared.domain.image import DefinitionId, GalleryId, InvalidId, region_name
from shared.domain.regions import REGIONS, nearest_region
from shared.policy_file.patterns import compiled

MAX_PATTERN: Final = 200
"""Maximum length of a regular expression in characters."""

_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SUBNET: Final = re.compile(
    rf"/subscriptions/{GUID}/resourceGroups/[-\w.()]{{1,90}}/providers/Microsoft\.Network"
    r"/virtualNetworks/(?:[-\w.]|\{region\}){1,80}/subnets/(?:[-\w.]|\{region\}){1,80}",
    re.ASCII | re.IGNORECASE,
)


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if value == 0 and isinstance(value, int) and not isinstance(value, bool):
        return timedelta(0)
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if value == "0":
        return timedelta(0)
    if match is None:
        raise ValueError(
            f"{shown(value)} is not a duration: use a whole number with s, m, h or d, such as 30m, 4h or 7d"
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def between(low: timedelta, high: timedelta) -> AfterValidator:
    """Bounds of a duration, both included."""

    def check(value: timedelta) -> timedelta:
        if not low <= value <= high:
            raise ValueError(
                f"{duration_text(value)} is out of range: use {duration_text(low)} to {duration_text(high)}"
            )
        return value

    return AfterValidator(check)


MINUTE_TO_90_DAYS = between(timedelta(minutes=1), timedelta(days=90))
UP_TO_90_DAYS = between(timedelta(0), timedelta(days=90))


def duration_text(value: timedelta) -> str:
    """``90m``: a duration as the file writes it, in the largest unit that holds it whole."""
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s" if seconds else "0"


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": "^([0-9]{1,6}[smhd]|0)$"}, {"const": 0}],
            "description": "A whole number with s, m, h or d, such as 30m, 4h, 7d; or 0",
        }
    ),
]


def _parsed_by(parse: Callable[[str], Any]) -> AfterValidator:
    def check(value: str) -> str:
        try:
            parse(value)
        except InvalidId as error:
            raise ValueError(str(error)) from error
        return value

    return AfterValidator(check)


GalleryText = Annotated[str, _parsed_by(GalleryId.parse)]
DefinitionText = Annotated[str, _parsed_by(DefinitionId.parse)]


def _subnet(value: str) -> str:
    if not _SUBNET.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not a subnet id: use /subscriptions/…/resourceGroups/…/providers/Microsoft.Network"
            "/virtualNetworks/…/subnets/…, with {region} in place of the region's short name"
        )
    return value


SubnetText = Annotated[str, AfterValidator(_subnet)]


def region_value(value: str, info: ValidationInfo) -> str:
    """The short name of a region. Raises ValueError for one that is not known."""
    more = (info.context or {}).get("regions", ())
    name = region_name(value)
    if name in REGIONS or name in more:
        return name
    near = nearest_region(value, more)
    hint = f" Did you mean {near!r}?" if near else ""
    raise ValueError(
        f"{shown(value)} is not a region of the public Azure cloud.{hint} "
        "Add a new region, or a region of another cloud, to 'regions' first"
    )


RegionName = Annotated[str, AfterValidator(region_value)]


def relative_file(what: str, example: str = "") -> AfterValidator:
    """The path of a file in the policy's folder or below it."""

    def check(value: str) -> str:
        parts = value.replace("\\", "/").split("/")
        if value.startswith(("/", "\\")) or ":" in value or any(part in {"", ".", ".."} for part in parts):
            raise ValueError(
                f"{shown(value)} is not a valid path of {what}: use a file in the policy's folder or below it"
                + (f", such as {example}" if example else "")
            )
        return "/".join(parts)

    return AfterValidator(check)


VexFile = Annotated[
    str, relative_file("a VEX document", "vex/ubuntu.openvex.json"), Field(min_length=1, max_length=200)
]


def _pattern(value: str) -> str:
    if len(value) > MAX_PATTERN:
        raise ValueError(f"the regular expression has {len(value)} characters; the maximum is {MAX_PATTERN}")
    try:
        compiled(value)
    except ValueError as error:
        raise ValueError(f"{shown(value)} is not a regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_pattern), Field(json_schema_extra={"format": "regex"})]


def _non_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value.strip()


NonBlank = Annotated[str, AfterValidator(_non_blank), Field(max_length=500)]


def shown(value: object) -> str:
    """A value as a fault quotes it."""
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
