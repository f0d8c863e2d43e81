"""The commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shared.cli.exit_codes import POLICY_INVALID, SUCCESS, CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from shared.cli.client import Client

app = typer.Typer(
    name="ringmaster",
    help="How releases of image versions stand, why, and sending again what has stalled.",
    epilog="Exit codes: 0 done; 1 the policy has faults; 2 no usable answer from the app, or a wrong command line; "
    "3 no such release, or several of that name. scan judge: 0 pass, 1 reject, 2 refused.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
policy = typer.Typer(help="Policies: files such as promotion.yaml.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(policy, name="policy")
scan = typer.Typer(help="Scan reports: files, read and judged here.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(scan, name="scan")

Json = Annotated[bool, typer.Option("--json", help="Print the app's answer as it came, and nothing else.")]
Version = Annotated[
    str,
    typer.Argument(
        metavar="VERSION",
        show_default=False,
        help="A version's resource id in any casing, or gallery/definition/1.2.3, definition/1.2.3 or 1.2.3 when that "
        "names one release.",
    ),
]


@dataclass(frozen=True, slots=True)
class Session:
    """What a command knows of its surroundings."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    directory: Path = field(default_factory=Path.cwd)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Every release: its state, its ring, where it is published, what it waits for and until when."""
    from shared.cli import output, responses

    body = _client(context).overview()
    if as_json:
        _print_body(body)
    else:
        output.show(_console(), output.overview(responses.decode(body, responses.Overview), _session(context).now))


@app.command()
def explain(context: typer.Context, version: Version, as_json: Json = False) -> None:
    """All about one release: its gates with their evidence, what it waits for, its history."""
    from shared.cli import output, responses

    body = _client(context).release(_resolve(context, version))
    if as_json:
        _print_body(body)
    else:
        output.show(
            _console(), output.explanation(responses.decode(body, responses.Explanation), _session(context).now)
        )


@app.command()
def resend(context: typer.Context, version: Version) -> None:
    """Send the commands of a release again that were given up, once what stopped them is gone."""
    from shared.cli import responses

    client, full = _client(context), _resolve(context, version)
    # The app answers "nothing was stalled" also for what it has never heard of; people should learn which it is.
    name = responses.decode(client.release(full), responses.Summary).name
    count = responses.decode(client.resend(full), responses.Resent).resent
    typer.echo(f"{name}: {count} sent again" if count else f"{name}: nothing has stalled, nothing was sent")


@policy.command("check")
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The policy file.")],
) -> None:
    """Print every fault of a policy as file:line:col: path: message, or what the policy does when it has none."""
    from shared.policy_file import PolicyFaults, read_file
    from shared.policy_file.__main__ import summary

    try:
        read = read_file(file)
    except PolicyFaults as faults:
        typer.echo(str(faults))
        count = len(faults.faults)
        typer.echo(f"{count} fault{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(POLICY_INVALID) from faults
    typer.echo(summary(read, _session(context).now))


@scan.command("judge")
def judge(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", show_default=False, help="Reports, judged together.")
    ],
    policy_file: Annotated[Path, typer.Option("--policy", metavar="FILE", help="The policy file.")],
    image: Annotated[
        str, typer.Option("--image", metavar="ID", help="A version's or definition's id, or its name in the policy.")
    ],
    report_format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="Left out: as the body shows.", show_default=False)
    ] = None,
    ring: Annotated[
        str | None, typer.Option("--ring", metavar="RING", help="By the rules of this ring.", show_default=False)
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="A report of what is published.", show_default=False),
    ] = None,
    published: Annotated[
        datetime | None,
        typer.Option(
            "--published", metavar="TIME", help="publishedDate: no older report counts. In UTC.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")] = False,
) -> None:
    """Judge scan reports as the scan gate would. Exits 0 for pass, 1 for reject, 2 for refused."""
    from shared.cli import scan_commands, styled_text

    moment = published.replace(tzinfo=UTC) if published else None
    question = scan_commands.JudgeRequest(tuple(files), policy_file, image, report_format, ring, moment, baseline)
    judged = scan_commands.judge_files(question, _session(context).now)
    if as_json:
        typer.echo(scan_commands.as_json(judged))
    else:
        for line in scan_commands.as_text(judged):
            typer.echo(styled_text.safe_text(line).plain)
    raise typer.Exit(judged.exit_code)


@scan.command("read")
def read_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The report.")],
    report_format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="Left out: as the body shows.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")] = False,
) -> None:
    """What a report says: who scanned what, how many findings of which severity. Exits 2 when it is refused."""
    from shared.cli import report_reading, styled_text

    read = report_reading.read_file(file, report_format)
    if as_json:
        typer.echo(report_reading.as_json(read))
    else:
        for line in report_reading.as_text(read):
            typer.echo(styled_text.safe_text(line).plain)
    raise typer.Exit(report_reading.exit_code(read))


def run(arguments: Sequence[str], session: Session) -> int:
    """Run one command line. Returns the exit code."""
    try:
        app(args=list(arguments), obj=session, prog_name="ringmaster")
    except CommandError as fault:
        typer.echo(f"ringmaster: {fault}", err=True)
        return fault.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else SUCCESS
    return SUCCESS


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:], Session()))


def _session(context: typer.Context) -> Session:
    session = context.find_object(Session)
    assert session is not None, "run() gives every command a session"
    return session


def _client(context: typer.Context) -> Client:
    from shared.cli.client import Client
    from shared.cli.target import find_target

    session = _session(context)
    return Client(find_target(session.environ, session.directory))


def _resolve(context: typer.Context, version: str) -> str:
    from shared.cli import release_names, responses

    full = release_names.full_id(version)
    if full is not None:
        return full
    known = responses.decode(_client(context).overview(), responses.Overview)
    return release_names.resolve(version, known.releases)


def _console() -> Console:
    from rich.console import Console

    # A pipe has no width; nothing is gained by folding for one.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 200)


def _print_body(body: bytes) -> None:
    sys.stdout.write(body.decode("utf-8", "replace").rstrip("\n") + "\n")
