"""What stands in ``infra/``: files, resources with their full types, and what each asks of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.infra.arm_types import Type, TypeFiles, check_body, has_path, paths
from tests.infra.bicep import read
from tests.infra.bicep_nodes import File, For, Member, Name, Node, Object, Resource, children, walk

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
FUNCTIONS = {
    "empty",
    "environment",
    "guid",
    "join",
    "replace",
    "resourceGroup",
    "string",
    "subscription",
    "subscriptionResourceId",
    "take",
    "tenant",
    "toLower",
    "union",
    "uniqueString",
}
"""Functions of Bicep that ``infra/`` may call. None of them reads a secret."""
_CONSTANTS = {"true", "false", "null"}


@dataclass(frozen=True)
class Placed:
    """A resource of a file with its full type: a nested one is named below its parent."""

    file: File
    resource: Resource
    type: str


def files() -> dict[str, File]:
    """Every file of ``infra/`` by its path below it."""
    return {str(path.relative_to(INFRA)): read(path) for path in sorted(INFRA.rglob("*.bicep"))}


def resources(file: File) -> Iterator[Placed]:
    """Every resource, nested ones included."""
    for resource in file.resources.values():
        yield from _with_nested(file, resource, None)


def _with_nested(file: File, resource: Resource, parent: str | None) -> Iterator[Placed]:
    kind = resource.type
    if parent is not None and "@" not in kind:
        name, _, version = parent.partition("@")
        kind = f"{name}/{kind}@{version}"
    yield Placed(file, resource, kind)
    for nested in resource.body.resources:
        yield from _with_nested(file, nested, kind)


def modules(file: File) -> Iterator[tuple[str, Mapping[str, Node]]]:
    """Every module's path below ``infra/`` with the parameters that it is given."""
    for module in file.modules.values():
        given = module.body.get("params")
        values = dict(given.items) if isinstance(given, Object) else {}
        path = (file.path.parent / module.path).resolve().relative_to(INFRA.resolve())
        yield str(path), values


def nodes(file: File) -> Iterator[Node]:
    """Every node of a file."""
    for root in _roots(file):
        yield from walk(root)


def _roots(file: File) -> Iterator[Node]:
    yield from (param.default for param in file.params.values() if param.default is not None)
    yield from file.variables.values()
    yield from (resource.value for resource in file.resources.values())
    yield from (module.value for module in file.modules.values())
    yield from file.outputs.values()


def unknown_names(file: File) -> Iterator[str]:
    """Symbols that nothing declares."""
    known = {*file.params, *file.variables, *file.resources, *file.modules, *_CONSTANTS}
    for root in _roots(file):
        yield from _unknown(root, frozenset(known))


def _unknown(node: Node, known: frozenset[str]) -> Iterator[str]:
    if isinstance(node, Name) and node.id not in known:
        yield node.id
    if isinstance(node, For):
        yield from _unknown(node.source, known)
        known = known | set(node.variables)
        yield from _unknown(node.body, known)
        return
    if isinstance(node, Object):
        known = known | {resource.symbol for resource in node.resources}
    for child in children(node):
        yield from _unknown(child, known)


def unused_names(file: File) -> set[str]:
    """Parameters and variables that nothing uses."""
    used = {node.id for node in nodes(file) if isinstance(node, Name)}
    return {*file.params, *file.variables} - used


def chains(file: File) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every ``symbol.a.b`` as (symbol, (a, b)), the longest form of each."""
    for root in _roots(file):
        yield from _chains(root)


def _chains(node: Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    chain = _chain(node)
    if chain is not None:
        yield chain
        return
    for child in children(node):
        yield from _chains(child)


def _chain(node: Node) -> tuple[str, tuple[str, ...]] | None:
    names: list[str] = []
    while isinstance(node, Member):
        names.insert(0, node.name)
        node = node.base
    return (node.id, tuple(names)) if isinstance(node, Name) and names else None


# --- against Azure's types --------------------------------------------------------------------------------------------


def asked_of(placed: Placed) -> list[tuple[str, ...]]:
    """What other declarations of the file read of a resource."""
    own = {"id", "name", "type", "apiVersion"}
    symbol = placed.resource.symbol
    return [names for found, names in chains(placed.file) if found == symbol and names[0] not in own]


def type_faults(placed: Placed, kind: Type | None) -> Iterator[str]:
    """What Azure's type definitions have against a resource."""
    where = f"{placed.file.path.name}:{placed.resource.line} {placed.type}"
    if kind is None:
        yield f"{where}: there is no such resource type"
        return
    if not placed.resource.existing:
        yield from (f"{where} {fault}" for fault in check_body(placed.resource.body, kind))
    nested = {resource.symbol for resource in placed.resource.body.resources}
    for names in asked_of(placed):
        if names[0] not in nested and not has_path(kind, names):
            yield f"{where}: {'.'.join(names)} is read, and there is no such property"


def used_paths(all_files: Mapping[str, File]) -> dict[str, list[str]]:
    """What ``infra/`` sets and reads of each resource type, as kept in ``verified.json``."""
    used: dict[str, set[str]] = {}
    for file in all_files.values():
        for placed in resources(file):
            entry = used.setdefault(placed.type, set())
            nested = {resource.symbol for resource in placed.resource.body.resources}
            entry.update("" if placed.resource.existing else path for path in paths(placed.resource.body))
            entry.update(f"read {'.'.join(names)}" for names in asked_of(placed) if names[0] not in nested)
    return {kind: sorted(path for path in found if path) for kind, found in sorted(used.items())}


def all_faults(all_files: Mapping[str, File], types: TypeFiles) -> list[str]:
    """Every fault of every resource whose provider and version are known."""
    return [
        fault
        for file in all_files.values()
        for placed in resources(file)
        if types.knows(placed.type)
        for fault in type_faults(placed, types.body(placed.type))
    ]
