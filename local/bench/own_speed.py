"""A release at Azure's real speed, on a virtual clock: `end_to_end` without the distortion of a faster simulator.

On the local stack, Azure runs many times faster than in reality, but queues, host and CPU do not, so a tenth of a
second counts as several seconds. Here, the same stages run with the memory adapters and durations from the same ranges
as the simulator's. A queue hides messages for whole seconds, the host polls at intervals up to ``maxPollingInterval``,
and every call of a port takes time.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, Final

from local.arm.galleries.replication import AWAY_SECONDS
from local.bench.figures import Figure, MeasurementFailed
from local.bench.least_time import RingTime, least_time
from local.bench.memory_run import BEGIN, HOME, definition_policy, run
from local.simulation.calls import Call, Injection
from shared.adapters.memory.characters import CLEAN, Character
from shared.adapters.memory.galleries import Replication
from shared.domain.image import VersionId
from shared.domain.policy import Ahead, Ring
from shared.ports import MachineSpec

RUNS: Final = 20
BOUND: Final = 0.6
POLLING: Final = 2.0
"""``maxPollingInterval`` of host.json in seconds."""
RESTART: Final = 30.0
"""Seconds until the platform has restarted a machine, as in the simulator."""
CALL: Final = (0.05, 0.3)
"""The range of the duration of a call of ARM or storage, in seconds."""


@dataclass(slots=True)
class DurationModel:
    """Chooses the durations of one release at random, and records them by location."""

    random: Random
    boots: dict[tuple[str, str], list[timedelta]] = field(default_factory=dict)
    replicas: dict[str, timedelta] = field(default_factory=dict)

    def cast(self, spec: MachineSpec, _: int) -> Character:
        """A machine: its creation takes 40 to 90 s, the agent 20 to 60 s more, and the probe 4 to 12 s.

        A restart takes 30 s, and its agent 20 to 45 s more.
        """
        provisioned = self.random.uniform(40, 90)
        agent = provisioned + self.random.uniform(20, 60)
        probe = self.random.uniform(4, 12)
        back = RESTART + self.random.uniform(20, 45)
        took = timedelta(seconds=agent + back + 2 * probe) + CLEAN.deletion_takes
        self.boots.setdefault((spec.image.definition.gallery.name, spec.region), []).append(took)
        return replace(
            CLEAN,
            provisioned_after=timedelta(seconds=provisioned),
            agent_after=timedelta(seconds=agent),
            probe_takes=timedelta(seconds=probe),
            restart_takes=timedelta(seconds=RESTART),
            back_after=timedelta(seconds=back),
        )

    def replicate(self, _: VersionId, region: str, __: int) -> Replication:
        """The replication of a region, in the simulator's range. A copy's home region is not a region of its ring."""
        if region == HOME:
            return Replication(timedelta(seconds=AWAY_SECONDS[0]))
        takes = timedelta(seconds=self.random.uniform(*AWAY_SECONDS))
        self.replicas[region] = takes
        return Replication(takes)

    def delay(self, call: Call) -> Injection:
        """The duration of a call. A message first waits for the host's next poll."""
        if call.name == "queues.open":
            return Injection(delay_before=timedelta(seconds=self.random.uniform(0, POLLING)))
        return Injection(delay_after=timedelta(seconds=self.random.uniform(*CALL)))

    def critical_path(self, ahead: Ahead) -> float:
        """The time that Azure itself needs, in seconds."""
        policy = definition_policy("image-0")
        smoke_test = self.boots[policy.source.gallery.name, HOME].pop(0).total_seconds()
        rings = [self._ring(ring) for ring in policy.rings]
        return least_time(smoke_test, rings, ahead)[policy.rings[-1].name].published

    def _ring(self, ring: Ring) -> RingTime:
        gallery = ring.definition.gallery.name
        replicas = max(self.replicas[region] for region in ring.region_names if region != HOME)
        test = max(took for region in ring.region_names for took in self.boots[gallery, region])
        return RingTime(ring.name, gallery, replicas.total_seconds(), test.total_seconds())


def at_own_speed(runs: int = RUNS, *, ahead: Ahead = Ahead.NEXT) -> Mapping[str, Any]:
    """The ratio over several releases, and its parts in seconds. Raises MeasurementFailed for a ratio under 1."""
    ratios, measured, least = [], [], []
    for seed in range(runs):
        dice = DurationModel(Random(seed))
        found = run(1, injector=dice.delay, replication=dice.replicate, casting=dice.cast, parallel=16, ahead=ahead)
        path = dice.critical_path(ahead)
        took = (found.releases[0].published[-1].at - BEGIN).total_seconds()
        if took < path:
            raise MeasurementFailed(f"seed {seed} took {took:.1f} s, and its critical path {path:.1f} s")
        ratios.append(took / path)
        measured.append(took)
        least.append(path)
    return {
        "releases": runs,
        "ratio": sum(measured) / sum(least),
        "worst_ratio": max(ratios),
        "median_seconds": statistics.median(measured),
        "median_critical_path_seconds": statistics.median(least),
        "host_polls_every_seconds": POLLING,
        "a_call_takes_seconds": list(CALL),
    }


def rings_ahead() -> Figure:
    """`ahead`: the time of a release with every ring filled at once, divided by that with one ring after the other."""
    found = {ahead.value: at_own_speed(ahead=ahead) for ahead in Ahead}
    seconds = {mode: each["median_seconds"] for mode, each in found.items()}
    return Figure(
        value=seconds["all"] / seconds["none"],
        relation="<=",
        bound=BOUND,
        unit="ratio",
        parts=found,
        notes=(
            "the same releases on a virtual clock, with each value of the policy's `ahead`; medians are compared",
            "without bake times and approvals, `next` fills only the ring in another gallery ahead",
        ),
    )
