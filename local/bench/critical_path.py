"""`end_to_end`: the time from the version's readiness to its publication in the last ring, divided by the time that
Azure itself needs.

The critical path is the shortest possible time of the release with the durations that Azure's operations had in this
run; ``least_time`` says what it consists of, and how it depends on the policy's ``ahead``.

* Boot test: from the request until the agent's first report, then the run command, the restart until the agent's next
  report, the run command again, then the deletion.
* Replicas of a ring: from the write until its last region is complete. The regions of a copy wait for the copy's home
  region.
* The scan runs in parallel with the smoke test and is complete before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from local.arm.machines.characters import named
from local.arm.machines.characters.timeline import first_boot, next_boot
from local.bench.figures import Figure, MeasurementFailed
from local.bench.least_time import RingEnds, RingTime, least_time
from local.bench.own_speed import at_own_speed
from local.bench.release_run import COPIED, COPY, RINGS, STORY, ReleaseRun
from shared.domain.policy import Ahead

BOUND: Final = 1.05
CLOSE: Final = 0.001
"""Real seconds by which two records of the same moment may differ."""
_MACHINES: Final = "/providers/microsoft.compute/virtualmachines/"

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Boot:
    """The durations of one boot test, in simulated seconds."""

    region: str
    begun_at: float
    ready: float
    probes: float
    reboot: float
    deletion: float

    @property
    def seconds(self) -> float:
        """The sum of the durations."""
        return self.ready + self.probes + self.reboot + self.deletion


def end_to_end(release_run: ReleaseRun) -> Figure:
    """The figure for one release run."""
    path = critical_path(release_run)
    measured = (publications(release_run)[list(RINGS)[-1]] - ready_at(release_run)) * release_run.speed
    least = path[list(RINGS)[-1]].published
    return Figure(
        value=at_least_one(measured / least),
        relation="<=",
        bound=BOUND,
        unit="ratio",
        parts={
            "azure_seconds": measured,
            "critical_path_azure_seconds": least,
            "critical_path": {ring: asdict(ends) for ring, ends in path.items()},
            "ahead": release_run.ahead,
            "stages_azure_seconds": stages(release_run),
            "speed": release_run.speed,
            "real_seconds_lost": (measured - least) / release_run.speed,
            "with_the_build_of_the_version": _with_build(release_run, measured, least),
            "at_azures_own_speed": at_own_speed(ahead=release_run.ahead),
        },
        notes=(
            "three rings with two regions each and no bake times, which would move the ratio toward 1",
            "queue delays are whole real seconds; each is `speed` simulated seconds",
            "at_azures_own_speed is the same release on a virtual clock, without this effect; see own_speed.py",
        ),
    )


def at_least_one(ratio: float) -> float:
    """The ratio. Raises MeasurementFailed for one under 1: the critical path then counts something twice."""
    if ratio < 1:
        raise MeasurementFailed(f"the release took {ratio:.3f} of its critical path, which is no least time then")
    return ratio


def critical_path(release_run: ReleaseRun) -> dict[str, RingEnds]:
    """When every ring could have been replicated, tested and published, in simulated seconds after readiness."""
    boots = boot_tests(release_run)
    first = boots[0].seconds
    left = list(boots[1:])
    rings: list[RingTime] = []
    for ring, regions in RINGS.items():
        own = [boot for boot in left if boot.region in regions][: len(regions)]
        if sorted(boot.region for boot in own) != sorted(regions):
            raise MeasurementFailed(
                f"ring {ring} has boot tests in {[boot.region for boot in own]}, not one in each region"
            )
        left = [boot for boot in left if boot not in own]
        slowest = max(boot.seconds for boot in own)
        rings.append(RingTime(ring, version_of(ring), _replicas(release_run, ring, regions), slowest))
    if left:
        raise MeasurementFailed(f"a boot test was repeated: {left}; repeat the measurement")
    return least_time(first, rings, Ahead(release_run.ahead))


def _replicas(release_run: ReleaseRun, ring: str, regions: Sequence[str]) -> float:
    """How long the ring's new replicas took; 0 where the version was built in all of its regions."""
    replicas = [release_run.regions[version_of(ring)][region] for region in regions]
    new = [each for each in replicas if each["begun_at"] > ready_at(release_run)]
    begun = min((each["begun_at"] for each in new), default=0.0)
    return (max((each["done_at"] for each in new), default=begun) - begun) * release_run.speed


def version_of(ring: str) -> str:
    """The id, in lowercase, of the version that a ring's replicas are of."""
    return (COPY if ring == COPIED else STORY.id).lower()


def ready_at(release_run: ReleaseRun) -> float:
    """When the operation that created the version ended. Validation cannot start before."""
    written = [one for one in release_run.operations if one["resource_id"].lower() == STORY.id.lower()]
    return min(one["ended_at"] for one in written)


def _with_build(release_run: ReleaseRun, measured: float, least: float) -> float:
    begun = min(one["begun_at"] for one in release_run.operations if one["resource_id"].lower() == STORY.id.lower())
    build = (ready_at(release_run) - begun) * release_run.speed
    return (measured + build) / (least + build)


def publications(release_run: ReleaseRun) -> dict[str, float]:
    """When each ring was published: when its publishing write began, as flags take effect immediately."""
    found: dict[str, float] = {}
    for version in dict.fromkeys(map(version_of, RINGS)):
        rings = [ring for ring in RINGS if version_of(ring) == version]
        writes = sorted(one["begun_at"] for one in _plain_writes(release_run, version))
        if len(writes) != len(rings):
            raise MeasurementFailed(
                f"{len(writes)} writes of {version} replicate nothing, for {len(rings)} publications; repeat the "
                "measurement"
            )
        found |= dict(zip(rings, writes, strict=True))
    return {ring: found[ring] for ring in RINGS}


def _plain_writes(release_run: ReleaseRun, version: str) -> list[Row]:
    """The writes of a version that replicated to no region. What created it always did."""
    begun = [each["begun_at"] for each in release_run.regions[version].values()]
    writes = [one for one in release_run.operations if one["resource_id"].lower() == version]
    return [
        one
        for one in writes
        if not any(one["begun_at"] - CLOSE <= at < one["ended_at"] for at in begun)
        and one["begun_at"] > ready_at(release_run) - CLOSE
    ]


def boot_tests(release_run: ReleaseRun) -> list[Boot]:
    """All boot tests of the run, by start time."""
    machines: dict[str, list[Row]] = {}
    for one in release_run.operations:
        path = one["resource_id"].lower()
        if _MACHINES in path:
            name = path.split(_MACHINES)[1].split("/")[0]
            machines.setdefault(name, []).append(one)
    found = [_boot(release_run, name, rows) for name, rows in machines.items()]
    return sorted(found, key=lambda boot: boot.begun_at)


def _boot(release_run: ReleaseRun, name: str, rows: Sequence[Row]) -> Boot:
    kinds = {kind: [row for row in rows if row["done"] == kind] for kind in _KINDS}
    counts = {kind: len(each) for kind, each in kinds.items()}
    if counts != _KINDS:
        raise MeasurementFailed(f"machine {name} had {counts} operations, not {_KINDS}; repeat the measurement")
    (made,), probed, (restarted,), (deleted,) = kinds.values()
    # The simulator derives a machine's times from its id, so they can be computed after the machine is deleted.
    seed = f"{release_run.seed} {made['resource_id'].lower()}"
    line = first_boot(named(STORY.character), made["begun_at"], release_run.speed, seed)
    if line.agent_ready is None or abs(line.provisioned - made["done_at"]) > 0.01:
        raise MeasurementFailed(f"the times of machine {name} cannot be computed from the simulator's seed")
    again = next_boot(named(STORY.character), restarted["done_at"], release_run.speed, f"{seed} 1")
    assert again.agent_ready is not None
    return Boot(
        region=made["location"],
        begun_at=made["begun_at"],
        ready=(line.agent_ready - made["begun_at"]) * release_run.speed,
        probes=sum(each["ended_at"] - each["begun_at"] for each in probed) * release_run.speed,
        reboot=(again.agent_ready - restarted["begun_at"]) * release_run.speed,
        deletion=(deleted["ended_at"] - deleted["begun_at"]) * release_run.speed,
    )


_KINDS: Final = {"machine.created": 1, "run_command.written": 2, "machine.power": 1, "machine.deleted": 1}
"""The operations of a boot test, and how often each comes."""


def stages(release_run: ReleaseRun) -> dict[str, float]:
    """The duration of each stage, in simulated seconds, for comparison with the parts of the critical path."""
    found, before = {}, ready_at(release_run)
    for line in release_run.release["history"]:
        if (what := _STAGES.get(line["text"].split(":")[0])) is not None:
            at = datetime.fromisoformat(line["at"]).timestamp()
            found[f"{len(found) + 1}. {what}"] = (at - before) * release_run.speed
            before = at
    return found


_STAGES: Final = {
    "validated": "validated",
    "scan and smoke test passed": "qualified",
    "replicated": "replicated",
    "every region of the ring tested": "tested",
    "baked": "baked",
    "ring published": "published",
    "last ring published": "published",
}
