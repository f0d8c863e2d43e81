"""The settings that say who may send reports, and from where they are fetched. All faults are told, no key is shown.

Keys, by scanner. Both forms may stand side by side::

    {"trivy": ["key", "older key"],
     "ci-grype": {"keys": ["key"], "formats": ["grype", "sarif"], "definitions": ["gal_build/ubuntu-*"]}}

The short form lets a scanner send the format of its own name, for every definition. Principals, by object or
application id, have the same fields but for the keys, and a ``name`` where wanted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from shared.domain.identifiers import is_guid
from shared.domain.image import InvalidId
from shared.domain.report_reference import InvalidReference, host_entry
from shared.domain.scan_formats import is_format_name
from shared.domain.senders import Sender, definition_pattern

LEAST_KEY: Final = 16
"""Bytes of a webhook key."""
MOST_KEYS: Final = 4
"""Two are needed to change a key; every further one is work for each request."""

_SCANNER_FIELDS: Final = frozenset({"keys", "formats", "definitions"})
_PRINCIPAL_FIELDS: Final = frozenset({"name", "formats", "definitions"})


def read_scanners(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Scanner -> what it may do, from the JSON of setting ``name``. Adds to ``faults`` what is wrong."""
    expected = '{"trivy": ["key", "older key"]} is expected'
    found: dict[str, Sender] = {}
    for scanner, given in _object(name, text, expected, faults).items():
        where = f"{name}, scanner {scanner[:40]!r}"
        # In the short form a scanner's name is a format's; so it has the form of one.
        if not is_format_name(scanner):
            faults.append(f"{where}: a name is expected, such as trivy: lower-case letters, digits and -")
        if isinstance(given, dict):
            _unknown(where, given, _SCANNER_FIELDS, faults)
            keys = _keys(where, given.get("keys"), faults)
            found[scanner] = Sender(scanner, keys, _formats(where, given, faults), _definitions(where, given, faults))
        else:
            found[scanner] = Sender(scanner, _keys(where, given, faults), frozenset({scanner}))
    return found


def read_principals(name: str, text: str, faults: list[str]) -> Mapping[str, Sender]:
    """Object or application id -> what it may do. Adds to ``faults`` what is wrong."""
    expected = '{"<object or application id>": {"definitions": ["gallery/definition"]}} is expected'
    found: dict[str, Sender] = {}
    for given_id, given in _object(name, text, expected, faults).items():
        where = f"{name}, principal {given_id[:40]!r}"
        if not is_guid(given_id):
            faults.append(f"{where}: an object or application id is expected, 8-4-4-4-12 hex digits")
        if not isinstance(given, dict):
            faults.append(f"{where}: an object is expected, {{}} at the least")
            continue
        _unknown(where, given, _PRINCIPAL_FIELDS, faults)
        shown = given.get("name", given_id.lower())
        if not isinstance(shown, str) or not shown.strip():
            faults.append(f"{where}: name is no text")
            continue
        permitted = (_formats(where, given, faults), _definitions(where, given, faults))
        found[given_id.lower()] = Sender(shown.strip(), (), *permitted)
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
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return value
    faults.append(f"{name} is no JSON object; {expected}")
    return {}


def _unknown(where: str, given: Mapping[str, Any], known: frozenset[str], faults: list[str]) -> None:
    # A misspelt field would be a permission that nobody notices to be missing.
    faults += [
        f"{where}: {field[:40]!r} is no field; known are {', '.join(sorted(known))}"
        for field in given
        if field not in known
    ]


def _keys(where: str, keys: object, faults: list[str]) -> tuple[bytes, ...]:
    texts = _texts(keys)
    if texts is None or not 1 <= len(texts) <= MOST_KEYS:
        faults.append(f"{where}: a list of one to {MOST_KEYS} keys is expected, newest first")
        return ()
    found = tuple(key.encode("utf-8", "replace") for key in texts)
    faults += [
        f"{where}: key {number} has {len(key)} bytes; at least {LEAST_KEY} are needed"
        for number, key in enumerate(found, 1)
        if len(key) < LEAST_KEY
    ]
    return found


def _formats(where: str, given: Mapping[str, Any], faults: list[str]) -> frozenset[str] | None:
    if "formats" not in given:
        return None
    formats = _texts(given["formats"])
    if not formats or not all(map(is_format_name, formats)):
        faults.append(f"{where}: formats is no list of report formats such as trivy; leave it out to allow all")
        return frozenset()
    return frozenset(formats)


def _definitions(where: str, given: Mapping[str, Any], faults: list[str]) -> tuple[str, ...]:
    if "definitions" not in given:
        return ()
    definitions = _texts(given["definitions"])
    if not definitions:
        faults.append(f'{where}: definitions is no list such as ["gallery/definition"]; leave it out to allow all')
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
