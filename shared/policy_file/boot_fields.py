"""Types of values in the policy file's ``boot`` section: sizes, tags and disk encryption sets of test machines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from shared.domain.boot_test.console_patterns import PATTERNS, PatternSeverity
from shared.domain.identifiers import GUID
from shared.policy_file.fields import region_value, shown

_ENCRYPTION_SET: Final = re.compile(
    rf"/subscriptions/{GUID}/resourceGroups/(?:[-\w.()]|\{{region\}}){{1,90}}/providers/Microsoft\.Compute"
    r"/diskEncryptionSets/(?:[-\w]|\{region\}){1,80}",
    re.ASCII | re.IGNORECASE,
)
_SIZE: Final = re.compile(r"(Standard|Basic)_[A-Za-z0-9_-]{1,60}", re.ASCII)
_MOST_SIZES: Final = 8
DEFAULT_SIZES: Final = "default"
"""The key of the sizes for every region that has none of its own."""


def _vm_sizes(value: object, info: ValidationInfo) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        return {DEFAULT_SIZES: _size_list(value)}
    if DEFAULT_SIZES not in value:
        raise ValueError(f"sizes by region require the key {DEFAULT_SIZES!r} for all other regions")
    named = {str(key): _size_list(sizes) for key, sizes in value.items()}
    found = {key if key == DEFAULT_SIZES else region_value(key, info): sizes for key, sizes in named.items()}
    if len(found) != len(named):
        raise ValueError("a region occurs twice")
    return found


def _size_list(value: object) -> tuple[str, ...]:
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,)
    for size in sizes:
        if not isinstance(size, str) or not _SIZE.fullmatch(size):
            raise ValueError(f"{shown(size)} is not the name of a VM size, such as Standard_D2s_v5")
    if not 1 <= len(sizes) <= _MOST_SIZES or len({str(size).lower() for size in sizes}) != len(sizes):
        raise ValueError(f"use 1 to {_MOST_SIZES} different sizes")
    return tuple(map(str, sizes))


_SIZES_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "string", "pattern": f"^{_SIZE.pattern}$"},
        {
            "type": "array",
            "items": {"type": "string", "pattern": f"^{_SIZE.pattern}$"},
            "minItems": 1,
            "maxItems": _MOST_SIZES,
        },
    ]
}
VmSizes = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(_vm_sizes),
    WithJsonSchema(
        {
            "anyOf": [
                *_SIZES_SCHEMA["anyOf"],
                {"type": "object", "additionalProperties": _SIZES_SCHEMA, "required": [DEFAULT_SIZES]},
            ]
        }
    ),
]
"""Sizes in the order in which they are tried, by region, and ``default``."""


def check_tag_names(names: Iterable[str]) -> None:
    """Raise ValueError for names that tags cannot have. Limits and characters: Azure Resource Manager's own."""
    listed = list(names)
    for name in listed:
        if not name.strip() or len(name) > 512 or set(name) & set("<>%&\\?/"):
            raise ValueError(f"{name[:80]!r} is not a valid tag name")
    if len({name.casefold() for name in listed}) != len(listed):
        raise ValueError("a tag occurs twice; tag names are case-insensitive")


def _own_tags(value: dict[str, str]) -> dict[str, str]:
    """Tags beside the two that Ringmaster sets itself ("Use tags to organize your Azure resources")."""
    check_tag_names(value)
    if len(value) > 48:
        raise ValueError(f"there are {len(value)} tags; a resource can have 50, and Ringmaster needs two of them")
    for name, text in value.items():
        if name.casefold().startswith(("microsoft", "azure", "windows", "ringmaster-")):
            raise ValueError(f"{name[:80]!r} begins with a reserved prefix: microsoft, azure, windows or ringmaster-")
        if len(text) > 256:
            raise ValueError(f"the value of {name[:80]!r} has {len(text)} characters; 256 are allowed")
    return value


OwnTags = Annotated[dict[str, str], AfterValidator(_own_tags)]


def _encryption_set(value: str) -> str:
    if not _ENCRYPTION_SET.fullmatch(value):
        raise ValueError(
            f"{shown(value)} is not the id of a disk encryption set: use /subscriptions/…/resourceGroups/…/providers/"
            "Microsoft.Compute/diskEncryptionSets/…, with {region} in place of the region's short name"
        )
    return value


EncryptionSetText = Annotated[str, AfterValidator(_encryption_set)]


IGNORED: Final = "ignored"
"""The severity of a console pattern that is turned off."""
_PATTERN_NAMES: Final = tuple(each.name for each in PATTERNS)
_SEVERITIES: Final = (*(each.value for each in PatternSeverity), IGNORED)


def _console_patterns(value: dict[str, str]) -> dict[str, str]:
    for name, severity in value.items():
        if name not in _PATTERN_NAMES:
            near = difflib.get_close_matches(name, _PATTERN_NAMES, n=1)
            hint = f": did you mean {near[0]!r}?" if near else "; docs/console-patterns.md lists them"
            raise ValueError(f"{shown(name)} is not the name of a console pattern{hint}")
        if severity not in _SEVERITIES:
            raise ValueError(f"{shown(severity)} is not a severity of a console pattern: use {', '.join(_SEVERITIES)}")
    return value


ConsolePatterns = Annotated[
    dict[str, str],
    AfterValidator(_console_patterns),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"enum": list(_PATTERN_NAMES)},
            "additionalProperties": {"enum": list(_SEVERITIES)},
        }
    ),
]
"""Severities of built-in console patterns, by name."""
