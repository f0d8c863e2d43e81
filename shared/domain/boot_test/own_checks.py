"""What a policy adds to the probe: checks of its own, and the limits of a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from shared.domain.boot_test.probe_check import CheckSeverity

OWN_PREFIX = "own:"
"""Before the ids of a policy's checks, so that they never have the id of another check."""


@dataclass(frozen=True, slots=True)
class CommandCheck:
    """A command or a script, and what it must answer."""

    text: str
    exit_code: int = 0
    matches: str = ""
    """An extended regular expression for a line of its output."""
    timeout: timedelta = timedelta(seconds=30)
    interpreter: str = "sh"
    """On Linux: ``sh``, ``bash`` or ``python3``, which take a program after ``-c``. On Windows it is PowerShell."""


@dataclass(frozen=True, slots=True)
class FileCheck:
    """A file or directory, and what it must be. An empty text stands for anything."""

    path: str
    exists: bool = True
    mode: str = ""
    """Octal, without a leading zero."""
    owner: str = ""
    matches: str = ""


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """A service, and in which state it must be. None stands for either."""

    name: str
    running: bool | None = None
    enabled: bool | None = None


class Protocol(StrEnum):
    """Of a port."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class PortCheck:
    """A port, and whether a service takes connections of other machines there."""

    number: int
    protocol: Protocol = Protocol.TCP
    listening: bool = True


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """One check of the policy."""

    id: str
    expect: CommandCheck | FileCheck | ServiceCheck | PortCheck
    severity: CheckSeverity = CheckSeverity.ERROR
    remedy: str = ""
    script: str = ""
    """The script's file beside the policy, for people. Its text is in ``expect``."""


@dataclass(frozen=True, slots=True)
class BaselineRules:
    """Limits of a baseline scan whose result is in the image."""

    path: str
    max_failed: int = 0
    """Rules that failed, or could not be evaluated."""
    required: tuple[str, ...] = ()
    """Rules that must have passed."""
