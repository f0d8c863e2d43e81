"""The verdict on scan reports: what ``shared.domain.judgement`` answers, and what evidence and pages tell of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.delta import Delta
from shared.domain.findings import Finding
from shared.domain.policy import Severity
from shared.domain.scan_exceptions import UsedException


class ScanOutcome(StrEnum):
    """Pass and reject are verdicts on the version; refused is one on the report, and the release waits for another."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REJECT = "reject"
    REFUSED = "refused"


class Weight(StrEnum):
    """What a reason does to the verdict."""

    REFUSES = "refuses"
    REJECTS = "rejects"
    LIMITS = "rejects, unless the version only improves"
    TELLS = "tells"


@dataclass(frozen=True, slots=True)
class ScanReason:
    """One reason, with the findings behind it. ``code`` is for programs, ``text`` for people."""

    code: str
    text: str
    severity: Severity | None = None
    findings: tuple[Finding, ...] = ()
    weight: Weight = Weight.REJECTS


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """The judgement of one report, or of several together. ``counts`` is what was held against ``limits``."""

    outcome: ScanOutcome
    reasons: tuple[ScanReason, ...]
    counts: Mapping[Severity, int] = field(default_factory=dict[Severity, int])
    limits: Mapping[Severity, int] = field(default_factory=dict[Severity, int])
    excused: tuple[UsedException, ...] = ()
    expired: tuple[UsedException, ...] = ()
    remedies: tuple[str, ...] = ()
    """What would have to change, line by line; nothing when it passes."""
    findings: tuple[Finding, ...] = ()
    """Vulnerabilities found, each of a package once, before anything was left out. Worst first."""
    left_out: tuple[Finding, ...] = ()
    """Findings that the scanner left out and the policy trusts it to; they are not among ``findings``."""
    no_fix: tuple[Finding, ...] = ()
    """Findings that don't count because the policy counts only what can be fixed."""
    young: tuple[Finding, ...] = ()
    """Findings that don't count yet because their fix is younger than the policy's grace."""
    delta: Delta | None = None
    """What is new and what is gone, where there was something to compare with."""
    baseline: str = ""
    """What the version was compared with, for people."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The reasons for people, the worst first."""
        return tuple(reason.text for reason in self.reasons)

    @property
    def found(self) -> int:
        """How many vulnerabilities were found, before anything was left out."""
        return len(self.findings)

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """What a rejected version is rejected for, as the reasons have it: one finding may stand in several."""
        if self.outcome is not ScanOutcome.REJECT:
            return ()
        return tuple(each for reason in self.reasons if reason.weight is not Weight.TELLS for each in reason.findings)
