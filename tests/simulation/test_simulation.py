"""The laws hold in a budget of seeds and in every seed that ever broke one, and a seed is the same every time."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.simulation.__main__ import main, report
from local.simulation.boots import CHARACTERS
from local.simulation.laws import Law
from local.simulation.modes import USUAL, Modes
from local.simulation.pool import simulate_all, simulate_within
from local.simulation.scenario import draw
from local.simulation.simulator import (
    BEGIN,
    LONGEST,
    TIME_LIMIT,
    Mutant,
    Result,
    Simulator,
    simulate,
)
from shared.domain.actions import Action
from shared.domain.policy import Ahead, Policy

KEPT = Path(__file__).parents[2] / "local" / "simulation" / "kept_seeds.txt"
ROOT = Path(__file__).parents[2]
FIRST = 1
SHARES = 8
SEEDS_IN_A_SHARE = 10


def kept_seeds() -> list[tuple[str, int, Modes]]:
    lines = [line.split(":")[0].split() for line in KEPT.read_text().splitlines() if line and line[0] != "#"]
    return [(seed, int(releases), Modes.named(modes)) for seed, releases, *modes in lines]


def holds(seed: str, releases: int = 4, modes: Modes | None = None) -> Result:
    result = simulate(seed, releases, modes=modes)
    if result.violations:
        pytest.fail(report(simulate(seed, releases, modes=modes, record_history=True)))
    return result


@pytest.mark.parametrize("share", range(SHARES))
def test_no_law_is_broken_within_the_budget(share: int) -> None:
    for seed in range(FIRST + share * SEEDS_IN_A_SHARE, FIRST + (share + 1) * SEEDS_IN_A_SHARE):
        holds(str(seed), modes=Modes.of(str(seed)))


@pytest.mark.parametrize(("seed", "releases", "modes"), kept_seeds())
def test_what_once_broke_a_law_breaks_none_now(seed: str, releases: int, modes: Modes) -> None:
    holds(seed, releases, modes)


def test_a_seed_with_many_releases_breaks_no_law() -> None:
    result = holds("crowd", 25)
    assert sum(result.states.values()) >= 15


def test_every_kind_of_fault_comes_up() -> None:
    missing = {
        "response lost",
        "conflict",
        "crash after",
        "crash before",
        "failed after accepted",
        "message delayed",
        "message lost",
        "message duplicated",
        "outage",
        "throttled",
        "unavailable",
        "unexpected error",
    }
    for seed in range(1, 60):
        missing -= set(simulate(str(seed)).faults)
        if not missing:
            return
    pytest.fail(f"never seen: {sorted(missing)}")


def test_every_verdict_comes_up() -> None:
    states: set[str] = set()
    for seed in range(1, 60):
        states |= set(simulate(str(seed)).states)
    assert states == {"released", "rejected", "superseded", "revoked"}


def test_every_action_of_people_is_taken() -> None:
    missing = set(Action)
    for seed in range(1, 100):
        run = Simulator(str(seed), 4, modes=Modes(people=True))
        run.run()
        missing -= {record.action for row in run.rows() for record in row.actions}
        if not missing:
            return
    pytest.fail(f"never taken: {sorted(missing)}")


@pytest.mark.parametrize("people", [False, True])
def test_a_seed_is_the_same_every_time(people: bool) -> None:
    one, two = (simulate("7", modes=Modes(people=people), record_history=True).history for _ in range(2))
    assert one == two


def test_people_change_no_draw_of_a_seed() -> None:
    without, with_people = (Simulator("7", 4, modes=Modes(people=people)).scenario for people in (False, True))
    assert (with_people.builds, with_people.clock_skew, with_people.span) == (
        without.builds,
        without.clock_skew,
        without.span,
    )


def test_rings_ahead_change_no_other_draw_of_a_seed() -> None:
    without, with_ahead = (draw("7", 4, ahead=ahead) for ahead in (False, True))

    def filled_in_turn(policy: Policy) -> Policy:
        changed = {source: replace(each, ahead=Ahead.NONE) for source, each in policy.definitions.items()}
        return replace(policy, definitions=changed)

    assert replace(with_ahead.with_policies(filled_in_turn), replication=without.replication) == without


@pytest.mark.parametrize("ahead", list(Ahead))
def test_rings_are_filled_in_every_way(ahead: Ahead) -> None:
    drawn = (each for seed in range(1, 20) for each in draw(str(seed), 4, ahead=True).policy.definitions.values())
    assert ahead in {each.ahead for each in drawn}


def test_boot_tests_change_no_draw_of_a_seed() -> None:
    without, with_boots = (Simulator("7", 4, modes=Modes(boots=boots)).scenario for boots in (False, True))
    assert [(each.version, each.at, each.scans) for each in with_boots.builds] == [
        (each.version, each.at, each.scans) for each in without.builds
    ]
    assert not any(each.boot.reboot for each in without.policy.definitions.values())
    assert all(each.boot.reboot for each in with_boots.policy.definitions.values())


def test_every_image_that_only_boot_tests_tell_apart_comes_up() -> None:
    missing = {each.name for _, _, characters in CHARACTERS for each in characters}
    for seed in range(1, 60):
        run = Simulator(str(seed), 4, modes=Modes(boots=True))
        missing -= {each.name for build in run.scenario.builds for each in build.characters}
    assert missing == set()


def test_a_history_is_kept_without_changing_what_happens() -> None:
    recorded, unrecorded = simulate("8", record_history=True), simulate("8")
    assert (recorded.steps, recorded.invocations, recorded.states) == (
        unrecorded.steps,
        unrecorded.invocations,
        unrecorded.states,
    )


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_a_seed_is_the_same_whatever_python_hashes_with(hash_seed: str) -> None:
    here = hashlib.sha256("\n".join(simulate("9", record_history=True).history).encode()).hexdigest()
    code = (
        "import hashlib, logging; logging.disable(logging.CRITICAL);"
        "from local.simulation.simulator import simulate;"
        "print(hashlib.sha256('\\n'.join(simulate('9', record_history=True).history).encode()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here


class HangsInVersion:
    """A port that never comes back."""

    def __init__(self, port: Any) -> None:
        self.port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    async def version(self, *_: Any, **__: Any) -> None:
        while True:
            pass


def test_a_seed_that_hangs_is_a_finding_with_its_seed() -> None:
    mutant = Mutant(lambda world: replace(world, galleries=HangsInVersion(world.galleries)))
    result = simulate_within("1", 2, modes=USUAL, seconds=1, mutant=mutant, record_history=True)
    assert [violation.law for violation in result.violations] == [Law.COST]
    assert "BROKEN: law 13 (cost is bounded)" in report(result)
    assert "no end within 1 s of real time" in report(result)
    assert "--seed 1 " in report(result)


def test_a_release_that_is_sent_again_has_a_new_deadline() -> None:
    run = Simulator("1", 1, modes=Modes())
    faults_end = BEGIN + run.scenario.span
    assert run.deadline() == faults_end + TIME_LIMIT
    run.workload.last_resent = faults_end + timedelta(days=1)
    assert run.deadline() == faults_end + timedelta(days=1) + TIME_LIMIT
    run.workload.last_resent = faults_end + timedelta(days=300)
    assert run.deadline() == faults_end + LONGEST


def test_the_command_tells_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert "2 seeds, " in out
    assert "releases a second" in out
    assert "no law was broken" in out


def test_several_processes_come_to_what_one_comes_to() -> None:
    seeds = [str(seed) for seed in range(1, 21)]
    alone, shared = (list(simulate_all(seeds, 2, jobs=jobs)) for jobs in (1, 2))
    assert shared == alone
