"""Machines that are restarted: they come back, or late, or as others, or never."""

from dataclasses import replace
from datetime import timedelta

from shared.adapters.memory.characters import (
    CLEAN,
    NEVER_BACK,
    NEW_IDENTITY,
    NOT_RESTARTED,
    STUCK_AT_REBOOT,
    Character,
)
from shared.domain.boot_test.probe import LINUX_CHECKS
from shared.domain.policy import BootRules, DefinitionPolicy
from shared.domain.release import Gate, Release, State
from shared.ports import Conflict, Refused
from tests.flow.misfortunes import AnyMisfortune, Misfortune, crash, throttled
from tests.flow.rehearsal import SMALL, Rehearsal

LATE = replace(CLEAN, name="back after ten minutes", back_after=timedelta(minutes=10))


def played(
    *characters: Character, policy: DefinitionPolicy = SMALL, misfortunes: tuple[AnyMisfortune, ...] = ()
) -> tuple[Rehearsal, Release]:
    play = Rehearsal(policy, misfortunes=misfortunes)
    version = play.publish(character=characters)
    return play, play.run().release(version)


def facts(play: Rehearsal, release: Release) -> dict[str, object]:
    record = next(each for each in release.gates if each.gate is Gate.BOOT_TEST)
    return play.cloud.evidence.documents()[record.evidence]["facts"]


def test_every_machine_is_restarted_and_probed_again() -> None:
    play, release = played(CLEAN)
    made = len(play.effects("machines.create"))
    assert release.state is State.RELEASED
    assert [len(play.effects(f"machines.{each}")) for each in ("restart", "start_probe")] == [made, 2 * made]


def test_what_the_first_boot_made_is_no_warning_after_the_restart() -> None:
    _, release = played(CLEAN)
    assert not [each for each in release.warnings if "older than the boot" in each]


def test_the_evidence_keeps_the_answers_of_the_first_boot() -> None:
    answers = facts(*played(CLEAN))["answers"]
    assert isinstance(answers, dict)
    assert answers.keys() == set(LINUX_CHECKS)
    assert answers["machine_id_age"] == "pass"


def test_the_evidence_has_how_long_each_phase_took() -> None:
    seconds = facts(*played(CLEAN))["seconds"]
    assert isinstance(seconds, dict)
    assert seconds.keys() == {"provisioned", "agent", "probe", "reboot"}
    assert seconds["provisioned"] == 70
    assert all(0 < each < 180 for each in seconds.values())


def test_a_machine_that_is_back_late_passes() -> None:
    _, release = played(LATE)
    assert release.state is State.RELEASED


def test_a_machine_that_never_comes_back_is_tried_once_more_and_rejected() -> None:
    play, release = played(NEVER_BACK)
    assert release.state is State.REJECTED
    assert "did not come back from its restart within 15 minutes" in release.reasons[0]
    assert (len(play.effects("machines.create")), play.left()) == (2, [])


def test_a_machine_that_did_not_come_back_once_is_a_flake() -> None:
    _, release = played(NEVER_BACK, CLEAN)
    assert release.state is State.RELEASED
    assert any("flaky" in each and "did not come back" in each for each in release.warnings)


def test_a_console_that_shows_the_second_boot_dead_is_believed_before_the_time_limit() -> None:
    play, release = played(STUCK_AT_REBOOT)
    assert release.state is State.REJECTED
    assert "did not boot again after its restart" in release.reasons[0]
    assert "console: emergency mode" in release.reasons[1]
    assert len(play.effects("machines.create")) == 1


def test_a_machine_with_other_identities_after_the_restart_is_rejected() -> None:
    _, release = played(NEW_IDENTITY)
    assert release.state is State.REJECTED
    assert "the restart changed the machine id, the SSH host key rsa" in release.reasons[0]


def test_a_restart_without_effect_is_no_proof() -> None:
    play, release = played(NOT_RESTARTED)
    assert release.state is State.REJECTED
    assert "it is still in the same boot" in release.reasons[0]
    assert len(play.effects("machines.create")) == 2


def test_a_ring_can_do_without_restarts() -> None:
    rings = tuple(replace(each, reboot=False) for each in SMALL.rings)
    play, release = played(CLEAN, policy=replace(SMALL, rings=rings))
    assert release.state is State.RELEASED
    assert len(play.effects("machines.restart")) == 1  # the smoke test's


def test_a_definition_can_do_without_restarts() -> None:
    play, release = played(NEVER_BACK, policy=replace(SMALL, boot=BootRules(reboot=False)))
    assert (release.state, play.effects("machines.restart")) == (State.RELEASED, [])


def test_a_crash_after_the_restart_restarts_again_and_passes() -> None:
    play, release = played(CLEAN, misfortunes=(Misfortune("machines.restart", crash, after=True),))
    assert (release.state, play.left()) == (State.RELEASED, [])


def test_a_restart_that_is_throttled_or_in_conflict_is_asked_for_again() -> None:
    busy = Misfortune("machines.restart", lambda: Conflict("another operation is in progress"), nth=2)
    play, release = played(CLEAN, misfortunes=(Misfortune("machines.restart", throttled), busy))
    assert (release.state, len(play.effects("machines.create"))) == (State.RELEASED, 3)


def test_a_restart_that_azure_does_not_allow_is_a_configuration_to_correct() -> None:
    def denied() -> Refused:
        return Refused("AuthorizationFailed", "The client has no permission for restart/action.", 403)

    play = Rehearsal(SMALL, misfortunes=(Misfortune("machines.restart", denied, times=99),))
    version = play.publish()
    play.until(lambda: play.has(version) and "restart/action" in play.release(version).stalls.get("boot_test", ""))
    assert play.release(version).state is State.QUALIFYING


def test_a_machine_that_disappears_during_its_restart_is_made_again() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.until(lambda: bool(play.effects("machines.restart")))
    play.cloud.machines.vanish(play.effects("machines.restart")[0].args[0])
    assert play.run().release(version).state is State.RELEASED
