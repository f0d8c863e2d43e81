"""YAML into plain values, with the place of every part, within bounds.

The safe subset: mappings with text keys, lists, text, numbers, true/false, dates and null. Refused: tags, a key twice,
merge keys, more than one document, and whatever is made to exhaust the reader (size, depth, aliases of aliases). The
event stream is checked for depth before anything recursive sees it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

import yaml

from shared.policy_file.policy_faults import Fault, Path, Places, path_text

MAX_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
"""Maximum number of nodes after aliases are resolved."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS: Final = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "timestamp")}


class Unreadable(Exception):
    """The text can't be taken apart; carries the fault that stopped it."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(fault))


def read_tree(text: str) -> tuple[Any, Places, list[Fault]]:
    """The document, its places, and the faults that leave the rest readable. Raises Unreadable for those that don't."""
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        raise Unreadable(Fault(1, 1, "", f"the file is larger than {MAX_BYTES} bytes"))
    lone = next((position for position, char in enumerate(text) if "\ud800" <= char <= "\udfff"), None)
    if lone is not None:
        raise Unreadable(
            Fault(text.count("\n", 0, lone) + 1, 1, "", "contains an unpaired surrogate, so it is not valid text")
        )
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        told = ", ".join(part for part in (error.context, error.problem) if part)
        raise Unreadable(Fault(*_place(mark), "", f"not YAML: {told}")) from error
    except yaml.YAMLError as error:
        raise Unreadable(Fault(1, 1, "", f"not YAML: {str(error).splitlines()[0]}")) from error
    if node is None:
        raise Unreadable(Fault(1, 1, "", "the file is empty"))
    reader = _Reader()
    data = reader.value(node, ())
    return data, Places(reader.places, reader.keys), reader.faults


def _place(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Unreadable(Fault(*_place(event.start_mark), "", f"nested more than {MAX_DEPTH} levels deep"))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Reader:
    def __init__(self) -> None:
        self.places: dict[Path, tuple[int, int]] = {}
        self.keys: dict[Path, tuple[int, int]] = {}
        self.faults: list[Fault] = []
        self._nodes = 0
        self._open: set[int] = set()
        self._scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The plain value of a node. A part at fault becomes None and is told in ``faults``."""
        self.places.setdefault(path, _place(node.start_mark))
        self._count(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            assert isinstance(node, yaml.SequenceNode)
            if node.tag != "tag:yaml.org,2002:seq":
                return self._fault(node, path, f"the tag {node.tag} is not supported here")
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        finally:
            self._open.discard(id(node))

    def _count(self, node: yaml.Node, path: Path) -> None:
        self._nodes += 1
        where = _place(node.start_mark)
        if id(node) in self._open:
            raise Unreadable(Fault(*where, path_text(path), "an alias refers to itself"))
        if self._nodes > MAX_NODES:
            raise Unreadable(Fault(*where, "", f"more than {MAX_NODES} nodes after aliases are resolved"))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Any:
        if node.tag != "tag:yaml.org,2002:map":
            return self._fault(node, path, f"the tag {node.tag} is not supported here")
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in result:
                first = self.keys[here][0]
                self._fault(key_node, here, f"duplicate key; it first occurs in line {first}")
                continue
            self.keys[here] = _place(key_node.start_mark)
            result[key] = self.value(value_node, here)
        return result

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if node.tag == "tag:yaml.org,2002:merge":
            return self._fault(node, path, "merge keys (<<) are not supported: repeat the section, or use an alias")
        if not isinstance(node, yaml.ScalarNode):
            return self._fault(node, path, "a key must be a string")
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.tag not in _SCALARS:
            return self._fault(node, path, f"the tag {node.tag} is not supported here")
        try:
            value = self._scalars.construct_object(node)
        except (ValueError, OverflowError, yaml.YAMLError) as error:
            return self._fault(node, path, f"{node.value[:80]!r} cannot be read: {str(error).splitlines()[0]}")
        if isinstance(value, datetime) and not isinstance(node.value, date):
            return str(node.value)
        return value

    def _fault(self, node: yaml.Node, path: Path, message: str) -> None:
        self.faults.append(Fault(*_place(node.start_mark), path_text(path), message))
