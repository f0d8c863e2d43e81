"""Consoles on which nothing is, and patterns that a policy sees otherwise."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.characters import BLANK_CONSOLE, CLEAN, NO_CONSOLE, PANICS, Character
from shared.domain.boot_test.console_patterns import PatternSeverity
from shared.domain.policy import BootRules, ConsoleRule
from shared.domain.release import Release, State
from tests.flow.rehearsal import SMALL, Rehearsal

OOM = replace(
    CLEAN,
    name="runs out of memory",
    console=(*CLEAN.console, (timedelta(seconds=62), "[   20.1] java invoked oom-killer: gfp_mask=0x140cca")),
)


def played(*characters: Character, **rules: object) -> tuple[Rehearsal, Release]:
    play = Rehearsal(replace(SMALL, boot=BootRules(**rules)))  # pyright: ignore[reportArgumentType]
    version = play.publish(character=characters)
    return play, play.run().release(version)


@pytest.mark.parametrize("character", [NO_CONSOLE, BLANK_CONSOLE], ids=lambda each: each.name)
class TestBlank:
    def test_it_is_a_warning_where_everything_else_passed(self, character: Character) -> None:
        _, release = played(character)
        assert release.state is State.RELEASED
        assert any("nothing readable is on the serial console" in each for each in release.warnings)

    def test_it_rejects_after_a_second_machine_where_the_policy_requires_a_console(self, character: Character) -> None:
        play, release = played(character, console=ConsoleRule.REQUIRED)
        assert release.state is State.REJECTED
        assert "the policy requires it" in release.reasons[0]
        assert (len(play.effects("machines.create")), play.left()) == (2, [])

    def test_a_console_that_a_second_machine_has_passes_as_a_flake(self, character: Character) -> None:
        _, release = played(character, CLEAN, console=ConsoleRule.REQUIRED)
        assert release.state is State.RELEASED
        assert any("flaky" in each and "serial console" in each for each in release.warnings)


def test_a_console_that_the_policy_ignores_is_not_read() -> None:
    play, release = played(NO_CONSOLE, console=ConsoleRule.IGNORED)
    assert release.state is State.RELEASED
    assert not any("console" in each for each in release.warnings)
    assert play.effects("machines.serial_log") == []


def test_without_a_console_a_dead_machine_is_rejected_by_its_time_limit() -> None:
    play, release = played(PANICS, console=ConsoleRule.IGNORED)
    assert release.state is State.REJECTED
    assert play.effects("machines.serial_log") == []


def test_a_console_is_read_before_and_after_the_restart() -> None:
    play, _ = played(CLEAN)
    made = len(play.effects("machines.create"))
    assert len(play.effects("machines.serial_log")) == 2 * made


@pytest.mark.parametrize(
    ("severity", "state", "warned"),
    [
        (PatternSeverity.ERROR, State.REJECTED, False),
        (PatternSeverity.WARNING, State.RELEASED, True),
        (None, State.RELEASED, False),
    ],
)
def test_a_pattern_has_the_severity_that_the_policy_says(
    severity: PatternSeverity | None, state: State, warned: bool
) -> None:
    _, release = played(OOM, console_patterns={"out of memory": severity})
    assert release.state is state
    assert any("console: out of memory" in each for each in release.warnings) is warned
