"""The settings that say who may send reports, and from where they are fetched. All faults are told, no key is shown.

Keys, by scanner. Both forms may stand side by side::

    {"trivy": ["key", "older key"],
     "ci-grype": {"keys": ["key"], "formats": ["grype", "sarif"], "definitions": ["gal_build/ubuntu-*"]}}

The short form lets a scanner send the format of its own name, for every definition. Principals, by object or
application id, have the same fields but for the keys, and a ``name`` where wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from shared.domain.identifiers import is_guid
from shared.domain.report_reference import InvalidReference, host_entry
from shared.domain.scan_formats import is_format_name
from shared.domain.senders import Sender, definition_pattern

LEAST_KEY: Final = 16
"""Bytes of a webhook key."""
MOST_KEYS: Final = 4
"""Two are needed to change a key; every further one is work for each request."""

_EXPECTED: Final = {
    "keys": f"a list of one to {MOST_KEYS} keys is expected, newest first",
    "formats": "formats is no list of report formats such as trivy; leave it out to allow all",
    "definitions": 'definitions is no list such as ["gallery/definition"]; leave it out to allow all',
    "name": "name is no text",
}


def _long_enough(key: str) -> str:
    if (size := len(key.encode())) < LEAST_KEY:
        raise ValueError(f"has {size} bytes; at least {LEAST_KEY} are needed")
    return key


def _format_name(name: str) -> str:
    if not is_format_name(name):
        raise ValueError("is not the name of a report format")
    return name


class _Permitted(BaseModel):
    """What a sender may send. A misspelt field would be a permission that nobody notices to be missing."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    formats: frozenset[Annotated[str, AfterValidator(_format_name)]] = Field(frozenset(), min_length=1)
    definitions: tuple[Annotated[str, AfterValidator(definition_pattern)], ...] = Field((), min_length=1)


class _Scanner(_Permitted):
    keys: tuple[Annotated[str, AfterValidator(_long_enough)], ...] = Field(min_length=1, max_length=MOST_KEYS)


class _Principal(_Permitted):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = ""


_OBJECT: Final = TypeAdapter(dict[str, Any])


def read_scanners(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Scanner -> what it may do, from the JSON of setting ``name``. Adds to ``faults`` what is wrong."""
    expected = '{"trivy": ["key", "older key"]} is expected'
    found: dict[str, Sender] = {}
    for scanner, given in _object(name, text, expected, faults).items():
        where = f"{name}, scanner {scanner[:40]!r}"
        if not is_format_name(scanner):
            faults.append(f"{where}: a name is expected, such as trivy: lower-case letters, digits and -")
        is_short = not isinstance(given, dict)
        read = _validated(_Scanner, {"keys": given} if is_short else given, where, faults)
        if read is not None:
            formats = frozenset({scanner}) if is_short else read.formats or None
            found[scanner] = Sender(scanner, tuple(key.encode() for key in read.keys), formats, read.definitions)
    return found


def read_principals(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Object or application id -> what it may do. Adds to ``faults`` what is wrong."""
    expected = '{"<object or application id>": {"definitions": ["gallery/definition"]}} is expected'
    found: dict[str, Sender] = {}
    for given_id, given in _object(name, text, expected, faults).items():
        where = f"{name}, principal {given_id[:40]!r}"
        if not is_guid(given_id):
            faults.append(f"{where}: an object or application id is expected, 8-4-4-4-12 hex digits")
        read = _validated(_Principal, given, where, faults)
        if read is not None:
            shown = read.name or given_id.lower()
            found[given_id.lower()] = Sender(shown, formats=read.formats or None, definitions=read.definitions)
    return found


def read_readers(name: str, text: str, faults: list[str]) -> frozenset[str]:
    """Ids of who may read pages, with commas between. Adds to ``faults`` what is wrong."""
    found = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    faults.extend(
        f"{name}, {each[:40]!r}: an id of a person, group, application or tenant is expected, 8-4-4-4-12 hex digits"
        for each in sorted(found)
        if not is_guid(each)
    )
    return found


def read_hosts(name: str, text: str, faults: list[str]) -> frozenset[str]:
    """Hosts with commas between. Adds to ``faults`` what is wrong."""
    found: set[str] = set()
    for part in text.split(","):
        if not part.strip():
            continue
        try:
            found.add(host_entry(part))
        except InvalidReference as error:
            faults.append(f"{name}: {error}, with :port where it is not 443; give each host by itself, without *")
    return frozenset(found)


def _object(name: str, text: str, expected: str, faults: list[str]) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(text)
    except ValueError:
        faults.append(f"{name} is no JSON object; {expected}")
        return {}


def _validated[T: _Permitted](kind: type[T], given: object, where: str, faults: list[str]) -> T | None:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        told = (
            _told(each["type"], each["loc"], each.get("ctx", {}), kind) for each in error.errors(include_input=False)
        )
        faults += [f"{where}: {each}" for each in dict.fromkeys(told)]
        return None


def _told(kind_of_error: str, loc: tuple[int | str, ...], context: Mapping[str, Any], kind: type[_Permitted]) -> str:
    """What is wrong with a part of a sender. It never shows the part itself, which may be a key."""
    match kind_of_error, loc:
        case "value_error", ("keys", int(index)):
            return f"key {index + 1} {context['error']}"
        case "value_error", _:
            return str(context["error"])
        case "extra_forbidden", (str(field),):
            return f"{field[:40]!r} is no field; known are {', '.join(sorted(kind.model_fields))}"
        case _, (str(field), *_):
            return _EXPECTED[field]
        case _:
            return "an object is expected, {} at the least"
