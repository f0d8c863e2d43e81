"""Why a command could not do its work, with the exit code that scripts see."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAULTS_FOUND: Final = 1
NO_ANSWER: Final = 2
NO_SUCH_RELEASE: Final = 3


class CommandFault(Exception):
    """What failed, where, and what to do about it, for people."""

    exit_code: int = NO_ANSWER


class NoAnswer(CommandFault):
    """The app could not be asked, or did not give an answer that can be used."""


class NoSuchRelease(CommandFault):
    """No release is meant, or more than one."""

    exit_code = NO_SUCH_RELEASE
