"""``python -m local.powershell_syntax FILE …``: print where a PowerShell script has a syntax error, and exit 1.

A lint for computers without PowerShell. The grammar of tree-sitter-pwsh finds about nine of ten deleted brackets.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import tree_sitter
import tree_sitter_pwsh


def syntax_errors(script: bytes) -> list[str]:
    """Where a script is not PowerShell, as ``line:column: message``."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))
    return list(_errors(parser.parse(script).root_node))


def _errors(node: tree_sitter.Node) -> Iterator[str]:
    place = f"{node.start_point.row + 1}:{node.start_point.column + 1}"
    if node.is_missing:
        yield f"{place}: {node.type} is missing"
    elif node.is_error:
        yield f"{place}: syntax error"
    elif node.has_error:
        for child in node.children:
            yield from _errors(child)


def main(files: Sequence[str]) -> int:
    """Check files. Returns the exit code."""
    found = [f"{file}:{error}" for file in files for error in syntax_errors(Path(file).read_bytes())]
    print("\n".join(found) if found else f"{len(files)} PowerShell scripts have no syntax errors")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
