"""The checks of the laws share no decision with the app: of its code they use plain data types only."""

import ast
import dataclasses
import enum
import importlib
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "local" / "simulation"
CHECKS = (
    "laws",
    "observations",
    "ground_truth",
    "proof",
    "check_context",
    "action_invariants",
    "calendar_invariants",
    "health_invariants",
    "gallery_invariants",
    "ledger_invariants",
    "invariants",
    "final_checks",
    "simulator",
)
"""Modules that find or report violations, and what they read facts with."""
PLAIN = {"short", "version", "regions"}
"""What they may use besides fields: a text for people, the id of a version, and a property named as some fields are."""


def tree(module: str) -> ast.Module:
    return ast.parse((FOLDER / f"{module}.py").read_text())


def imported_from_app(module: str) -> Iterator[tuple[str, object]]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "shared":
            for each in node.names:
                yield f"{node.module}.{each.name}", getattr(importlib.import_module(node.module), each.name)
        if isinstance(node, ast.Import):
            assert not any(each.name.split(".")[0] == "shared" for each in node.names)


def is_plain(value: object) -> bool:
    if isinstance(value, typing.TypeAliasType):
        return True
    return isinstance(value, type) and (dataclasses.is_dataclass(value) or issubclass(value, (enum.Enum, Exception)))


def members(value: object, *kinds: type) -> set[str]:
    """Names of the members of a type that are of these kinds."""
    found = vars(value).items() if isinstance(value, type) else ()
    return {name for name, each in found if isinstance(each, kinds) and not name.startswith("_")} - PLAIN


def test_every_module_that_names_a_law_is_among_the_checks() -> None:
    naming = {path.stem for path in FOLDER.glob("*.py") if "Law." in path.read_text()}
    assert naming <= set(CHECKS)


@pytest.mark.parametrize("module", CHECKS)
def test_a_check_imports_plain_data_types_only(module: str) -> None:
    assert [name for name, value in imported_from_app(module) if not is_plain(value)] == []


@pytest.mark.parametrize("module", CHECKS)
def test_a_check_uses_no_method_and_no_property_of_the_data_types(module: str) -> None:
    nodes = list(ast.walk(tree(module)))
    called = {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    for name, value in {each for check in CHECKS for each in imported_from_app(check)}:
        assert not members(value, types.FunctionType, classmethod) & called, name
        assert not members(value, property) & read, name
