"""The commands that change releases, and ``whoami``.

Before a change, the user sees the state of the release, or the plan of a revocation, and confirms. ``--yes`` sends the
action without both, and without a request that needs the function key if the version is a resource id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from shared.cli.exit_codes import ActionRefused, RequestFailed
from shared.cli.session import Json, Version, client_of, console, print_body, resolve, session_of
from shared.domain.actions import REASON_NEEDED, ROLES, Action

if TYPE_CHECKING:
    from shared.cli.client import Client

_EFFECTS: Final[Mapping[Action, str]] = {
    Action.APPROVE: "Approve the ring that the release is in. It is published when no approval is missing and its "
    "publish window is open.",
    Action.REJECT: "Reject the version. The release ends; published rings stay published.",
    Action.HOLD: "Hold the release: no further ring is published until somebody resumes it. Tests and scans continue.",
    Action.RESUME: "Resume a release that somebody holds, or accept that the health of a ring failed or is unknown.",
    Action.SKIP_BAKE: "Skip the rest of the bake time of the ring that the release is in.",
    Action.RETRY: "Repeat the step for which a release was rejected, if the rejection says nothing against the image, "
    "or watch the health of a ring again that failed.",
    Action.RESEND: "Send the stalled commands of a release again. Run it after you fix the cause.",
    Action.REVOKE: "Revoke the version: exclude it from latest in every gallery and region of its policy.",
    Action.RESTORE: "Release a revoked or rejected version again. All gates are evaluated from the start.",
    Action.EMERGENCY: "Publish the ring that the release is in without the conditions that the policy lists under "
    "emergency.skip. No proof is skipped.",
    Action.ACKNOWLEDGE: "Acknowledge an emergency promotion, which removes its warning.",
}

Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", show_default=False, help="Why. The evidence includes it.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation. Required without a terminal.")]
RingName = Annotated[
    str | None,
    typer.Option(
        "--ring", metavar="RING", show_default=False, help="The ring you mean. Refused if the release is in another."
    ),
]


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a time, such as 2026-12-01T18:00Z") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Order:
    """An action as the user orders it."""

    action: Action
    version: str
    reason: str = ""
    ring: str | None = None
    at: datetime | None = None
    allow_empty: bool = False

    def body(self, version: str, **more: Any) -> dict[str, Any]:
        """The request's body, without fields that have their default value."""
        fields = {
            "action": self.action.value,
            "version": version,
            "reason": self.reason,
            "ring": self.ring,
            "at": self.at.isoformat() if self.at else None,
            "allowEmpty": self.allow_empty,
            **more,
        }
        return {name: value for name, value in fields.items() if value}


def register(app: typer.Typer) -> None:
    """Add the commands to the app."""
    own = {Action.APPROVE: _approve, Action.SKIP_BAKE: _skip_bake, Action.REVOKE: _revoke, Action.EMERGENCY: _promote}
    for action in Action:
        name = "promote" if action is Action.EMERGENCY else action.value
        usual = _command_with_reason if action in REASON_NEEDED else _command
        command = own.get(action) or usual(action)
        app.command(name, help=f"{_EFFECTS[action]} Needs the role {ROLES[action].value}.")(command)
    app.command("whoami")(_whoami)


def _command(action: Action) -> Callable[..., None]:
    def command(
        context: typer.Context, version: Version, reason: Reason = "", yes: Yes = False, as_json: Json = False
    ) -> None:
        _take(context, Order(action, version, reason), yes=yes, as_json=as_json)

    return command


def _command_with_reason(action: Action) -> Callable[..., None]:
    def command(
        context: typer.Context, version: Version, reason: Reason, yes: Yes = False, as_json: Json = False
    ) -> None:
        _take(context, Order(action, version, reason), yes=yes, as_json=as_json)

    return command


def _approve(
    context: typer.Context,
    version: Version,
    ring: RingName = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    _take(context, Order(Action.APPROVE, version, reason, ring), yes=yes, as_json=as_json)


def _skip_bake(
    context: typer.Context,
    version: Version,
    reason: Reason,
    ring: RingName = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    _take(context, Order(Action.SKIP_BAKE, version, reason, ring), yes=yes, as_json=as_json)


def _promote(
    context: typer.Context,
    version: Version,
    reason: Reason,
    emergency: Annotated[bool, typer.Option("--emergency", help="Required: a normal promotion needs no command.")],
    ring: RingName = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    _take(context, Order(Action.EMERGENCY, version, reason, ring), yes=yes, as_json=as_json)


def _revoke(
    context: typer.Context,
    version: Version,
    reason: Reason = "",
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            metavar="TIME",
            parser=_time,
            show_default=False,
            help="When to revoke, such as 2026-12-01T18:00Z; in UTC without an offset. Default: now.",
        ),
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Revoke also where latest would then resolve to no version.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the plan, and who uses the version. Needs the role reader.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    order = Order(Action.REVOKE, version, reason, at=at, allow_empty=allow_empty)
    if dry_run:
        _show_plan(context, order, as_json=as_json)
        return
    if not reason.strip():
        raise typer.BadParameter("a revocation needs a reason", param_hint="--reason")
    _take(context, order, yes=yes, as_json=as_json)


def _whoami(context: typer.Context, as_json: Json = False) -> None:
    """Show who you are for the app, and your roles for each image definition."""
    from shared.cli import action_output, output, responses

    body = client_of(context).whoami()
    if as_json:
        print_body(body)
    else:
        output.show(console(), action_output.identity(responses.decode(body, responses.Identity)))


def _show_plan(context: typer.Context, order: Order, *, as_json: bool) -> None:
    from shared.cli import action_output, in_use_output, output, responses

    client = client_of(context)
    body = client.look(order.body(resolve(client, order.version), dryRun=True, users=True))
    if as_json:
        print_body(body)
    else:
        plan = responses.decode(body, responses.RevocationPlan)
        output.show(console(), action_output.plan(plan, allow_empty=order.allow_empty))
        if plan.in_use is not None:
            output.show(console(), in_use_output.in_use(plan.in_use))
        if plan.descendants == "revoke":
            typer.echo("The policy revokes those that Ringmaster releases with it.")


def _take(context: typer.Context, order: Order, *, yes: bool, as_json: bool) -> None:
    """Show what the action does, ask, and take it. Raises CommandError."""
    from shared.cli import action_output, output, responses

    ask = session_of(context).ask
    if ask is None and not yes:
        raise RequestFailed("there is no terminal on which to confirm the action. Add --yes to take it without asking.")
    client = client_of(context)
    version = resolve(client, order.version)
    seen = None
    if ask is not None and not yes:
        seen = _preview(context, client, version, order)
        if not ask(f"{order.action.value}: continue?"):
            raise ActionRefused("not confirmed; nothing was changed.")
    body = client.act(order.body(version, incarnation=seen))
    if as_json:
        print_body(body)
    else:
        output.show(console(), action_output.taken(responses.decode(body, responses.Taken)))


def _preview(context: typer.Context, client: Client, version: str, order: Order) -> str | None:
    """Show the release, or the plan of a revocation. Returns the incarnation that the user saw, if it is known."""
    from shared.cli import action_output, output, responses

    shown = console(stderr=True)
    if order.action is Action.REVOKE:
        plan = responses.decode(client.act(order.body(version, dryRun=True)), responses.RevocationPlan)
        output.show(shown, action_output.plan(plan, allow_empty=order.allow_empty, at=order.at))
        return None
    found = responses.decode(client.release(version), responses.Explanation)
    output.show(shown, output.standing(found, session_of(context).now))
    typer.echo(_EFFECTS[order.action], err=True)
    return found.incarnation
