"""The errors of commands, and their exit codes."""

from __future__ import annotations

from typing import Final

SUCCESS: Final = 0
POLICY_INVALID: Final = 1
INCOMPLETE: Final = 1
REQUEST_FAILED: Final = 2
RELEASE_NOT_FOUND: Final = 3
ACTION_REFUSED: Final = 4
VALIDATION: Final = {"pass": 0, "reject": 1}
"""By outcome of a validation; any other one exits as a request that failed."""


class CommandError(Exception):
    """A command failed. The message says what failed, where, and what to do."""

    exit_code: int = REQUEST_FAILED


class RequestFailed(CommandError):
    """The app could not be reached, or its response cannot be used."""


class ConnectionLost(RequestFailed):
    """The app could not be reached, or the connection ended. It may have received the request."""


class ActionRefused(CommandError):
    """The app refused the action, or the user did not confirm it."""

    exit_code = ACTION_REFUSED


class ReleaseNotFound(CommandError):
    """No release, or more than one release, matches."""

    exit_code = RELEASE_NOT_FOUND
