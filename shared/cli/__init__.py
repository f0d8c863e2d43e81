"""The ``ringmaster`` command: the state of releases and its reasons, and what people do to them.

It uses only the app's HTTP API, so it needs no permissions in Azure and no Azure SDK. ``policy check`` and ``scan``
need no app.
"""

import sys


def main() -> None:
    """The console script. It is installed with or without the extra ``cli``."""
    try:
        from shared.cli.command_line import main as run
    except ModuleNotFoundError as missing:
        if missing.name != "typer":
            raise
        sys.exit("ringmaster: typer is missing; install the extra `cli` of this project: pip install 'ringmaster[cli]'")
    run()


__all__ = ["main"]
