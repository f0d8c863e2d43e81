"""Output of the commands that change releases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from shared.cli.exit_codes import RequestFailed
from shared.cli.output import new_table
from shared.cli.responses import Identity, RevocationPlan, Taken
from shared.cli.styled_text import format_time, safe_text, status_text
from shared.domain.image import InvalidId, VersionId


def plan(answer: RevocationPlan, *, allow_empty: bool, at: datetime | None = None) -> Iterator[RenderableType]:
    """What a revocation does in every gallery and region, and where it would leave no version."""
    yield Text.assemble(safe_text(_name(answer.version), "bold"), "  ", status_text(answer.state or "no release"))
    if not answer.galleries:
        yield Text("It does not exist in any gallery of its policy.")
        return
    if not any(each.changes for each in answer.galleries):
        yield Text("It is visible to latest in no gallery of its policy.")
        return
    when = f" at {format_time(at)} UTC" if at else ""
    yield Text(f"Revoke{when}: exclude it from latest in every region.")
    table = new_table("gallery", "region", "latest now", "latest after")
    for each in answer.galleries:
        for region, latest in each.latest.items():
            after = safe_text(latest.after or "none", "" if latest.after or not latest.before else "red")
            table.add_row(safe_text(each.gallery), safe_text(region), safe_text(latest.before or "none"), after)
    yield table
    if answer.leaves_empty:
        where = ", ".join(answer.leaves_empty)
        yield safe_text(f"\nNo version would be latest in {where}: deployments of latest would fail there.", "red")
        if not (allow_empty or answer.allowed_to_leave_empty):
            yield Text("Without --allow-empty, the revocation waits there until another version is published.")


def taken(answer: Taken) -> Iterator[RenderableType]:
    """What was done, by whom, and the state of the release."""
    already = " (already taken with this request)" if answer.repeated else ""
    yield Text.assemble(
        safe_text(answer.release.name, "bold"),
        "  ",
        status_text(answer.release.state),
        safe_text(f"  {answer.action} by {answer.by} at {format_time(answer.at)} UTC{already}"),
    )
    yield safe_text(f"evidence: {answer.evidence}", "dim")


def identity(answer: Identity) -> Iterator[RenderableType]:
    """Who the user is, and the user's roles by definition."""
    count = "too many to list" if answer.groups_left_out else str(answer.groups)
    yield safe_text(answer.name or answer.id, "bold")
    yield safe_text(f"id {answer.id}, groups in the token: {count}", "dim")
    if not answer.roles:
        yield Text("You have no role. An administrator grants roles under access in the policy.")
        return
    table = new_table("definition", "roles")
    for name, roles in sorted(answer.roles.items()):
        table.add_row(safe_text(name), safe_text(", ".join(roles)))
    yield table


def _name(version: str) -> str:
    try:
        return VersionId.parse(version).short
    except InvalidId as error:
        raise RequestFailed(f"the response names no image version: {error}") from error
