"""What a rule of validation is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RuleSeverity(StrEnum):
    """What a finding of a rule does: ERROR rejects the version, WARN is shown to people, OFF is not looked at."""

    ERROR = "error"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule, with what people need to know of it."""

    id: str
    severity: RuleSeverity = RuleSeverity.ERROR
    """The severity where the policy sets none."""
    proves: str
    """What holds of a version without a finding."""
    cause: str
    """The usual cause of a finding."""
    cure: str
    source: str
    """Where the fact about the platform is documented."""
    needs: str = ""
    """The policy key without which the rule is not applied."""
    locked: str = ""
    """Why the policy can neither change its severity nor waive it; empty where it can."""
