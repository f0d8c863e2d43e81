"""What code imports is declared where that code is installed from: `requirements*.in`."""

import ast
import functools
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP, CLI, LOCAL, DEV = (f"requirements{each}.in" for each in ("", "-cli", "-local", "-dev"))
OWN = {"examples", "shared", "local", "tests", "function_app"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(file: str) -> set[str]:
    """Distributions that a requirements file names, itself or by `-r`."""
    found: set[str] = set()
    for line in (ROOT / file).read_text().splitlines():
        if line.startswith("-r "):
            found |= declared(line.removeprefix("-r ").strip())
        elif name := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line):
            found.add(canonical(name[0]))
    return found


@functools.cache
def distributions() -> dict[str, str]:
    """Module -> the distribution that has it. Top-level names alone would not do: `azure` is of many."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        for file in distribution.files or ():
            if file.suffix in {".py", ".so"}:
                parts = [*file.parts[:-1], file.name.split(".")[0]]
                module = ".".join(parts).removesuffix(".__init__")
                found[module] = canonical(distribution.name)
    return found


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, at its top and within functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                yield inner if inner in distributions() else node.module


def third_party(folder: str, *, without: str = "-") -> dict[str, str]:
    """Third-party module -> a file that imports it."""
    start = ROOT / folder
    files = [start] if start.is_file() else sorted(start.rglob("*.py"))
    own = OWN | {each.stem for each in files if each.stem not in distributions()}
    return {
        module: str(file.relative_to(ROOT))
        for file in files
        if not file.is_relative_to(ROOT / without)
        for module in imports(file)
        if module.partition(".")[0] not in sys.stdlib_module_names | own
    }


@pytest.mark.parametrize(
    ("folder", "without", "files"),
    [
        ("function_app.py", "-", [APP]),
        ("shared", "shared/cli", [APP]),
        ("shared/cli", "-", [APP, CLI]),
        # A walk is run by its client's own environment, with requirements of its own.
        ("local", "local/outsiders/walks", [LOCAL]),
        ("tests", "-", [DEV]),
    ],
)
def test_what_is_imported_is_declared(folder: str, without: str, files: list[str]) -> None:
    known = set().union(*map(declared, files))
    undeclared = {
        f"{file} imports {module}, of {distributions().get(module)}"
        for module, file in third_party(folder, without=without).items()
        if distributions().get(module) not in known
    }
    assert not undeclared, f"declare it in {files[-1]}, and run make lock"


READ_BY_ZONEINFO = {"tzdata"}
"""What zoneinfo falls back to where the system has no time zones; nobody imports it."""


@pytest.mark.parametrize(("file", "folder"), [(APP, "shared"), (CLI, "shared/cli")])
def test_what_is_declared_is_imported(file: str, folder: str) -> None:
    used = {distributions().get(module) for module in third_party(folder)}
    assert declared(file) - READ_BY_ZONEINFO <= used


@pytest.mark.parametrize("file", [APP, LOCAL, DEV])
def test_what_is_declared_is_locked(file: str) -> None:
    locked = {canonical(line.split("==")[0]) for line in (ROOT / PurePath(file).with_suffix(".txt")).open()}
    assert declared(file) <= locked, "run make lock"
