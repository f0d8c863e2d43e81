"""Tokens and expressions of the Kusto query language, as far as `kql.py` knows it."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

type Row = dict[str, Any]
type Value = Callable[[Row], Any]

_TOKEN = re.compile(
    r"(?:(?P<text>@?'(?:[^'\\]|\\.)*'|@?\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)|"
    r"(?P<word>[A-Za-z_$][\w$]*(?:-(?:away|reorder|rename|keep|expand))?)|(?P<mark>=~|!~|==|!=|<=|>=|[|=<>(),.\[\]!~]))"
)


_BLANK = re.compile(r"(?:\s|//[^\n]*)*")


def _skipped(text: str, position: int) -> int:
    """Where the next token begins, behind blanks and comments."""
    match = _BLANK.match(text, position)
    return match.end() if match else position


class BadQuery(Exception):
    """A query that cannot be read; `position` is where in the text, `found` what stands there."""

    def __init__(self, message: str, position: int = 0, found: str = "<EOF>") -> None:
        """Say where it is."""
        super().__init__(message)
        self.position = position
        self.found = found


@dataclass
class Reader:
    """The tokens of a query: `(kind, text, position)`; `kind` is `text`, `number`, `word` or `mark`."""

    text: str
    tokens: list[tuple[str, str, int]] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        """Cut the text into tokens."""
        position = _skipped(self.text, 0)
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None or match.lastgroup is None:
                raise BadQuery("unexpected character", position, self.text[position])
            self.tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            position = _skipped(self.text, match.end())

    def peek(self) -> str:
        """The next token's text; empty at the end."""
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def kind(self) -> str:
        """The next token's kind; `end` at the end."""
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "end"

    def next(self) -> str:
        """Take the next token."""
        found = self.peek()
        self.at += 1
        return found

    def skip(self, *words: str) -> bool:
        """Whether the next tokens are these words, in any casing; then they are passed."""
        ahead = [one[1].lower() for one in self.tokens[self.at : self.at + len(words)]]
        if ahead != list(words):
            return False
        self.at += len(words)
        return True

    def expect(self, word: str) -> None:
        """Pass a token that must be there."""
        if not self.skip(word):
            raise self.bad(f"'{word}' is expected")

    def bad(self, message: str) -> BadQuery:
        """What is wrong with the next token."""
        at = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return BadQuery(message, at, self.peek() or "<EOF>")


def expression(reader: Reader) -> Value:
    """`or` of `and` of comparisons."""
    found = _and(reader)
    while reader.skip("or"):
        found = _either(found, _and(reader))
    return found


def _either(left: Value, right: Value) -> Value:
    return lambda row: left(row) is True or right(row) is True


def _both(left: Value, right: Value) -> Value:
    return lambda row: left(row) is True and right(row) is True


def _and(reader: Reader) -> Value:
    found = _comparison(reader)
    while reader.skip("and"):
        found = _both(found, _comparison(reader))
    return found


def _comparison(reader: Reader) -> Value:
    left = _operand(reader)
    negated = reader.skip("!")
    word = reader.peek().lower()
    if word == "in":
        reader.next()
        test = _equal_ignoring_case if reader.skip("~") else COMPARE["=="]
        within = _list(reader)
        return lambda row: any(test(left(row), one(row)) for one in within) is not negated
    if word not in COMPARE:
        if negated:
            raise reader.bad("a comparison is expected")
        return left
    reader.next()
    right, compare = _operand(reader), COMPARE[word]
    return lambda row: compare(left(row), right(row)) is not negated


def _list(reader: Reader) -> list[Value]:
    reader.expect("(")
    found = [_operand(reader)]
    while reader.skip(","):
        found.append(_operand(reader))
    reader.expect(")")
    return found


def _equal_ignoring_case(left: Any, right: Any) -> bool:
    return _text(left).lower() == _text(right).lower()


def _text(value: Any) -> str:
    """A value as a string: nothing is the empty one, objects are JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, separators=(",", ":"))


def _number(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def test(left: Any, right: Any) -> bool:
        if isinstance(left, int | float) and isinstance(right, int | float):
            return compare(left, right)
        return left is not None and right is not None and compare(*_ordinals(_text(left), _text(right)))

    return test


def _ordinals(left: str, right: str) -> tuple[float, float]:
    return (0, 0) if left == right else (0, 1) if left < right else (1, 0)


def _has(left: Any, right: Any) -> bool:
    """A whole term: no letter or digit stands beside it."""
    term = re.escape(_text(right).lower())
    return re.search(rf"(?<![a-z0-9]){term}(?![a-z0-9])", _text(left).lower()) is not None


def _equal(left: Any, right: Any) -> bool:
    return left == right or _text(left) == _text(right)


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "=~": _equal_ignoring_case,
    "!~": lambda left, right: not _equal_ignoring_case(left, right),
    "contains": lambda left, right: _text(right).lower() in _text(left).lower(),
    "startswith": lambda left, right: _text(left).lower().startswith(_text(right).lower()),
    "endswith": lambda left, right: _text(left).lower().endswith(_text(right).lower()),
    "has": _has,
    "<": _number(lambda left, right: left < right),
    ">": _number(lambda left, right: left > right),
    "<=": _number(lambda left, right: left <= right),
    ">=": _number(lambda left, right: left >= right),
}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "tolower": lambda value: _text(value).lower(),
    "toupper": lambda value: _text(value).upper(),
    "tostring": _text,
    "isempty": lambda value: _text(value) == "",
    "isnotempty": lambda value: _text(value) != "",
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "not": lambda value: value is not True,
    "strcat": lambda *values: "".join(map(_text, values)),
    "array_length": lambda value: len(value) if isinstance(value, list) else None,
}


def _operand(reader: Reader) -> Value:
    kind, text = reader.kind(), reader.peek()
    if text == "(":
        reader.next()
        found = expression(reader)
        reader.expect(")")
        return found
    if kind == "text":
        literal = _unquoted(reader.next())
        return lambda row: literal
    if kind == "number":
        number = float(text) if "." in text else int(text)
        reader.next()
        return lambda row: number
    if kind != "word":
        raise reader.bad("a value is expected")
    reader.next()
    if text.lower() in ("true", "false"):
        return lambda row: text.lower() == "true"
    if reader.peek() == "(":
        return _call(reader, text)
    return _path(reader, text)


def _call(reader: Reader, name: str) -> Value:
    function = FUNCTIONS.get(name.lower())
    if function is None:
        reader.at -= 1
        raise reader.bad(f"the function '{name}' is not known here")
    reader.expect("(")
    arguments = [expression(reader)]
    while reader.skip(","):
        arguments.append(expression(reader))
    reader.expect(")")
    return lambda row: function(*(argument(row) for argument in arguments))


def _path(reader: Reader, first: str) -> Value:
    """A column, and members of it: `tags.owner`, `tags['owner']`, `properties.disks[0].name`."""
    steps: list[str | int] = [first]
    while True:
        if reader.skip("."):
            steps.append(reader.next())
        elif reader.skip("["):
            steps.append(_index(reader))
            reader.expect("]")
        else:
            return lambda row: _walk(row, steps)


def _index(reader: Reader) -> str | int:
    if reader.kind() not in ("text", "number") or "." in (reader.peek() if reader.kind() == "number" else ""):
        raise reader.bad("a name or a whole number is expected")
    return _unquoted(reader.next()) if reader.kind() == "text" else int(reader.next())


def _walk(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(value, dict) and isinstance(step, str):
            lowered = {str(key).lower(): part for key, part in value.items()}
            value = value.get(step, lowered.get(step.lower()))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _unquoted(text: str) -> str:
    plain = text.removeprefix("@")
    return plain[1:-1] if text.startswith("@") else re.sub(r"\\(.)", r"\1", plain[1:-1])
