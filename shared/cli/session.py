"""What every command uses: the environment, the app's client, and output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from shared.cli.client import Client

Json = Annotated[bool, typer.Option("--json", help="Print the app's JSON response.")]
Version = Annotated[
    str,
    typer.Argument(
        metavar="VERSION",
        show_default=False,
        help="Resource id of an image version (case-insensitive), or a name that matches one release: "
        "gallery/definition/1.2.3, definition/1.2.3 or 1.2.3.",
    ),
]


def _ask_on_terminal() -> Callable[[str], bool] | None:
    return partial(typer.confirm, err=True) if sys.stdin.isatty() else None


@dataclass(frozen=True, slots=True)
class Session:
    """The environment of a command: variables, working directory, time, and the person at the terminal."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    directory: Path = field(default_factory=Path.cwd)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    ask: Callable[[str], bool] | None = field(default_factory=_ask_on_terminal)
    """Asks a question with the answers yes and no. None if there is no terminal."""


def session_of(context: typer.Context) -> Session:
    """The session of a command."""
    session = context.find_object(Session)
    assert session is not None, "run() gives every command a session"
    return session


def client_of(context: typer.Context) -> Client:
    """The client of the app that the session names. Raises RequestFailed."""
    from shared.cli.client import Client
    from shared.cli.target import find_target

    session = session_of(context)
    return Client(find_target(session.environ, session.directory))


def resolve(client: Client, version: str) -> str:
    """The resource id of a version. A short name is searched among the releases. Raises CommandError."""
    from shared.cli import release_names, responses

    full = release_names.full_id(version)
    if full is not None:
        return full
    known = responses.decode(client.overview(), responses.Overview)
    return release_names.resolve(version, known.releases)


def console(*, stderr: bool = False) -> Console:
    """The terminal for styled output."""
    from rich.console import Console

    # A pipe has no width. Use a wide one, so that lines are not wrapped.
    stream = sys.stderr if stderr else sys.stdout
    return Console(highlight=False, stderr=stderr, width=None if stream.isatty() else 200)


def print_body(body: bytes) -> None:
    """Print the app's response as it is."""
    sys.stdout.write(body.decode("utf-8", "replace").rstrip("\n") + "\n")
