"""Commands about an image definition of the policy, which only read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from shared.cli.session import Json, client_of, console, print_body

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shared.cli.responses import Latest, LatestTable

Definition = Annotated[
    str,
    typer.Argument(
        metavar="DEFINITION", show_default=False, help="Name of a definition in the policy, or its resource id."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    app.command("latest")(latest)


def latest(context: typer.Context, definition: Definition, as_json: Json = False) -> None:
    """Show what each kind of consumer gets as the latest version, by region, and where they differ."""
    from shared.cli import output, responses

    body = client_of(context).latest(definition)
    if as_json:
        print_body(body)
    else:
        output.show(console(), latest_tables(responses.decode(body, responses.Latest)))


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
