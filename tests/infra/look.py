"""What tests look at in ``infra/``: its files, the resources that they place, and what stands where in one."""

from __future__ import annotations

from tests.infra.bicep_nodes import Name, Node, Object, Text, walk
from tests.infra.house import Placed, files, resources

FILES = files()
MAIN = FILES["main.bicep"]


def placed(kind: str) -> list[Placed]:
    """Resources of a type, existing ones left out."""
    return [
        each
        for file in FILES.values()
        for each in resources(file)
        if each.type.partition("@")[0] == kind and not each.resource.existing
    ]


def at(node: Node | None, *keys: str) -> Node | None:
    for key in keys:
        assert isinstance(node, Object), f"{key} of {node}"
        node = node.get(key)
    return node


def text(node: Node | None) -> str:
    assert isinstance(node, Text)
    return str(node)


def is_true(node: Node | None) -> bool:
    return getattr(node, "id", None) == "true"


def is_false(node: Node | None) -> bool:
    return getattr(node, "id", None) == "false"


def literals(node: Node | None) -> list[str]:
    return [each.literal for each in walk(node) if isinstance(each, Text) and each.literal is not None] if node else []


def config(name: str) -> Object:
    """A configuration of the app, by its name in ARM."""
    found = [each.resource.body for each in placed("Microsoft.Web/sites/config")]
    (body,) = [each for each in found if text(each.get("name")) == name]
    return body


def names(node: Node | None) -> set[str]:
    return {each.id for each in walk(node) if isinstance(each, Name)} if node else set()
