"""Why a command could not do its work, with the exit code that scripts see."""

from __future__ import annotations

from typing import Final

SUCCESS: Final = 0
POLICY_INVALID: Final = 1
REQUEST_FAILED: Final = 2
RELEASE_NOT_FOUND: Final = 3


class CommandError(Exception):
    """What failed, where, and what to do about it, for people."""

    exit_code: int = REQUEST_FAILED


class RequestFailed(CommandError):
    """The app could not be asked, or did not give an answer that can be used."""


class ReleaseNotFound(CommandError):
    """No release is meant, or more than one."""

    exit_code = RELEASE_NOT_FOUND
