"""Where the local host differs from Microsoft's: found by comparison, and listed with reasons in one file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.contract.host.observations import Answer, given_headers

FILE: Final = Path(__file__).with_name("known-differences.json")
_MASK: Final = re.compile(r"\b(?:HOSTNAME|HOSTID|HOST|MASTER|EVENTGRID|APP|DATA)\b")


@dataclass(frozen=True, slots=True)
class Difference:
    """`about` is a question or a kind of function, `where` the part that differs."""

    about: str
    where: str
    microsoft: object
    local: object


@dataclass(frozen=True, slots=True)
class Entry:
    """A listed difference; `*` in `about` and `where` stands for any text."""

    about: re.Pattern[str]
    where: re.Pattern[str]
    reason: str
    text: str

    def covers(self, found: Difference) -> bool:
        """Whether this is that difference."""
        return self.about.fullmatch(found.about) is not None and self.where.fullmatch(found.where) is not None


@cache
def entries() -> tuple[Entry, ...]:
    """What the file lists."""
    listed = json.loads(FILE.read_text(encoding="utf-8"))["differences"]
    return tuple(Entry(_pattern(one["about"]), _pattern(one["where"]), one["reason"], str(one)) for one in listed)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def of_answers(ask: str, microsoft: Answer, local: Answer, left_out: frozenset[str]) -> Iterator[Difference]:
    """Status, headers, and the body: field by field where both are JSON objects."""
    for where in ("error", "status"):
        if getattr(microsoft, where) != getattr(local, where):
            yield Difference(ask, where, getattr(microsoft, where), getattr(local, where))
    theirs, ours = given_headers(microsoft.headers, left_out), given_headers(local.headers, left_out)
    for name in sorted(theirs.keys() | ours.keys()):
        masked = name == "content-length" and _MASK.search(microsoft.body)
        if theirs.get(name) != ours.get(name) and not (masked and name in theirs and name in ours):
            yield Difference(ask, f"header {name}", theirs.get(name), ours.get(name))
    if microsoft.cut:
        yield from of_values(ask, "body", microsoft.body, local.body[: len(microsoft.body)])
    else:
        yield from of_values(ask, "body", _read(microsoft.body), _read(local.body))


def _read(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body


def of_values(about: str, where: str, microsoft: object, local: object) -> Iterator[Difference]:
    """Values of JSON, objects field by field."""
    if isinstance(microsoft, Mapping) and isinstance(local, Mapping):
        for name in sorted(microsoft.keys() | local.keys()):
            yield from of_values(about, f"{where}.{name}", microsoft.get(name), local.get(name))
    elif microsoft != local:
        yield Difference(about, where, microsoft, local)


def of_invocations(
    kind: str, microsoft: Sequence[Mapping[str, Any]], local: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """What the functions of one kind were given, each once, in order."""
    if len(microsoft) != len(local):
        yield Difference(kind, "count", len(microsoft), len(local))
    for theirs, ours in zip(microsoft, local, strict=False):
        yield from of_values(kind, "given", theirs, ours)
