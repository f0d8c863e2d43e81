"""The examples in docstrings run, and the packages that a newcomer reads first have one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


WITH_EXAMPLES = [
    module_of(path) for path in sorted((ROOT / "shared").rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


@pytest.mark.parametrize("package", ["shared.domain", "shared.engine", "shared.policy_file", "shared.ports"])
def test_a_package_that_is_read_first_opens_with_an_example(package: str) -> None:
    assert package in WITH_EXAMPLES
