"""``ringmaster``: how releases stand, why, and sending again what has stalled, from a terminal.

It speaks to the app over HTTP alone, so it needs no right in Azure and no SDK; ``policy check`` needs no app either.
"""

from shared.cli.command_line import main

__all__ = ["main"]
