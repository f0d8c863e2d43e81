"""What a recorded answer and the simulator's have in common, and what not.

Compared are the status, the code of an error, the headers that clients follow, and the body: which members it has,
their JSON types and their values. Values that nobody can foresee (GUIDs, moments, addresses, generated names) are
compared by their form alone. ``Retry-After`` comes and goes in the recordings and is left out; so are texts of errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from local.arm.kernel.messages import Reply
from tests.contract.arm.recordings import Exchange

RUNNING: Final = frozenset({"InProgress", "Accepted", "Running"})
"""What a poll says while there is no end; which of them is a question of when it asks."""
FOLLOWED: Final = ("azure-asyncoperation", "location")
_FREE_KEYS: Final = re.compile(r"\.(tags|userAssignedIdentities)\.")
_FORMS: Final = (
    (re.compile(r"https://\S+[?&]sig=\S+"), "<signed address>"),
    (re.compile(r"_(OsDisk_1|disk\d+)_[0-9a-f]{32}", re.IGNORECASE), "_<made up>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE), "<guid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"), "<moment>"),
    (re.compile(r"[0-9a-f]{32}", re.IGNORECASE), "<guid>"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b(?!/)"), "<address>"),
    (re.compile(r"\b([0-9A-F]{2}-){5}[0-9A-F]{2}\b"), "<mac>"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which an answer of the simulator is not the recorded one.

    ``aspect`` is ``status``, ``error``, ``header``, ``absent`` (recorded, not answered), ``extra`` (answered, never
    recorded), ``type`` or ``value``; ``where`` is the header, the member's path or both statuses.
    """

    operation: str
    aspect: str
    where: str
    detail: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.operation, self.aspect, self.where


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a JSON value by its path; an empty object or list is a leaf."""
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from leaves(part, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for index, part in enumerate(value):
            yield from leaves(part, f"{path}[{index}]")
    else:
        yield path, value


def general(path: str) -> str:
    """A path without positions and without the names of tags."""
    path = re.sub(r"\[\d+\]", "[]", path)
    found = _FREE_KEYS.search(path)
    return f"{path[: found.end()]}*" if found else path


def form(value: Any) -> Any:
    """A value with what nobody can foresee replaced by what it is."""
    if isinstance(value, str):
        for pattern, word in _FORMS:
            value = pattern.sub(word, value)
        return "<running>" if value in RUNNING else value
    return value


def compare(operation: str, recorded: Exchange, reply: Reply, seen: frozenset[str]) -> Iterator[Difference]:
    """Every difference; ``seen`` holds the paths that any recorded answer of this operation has."""
    if recorded.status != reply.status:
        code = reply.body.get("error", {}).get("code") if isinstance(reply.body, dict) else None
        yield Difference(operation, "status", f"{recorded.status} {reply.status}", f"{code}: {reply.body}"[:300])
        return
    if recorded.status >= 400:
        yield from _error(operation, recorded.answer, reply.body)
        return
    yield from _headers(operation, recorded, reply)
    yield from _bodies(operation, recorded.answer, reply.body, seen)


def _error(operation: str, recorded: Any, ours: Any) -> Iterator[Difference]:
    theirs = (recorded or {}).get("error", {}).get("code")
    code = (ours or {}).get("error", {}).get("code")
    if theirs != code:
        yield Difference(operation, "error", str(theirs), f"answered {code}")


def _headers(operation: str, recorded: Exchange, reply: Reply) -> Iterator[Difference]:
    given = {name.lower() for name in reply.headers}
    for name in FOLLOWED:
        if (name in recorded.headers) != (name in given):
            missing = name in recorded.headers
            yield Difference(operation, "header", f"{name} {'absent' if missing else 'extra'}", str(recorded.status))


def _bodies(operation: str, theirs: Any, ours: Any, seen: frozenset[str]) -> Iterator[Difference]:
    if isinstance(theirs, dict) and isinstance(theirs.get("value"), list) and isinstance(ours, dict):
        theirs, ours = _paired(theirs, ours)
    recorded, answered = dict(leaves(theirs)), dict(leaves(ours))
    have = {general(path) for path in answered}
    had = {general(path) for path in recorded}
    for path in sorted(had - have):
        yield Difference(operation, "absent", path, "")
    for path in sorted(have - seen):
        yield Difference(operation, "extra", path, "")
    for path in sorted(set(recorded) & set(answered)):
        yield from _values(operation, path, recorded[path], answered[path])


def _paired(theirs: dict[str, Any], ours: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two lists in the order of the recorded one; foreign resources of the recorded subscription are left out."""
    answered = ours.get("value", [])
    if not all(isinstance(one, dict) and _name(one) for one in (*theirs["value"], *answered)):
        return theirs, ours
    known = {_name(one): one for one in answered}
    kept = [one for one in theirs["value"] if _name(one) in known]
    paired = [known.pop(_name(one)) for one in kept]
    return theirs | {"value": kept}, ours | {"value": paired + list(known.values())}


def _name(one: dict[str, Any]) -> str:
    """A listed resource's id, or its name where it has none."""
    return str(one.get("id") or one.get("name") or "").lower()


def _values(operation: str, path: str, recorded: Any, ours: Any) -> Iterator[Difference]:
    where = general(path)
    if type(recorded) is not type(ours):
        yield Difference(operation, "type", where, f"{ours!r}, recorded {recorded!r}"[:200])
    elif form(recorded) != form(ours):
        yield Difference(operation, "value", where, f"{ours!r}, recorded {recorded!r}"[:200])
