"""``ringmaster``: how releases stand, why, and sending again what has stalled, from a terminal.

It speaks to the app over HTTP alone, so it needs no right in Azure and no SDK; ``policy check`` needs no app either.
"""

import sys


def main() -> None:
    """The console script. It is installed with or without the extra ``cli``."""
    try:
        from shared.cli.app import main as run
    except ModuleNotFoundError as missing:
        if missing.name != "typer":
            raise
        sys.exit("ringmaster: typer is missing; install the extra `cli` of this project: pip install 'ringmaster[cli]'")
    run()


__all__ = ["main"]
