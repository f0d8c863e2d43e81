"""``ringmaster console`` and ``ringmaster probe``: the checks of the boot test, without the app or Azure."""

from __future__ import annotations

import json
import platform
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from shared.cli.exit_codes import CommandError
from shared.cli.session import console as terminal

if TYPE_CHECKING:
    from rich.table import Table

    from shared.domain.boot_test.console import ConsoleFinding, ConsoleVerdict
    from shared.domain.boot_test.probe import ProbeVerdict
    from shared.domain.boot_test.probe_check import ProbeCheck
    from shared.domain.policy import BootRules

EXIT_CODES: Final = {"clean": 0, "bad": 1, "inconclusive": 2}
MAX_CONSOLE: Final = 4 * 1024 * 1024
"""Bytes of a console that are read, from its end. Azure keeps about 1 MiB."""
_CHUNK: Final = 1024 * 1024
_PROBE_SECONDS: Final = 15 * 60


class OperatingSystem(StrEnum):
    """Whose probe is meant."""

    LINUX = "linux"
    WINDOWS = "windows"


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
    from shared.domain.boot_test.console import judge_console
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
        output.show(terminal(), _rows(judged, skipped))


def _rows(judged: ConsoleVerdict, skipped: int) -> Iterator[Table]:
    from shared.cli.output import new_table
    from shared.cli.styled_text import safe_text

    table = new_table("severity", "line", "pattern", "text", "remedy")
    for each in judged.findings:
        table.add_row(
            each.severity.value,
            str(each.line + skipped),
            safe_text(each.pattern),
            safe_text(each.text),
            each.remedy,
        )
    yield table


def probe(
    system: Annotated[OperatingSystem, typer.Argument(metavar="linux|windows", help="Operating system.")],
    run: Annotated[bool, typer.Option("--run", help="Run the probe on this computer, and judge it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --run: print one JSON object.")] = False,
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="Policy file whose checks and severities apply.")
    ] = None,
    definition: Annotated[
        str | None, typer.Option("--definition", metavar="NAME", help="With --policy: name of the definition.")
    ] = None,
) -> None:
    """Print the probe of the boot test, or run it on this computer and judge it.

    Exit codes of --run: 0 clean (warnings do not count), 1 bad, 2 inconclusive (the probe did not finish). Run it as
    root, so that every file can be read.
    """
    from shared.domain.boot_test.probe_checks import applied_checks
    from shared.probes import probe_script

    nonce = secrets.token_hex(16)
    rules = _rules(policy, definition)
    script = probe_script(system, nonce, rules)
    if not run:
        if as_json:
            raise CommandError("--json needs --run")
        typer.echo(script, nl=False)
        return
    judged = _run_probe(system, script, nonce, rules)
    verdict = "inconclusive" if not judged.finished else "bad" if judged.reasons else "clean"
    if as_json:
        typer.echo(json.dumps(_probe_body(verdict, judged, applied_checks(system, rules))))
    else:
        _print_probe(verdict, judged, applied_checks(system, rules))
    raise typer.Exit(EXIT_CODES[verdict])


def _rules(file: Path | None, name: str | None) -> BootRules:
    """The rules of a definition; the defaults without a policy."""
    from shared.domain.policy import BootRules

    if file is None:
        if name is not None:
            raise CommandError("--definition needs --policy")
        return BootRules()
    from shared.policy_file import PolicyFaults, read_file

    try:
        definitions = {each.name: each for each in read_file(file).definitions.values()}
    except PolicyFaults as faults:
        raise CommandError(str(faults)) from faults
    if name is None and len(definitions) == 1:
        return next(iter(definitions.values())).boot
    if name not in definitions:
        wrong = "--definition is required" if name is None else f"{file} has no definition {name!r}"
        raise CommandError(f"{wrong}; the policy has {', '.join(definitions)}")
    return definitions[name].boot


def _run_probe(system: OperatingSystem, script: str, nonce: str, rules: BootRules) -> ProbeVerdict:
    from shared.domain.boot_test.failures import ProbeFacts
    from shared.domain.boot_test.probe import judge_probe

    names = ("sh",) if system is OperatingSystem.LINUX else ("pwsh", "powershell")
    shell = next((found for name in names if (found := shutil.which(name))), None)
    if shell is None:
        raise CommandError(f"the {system.value} probe needs {' or '.join(names)}, which is not installed here")
    options = ("-c",) if system is OperatingSystem.LINUX else ("-NoProfile", "-Command")
    try:
        done = subprocess.run([shell, *options, script], capture_output=True, timeout=_PROBE_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"the probe did not end within {_PROBE_SECONDS // 60} minutes") from error
    output, said = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    facts = ProbeFacts("Succeeded" if done.returncode == 0 else "Failed", done.returncode, output, said)
    # Nobody here gave the machine a name, so its own counts as given.
    name = platform.node().split(".")[0]
    return judge_probe(facts, nonce=nonce, machine=name, os_type=system.value, now=datetime.now(UTC), rules=rules)


def _probe_body(verdict: str, judged: ProbeVerdict, applied: Iterable[ProbeCheck]) -> dict[str, object]:
    from shared.domain.display import printable

    checks = [
        {
            "check": each.id,
            "result": found.result.value,
            "detail": printable(found.detail),
            "severity": each.severity.value,
            "remedy": each.remedy,
        }
        for each in applied
        if (found := judged.results.get(each.id))
    ]
    reasons, warnings = map(printable, judged.reasons), map(printable, judged.warnings)
    return {"verdict": verdict, "reasons": list(reasons), "warnings": list(warnings), "checks": checks}


def _print_probe(verdict: str, judged: ProbeVerdict, applied: Iterable[ProbeCheck]) -> None:
    from shared.cli import output
    from shared.cli.styled_text import safe_text
    from shared.domain.boot_test.probe import Result

    typer.echo(verdict)
    for label, texts in (("reason", judged.reasons), ("warning", judged.warnings)):
        for text in texts:
            typer.echo(f"  {label}: {safe_text(text).plain}")
    table = output.new_table("check", "severity", "result", "detail", "remedy")
    for each in applied:
        found = judged.results.get(each.id)
        if found:
            remedy = each.remedy if found.result in {Result.FAIL, Result.WARN} else ""
            table.add_row(each.id, each.severity.value, found.result.value, safe_text(found.detail), remedy)
    if table.row_count:
        output.show(terminal(), [table])
