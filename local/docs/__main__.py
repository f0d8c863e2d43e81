"""``python -m local.docs`` writes every generated document.

With ``--check`` it reports outdated ones and exits with 1.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from local.docs import (
    boot_reference,
    cli_reference,
    events_reference,
    lifecycle_reference,
    rules_reference,
    settings_reference,
)
from shared.domain.lifecycle import TABLE
from shared.policy_file import reference

DOCUMENTS: Mapping[str, Callable[[], str]] = {
    "lifecycle.md": lambda: lifecycle_reference.page(TABLE),
    "cli.md": cli_reference.page,
    "console-patterns.md": boot_reference.console_page,
    "events.md": events_reference.page,
    "events.schema.json": events_reference.schema,
    "probe-checks.md": boot_reference.probe_page,
    "validation-rules.md": rules_reference.page,
    "settings.md": settings_reference.page,
    "policy.md": reference.markdown,
    "policy.schema.json": reference.json_schema,
}
FOLDER = Path(__file__).resolve().parents[2] / "docs"
_SHOWN = 20
"""Maximum number of lines of a diff."""


def write(folder: Path, documents: Mapping[str, Callable[[], str]] = DOCUMENTS) -> list[str]:
    """Write the outdated documents. Returns their names."""
    changed = [name for name, make in documents.items() if _current(folder / name) != make()]
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        (folder / name).write_text(documents[name](), encoding="utf-8")
    return changed


def differences(folder: Path, documents: Mapping[str, Callable[[], str]] = DOCUMENTS) -> list[str]:
    """For every outdated document, its name and a diff."""
    found: list[str] = []
    for name, make in documents.items():
        current, wanted = _current(folder / name), make()
        if current is None:
            found.append(f"docs/{name} is missing")
        elif current != wanted:
            lines = difflib.unified_diff(
                current.splitlines(), wanted.splitlines(), f"docs/{name}", "as generated", n=1, lineterm=""
            )
            found.append("\n".join(list(lines)[:_SHOWN]))
    return found


def _current(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: Sequence[str] | None = None, folder: Path = FOLDER) -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.docs", description="Write the generated documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a document is outdated")
    if not parser.parse_args(arguments).check:
        for name in write(folder):
            sys.stdout.write(f"written: docs/{name}\n")
        return 0
    found = differences(folder)
    if found:
        sys.stderr.write("\n\n".join(found) + "\n\noutdated: run python -m local.docs\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
