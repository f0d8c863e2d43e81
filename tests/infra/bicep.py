"""A strict reader of the part of Bicep that ``infra/`` is written in: text in, declarations out, or ``BicepError``.

It knows parameters, variables, types, resources (nested, conditional, repeated), modules, outputs, decorators and the
whole expression syntax but lambdas, multi-line strings and the safe-access operators. It resolves nothing: whether
names exist is for the tests to ask. It does not replace the compiler.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.infra.bicep_nodes import (
    Array,
    BicepError,
    Call,
    File,
    For,
    If,
    Index,
    Member,
    Module,
    Name,
    Node,
    Number,
    Object,
    Operation,
    Param,
    Resource,
    Text,
)

_TOKEN = re.compile(
    r"(?P<space>[ \t]+|//[^\n]*|/\*.*?\*/)|(?P<newline>\r?\n)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>\d+)"
    r"|(?P<quote>')|(?P<sign>::|==|!=|&&|\|\||\?\?|<=|>=|[-+*/%<>!=?:.,@(){}\[\]])",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "$": "$"}
_LEVELS = (("??",), ("||",), ("&&",), ("==", "!="), ("<", ">", "<=", ">="), ("+", "-"), ("*", "/", "%"))


class _Reader:
    def __init__(self, text: str, path: Path) -> None:
        self.text, self.path, self.at = text, path, 0

    # characters ..........................................................................

    def fail(self, what: str) -> BicepError:
        line = self.text.count("\n", 0, self.at) + 1
        return BicepError(f"{self.path.name}:{line}: {what}, at {self.text[self.at : self.at + 30]!r}")

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def _match(self, newlines: bool) -> re.Match[str] | None:
        while match := _TOKEN.match(self.text, self.at):
            if not match["space"] and not (newlines and match["newline"]):
                return match
            self.at = match.end()
        if self.at < len(self.text):
            raise self.fail("a character that is not understood")
        return None

    def peek(self, *, newlines: bool = False) -> str:
        """The next token; "" at the end. ``newlines`` passes over line breaks, too."""
        match = self._match(newlines)
        return match[0] if match else ""

    def take(self, *, newlines: bool = False) -> str:
        match = self._match(newlines)
        if match is None:
            raise self.fail("the file ends too early")
        self.at = match.end()
        return match[0]

    def accept(self, *tokens: str, newlines: bool = False) -> str | None:
        start = self.at
        if self.peek(newlines=newlines) in tokens:
            return self.take(newlines=newlines)
        self.at = start
        return None

    def expect(self, token: str, *, newlines: bool = False) -> None:
        if self.accept(token, newlines=newlines) is None:
            raise self.fail(f"{token!r} is expected")

    def word(self) -> str:
        token = self.take()
        if not re.fullmatch(r"[A-Za-z_]\w*", token):
            raise self.fail(f"a name is expected, not {token!r}")
        return token

    def end_of_line(self) -> None:
        if self.peek() not in {"", "\n", "\r\n"}:
            raise self.fail("the end of the line is expected")

    # expressions .........................................................................

    def expression(self) -> Node:
        condition = self._binary(0)
        if self.accept("?", newlines=True) is None:
            return condition
        yes = self.expression()
        self.expect(":", newlines=True)
        return Operation("?", (condition, yes, self.expression()))

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while operator := self.accept(*_LEVELS[level]):
            left = Operation(operator, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Node:
        if operator := self.accept("!", "-"):
            return Operation(operator, (self._unary(),))
        node = self._primary()
        while sign := self.accept(".", "::", "["):
            if sign == "[":
                node = Index(node, self.expression())
                self.expect("]")
            else:
                node = Member(node, self.word())
        return node

    def _primary(self) -> Node:
        token = self.peek(newlines=True)
        if token == "'":
            return self.string()
        if token == "{":
            return self.object()
        if token == "[":
            return self._brackets()
        if token == "(":
            self.take(newlines=True)
            inner = self.expression()
            self.expect(")", newlines=True)
            return inner
        self.take(newlines=True)
        if token.isdigit():
            return Number(int(token))
        if not re.fullmatch(r"[A-Za-z_]\w*", token):
            raise self.fail(f"a value is expected, not {token!r}")
        if self.accept("(") is None:
            return Name(token)
        return Call(token, self._arguments())

    def _arguments(self) -> tuple[Node, ...]:
        found: list[Node] = []
        while self.accept(")", newlines=True) is None:
            found.append(self.expression())
            if self.peek(newlines=True) != ")":
                self.expect(",", newlines=True)
        return tuple(found)

    def string(self) -> Text:
        self.expect("'", newlines=True)
        if self.text.startswith("''", self.at):
            raise self.fail("multi-line strings are not read here")
        parts: list[str | Node] = [""]
        while True:
            character = self.text[self.at : self.at + 1]
            self.at += 1
            if character == "'":
                return Text(tuple(part for part in parts if part != ""))
            if character in {"", "\n"}:
                raise self.fail("a string is not closed")
            if character == "$" and self.text.startswith("{", self.at):
                self.at += 1
                parts += [self.expression(), ""]
                self.expect("}")
                continue
            if character == "\\":
                escape = self.text[self.at : self.at + 1]
                if escape not in _ESCAPES:
                    raise self.fail(f"\\{escape} is no escape")
                self.at += 1
                character = _ESCAPES[escape]
            parts[-1] = f"{parts[-1]}{character}"

    def object(self) -> Object:
        self.expect("{", newlines=True)
        items: dict[str, Node] = {}
        resources: list[Resource] = []
        while self.accept("}", newlines=True) is None:
            decorators = self.decorators()
            if re.match(r"resource\s+\w+\s+'", self.text[self.at :]):
                self.take()
                resources.append(self.resource(decorators))
            else:
                key = self._key()
                if key in items:
                    raise self.fail(f"{key} stands twice")
                self.expect(":")
                items[key] = self.expression()
            if self.accept(",") is None and self.peek() != "}":
                self.end_of_line()
        return Object(tuple(items.items()), tuple(resources))

    def _key(self) -> str:
        if self.peek(newlines=True) == "'":
            return str(self.string())
        self.peek(newlines=True)
        return self.word()

    def _brackets(self) -> Node:
        self.expect("[", newlines=True)
        if re.match(r"for\b", self.text[self.at :].lstrip()):
            self.take(newlines=True)
            return self._for()
        items: list[Node] = []
        while self.accept("]", newlines=True) is None:
            items.append(self.expression())
            if self.accept(",") is None and self.peek() != "]":
                self.end_of_line()
        return Array(tuple(items))

    def _for(self) -> Node:
        if self.accept("("):
            variables = [self.word()]
            self.expect(",")
            variables.append(self.word())
            self.expect(")")
        else:
            variables = [self.word()]
        self.expect("in")
        source = self.expression()
        self.expect(":")
        body = self.value()
        self.expect("]", newlines=True)
        return For(tuple(variables), source, body)

    def value(self) -> Node:
        """What follows ``=``: an expression, perhaps under a condition."""
        if self.accept("if") is None:
            return self.expression()
        self.expect("(")
        condition = self.expression()
        self.expect(")")
        return If(condition, self.object())

    # declarations ........................................................................

    def decorators(self) -> tuple[Call, ...]:
        found: list[Call] = []
        while self.accept("@", newlines=True):
            call = self._unary()
            if not isinstance(call, Call):
                raise self.fail("a decorator is a call")
            found.append(call)
        self.peek(newlines=True)
        return tuple(found)

    def type(self) -> str:
        """A type as it stands: a word with [], or an object type."""
        if self.peek() == "{":
            start = self.at
            depth = 0
            while True:
                token = self.take(newlines=True)
                depth += {"{": 1, "}": -1}.get(token, 0)
                if depth == 0:
                    return self.text[start : self.at].strip()
        name = self.word()
        while self.accept("["):
            self.expect("]")
            name += "[]"
        return name

    def resource(self, decorators: tuple[Call, ...]) -> Resource:
        line = self.line
        symbol, kind = self.word(), self.string().literal
        if kind is None:
            raise self.fail("a resource's type is a plain string")
        existing = self.accept("existing") is not None
        self.expect("=")
        return Resource(decorators, line, symbol, kind, existing, self.value())


def read(path: Path) -> File:
    """Read a file. Raises BicepError."""
    reader = _Reader(path.read_text(encoding="utf-8"), path)
    file = File(path)
    while reader.peek(newlines=True):
        decorators = reader.decorators()
        _declaration(reader, file, decorators)
        reader.end_of_line()
    return file


def _declaration(reader: _Reader, file: File, decorators: tuple[Call, ...]) -> None:
    line = reader.line
    keyword = reader.word()
    if keyword == "targetScope":
        reader.expect("=")
        file.scope = reader.string().literal or ""
        return
    if keyword == "resource":
        resource = reader.resource(decorators)
        _add(reader, file, resource.symbol)
        file.resources[resource.symbol] = resource
        return
    name = reader.word()
    if keyword != "output":
        _add(reader, file, name)
    match keyword:
        case "param":
            kind = reader.type()
            file.params[name] = Param(decorators, line, name, kind, reader.expression() if reader.accept("=") else None)
        case "var":
            reader.expect("=")
            file.variables[name] = reader.expression()
        case "type":
            reader.expect("=")
            file.types[name] = reader.type()
        case "module":
            path = reader.string().literal or ""
            reader.expect("=")
            file.modules[name] = Module(decorators, line, name, path, reader.value())
        case "output":
            reader.type()
            reader.expect("=")
            if name in file.outputs:
                raise reader.fail(f"the output {name} stands twice")
            file.outputs[name] = reader.expression()
        case _:
            raise reader.fail(f"{keyword} declares nothing that is known")


def _add(reader: _Reader, file: File, name: str) -> None:
    if name in {*file.params, *file.variables, *file.types, *file.resources, *file.modules}:
        raise reader.fail(f"{name} is declared twice")
