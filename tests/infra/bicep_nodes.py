"""What ``bicep.read`` finds in a file: declarations, and the nodes of their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


class BicepError(ValueError):
    """What can't be read, with file and line."""


@dataclass(frozen=True)
class Text:
    """A string: literal pieces and interpolated expressions in turn."""

    parts: tuple[str | Node, ...]

    @property
    def literal(self) -> str | None:
        """The whole text, or None when something is interpolated."""
        if all(isinstance(part, str) for part in self.parts):
            return "".join(str(part) for part in self.parts)
        return None

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else "${…}" for part in self.parts)


@dataclass(frozen=True)
class Number:
    value: int


@dataclass(frozen=True)
class Name:
    """A symbol, or ``true``, ``false`` or ``null``."""

    id: str


@dataclass(frozen=True)
class Member:
    """``base.name`` or ``base::name``."""

    base: Node
    name: str


@dataclass(frozen=True)
class Index:
    base: Node
    key: Node


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Operation:
    """Unary, binary, or the ternary ``?``, whose last two operands are its branches."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Array:
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Object:
    items: tuple[tuple[str, Node], ...]
    resources: tuple[Resource, ...] = ()

    def get(self, key: str) -> Node | None:
        return next((value for name, value in self.items if name == key), None)


@dataclass(frozen=True)
class For:
    variables: tuple[str, ...]
    source: Node
    body: Node


@dataclass(frozen=True)
class If:
    condition: Node
    body: Node


type Node = Text | Number | Name | Member | Index | Call | Operation | Array | Object | For | If


@dataclass(frozen=True)
class Decorated:
    decorators: tuple[Call, ...]
    line: int


@dataclass(frozen=True)
class Param(Decorated):
    name: str
    type: str
    default: Node | None


@dataclass(frozen=True)
class Resource(Decorated):
    """``body`` is what stands inside of conditions and loops."""

    symbol: str
    type: str
    existing: bool
    value: Node

    @property
    def body(self) -> Object:
        return innermost(self.value)


@dataclass(frozen=True)
class Module(Decorated):
    symbol: str
    path: str
    value: Node

    @property
    def body(self) -> Object:
        return innermost(self.value)


@dataclass
class File:
    """One file's declarations."""

    path: Path
    scope: str = "resourceGroup"
    params: dict[str, Param] = field(default_factory=dict)
    variables: dict[str, Node] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    outputs: dict[str, Node] = field(default_factory=dict)


def innermost(value: Node) -> Object:
    """The object inside of loops and conditions."""
    while isinstance(value, For | If):
        value = value.body
    if not isinstance(value, Object):
        raise BicepError(f"an object is expected, not {value!r}")
    return value


def children(node: Node) -> Iterator[Node]:
    """The nodes directly inside of a node; nested resources are left to the caller."""
    match node:
        case Text(parts):
            yield from (part for part in parts if not isinstance(part, str))
        case Member(base, _):
            yield base
        case Index(base, key):
            yield from (base, key)
        case Call(_, arguments):
            yield from arguments
        case Operation(_, operands):
            yield from operands
        case Array(items):
            yield from items
        case Object(items, resources):
            yield from (value for _, value in items)
            yield from (resource.value for resource in resources)
        case For(_, source, body):
            yield from (source, body)
        case If(condition, body):
            yield from (condition, body)


def walk(node: Node) -> Iterator[Node]:
    """A node and all inside of it."""
    yield node
    for child in children(node):
        yield from walk(child)
