"""Machines of one version that are too much alike: the image was not generalized."""

from dataclasses import replace

import pytest

from shared.adapters.memory.characters import CLEAN, CLONED, Character
from shared.domain.policy import BootRules, DefinitionPolicy, Twins
from shared.domain.release import Gate, Release, State
from tests.flow.rehearsal import HOME, SMALL, SOURCE, Rehearsal, ring

UNTESTED = replace(SMALL, rings=tuple(replace(each, boot_test=False) for each in SMALL.rings))
PAIR = BootRules(twins=Twins.PAIR)


def played(character: Character, policy: DefinitionPolicy = SMALL) -> tuple[Rehearsal, Release]:
    play = Rehearsal(policy)
    version = play.publish(character=character)
    return play, play.run().release(version)


def test_a_cloned_image_is_rejected_with_both_machines_and_the_remedy() -> None:
    play, release = played(CLONED)
    assert release.state is State.REJECTED
    smoke = next(each for each in release.gates if each.gate is Gate.BOOT_TEST)
    assert smoke.machine is not None
    reason = release.reasons[0]
    assert reason.startswith("the machine id is the same on rm-")
    assert f"{smoke.machine.vm} (smoke test)" in reason
    assert "cloud-init clean --machine-id" in reason
    assert release.reasons[1].startswith("the SSH host key (rsa, ecdsa, ed25519) is the same on rm-")
    assert "rm /etc/ssh/ssh_host_*" in release.reasons[1]
    assert (play.left(), play.latest(SOURCE, HOME)) == ([], None)


def test_a_generalized_image_passes_and_its_machines_are_kept_to_compare() -> None:
    _, release = played(CLEAN)
    tests = [each for each in release.gates if each.gate is Gate.BOOT_TEST]
    assert release.state is State.RELEASED
    machines = [each.machine for each in tests if each.machine]
    assert len({each.vm for each in machines}) == len(tests) == 3
    assert len({each.identities["machine_id"] for each in machines}) == 3


def test_machines_of_one_ring_are_twins_of_each_other() -> None:
    """The smoke test's machine differs: the regions were made from another disk."""
    play = Rehearsal(SMALL)
    version = play.publish(character=CLEAN)
    play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
    play.characters[version.number] = [CLONED]
    release = play.run().release(version)
    assert release.state is State.REJECTED
    assert "(canary/westeurope)" in release.reasons[0]
    assert "(canary/northeurope)" in release.reasons[0]


def test_the_evidence_of_the_second_machine_says_what_the_row_says() -> None:
    play, release = played(CLONED)
    last = [each for each in release.gates if each.gate is Gate.BOOT_TEST][-1]
    document = play.cloud.evidence.documents()[last.evidence]
    assert (document["answer"], tuple(document["reasons"])) == ("reject", release.reasons)


def test_a_policy_can_ignore_twins() -> None:
    _, release = played(CLONED, replace(SMALL, boot=BootRules(twins=Twins.IGNORED)))
    assert release.state is State.RELEASED


def test_machines_of_a_specialized_image_share_what_they_are_by_design() -> None:
    play = Rehearsal(SMALL)
    known = play.do(lambda world, _: world.galleries.definition(SOURCE))
    play.cloud.galleries.add_definition(replace(known, os_state="Specialized"))
    version = play.publish(character=CLONED)
    release = play.run().release(version)
    assert release.state is State.RELEASED
    record = next(each for each in release.gates if each.gate is Gate.BOOT_TEST)
    facts = play.cloud.evidence.documents()[record.evidence]["facts"]
    assert "by design" in facts["identitiesNotCompared"]


@pytest.mark.parametrize(("character", "state"), [(CLONED, State.REJECTED), (CLEAN, State.RELEASED)])
def test_a_pair_is_booted_where_no_ring_boots_a_machine(character: Character, state: State) -> None:
    play, release = played(character, replace(UNTESTED, boot=PAIR))
    made = [call.args[0].name for call in play.effects("machines.create")]
    assert release.state is state
    assert len(set(made)) == 2
    assert len(play.effects("machines.restart")) == 1
    assert play.left() == []


def test_a_pair_that_is_no_twin_says_which_machines_were_compared() -> None:
    play, release = played(CLEAN, replace(UNTESTED, boot=PAIR))
    record = next(each for each in release.gates if each.gate is Gate.BOOT_TEST)
    facts = play.cloud.evidence.documents()[record.evidence]["facts"]
    assert {facts["vm"], facts["twin"]["vm"]} == {call.args[0].name for call in play.effects("machines.create")}
    assert record.machine is not None
    assert "reboot" in record.machine.seconds


def test_without_a_second_machine_a_cloned_image_is_warned_of_at_validation() -> None:
    _, release = played(CLONED, UNTESTED)
    assert any("boot.twins" in each for each in release.warnings)


def test_a_first_ring_without_a_boot_test_is_warned_of() -> None:
    untested_first = (ring("canary", SOURCE, HOME, boot_test=False), ring("early", SOURCE, "eastus"))
    _, release = played(CLEAN, replace(SMALL, rings=untested_first))
    assert any("'canary' is published before" in each for each in release.warnings)
