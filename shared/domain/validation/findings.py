"""What validation finds: an error rejects the version or waits for the policy, a warning is for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.domain.validation.rules import RULES, RuleSeverity


class FindingSeverity(StrEnum):
    """An error rejects the version; a warning is for people to read, and so is a finding that somebody waived."""

    ERROR = "error"
    WARNING = "warning"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class ValidationFinding:
    """Something that is not as it should be. ``code`` is the id of its rule, ``text`` says what and what to do."""

    code: str
    severity: FindingSeverity
    text: str


def error(code: str, text: str) -> ValidationFinding:
    """A finding that rejects the version, unless the policy says otherwise. Raises KeyError for an unknown rule."""
    return _of(code, FindingSeverity.ERROR, text)


def warning(code: str, text: str) -> ValidationFinding:
    """A finding that lets the version pass, unless the policy says otherwise. Raises KeyError for an unknown rule."""
    return _of(code, FindingSeverity.WARNING, text)


def finding(code: str, text: str) -> ValidationFinding:
    """A finding of the severity that its rule has. Raises KeyError for an unknown rule."""
    return error(code, text) if RULES[code].severity is RuleSeverity.ERROR else warning(code, text)


def _of(code: str, severity: FindingSeverity, text: str) -> ValidationFinding:
    return ValidationFinding(RULES[code].id, severity, text)
