"""``python -m shared.settings_table [--check]``: write ``docs/settings.md``, or say that it is out of date."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from shared.settings import SETTINGS

_DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
_HEAD = """# Settings

Application settings of the function app, as environment variables. Every fault is reported at once when the app starts.
This page is made from `shared/settings.py` by `python -m shared.settings_table`.

| setting | default | meaning |
|---|---|---|
"""


def table() -> str:
    """The page."""
    return _HEAD + "".join(_row(setting.name, setting.default, setting.meaning) for setting in SETTINGS)


def main(arguments: Sequence[str], document: Path = _DOCUMENT) -> int:
    """Write the page; with ``--check`` only compare, and return 1 when it is out of date."""
    if list(arguments) == ["--check"]:
        current = document.is_file() and document.read_text(encoding="utf-8") == table()
        if not current:
            sys.stderr.write(f"{document} is out of date: run python -m shared.settings_table\n")
        return 0 if current else 1
    if arguments:
        sys.stderr.write("usage: python -m shared.settings_table [--check]\n")
        return 2
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(table(), encoding="utf-8")
    return 0


def _row(name: str, default: str | None, meaning: str) -> str:
    shown = "" if not default else f"`{default}`"
    return f"| `{name}` | {shown} | {meaning} |\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
