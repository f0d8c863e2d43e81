"""``docs/laws.md`` and every citation of a law say what the table of laws says, and name what exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from local.simulation.laws import Law
from local.simulation.mutants import MUTANTS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "laws.md").read_text()
FIELDS = ("Held in", "Checked in", "Mutants", "Tests")
TITLES = {law.value: law.title for law in Law}

_NUMBERS = r"(\d+(?:(?:,\s|\sand\s|,\sand\s|\sor\s)\d+)*)"
_CITATION = re.compile(rf"\blaws?\s{_NUMBERS}(?:\s\(([^)]+)\)|:\s([^.]+))?", re.IGNORECASE)
_LINE_BREAK = re.compile(r"\s*\n\s*(?:#:?\s|>\s)?")


def sections() -> dict[str, str]:
    """The sections of the page by heading."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def field(section: str, name: str) -> str:
    (found,) = re.findall(rf"^- {name}: (.+)$", section, flags=re.MULTILINE)
    return found


def references(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@cache
def defined(path: Path) -> frozenset[str]:
    """What a module defines: functions, classes, their methods, and constants."""
    return frozenset(_names(ast.parse(path.read_text()).body))


def _names(nodes: Iterable[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in nodes:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield f"{prefix}{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from _names(node.body, f"{prefix}{node.name}.")
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (f"{prefix}{each.id}" for each in targets if isinstance(each, ast.Name))


def exists(reference: str) -> bool:
    path, _, name = reference.partition("::")
    return (ROOT / path).is_file() and (not name or name in defined(ROOT / path))


def citing_files() -> list[Path]:
    folders = [ROOT / name for name in ("shared", "local", "tests", "docs")]
    found = [path for folder in folders for suffix in ("py", "md") for path in sorted(folder.rglob(f"*.{suffix}"))]
    return [ROOT / "README.md", *(path for path in found if path != Path(__file__))]


def citations(text: str) -> Iterator[tuple[list[int], str]]:
    """The numbers of each citation in a text, and the title that follows it."""
    for numbers, in_brackets, after_colon in _CITATION.findall(_LINE_BREAK.sub(" ", text)):
        yield [int(each) for each in re.findall(r"\d+", numbers)], in_brackets or after_colon


def faults(text: str) -> list[str]:
    """What is wrong with the citations in a text."""
    found: list[str] = []
    for numbers, title in citations(text):
        found += [f"there is no law {number}" for number in numbers if number not in TITLES]
        wanted = TITLES.get(numbers[0], "")
        if len(numbers) > 1 or not title.lower().startswith(wanted):
            found.append(f"law {numbers[0]} ({title}) should be law {numbers[0]} ({wanted})")
    return found


def test_the_page_has_every_law_of_the_table_in_its_order() -> None:
    assert list(sections()) == [f"Law {law.value}: {law.title}" for law in Law]


@pytest.mark.parametrize("law", Law)
def test_a_title_has_three_to_five_words(law: Law) -> None:
    assert 3 <= len(law.title.split()) <= 5


@pytest.mark.parametrize("heading", sections())
def test_a_law_has_a_reason_and_every_field(heading: str) -> None:
    section = sections()[heading]
    assert "\nWhy: " in section
    assert all(field(section, name) for name in FIELDS)


@pytest.mark.parametrize("heading", sections())
def test_what_a_law_names_exists(heading: str) -> None:
    section = sections()[heading]
    named = [each for name in ("Held in", "Checked in", "Tests") for each in references(field(section, name))]
    assert [each for each in named if not exists(each)] == []
    assert [each for each in references(section) if "/" in each and not exists(each)] == []


def test_every_mutant_shows_the_check_of_one_law() -> None:
    named = [each for section in sections().values() for each in references(field(section, "Mutants"))]
    assert sorted(named) == sorted(MUTANTS)


def test_every_citation_names_a_law_and_its_title() -> None:
    found: dict[str, list[str]] = {}
    for path in citing_files():
        name = str(path.relative_to(ROOT))
        found[name] = faults(path.read_text())
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "text",
    [
        "as law 3 (latest never goes backwards) says",
        "Law 3: latest never goes backwards, in any region.",
        "# law 3 (latest never\n    # goes backwards)",
        "law 7 (nothing is left behind) and law 9 (no unauthorised access)",
        "the laws hold, and 3 of them are here",
    ],
)
def test_a_citation_with_its_title_is_taken(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    "text", ["see law 3", "(law 3)", "law 3 (latest)", "laws 7 and 9", "law 14 (nothing is lost)", "Law 3 holds."]
)
def test_a_citation_without_its_title_is_not(text: str) -> None:
    assert faults(text) != []
