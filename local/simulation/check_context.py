"""What the checks of the laws share: the cloud, the truth, what was seen so far, and where violations are reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from local.simulation.calls import Invocation
from local.simulation.cloud import Cloud
from local.simulation.ground_truth import GroundTruth
from local.simulation.laws import Law, Violation
from local.simulation.proof import Proof
from local.simulation.scheduler import Scheduler
from shared.domain.image import VersionId
from shared.domain.release import Release


@dataclass(slots=True)
class InvocationMemory:
    """What is known of an invocation under way."""

    read_at: dict[VersionId, int] = field(default_factory=dict)
    """At which call it last read a version."""
    visible_at_read: dict[VersionId, frozenset[str]] = field(default_factory=dict)
    """Where a version was visible when it last read it."""
    has_lease: bool = False
    """Whether it holds the lease on an image definition."""
    row: Release | None = None
    """The row of its release, as it read it while it held a lease."""
    seen_visible: set[tuple[VersionId, str]] = field(default_factory=set)
    """Versions that it saw visible, with the region."""
    has_written: bool = False
    is_stale: bool = False
    """Whether the row that it read does not wait for its command."""


@dataclass(slots=True)
class CheckContext:
    """One run, as its checks see it."""

    cloud: Cloud
    scheduler: Scheduler
    truth: GroundTruth
    on_violation: Callable[[Violation], None]
    proof: Proof = field(default_factory=Proof)
    rows: dict[VersionId, Release] = field(default_factory=dict)
    """Every row of the ledger as it was written last."""
    calls: int = 0
    """How many calls have taken effect."""

    def broken(self, law: Law, text: str, invocation: Invocation | None) -> None:
        """Report a violation."""
        self.on_violation(Violation(law, text, self.scheduler.now, invocation))
