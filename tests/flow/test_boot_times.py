"""Versions that boot slower than the one before."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.characters import CLEAN, SLOW, Character
from shared.domain.policy import BootRules, SlowBoot
from shared.domain.release import Gate, Release, State
from tests.flow.rehearsal import SMALL, Rehearsal

SLOW_RESTART = replace(CLEAN, name="slow restart", back_after=timedelta(minutes=4))
LITTLE_SLOWER = replace(CLEAN, name="a little slower", provisioned_after=timedelta(seconds=80))


def played(
    *characters: Character, before: Character | None = CLEAN, on_slow: SlowBoot = SlowBoot.WARN, **rules: object
) -> tuple[Rehearsal, Release]:
    boot = BootRules(**{"max_slowdown": 1.5, "on_slow_boot": on_slow, **rules})  # pyright: ignore[reportArgumentType]
    play = Rehearsal(replace(SMALL, boot=boot))
    if before is not None:
        play.publish("1.0.0", character=before)
        play.run()
    version = play.publish("1.1.0", character=characters)
    return play, play.run().release(version)


def compared_with(play: Rehearsal, release: Release) -> str:
    record = next(each for each in release.gates if each.gate is Gate.BOOT_TEST)
    return play.cloud.evidence.documents()[record.evidence]["facts"]["timesComparedWith"]


@pytest.mark.parametrize(
    ("character", "words"), [(SLOW, "provisioning took 600 s"), (SLOW_RESTART, "the restart took")]
)
def test_a_slower_boot_is_warned_of_with_both_times_and_the_version(character: Character, words: str) -> None:
    play, release = played(character)
    assert release.state is State.RELEASED
    found = [each for each in release.warnings if words in each]
    assert found
    assert "with gal_build/ubuntu/1.0.0" in found[0]
    assert compared_with(play, release) == "gal_build/ubuntu/1.0.0"


def test_a_slower_boot_rejects_after_a_second_machine_where_the_policy_says_so() -> None:
    play, release = played(SLOW, on_slow=SlowBoot.REJECT)
    assert release.state is State.REJECTED
    assert "provisioning took 600 s instead of 70 s" in release.reasons[0]
    assert len([each for each in play.effects("machines.create") if each.args[0].image == release.version]) == 2


def test_a_slow_machine_followed_by_one_that_is_not_is_a_flake() -> None:
    _, release = played(SLOW, CLEAN, on_slow=SlowBoot.REJECT)
    assert release.state is State.RELEASED
    assert any("flaky" in each and "provisioning took" in each for each in release.warnings)


def test_a_small_difference_is_none() -> None:
    _, release = played(LITTLE_SLOWER, max_slowdown=1.01)
    assert not any(" took " in each for each in release.warnings)


def test_the_first_version_says_that_there_is_nothing_to_compare_with() -> None:
    play, release = played(SLOW, before=None)
    assert release.state is State.RELEASED
    assert compared_with(play, release) == "nothing: no version is published"


def test_another_size_is_not_compared() -> None:
    play = Rehearsal(replace(SMALL, boot=BootRules(max_slowdown=1.5)))
    play.publish("1.0.0")
    play.run()
    boot = BootRules(max_slowdown=1.5, vm_sizes=("Standard_D4s_v5",))
    play.change_policy(replace(SMALL, boot=boot, digest="digest-2"))
    release = play.publish("1.1.0", character=SLOW)
    found = compared_with(play, play.run().release(release))
    assert found == "nothing: boot times of gal_build/ubuntu/1.0.0 are not known in westeurope with Standard_D4s_v5"


def test_times_are_recorded_and_not_compared_by_default() -> None:
    _, release = played(SLOW, max_slowdown=None)
    assert not any(" took " in each for each in release.warnings)
    record = next(each for each in release.gates if each.gate is Gate.BOOT_TEST)
    assert record.machine is not None
    assert record.machine.seconds["provisioned"] == 600
