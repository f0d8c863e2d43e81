"""Whether a regular expression may take for ever.

Python's engine backtracks: ``(a+)+$`` on thirty letters and one digit runs for minutes. Such expressions repeat,
without bound, something that repeats without bound already, with nothing to tell one round from the next.
``[a-z]+(-[a-z]+)*`` does have such a thing, the hyphen, and is harmless. This finds the first kind; it does not find
every slow expression, so texts matched against them are short (tags) or cut (console lines).
"""

from __future__ import annotations

import re
from re import _constants, _parser  # pyright: ignore[reportAttributeAccessIssue]
from typing import Any, Final

_ALL: Final = frozenset(map(chr, range(128)))
_REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_MANY: Final = 100


def explodes(pattern: str) -> bool:
    """Whether an unbounded repeat of an unbounded repeat can split the same text in many ways. Raises re.error."""
    return any(_ambiguous(argument[2]) for argument in _unbounded(_parser.parse(pattern)))


def _unbounded(tree: Any) -> list[Any]:
    """Arguments (low, high, body) of all repeats without a bound worth the name, at any depth."""
    found = []
    for operation, argument in tree:
        if operation in _REPEATS and argument[1] > _MANY:
            found.append(argument)
        for part in _parts(argument):
            found.extend(_unbounded(part))
    return found


def _ambiguous(body: Any) -> bool:
    inner = [_chars(argument[2]) for argument in _unbounded(body)]
    if not inner:
        return False
    separators = [_chars([item]) for item in _flat(body) if _least([item]) > 0 and not _unbounded([item])]
    # Rounds are told apart by a neighbour that every round must have and the inner repeat can't match.
    return any(not any(chars.isdisjoint(separator) for separator in separators) for chars in inner)


def _flat(tree: Any) -> list[Any]:
    """The items of a sequence, with those of its groups in their place."""
    items: list[Any] = []
    for operation, argument in tree:
        items.extend(_flat(argument[-1]) if operation is _constants.SUBPATTERN else [(operation, argument)])
    return items


def _least(tree: Any) -> int:
    """The fewest characters that a sequence matches."""
    pattern = tree if isinstance(tree, _parser.SubPattern) else _parser.SubPattern(_parser.State(), list(tree))
    return pattern.getwidth()[0]


def _chars(tree: Any) -> frozenset[str]:
    """Every ASCII character that may stand somewhere in what a sequence matches."""
    chars: frozenset[str] = frozenset()
    for operation, argument in tree:
        if operation is _constants.LITERAL:
            chars |= {chr(argument)}
        elif operation is _constants.NOT_LITERAL:
            chars |= _ALL - {chr(argument)}
        elif operation is _constants.ANY:
            chars |= _ALL
        elif operation is _constants.IN:
            chars |= _in_class(argument)
        for part in _parts(argument):
            chars |= _chars(part)
    return chars


def _in_class(items: Any) -> frozenset[str]:
    # The engine itself knows best what [^\s_-] holds: rebuild nothing, try each character.
    compiled = re.compile(_class_text(items))
    return frozenset(char for char in _ALL if compiled.fullmatch(char))


def _class_text(items: Any) -> str:
    text = ""
    for operation, argument in items:
        if operation is _constants.NEGATE:
            text += "^"
        elif operation is _constants.LITERAL:
            text += re.escape(chr(argument))
        elif operation is _constants.RANGE:
            text += f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
        elif operation is _constants.CATEGORY:
            text += _CATEGORIES[argument]
    return f"[{text}]"


_CATEGORIES: Final = {
    _constants.CATEGORY_DIGIT: r"\d",
    _constants.CATEGORY_NOT_DIGIT: r"\D",
    _constants.CATEGORY_SPACE: r"\s",
    _constants.CATEGORY_NOT_SPACE: r"\S",
    _constants.CATEGORY_WORD: r"\w",
    _constants.CATEGORY_NOT_WORD: r"\W",
}


def _parts(argument: Any) -> list[Any]:
    if isinstance(argument, _parser.SubPattern):
        return [argument]
    if isinstance(argument, list | tuple):
        return [part for item in argument for part in _parts(item)]
    return []
