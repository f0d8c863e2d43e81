"""The ``ringmaster`` command: the state of releases and its reasons, and retries of stalled commands.

It uses only the app's HTTP API, so it needs no permissions in Azure and no Azure SDK. ``policy check`` and ``scan``
need no app.
"""

from shared.cli.command_line import main

__all__ = ["main"]
