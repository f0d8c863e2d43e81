"""The commands of ``ringmaster``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from shared.cli import action_commands, boot_commands, definition_commands
from shared.cli.exit_codes import INCOMPLETE, POLICY_INVALID, REQUEST_FAILED, SUCCESS, VALIDATION, CommandError
from shared.cli.session import Json, Session, Version, client_of, console, print_body, resolve, session_of

app = typer.Typer(
    name="ringmaster",
    help="Show the releases of image versions and their state, and act on them: approve, hold, revoke and more.",
    epilog="Exit codes: 0 success; 1 the policy has errors; 2 the app did not respond as expected, or the command line "
    "is invalid; 3 no release, or more than one release, matches; 4 the app refused the action, or you did not confirm "
    "it. For validate: 0 pass; 1 reject; 2 not yet. For in-use: 0 complete; 1 incomplete. For scan judge: 0 pass; "
    "1 reject; 2 refused. For console judge and probe --run: 0 clean; 1 bad; 2 inconclusive.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
policy = typer.Typer(help="Work with policy files.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(policy, name="policy")
scan = typer.Typer(help="Read and judge scan reports on this computer.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(scan, name="scan")
app.add_typer(boot_commands.console, name="console")
app.command("probe")(boot_commands.probe)


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """List all releases with their state, ring, published regions, pending work and deadlines."""
    from shared.cli import output, responses

    body = client_of(context).overview()
    if as_json:
        print_body(body)
    else:
        output.show(console(), output.overview(responses.decode(body, responses.Overview), session_of(context).now))


@app.command()
def explain(context: typer.Context, version: Version, as_json: Json = False) -> None:
    """Show the details of a release: gates with evidence, approvals, actions, pending work and history."""
    from shared.cli import output, responses

    client = client_of(context)
    body = client.release(resolve(client, version))
    if as_json:
        print_body(body)
    else:
        output.show(
            console(), output.explanation(responses.decode(body, responses.Explanation), session_of(context).now)
        )


@app.command("validate")
def validate(context: typer.Context, version: Version, as_json: Json = False) -> None:
    """Judge the metadata of an image version by the present policy. Changes nothing.

    Every version of a definition in the policy can be judged, also one without a release, by its resource id. Exit
    codes: 0 pass, 1 reject, 2 it cannot be judged yet.
    """
    from shared.cli import output, responses, validation_output

    client = client_of(context)
    body = client.validation(resolve(client, version))
    answer = responses.decode(body, responses.Validation)
    if as_json:
        print_body(body)
    else:
        output.show(console(), validation_output.verdict(answer))
    raise typer.Exit(VALIDATION.get(answer.outcome, REQUEST_FAILED))


@app.command("in-use")
def in_use(context: typer.Context, version: Version, as_json: Json = False) -> None:
    """Show who uses a version and what was made from it, and what could not be looked at.

    The app lists resources in every subscription of the policy, which takes up to a minute. Exits with 1 if the result
    is incomplete.
    """
    from shared.cli import in_use_output, output, responses

    client = client_of(context)
    body = client.in_use(resolve(client, version))
    found = responses.decode(body, responses.InUse)
    if as_json:
        print_body(body)
    else:
        output.show(console(), in_use_output.in_use(found))
    if not found.complete:
        raise typer.Exit(INCOMPLETE)


action_commands.register(app)
definition_commands.register(app)


@policy.command("check")
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="Path of the policy file.")],
) -> None:
    """Check a policy file.

    Print every error as file:line:col: path: message; if there is none, print a summary of the policy.
    """
    from shared.policy_file import PolicyFaults, read_file
    from shared.policy_file.__main__ import summary

    try:
        read = read_file(file)
    except PolicyFaults as faults:
        typer.echo(str(faults))
        count = len(faults.faults)
        typer.echo(f"{count} error{'s' if count > 1 else ''}", err=True)
        raise typer.Exit(POLICY_INVALID) from faults
    typer.echo(summary(read, session_of(context).now))


@scan.command("judge")
def judge(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", show_default=False, help="Report files, judged together.")
    ],
    *,
    policy_file: Annotated[Path, typer.Option("--policy", metavar="FILE", help="Path of the policy file.")],
    image: Annotated[
        str,
        typer.Option("--image", metavar="ID", help="Resource id of a version or definition, or a name in the policy."),
    ],
    report_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="Report format. Default: detected.", show_default=False),
    ] = None,
    ring: Annotated[
        str | None, typer.Option("--ring", metavar="RING", help="Use the rules of this ring.", show_default=False)
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Report of the published version.", show_default=False),
    ] = None,
    published: Annotated[
        datetime | None,
        typer.Option(
            "--published",
            metavar="TIME",
            help="The version's publishedDate, in UTC. Older reports are refused.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge scan reports with the rules of the policy, as the scan gate does.

    Exit codes: 0 pass, 1 reject, 2 refused.
    """
    from shared.cli import scan_commands, styled_text

    moment = published.replace(tzinfo=UTC) if published else None
    request = scan_commands.JudgeRequest(tuple(files), policy_file, image, report_format, ring, moment, baseline)
    judged = scan_commands.judge_files(request, session_of(context).now)
    if as_json:
        typer.echo(scan_commands.as_json(judged))
    else:
        for line in scan_commands.as_text(judged):
            typer.echo(styled_text.safe_text(line).plain)
    raise typer.Exit(judged.exit_code)


@scan.command("read")
def read_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="Path of the report.")],
    report_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="Report format. Default: detected.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the content of a scan report: scanner, target, and findings by severity. Exits with 2 when it is refused."""
    from shared.cli import report_reading, styled_text

    read = report_reading.read_file(file, report_format)
    if as_json:
        typer.echo(report_reading.as_json(read))
    else:
        for line in report_reading.as_text(read):
            typer.echo(styled_text.safe_text(line).plain)
    raise typer.Exit(report_reading.exit_code(read))


def run(arguments: Sequence[str], session: Session) -> int:
    """Run a command line. Returns the exit code."""
    try:
        app(args=list(arguments), obj=session, prog_name="ringmaster")
    except CommandError as fault:
        typer.echo(f"ringmaster: {fault}", err=True)
        return fault.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else SUCCESS
    return SUCCESS


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:], Session()))
