"""Bodies of resources against Azure's own type definitions (the ``types.json`` files of Azure/bicep-types-az).

``TypeFiles`` finds them below a folder; ``check_body`` names every property that a type doesn't have, that is read-only
or missing though required, and every literal that is not one of those allowed. Expressions are believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.infra.bicep_nodes import Array, For, If, Name, Node, Object, Operation, Text

REQUIRED, READ_ONLY = 1, 2
_IMPLIED = {"id", "type", "apiVersion", "name"}
"""What Bicep writes itself, or what every resource is asked for anyway."""
_BICEPS_OWN = {"parent", "scope", "dependsOn"}


class TypeFiles:
    """Type definitions below some folders. The first folder that has a version of a provider gives it."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def knows(self, kind: str) -> bool:
        """Whether there is a file for the provider and version of ``Provider/type@version``."""
        return self._file(kind) is not None

    def body(self, kind: str) -> Type | None:
        """The type of a resource's body, or None when the provider's version has no such resource."""
        file = self._file(kind)
        if file is None:
            raise LookupError(f"no type definitions for {kind}")
        table = _load(file)
        for entry in table:
            if entry["$type"] == "ResourceType" and entry["name"].lower() == kind.lower():
                return Type(table, entry["body"]["$ref"])
        return None

    def _file(self, kind: str) -> Path | None:
        name, _, version = kind.partition("@")
        provider = name.partition("/")[0].lower()
        for folder in self._folders:
            for found in sorted(folder.glob(f"*/{provider}/{version}/types.json")):
                return found
        return None


@cache
def _load(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text(encoding="utf-8"))


class Type:
    """One entry of a table of types."""

    def __init__(self, table: list[dict[str, Any]], reference: str) -> None:
        self._table = table
        self.entry = table[int(reference.rpartition("/")[2])]

    def at(self, reference: dict[str, str]) -> Type:
        return Type(self._table, reference["$ref"])


def check_body(body: Object, kind: Type) -> Iterator[str]:
    """Faults of a resource's body."""
    own = Object(tuple((key, value) for key, value in body.items if key not in _BICEPS_OWN))
    yield from _check(own, kind, "")


def paths(node: Node, path: str = "") -> Iterator[str]:
    """Every property that a body sets, as ``properties.filter.values``; items of arrays count as their array."""
    match node:
        case Object(items):
            for key, value in items:
                if not path and key in _BICEPS_OWN:
                    continue
                here = f"{path}.{key}".lstrip(".")
                yield here
                yield from paths(value, here)
        case Array(items):
            for item in items:
                yield from paths(item, path)
        case For(_, _, inner) | If(_, inner):
            yield from paths(inner, path)
        case Operation("?", (_, yes, no)):
            yield from paths(yes, path)
            yield from paths(no, path)


def _check(node: Node, kind: Type, path: str) -> Iterator[str]:
    match node:
        case For(_, _, body) if kind.entry["$type"] == "ArrayType":
            yield from _check(body, kind.at(kind.entry["itemType"]), path)
        case Operation("?", (_, yes, no)):
            yield from _check(yes, kind, path)
            yield from _check(no, kind, path)
        case Name("null"):
            return
        case _:
            yield from _check_value(node, kind, path)


def _check_value(node: Node, kind: Type, path: str) -> Iterator[str]:
    match kind.entry["$type"], node:
        case "ObjectType", Object():
            yield from _check_object(node, kind, kind.entry.get("properties", {}), path)
        case "DiscriminatedObjectType", Object():
            yield from _check_discriminated(node, kind, path)
        case "ArrayType", Array(items):
            for item in items:
                yield from _check(item, kind.at(kind.entry["itemType"]), path)
        case "ArrayType", (Object() | Text()):
            yield f"{path} must be an array"
        case "StringLiteralType", Text() if node.literal not in {None, kind.entry["value"]}:
            yield f"{path} is {node.literal!r}, not {kind.entry['value']!r}"
        case "UnionType", Text():
            yield from _check_choice(node, kind, path)
        case ("StringType" | "IntegerType" | "BooleanType") as simple, (Object() | Array()):
            yield f"{path} must be a {simple}"
        case ("IntegerType" | "BooleanType") as simple, Text():
            yield f"{path} must be a {simple}, not text"
        case "StringType", Name("true" | "false"):
            yield f"{path} must be text, not a truth value"


def _check_object(node: Object, kind: Type, properties: dict[str, Any], path: str) -> Iterator[str]:
    extra = kind.entry.get("additionalProperties")
    for key, value in node.items:
        here = f"{path}.{key}".lstrip(".")
        known = properties.get(key)
        if known is None and extra is not None:
            yield from _check(value, kind.at(extra), here)
        elif known is None:
            yield f"{here}: no such property"
        elif known["flags"] & READ_ONLY:
            yield f"{here}: is read-only"
        else:
            yield from _check(value, kind.at(known["type"]), here)
    given = {key for key, _ in node.items}
    for key, known in properties.items():
        if known["flags"] & REQUIRED and key not in given and (path or key not in _IMPLIED):
            yield f"{path}.{key}".lstrip(".") + ": is required"


def _check_discriminated(node: Object, kind: Type, path: str) -> Iterator[str]:
    name = kind.entry["discriminator"]
    chosen = node.get(name)
    if chosen is not None and not (isinstance(chosen, Text) and chosen.literal is not None):
        return
    literal = chosen.literal if isinstance(chosen, Text) else None
    element = kind.entry["elements"].get(literal) if literal is not None else None
    if element is None:
        allowed = ", ".join(kind.entry["elements"])
        yield f"{path}.{name}".lstrip(".") + f": one of {allowed} is expected, not {literal!r}"
        return
    inner = kind.at(element)
    yield from _check_object(node, inner, {**kind.entry["baseProperties"], **inner.entry["properties"]}, path)


def _check_choice(node: Text, kind: Type, path: str) -> Iterator[str]:
    options = [kind.at(option).entry for option in kind.entry["elements"]]
    literals = [option["value"] for option in options if option["$type"] == "StringLiteralType"]
    if len(literals) == len(options) and node.literal is not None and node.literal not in literals:
        yield f"{path} is {node.literal!r}, not one of {', '.join(literals)}"


def has_path(kind: Type, names: Sequence[str]) -> bool:
    """Whether a resource can be asked for ``names[0].names[1]…``. What a dictionary holds is believed."""
    if not names:
        return True
    entry = kind.entry
    if entry["$type"] == "AnyType" or entry.get("additionalProperties"):
        return True
    properties = {**entry.get("properties", {}), **entry.get("baseProperties", {})}
    known = properties.get(names[0])
    return known is not None and has_path(kind.at(known["type"]), names[1:])
