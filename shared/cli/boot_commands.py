"""``ringmaster console``: the checks of the boot test on this computer, without the app or Azure."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from shared.cli.exit_codes import CommandError

if TYPE_CHECKING:
    from rich.table import Table

    from shared.domain.console import ConsoleFinding, ConsoleVerdict

EXIT_CODES: Final = {"clean": 0, "bad": 1, "inconclusive": 2}
MAX_CONSOLE: Final = 4 * 1024 * 1024
"""Bytes of a console that are read, from its end. Azure keeps about 1 MiB."""
_CHUNK: Final = 1024 * 1024

console = typer.Typer(help="Judge serial consoles on this computer.", no_args_is_help=True, rich_markup_mode=None)


@console.command("judge")
def judge_console_file(
    file: Annotated[
        str, typer.Argument(metavar="FILE", show_default=False, help="Path of the console's log; - for standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge the log of a serial console, as the boot test does.

    Exit codes: 0 clean, 1 bad, 2 inconclusive (a blank console), or the file cannot be read. Of a file that is larger
    than 4 MiB, the end is read. The JSON object has the findings that condemn the image; the table also has warnings.
    """
    from shared.domain.console import judge_console
    from shared.domain.policy import BootRules

    skipped, raw = _read(file)
    judged = judge_console(raw, BootRules())
    verdict = "inconclusive" if judged.blank else "bad" if judged.reasons else "clean"
    if as_json:
        findings = [_finding(each, skipped) for each in judged.findings if each.pattern in judged.reasons]
        typer.echo(json.dumps({"verdict": verdict, "findings": findings}))
    else:
        _print_table(verdict, judged, skipped)
    raise typer.Exit(EXIT_CODES[verdict])


def read_end(stream: BinaryIO, bound: int = MAX_CONSOLE) -> tuple[int, bytes]:
    """The last ``bound`` bytes of a stream, and how many line feeds come before them."""
    kept, skipped = bytearray(), 0
    while chunk := stream.read(_CHUNK):
        kept += chunk
        surplus = max(0, len(kept) - bound)
        skipped += kept.count(b"\n", 0, surplus)
        del kept[:surplus]
    return skipped, bytes(kept)


def _read(file: str) -> tuple[int, bytes]:
    try:
        if file == "-":
            return read_end(sys.stdin.buffer)
        with Path(file).open("rb") as stream:
            return read_end(stream)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror or error}") from error


def _finding(found: ConsoleFinding, skipped: int) -> dict[str, str | int]:
    from shared.domain.display import printable

    text = printable(found.text)
    return {"pattern": found.pattern, "line": found.line + skipped, "text": text, "remedy": found.remedy}


def _print_table(verdict: str, judged: ConsoleVerdict, skipped: int) -> None:
    from shared.cli import output

    if skipped:
        typer.echo(f"{skipped} lines before the end of the file were not read")
    typer.echo(verdict)
    if judged.findings:
        output.show(output.terminal(), _rows(judged, skipped))


def _rows(judged: ConsoleVerdict, skipped: int) -> Iterator[Table]:
    from shared.cli.output import folded_table
    from shared.cli.styled_text import safe_text

    table = folded_table("severity", "line", "pattern", "text", "remedy")
    for each in judged.findings:
        table.add_row(
            each.severity.value,
            str(each.line + skipped),
            safe_text(each.pattern),
            safe_text(each.text),
            each.remedy,
        )
    yield table
