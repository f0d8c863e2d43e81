"""Commands about an image definition of the policy, which only read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from shared.cli.session import Json, client_of, console, print_body

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shared.cli.responses import Failover, Latest, LatestTable

Definition = Annotated[
    str,
    typer.Argument(
        metavar="DEFINITION", show_default=False, help="Name of a definition in the policy, or its resource id."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("latest")(latest)
    failover = typer.Typer(help="Plan a failover to a standing twin.", no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(failover, name="failover")
    # With a single command, typer would drop its name.
    failover.callback()(lambda: None)
    failover.command("plan")(failover_plan)


def latest(context: typer.Context, definition: Definition, as_json: Json = False) -> None:
    """Show what each kind of consumer gets as the latest version, by region, and where they differ."""
    from shared.cli import output, responses

    body = client_of(context).latest(definition)
    if as_json:
        print_body(body)
    else:
        output.show(console(), latest_tables(responses.decode(body, responses.Latest)))


def failover_plan(context: typer.Context, definition: Definition, as_json: Json = False) -> None:
    """Show what consumers must point to when the active rings' galleries are lost, and whether it is complete.

    Exits with 1 if a standing twin is not complete, or if there is none.
    """
    from shared.cli import output, responses

    body = client_of(context).failover(definition)
    plan = responses.decode(body, responses.Failover)
    if as_json:
        print_body(body)
    else:
        output.show(console(), failover_text(plan))
    if not plan.twins or not all(each.complete for each in plan.twins):
        raise typer.Exit(1)


def failover_text(answer: Failover) -> Iterator[RenderableType]:
    """What to change, and what is missing, for each twin."""
    from rich.text import Text

    from shared.cli.styled_text import safe_text

    if not answer.twins:
        yield safe_text(f"No ring of {answer.name} is a standing twin (standby in the policy).", "yellow")
    for twin in answer.twins:
        state = safe_text("complete", "green") if twin.complete else safe_text("not complete", "red")
        yield Text.assemble(safe_text(twin.ring, "bold"), "  ", state)
        yield safe_text(f"Point consumers to {twin.point_to}")
        for each in twin.instead_of:
            yield safe_text(f"  instead of {each}", "dim")
        yield safe_text(f"They get {twin.version or 'different versions'} in {', '.join(twin.regions)}.")
        for each in twin.missing:
            yield safe_text(f"missing: {each}", "red")


def latest_tables(answer: Latest) -> Iterator[RenderableType]:
    """One table for each image definition, and its warnings."""
    for each in answer.definitions:
        yield from _latest_table(each)


def _latest_table(answer: LatestTable) -> Iterator[RenderableType]:
    from rich.text import Text

    from shared.cli.output import new_table
    from shared.cli.styled_text import safe_text

    yield Text.assemble(safe_text(answer.gallery, "bold"), "  ", safe_text(answer.definition, "dim"))
    table = new_table("region", "ring", "ARM", "OS upgrades", "newest date", "highest number", "own flag")
    for row in answer.regions:
        cells = (row.scale_set_upgrades, row.newest_date, row.highest_number, row.own_flag)
        table.add_row(
            safe_text(row.region),
            safe_text(row.ring or ""),
            safe_text(row.arm or "none", "bold"),
            *(safe_text(cell or "none", "" if cell == row.arm else "yellow") for cell in cells),
        )
    yield table
    for warning in answer.warnings:
        yield safe_text(warning, "yellow")
