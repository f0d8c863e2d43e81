"""What validation finds: an error rejects the version or waits for the policy, a warning is for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FindingSeverity(StrEnum):
    """An error rejects the version; a warning is for people to read."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class ValidationFinding:
    """Something that is not as it should be. ``code`` is for programs, ``text`` says what and what to do."""

    code: str
    severity: FindingSeverity
    text: str


def error(code: str, text: str) -> ValidationFinding:
    """A finding that rejects the version."""
    return ValidationFinding(code, FindingSeverity.ERROR, text)


def warning(code: str, text: str) -> ValidationFinding:
    """A finding that lets the version pass."""
    return ValidationFinding(code, FindingSeverity.WARNING, text)
