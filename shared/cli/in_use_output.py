"""The users of a version as text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from shared.cli.output import new_table
from shared.cli.styled_text import safe_text
from shared.domain.image import InvalidId, VersionId

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shared.cli.responses import InUse, User


def in_use(found: InUse) -> Iterator[RenderableType]:
    """Counts by kind, users and descendants by name, and what could not be looked at."""
    counts = ", ".join(f"{count} {kind}" for kind, count in found.counts.items())
    yield safe_text(f"In use by: {counts}" if counts else "No users found.", "bold")
    if found.users:
        table = new_table("kind", "name", "refers", "state", "where")
        for user in found.users:
            where = f"{user.subscription} {user.location}"
            table.add_row(*(safe_text(each) for each in (user.kind, user.name, _refers(user), _state(user), where)))
        yield table
    if found.users_left_out:
        yield safe_text(f"{found.users_left_out} further users are not named here.")
    if found.descendants:
        yield safe_text("Made from it:", "bold")
        table = new_table("generation", "kind", "name", "released by Ringmaster")
        for each in found.descendants:
            covered = "yes" if each.covered else "no"
            table.add_row(*(safe_text(text) for text in (str(each.generation), each.kind, _name(each.id), covered)))
        yield table
    if found.descendants_left_out:
        yield safe_text(f"{found.descendants_left_out} further descendants are not named here.")
    yield from _completeness(found)


def _completeness(found: InUse) -> Iterator[RenderableType]:
    if found.waived:
        yield safe_text(f"Not looked at, because the policy waives it: {', '.join(found.waived)}.", "yellow")
    if found.complete:
        yield Text("Every other list was read to its end.", "green" if not found.waived else "")
        return
    yield Text("Incomplete: there may be further users.", "red")
    for reason in found.incomplete:
        yield safe_text(f"  {reason}")


def _name(resource: str) -> str:
    """A version by gallery, definition and number; another resource by its name."""
    try:
        return VersionId.parse(resource).short
    except InvalidId:
        return resource.rpartition("/")[2]


def _refers(user: User) -> str:
    return f"{user.refers}, through {_name(user.via)}" if user.via else user.refers


def _state(user: User) -> str:
    instances = "" if user.instances is None else f"{user.instances} instances"
    seen = "Resource Graph only" if user.source != "list" else ""
    return ", ".join(each for each in (user.power or "", instances, seen) if each)
