"""The two instances of the app that a run has: they share queues and storage, and neither clock nor deployment.

Every function runs on one of them. Their clocks are up to 90 seconds apart, as far as the laws allow. When a policy is
deployed, one of them may run with the former policy for a while.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

from shared.domain.policy import Policy

LONGEST_ROLLOUT: Final = timedelta(minutes=40)
"""How long an instance may run with the former policy."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance: the error of its clock, and its policy where that is not the deployed one."""

    clock_error: timedelta = timedelta(0)
    policy: Policy | None = None


ONLY_INSTANCE: Final = Instance()


@dataclass(slots=True)
class Instances:
    """Two instances. ``skew`` is how far the clock of the first is ahead of the other's."""

    rng: Random
    """Draws on which instance a function runs."""
    rollouts: Random
    """Draws how long a new policy takes to reach the second instance."""
    skew: timedelta
    former: Policy | None = None
    """What the second instance still runs with."""

    def next(self) -> Instance:
        """The instance that the next function runs on."""
        is_second = self.rng.uniform(-1, 1) < 0
        return Instance(-self.skew / 2, self.former) if is_second else Instance(self.skew / 2)

    def deploy(self, former: Policy) -> timedelta:
        """A new policy is deployed. Returns how long the second instance runs with the former one."""
        rollout = LONGEST_ROLLOUT * self.rollouts.random() if self.rollouts.random() < 0.5 else timedelta(0)
        self.former = former if rollout else None
        return rollout

    def roll_out(self) -> None:
        """The second instance runs with the new policy, too."""
        self.former = None
