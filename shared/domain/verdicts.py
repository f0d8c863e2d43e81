"""The verdict on scan reports: what ``shared.domain.judgement`` returns, and what evidence and pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.delta import Delta
from shared.domain.findings import Finding
from shared.domain.policy import Severity
from shared.domain.scan_exceptions import MatchedException


class ScanOutcome(StrEnum):
    """PASS and REJECT are verdicts on the version. REFUSED is on the reports: the release waits for another one."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    REJECT = "reject"
    REFUSED = "refused"


class Effect(StrEnum):
    """The effect of a reason on the verdict. The values are part of evidence."""

    REFUSES = "refuses"
    REJECTS = "rejects"
    REJECTS_UNLESS_IMPROVED = "rejects, unless the version only improves"
    INFORMS = "tells"


@dataclass(frozen=True, slots=True)
class ScanReason:
    """One reason of a verdict, with the findings that it is based on. ``code`` is for programs, ``text`` for people."""

    code: str
    text: str
    severity: Severity | None = None
    findings: tuple[Finding, ...] = ()
    effect: Effect = Effect.REJECTS


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """The verdict on one report, or on several together. ``counts`` are the findings that ``limits`` apply to."""

    outcome: ScanOutcome
    reasons: tuple[ScanReason, ...]
    counts: Mapping[Severity, int] = field(default_factory=dict[Severity, int])
    limits: Mapping[Severity, int] = field(default_factory=dict[Severity, int])
    excepted: tuple[MatchedException, ...] = ()
    expired: tuple[MatchedException, ...] = ()
    remediation: tuple[str, ...] = ()
    """What to change so that the version passes, line by line; empty when it passes."""
    findings: tuple[Finding, ...] = ()
    """All findings, each vulnerability of a package once. Highest severity first."""
    suppressed: tuple[Finding, ...] = ()
    """Findings that the scanner suppressed, if the policy trusts suppressions. They are not among ``findings``."""
    no_fix: tuple[Finding, ...] = ()
    """Findings that do not count because they have no fix and the policy counts only what can be fixed."""
    in_grace_period: tuple[Finding, ...] = ()
    """Findings that do not count yet because their fix is more recent than the policy's grace period."""
    delta: Delta | None = None
    """New and resolved findings, or None without a baseline."""
    baseline: str = ""
    """What the version was compared with, as text; empty without a baseline."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the reasons, in order."""
        return tuple(reason.text for reason in self.reasons)

    @property
    def found(self) -> int:
        """The number of findings."""
        return len(self.findings)

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that a version is rejected for, in the order of the reasons. One can be in several reasons."""
        if self.outcome is not ScanOutcome.REJECT:
            return ()
        return tuple(each for reason in self.reasons if reason.effect is not Effect.INFORMS for each in reason.findings)
