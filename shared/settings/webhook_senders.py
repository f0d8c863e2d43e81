"""The settings that define who may send reports, and from which hosts reports are downloaded.

All errors are reported at once, and no key is shown. Keys are grouped by scanner name. Both forms can be used
together::

    {"trivy": ["key", "older key"],
     "ci-grype": {"keys": ["key"], "formats": ["grype", "sarif"], "definitions": ["gal_build/ubuntu-*"]}}

With the short form, a scanner may send the format that has its name, for every definition. Principals are grouped by
object id or application id. They have the same fields except the keys, and an optional ``name``.
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

MIN_KEY_BYTES: Final = 16
"""Minimum length of a webhook key."""
MAX_KEYS: Final = 4
"""Maximum number of keys for a scanner. Rotation needs two; each key adds work to every request."""

_EXPECTED: Final = {
    "keys": f"keys must be a list of one to {MAX_KEYS} strings, newest first",
    "formats": "formats must be a list of report formats, such as trivy; omit it to allow all",
    "definitions": 'definitions must be a list, such as ["gallery/definition"]; omit it to allow all',
    "name": "name must be a non-empty string",
}


def _check_key_length(key: str) -> str:
    if (size := len(key.encode())) < MIN_KEY_BYTES:
        raise ValueError(f"has {size} bytes; at least {MIN_KEY_BYTES} are required")
    return key


def _format_name(name: str) -> str:
    if not is_format_name(name):
        raise ValueError("is not the name of a report format")
    return name


class _Permitted(BaseModel):
    """What a sender may send. A misspelled field would silently remove a restriction or permission."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    formats: frozenset[Annotated[str, AfterValidator(_format_name)]] = Field(frozenset(), min_length=1)
    definitions: tuple[Annotated[str, AfterValidator(definition_pattern)], ...] = Field((), min_length=1)


class _Scanner(_Permitted):
    keys: tuple[Annotated[str, AfterValidator(_check_key_length)], ...] = Field(min_length=1, max_length=MAX_KEYS)


class _Principal(_Permitted):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = ""


_OBJECT: Final = TypeAdapter(dict[str, Any])


def read_scanners(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Parse the JSON of setting ``name``. Returns permissions by scanner name. Appends errors to ``faults``."""
    expected = 'for example {"trivy": ["key", "older key"]}'
    found: dict[str, Sender] = {}
    for scanner, given in _object(name, text, expected, faults).items():
        where = f"{name}, scanner {scanner[:40]!r}"
        if not is_format_name(scanner):
            faults.append(f"{where}: the name of a scanner may have only lowercase letters, digits and hyphens")
        is_short = not isinstance(given, dict)
        read = _validated(_Scanner, {"keys": given} if is_short else given, where, faults)
        if read is not None:
            formats = frozenset({scanner}) if is_short else read.formats or None
            found[scanner] = Sender(scanner, tuple(key.encode() for key in read.keys), formats, read.definitions)
    return found


def read_principals(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Parse the JSON of setting ``name``.

    Returns permissions by object id or application id. Appends errors to ``faults``.
    """
    expected = 'for example {"<object or application id>": {"definitions": ["gallery/definition"]}}'
    found: dict[str, Sender] = {}
    for given_id, given in _object(name, text, expected, faults).items():
        where = f"{name}, principal {given_id[:40]!r}"
        if not is_guid(given_id):
            faults.append(f"{where}: the id must be an object id or application id (8-4-4-4-12 hexadecimal digits)")
        read = _validated(_Principal, given, where, faults)
        if read is not None:
            shown = read.name or given_id.lower()
            found[given_id.lower()] = Sender(shown, formats=read.formats or None, definitions=read.definitions)
    return found


def read_readers(name: str, text: str, faults: list[str]) -> frozenset[str]:
    """Parse ids that are separated by commas. Appends errors to ``faults``."""
    found = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    faults.extend(
        f"{name}, {each[:40]!r}: not the id of a user, group, application or tenant (8-4-4-4-12 hexadecimal digits)"
        for each in sorted(found)
        if not is_guid(each)
    )
    return found


def read_hosts(name: str, text: str, faults: list[str]) -> frozenset[str]:
    """Parse hosts that are separated by commas. Appends errors to ``faults``."""
    found: set[str] = set()
    for part in text.split(","):
        if not part.strip():
            continue
        try:
            found.add(host_entry(part))
        except InvalidReference as error:
            faults.append(f"{name}: {error}. Add :port if the port is not 443; wildcards are not supported")
    return frozenset(found)


def _object(name: str, text: str, expected: str, faults: list[str]) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(text)
    except ValueError:
        faults.append(f"{name} is not a JSON object; {expected}")
        return {}


def _validated[T: _Permitted](kind: type[T], given: object, where: str, faults: list[str]) -> T | None:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        messages = (
            _message(each["type"], each["loc"], each.get("ctx", {}), kind) for each in error.errors(include_input=False)
        )
        faults += [f"{where}: {each}" for each in dict.fromkeys(messages)]
        return None


def _message(kind_of_error: str, loc: tuple[int | str, ...], context: Mapping[str, Any], kind: type[_Permitted]) -> str:
    """What is wrong with a part of a sender. It never shows the part itself, which may be a key."""
    match kind_of_error, loc:
        case "value_error", ("keys", int(index)):
            return f"key {index + 1} {context['error']}"
        case "value_error", _:
            return str(context["error"])
        case "extra_forbidden", (str(field),):
            return f"unknown field {field[:40]!r}; the fields are {', '.join(sorted(kind.model_fields))}"
        case _, (str(field), *_):
            return _EXPECTED[field]
        case _:
            return "the value must be a JSON object; use {} for no restrictions"
