"""``docs/architecture.md`` names functions and files that exist, and packages as import-linter knows them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.unit.local.test_laws_page import exists, references

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TEXT = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
NAMED = [each for each in references(TEXT) if re.fullmatch(r"(shared|local|tests)/[\w/.]+(::\w+)?", each)]


def layers() -> list[list[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (shared,) = [each for each in contracts if each["name"] == "the layers of the house"]
    return [[name.strip() for name in layer.split("|")] for layer in shared["layers"]]


@pytest.mark.parametrize("named", sorted(set(NAMED)))
def test_what_the_page_names_exists(named: str) -> None:
    assert exists(named) or (ROOT / named).exists()


def test_the_walk_names_a_function_at_every_step() -> None:
    steps = re.findall(r"^\| \d+ \| (.+?) \|", PAGE, flags=re.MULTILINE)
    assert len(steps) >= 10
    assert all("::" in step for step in steps)


def test_every_arrow_of_the_picture_goes_down() -> None:
    level = {name: at for at, layer in enumerate(layers()) for name in layer}
    level |= {"azure": level["adapters"], "memory": level["adapters"]}
    arrows = re.findall(r"^    (\w+)(?:\[.*?\])? --> (.+)$", PAGE, flags=re.MULTILINE)
    pairs = [(above, below.strip()) for above, all_below in arrows for below in all_below.split("&") if above != "app"]
    assert len(pairs) > 15
    assert [(above, below) for above, below in pairs if level[above] >= level[re.sub(r"\[.*", "", below)]] == []
