"""Real documents, damaged: in their structure, in their values, in their bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

JUNK: Sequence[Any] = (
    None, True, False, 0, -1, 2**31, 2**53 + 1, 2**63, -(2**63), 2**64, 10**400, 1.5, -0.0, 1e308,
    "", " ", "0", "null", "-1", "1.0.0", "a" * 5000, "\x00", "\ud800", "\u202e", "💥", "İ", "ß", "../..", "%00", "{}",
    "NaN", "Infinity", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999Z", "2026-02-30T00:00:00Z",
    "2026-01-01", "1e3", "/subscriptions//resourceGroups//providers/Microsoft.Compute/galleries//images//versions/",
    [], {}, [[]], [{}], [None], {"": None}, {"id": {}}, {"name": []}, [1, "a", None, {}],
)  # fmt: skip
STRINGS = st.text(st.characters(exclude_categories=()), max_size=30)
VALUES = st.sampled_from(JUNK) | STRINGS | st.integers() | st.floats() | st.lists(STRINGS, max_size=3)
DEEP = 3000
"""Deeper than any parser's stack should have to be."""


def damage(document: Any, dice: Random, blows: int, values: Sequence[Any]) -> Any:
    """A copy of a JSON value with some of its places removed, replaced, repeated, nested or exchanged."""
    hurt = copy.deepcopy(document)
    for index in range(blows):
        places = list(_places(hurt))
        if not places:
            return values[index % len(values)]
        holder, key = dice.choice(places)
        _strike(holder, key, dice, copy.deepcopy(values[index % len(values)]), places)
    return hurt


def _strike(holder: Any, key: Any, dice: Random, value: Any, places: list[tuple[Any, Any]]) -> None:
    match dice.randrange(8):
        case 0:
            del holder[key]
        case 1:
            holder[key] = [holder[key]]
        case 2:
            holder[key] = {"value": holder[key]}
        case 3:
            other, place = dice.choice(places)
            holder[key] = copy.deepcopy(other[place])
        case 4 if isinstance(holder[key], str):
            holder[key] = _respelt(holder[key], dice)
        case 5 if isinstance(holder, dict):
            holder[_respelt(str(key), dice)] = holder.pop(key)
        case 6 if isinstance(holder, list):
            holder.extend([copy.deepcopy(holder[key])] * dice.randrange(1, 4))
        case _:
            holder[key] = value


def _respelt(text: str, dice: Random) -> str:
    at = dice.randrange(len(text) + 1)
    match dice.randrange(6):
        case 0:
            return text.upper()
        case 1:
            return text[:at]
        case 2:
            return text[:at] + dice.choice("\x00 /.,:;\"'\\\n\r\t-0Z+İ💥") + text[at:]
        case 3:
            return text + text
        case 4:
            return text.swapcase()
        case _:
            return f" {text}\n"


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 5000:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
        for key in keys:
            found.append((holder, key))
            waiting.append(holder[key])
    return found


@st.composite
def damaged(draw: st.DrawFn, documents: Sequence[Any]) -> Any:
    """One of these JSON values with up to eight blows; now and then none at all."""
    document = draw(st.sampled_from(documents))
    blows = draw(st.integers(0, 8))
    values = draw(st.lists(VALUES, min_size=1, max_size=4))
    return damage(document, Random(draw(st.integers(0, 2**32))), blows, values)


@st.composite
def damaged_bytes(draw: st.DrawFn, documents: Sequence[Any]) -> bytes:
    """The same as bytes: well-formed JSON mostly, sometimes cut, overwritten, deeply nested, or not JSON at all."""
    body = as_bytes(draw(damaged(documents)))
    match draw(st.integers(0, 9)):
        case 0:
            return body[: draw(st.integers(0, len(body)))]
        case 1:
            at = draw(st.integers(0, len(body)))
            return body[:at] + draw(st.binary(max_size=12)) + body[at + draw(st.integers(0, 12)) :]
        case 2:
            return nested(draw(st.sampled_from(("[", '{"a":', '{"Results":[', "{"))), draw(st.integers(1, DEEP)), body)
        case 3:
            return draw(st.binary(max_size=200))
        case 4:
            return draw(st.sampled_from((b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\x1f\x8b\x08", b"  \n"))) + body
        case _:
            return body


def nested(opening: str, depth: int, body: bytes) -> bytes:
    """A body that opens brackets and may never close them."""
    return opening.encode() * depth + body


def as_bytes(value: Any) -> bytes:
    """JSON as careless senders write it: NaN, lone surrogates and huge numbers included."""
    return json.dumps(value).encode()


def documents_in(folder: Path, pattern: str, *, most: int = 40, largest: int = 200_000) -> list[Any]:
    """JSON files below a folder, the smaller ones first, so that an input costs little."""
    found = []
    for path in sorted(folder.rglob(pattern), key=lambda each: (each.stat().st_size, str(each))):
        if path.stat().st_size > largest or len(found) >= most:
            break
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except ValueError:
            continue
    return found


@st.composite
def damaged_text(draw: st.DrawFn, texts: Sequence[str], snippets: Sequence[str]) -> bytes:
    """One of these texts with up to six slips: pieces put in, taken out, doubled; or cut, or with other bytes in it."""
    text = draw(st.sampled_from(texts))
    dice = Random(draw(st.integers(0, 2**32)))
    pieces = st.sampled_from(snippets) | STRINGS
    for piece in draw(st.lists(pieces, max_size=6)):
        at = dice.randrange(len(text) + 1)
        match dice.randrange(5):
            case 0:
                text = text[:at] + text[at + dice.randrange(60) :]
            case 1:
                text = text[:at] + text[at : at + dice.randrange(400)] + text[at:]
            case 2:
                # In place of a whole value: between tags, quotes or commas.
                end = next((place for place in range(at, len(text)) if text[place] in '<",'), len(text))
                text = text[:at] + piece + text[end:]
            case _:
                text = text[:at] + piece + text[at:]
    body = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=8)) + (b"" if draw(st.booleans()) else body[at:])
    return body
