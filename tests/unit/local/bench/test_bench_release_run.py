"""What is computed from the records of one release."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from local.arm.machines.characters import named
from local.arm.machines.characters.timeline import first_boot, next_boot
from local.bench import arm_calls, critical_path
from local.bench.figures import MeasurementFailed
from local.bench.least_time import UPDATE, RingTime, least_time
from local.bench.release_run import COPY, RINGS, STORY, ReleaseRun
from shared.domain.policy import Ahead

SPEED = 10.0
GROUP = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines"
PROBE, DELETION, RESTART, REPLICAS, WRITE, HOP = 1.0, 0.5, 2.0, 40.0, 3.0, 0.0001
"""Real seconds. A hop knows the time of its beginning, a moment before its write."""


def operation(resource: str, done: str, begun: float, seconds: float, location: str = "westeurope") -> dict[str, Any]:
    ends = begun + seconds
    return {
        "resource_id": resource,
        "done": done,
        "location": location,
        "begun_at": begun,
        "done_at": ends,
        "ended_at": ends,
    }


def boot(name: str, region: str, at: float) -> tuple[list[dict[str, Any]], float]:
    """The operations of a boot test without a moment lost, and when it ends."""
    machine = f"{GROUP}/{name}"
    line = first_boot(named("clean"), at, SPEED, f"1 {machine.lower()}")
    assert line.agent_ready is not None
    probed = line.agent_ready + PROBE
    again = next_boot(named("clean"), probed + RESTART, SPEED, f"1 {machine.lower()} 1")
    assert again.agent_ready is not None
    ends = again.agent_ready + PROBE
    rows = [
        operation(machine, "machine.created", at, line.provisioned - at, region),
        operation(f"{machine}/runCommands/probe", "run_command.written", line.agent_ready, PROBE, region),
        operation(machine, "machine.power", probed, RESTART, region),
        operation(f"{machine}/runCommands/again", "run_command.written", again.agent_ready, PROBE, region),
        operation(machine, "machine.deleted", ends, DELETION, region),
    ]
    return rows, ends + DELETION


def perfect() -> ReleaseRun:
    """A release in which nobody ever waited for anything but Azure."""
    rows = [operation(STORY.id, "version.written", 1000.0, 10.0)]
    now, regions, gates = 1010.0, {STORY.id.lower(): {}, COPY.lower(): {}}, []
    made, now = boot("rm-smoke", "westeurope", now)
    rows += made
    for ring, names in RINGS.items():
        if ring == "early":
            now += WRITE  # the version is busy with the publishing write of the ring before
        where = regions[(COPY if ring == "production" else STORY.id).lower()]
        where |= {name: {"begun_at": now, "done_at": now + REPLICAS} for name in names}
        rows.append(operation(COPY if ring == "production" else STORY.id, "version.written", now, REPLICAS))
        now += REPLICAS
        ends = []
        for name in names:
            made, end = boot(f"rm-{name}", name, now)
            rows += made
            ends.append(end)
        now = max(ends)
        rows.append(operation(COPY if ring == "production" else STORY.id, "version.written", now, WRITE))
        seen = datetime.fromtimestamp(now - HOP, UTC).isoformat()
        gates.append({"gate": "publication", "ring": ring, "at": seen})
    return ReleaseRun(SPEED, 1, {"gates": gates, "history": []}, rows, regions, [], Ahead.NONE)


def test_a_release_that_only_waits_for_azure_takes_its_critical_path() -> None:
    assert critical_path.end_to_end(perfect()).value == pytest.approx(1.0, abs=1e-5)


def test_a_publishing_write_is_told_from_the_replication_before_it() -> None:
    release_run = perfect()
    seen = [datetime.fromisoformat(gate["at"]).timestamp() for gate in release_run.release["gates"]]
    found = critical_path.publications(release_run)
    assert list(found.values()) == pytest.approx([at + HOP for at in seen], abs=1e-5)


def test_less_than_the_critical_path_is_no_figure() -> None:
    with pytest.raises(MeasurementFailed, match="no least time"):
        critical_path.at_least_one(0.88)


def test_a_publication_without_a_write_of_its_own_is_not_measured() -> None:
    release_run = perfect()
    with pytest.raises(MeasurementFailed, match="replicate nothing"):
        critical_path.publications(replace(release_run, operations=release_run.operations[:-1]))


THREE = [RingTime("a", "v", 600, 100), RingTime("b", "v", 500, 100), RingTime("c", "copy", 1000, 100)]


def ends(ahead: Ahead, rings: list[RingTime] = THREE) -> list[float]:
    return [each.published for each in least_time(100, rings, ahead).values()]


def test_one_ring_after_the_other_waits_for_the_publishing_write_of_the_same_version() -> None:
    assert ends(Ahead.NONE) == [800, 800 + UPDATE + 600, 800 + UPDATE + 600 + 1100]


def test_a_copy_is_made_while_the_ring_before_is_tested() -> None:
    assert ends(Ahead.NEXT)[2] == 800 + UPDATE + 500 + 1000 + 100


def test_with_every_ring_filled_at_once_only_the_slowest_counts() -> None:
    assert ends(Ahead.ALL) == [800, 800 + UPDATE, 1200]


def test_a_publication_waits_for_all_replicas_of_its_version() -> None:
    assert ends(Ahead.ALL, [RingTime("a", "v", 100, 100), RingTime("b", "v", 900, 50)]) == [1000, 1050]


def test_a_minute_lost_shows_in_the_ratio() -> None:
    release_run = perfect()
    *before, last = release_run.operations
    late = {**last, "begun_at": last["begun_at"] + 60 / SPEED, "ended_at": last["ended_at"] + 60 / SPEED}
    figure = critical_path.end_to_end(replace(release_run, operations=[*before, late]))
    assert figure.parts["azure_seconds"] - figure.parts["critical_path_azure_seconds"] == pytest.approx(60, abs=0.01)


def test_a_repeated_boot_test_is_not_measured() -> None:
    release_run = perfect()
    again, _ = boot("rm-again", "northeurope", 5000.0)
    with pytest.raises(MeasurementFailed, match="repeated"):
        critical_path.critical_path(replace(release_run, operations=[*release_run.operations, *again]))


def test_a_machine_whose_times_do_not_follow_from_the_seed_is_not_measured() -> None:
    with pytest.raises(MeasurementFailed, match="seed"):
        critical_path.critical_path(replace(perfect(), seed=2))


def test_the_least_counts_a_boot_test_for_the_smoke_test_and_for_each_region() -> None:
    assert arm_calls.least()["boot tests"] == 7 * len(arm_calls.BOOT_TEST)


def calls(count: int, status: int = 200) -> list[dict[str, Any]]:
    return [{"operation": "GalleryImageVersions_Get", "status": status}] * count


def test_as_many_calls_as_the_least_are_a_ratio_of_one() -> None:
    least = sum(arm_calls.least().values())
    figure = arm_calls.arm_calls(replace(perfect(), calls=calls(least)))
    assert (figure.value, figure.holds) == (1.0, True)


def test_one_throttled_call_breaks_the_figure_whatever_the_ratio() -> None:
    figure = arm_calls.arm_calls(replace(perfect(), calls=calls(1, 429)))
    assert (figure.holds, figure.parts["throttled_operations"]) == (False, ["GalleryImageVersions_Get"])
