"""The settings that define who may send reports, and from which hosts reports are downloaded.

All errors are reported at once, and no key is shown. Keys are grouped by scanner name. Both forms can be used
together::

    {"trivy": ["key", "older key"],
     "ci-grype": {"keys": ["key"], "formats": ["grype", "sarif"], "definitions": ["gal_build/ubuntu-*"]}}

With the short form, a scanner may send the format that has its name, for every definition. Principals are grouped by
object id or application id. They have the same fields except the keys, and an optional ``name``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from shared.domain.image import InvalidId
from shared.domain.references import InvalidReference, host_entry
from shared.domain.senders import Sender, definition_pattern

MIN_KEY_BYTES: Final = 16
"""Minimum length of a webhook key."""
MAX_KEYS: Final = 4
"""Maximum number of keys for a scanner. Rotation needs two; each key adds work to every request."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SCANNER_FIELDS: Final = frozenset({"keys", "formats", "definitions"})
_PRINCIPAL_FIELDS: Final = frozenset({"name", "formats", "definitions"})


def read_scanners(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Parse the JSON of setting ``name``. Returns permissions by scanner name. Appends errors to ``faults``."""
    expected = 'for example {"trivy": ["key", "older key"]}'
    found: dict[str, Sender] = {}
    for scanner, given in _object(name, text, expected, faults).items():
        where = f"{name}, scanner {scanner[:40]!r}"
        if not _NAME.fullmatch(scanner):
            faults.append(f"{where}: the name of a scanner may have only lowercase letters, digits and hyphens")
        if isinstance(given, dict):
            _unknown(where, given, _SCANNER_FIELDS, faults)
            keys = _keys(where, given.get("keys"), faults)
            found[scanner] = Sender(scanner, keys, _formats(where, given, faults), _definitions(where, given, faults))
        else:
            found[scanner] = Sender(scanner, _keys(where, given, faults), frozenset({scanner}))
    return found


def read_principals(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Parse the JSON of setting ``name``.

    Returns permissions by object id or application id. Appends errors to ``faults``.
    """
    expected = 'for example {"<object or application id>": {"definitions": ["gallery/definition"]}}'
    found: dict[str, Sender] = {}
    for given_id, given in _object(name, text, expected, faults).items():
        where = f"{name}, principal {given_id[:40]!r}"
        if not _ID.fullmatch(given_id.lower()):
            faults.append(f"{where}: the id must be an object id or application id (8-4-4-4-12 hexadecimal digits)")
        if not isinstance(given, dict):
            faults.append(f"{where}: the value must be a JSON object; use {{}} for no restrictions")
            continue
        _unknown(where, given, _PRINCIPAL_FIELDS, faults)
        shown = given.get("name", given_id.lower())
        if not isinstance(shown, str) or not shown.strip():
            faults.append(f"{where}: name must be a non-empty string")
            continue
        permitted = (_formats(where, given, faults), _definitions(where, given, faults))
        found[given_id.lower()] = Sender(shown.strip(), (), *permitted)
    return found


def read_readers(name: str, text: str, faults: list[str]) -> frozenset[str]:
    """Parse ids that are separated by commas. Appends errors to ``faults``."""
    found = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    faults.extend(
        f"{name}, {each[:40]!r}: not the id of a user, group, application or tenant (8-4-4-4-12 hexadecimal digits)"
        for each in sorted(found)
        if not _ID.fullmatch(each)
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
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    faults.append(f"{name} is not a JSON object; {expected}")
    return {}


def _unknown(where: str, given: Mapping[str, Any], known: frozenset[str], faults: list[str]) -> None:
    # A misspelled field would silently remove a restriction or permission.
    faults += [
        f"{where}: unknown field {field[:40]!r}; the fields are {', '.join(sorted(known))}"
        for field in given
        if field not in known
    ]


def _keys(where: str, keys: object, faults: list[str]) -> tuple[bytes, ...]:
    texts = _texts(keys)
    if texts is None or not 1 <= len(texts) <= MAX_KEYS:
        faults.append(f"{where}: keys must be a list of one to {MAX_KEYS} strings, newest first")
        return ()
    found = tuple(key.encode("utf-8", "replace") for key in texts)
    faults += [
        f"{where}: key {number} has {len(key)} bytes; at least {MIN_KEY_BYTES} are required"
        for number, key in enumerate(found, 1)
        if len(key) < MIN_KEY_BYTES
    ]
    return found


def _formats(where: str, given: Mapping[str, Any], faults: list[str]) -> frozenset[str] | None:
    if "formats" not in given:
        return None
    formats = _texts(given["formats"])
    if not formats or not all(_NAME.fullmatch(each) for each in formats):
        faults.append(f"{where}: formats must be a list of report formats, such as trivy; omit it to allow all")
        return frozenset()
    return frozenset(formats)


def _definitions(where: str, given: Mapping[str, Any], faults: list[str]) -> tuple[str, ...]:
    if "definitions" not in given:
        return ()
    definitions = _texts(given["definitions"])
    if not definitions:
        faults.append(f'{where}: definitions must be a list, such as ["gallery/definition"]; omit it to allow all')
        return ()
    found: list[str] = []
    for each in definitions:
        try:
            found.append(definition_pattern(each))
        except InvalidId as error:
            faults.append(f"{where}: {error}")
    return tuple(found)


def _texts(value: object) -> list[str] | None:
    return value if isinstance(value, list) and all(isinstance(each, str) for each in value) else None
