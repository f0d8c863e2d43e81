"""Machines that do not come up, do not answer, cannot be had, or are left behind."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.common.own_machines import EXPIRES_TAG, RELEASE_TAG
from shared.adapters.memory.characters import (
    CLEAN,
    DEGRADED,
    KEEPS_ITS_NAME,
    NEVER_GENERALIZED,
    NO_AGENT,
    NO_CAPACITY,
    NO_QUOTA,
    PANICS,
    PROBE_CUT,
    PROBE_HANGS,
    READ_ONLY_ROOT,
    Character,
)
from shared.domain.boot_test.own_checks import CommandCheck, OwnCheck
from shared.domain.boot_test.probe_check import CheckSeverity
from shared.domain.image import DefinitionId, GalleryId
from shared.domain.policy import BootRules
from shared.domain.release import Gate, State
from shared.ports import MachineSpec, Refused
from shared.timers import reconcile
from tests.flow.misfortunes import Misfortune, crash
from tests.flow.rehearsal import BEGIN, SMALL, SOURCE, SUBSCRIPTION, Rehearsal

DISKS = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-test/providers/microsoft.compute/disks"


def played(*characters: Character) -> Rehearsal:
    play = Rehearsal(SMALL)
    play.publish(character=characters)
    return play.run()


@pytest.mark.parametrize(
    ("character", "word"),
    [
        (NEVER_GENERALIZED, "properly prepared"),
        (PANICS, "Kernel panic"),
        (NO_AGENT, "agent"),
        (KEEPS_ITS_NAME, "host"),
        (READ_ONLY_ROOT, "root"),
        (PROBE_CUT, "probe"),
        (PROBE_HANGS, "probe"),
        (DEGRADED, "nginx.service"),
    ],
    ids=lambda value: value.name if isinstance(value, Character) else "",
)
def test_a_machine_that_is_not_sound_rejects_and_says_why(character: Character, word: str) -> None:
    play = played(character)
    (release,) = play.rows()
    assert release.state is State.REJECTED
    assert word.lower() in " ".join(release.reasons).lower(), release.reasons
    assert (play.left(), play.latest(SOURCE, "westeurope")) == ([], None)


def test_a_smoke_test_that_rejects_stops_the_wait_for_the_scan() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(character=PANICS, scan=None)
    play.run()
    assert (play.release(version).state, play.gate(version, Gate.SCAN)) == (State.REJECTED, None)
    assert play.scheduler.now - BEGIN < timedelta(hours=2)


def test_a_dead_console_is_believed_before_the_platform_gives_up() -> None:
    play = played(PANICS)
    (release,) = play.rows()
    assert release.updated_at - release.started_at < timedelta(minutes=15)


def test_no_capacity_once_is_no_fault_of_the_image() -> None:
    (release,) = played(NO_CAPACITY, CLEAN).rows()
    assert release.state is State.RELEASED


def test_no_capacity_for_long_is_told_and_tried_on() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(character=[NO_CAPACITY] * 6 + [CLEAN])
    play.until(lambda: play.has(version) and "boot_test" in play.release(version).stalls, timedelta(hours=2))
    assert "Azure fails repeatedly" in play.release(version).stalls["boot_test"]
    assert play.run().release(version).state is State.RELEASED


def test_a_quota_that_is_used_up_stalls_and_rejects_nothing() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(character=NO_QUOTA)
    play.wait(30)
    release = play.release(version)
    assert (release.state, "quota" in release.stalls["boot_test"]) == (State.QUALIFYING, True)


def test_a_quota_that_is_raised_lets_the_release_go_on() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(character=[NO_QUOTA] * 5 + [CLEAN])
    assert play.run().release(version).state is State.RELEASED


def test_a_time_out_once_is_tried_again() -> None:
    (release,) = played(NO_AGENT, CLEAN).rows()
    assert release.state is State.RELEASED


def test_an_image_that_boots_at_home_and_not_in_a_ring_is_rejected() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
    play.characters[version.number] = [PANICS]
    play.run()
    assert (play.release(version).state, play.left()) == (State.REJECTED, [])


# --- sweeping ---------------------------------------------------------------------------------------------------------


def test_a_machine_that_was_made_after_its_release_ended_is_swept() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan="critical-cve")
    play.run()
    play.cloud.galleries.build(play.do(lambda world, _: world.galleries.version(version)), settled=True)
    spec = play.effects("machines.create")[0].args[0]
    play.do(lambda world, _: world.machines.create(spec))
    assert play.left()
    play.run()
    assert play.left() == []


def test_a_machine_of_a_running_test_is_not_swept() -> None:
    play = Rehearsal(SMALL)
    play.publish()
    play.run()
    swept = [call for call in play.effects("machines.delete") if call.function == "reconcile"]
    assert swept == []


LONG = DefinitionId(GalleryId(SOURCE.gallery.subscription, "g" * 90, "a" * 80), "d" * 80)


def test_a_release_with_the_longest_id_keeps_its_machine_over_a_round_of_the_sweep() -> None:
    policy = replace(SMALL, source=LONG, rings=tuple(replace(each, definition=LONG) for each in SMALL.rings))
    play = Rehearsal(policy)
    version = play.publish(definition=LONG)
    play.run()
    assert len(str(version)) > 256
    assert (play.release(version).state, play.left()) == (State.RELEASED, [])
    assert [call for call in play.effects("machines.delete") if call.function == "reconcile"] == []


def test_a_machine_that_no_release_explains_is_reported_and_deleted_when_it_expires() -> None:
    play = Rehearsal(SMALL, reconcile=False, adopt=False)
    orphans(play, "rm-aaaaaaaaaaaa", expires=timedelta(hours=2))
    done = play.do(lambda world, now: reconcile.run(world, now=now))
    left = ["rm-aaaaaaaaaaaa", "rm-aaaaaaaaaaaa-nic", "rm-aaaaaaaaaaaa-os"]
    assert (done.deleted, sorted(done.unattributed)) == ([], left)
    play.wait(hours=3)
    assert play.do(lambda world, now: reconcile.run(world, now=now)).deleted == ["rm-aaaaaaaaaaaa"]


def test_machines_of_others_are_not_touched() -> None:
    play = Rehearsal(SMALL)
    theirs = {
        f"{DISKS}/rm-0123456789ab": {},
        f"{DISKS}/somebodys": {RELEASE_TAG: "x", EXPIRES_TAG: "2020-01-01T00:00:00+00:00"},
        f"{DISKS}/database": {},
    }
    for disk, tags in theirs.items():
        play.cloud.machines.plant(disk, tags)
    play.publish()
    play.wait(24)
    assert set(theirs) <= set(play.cloud.machines.everything())


def orphans(play: Rehearsal, *names: str, expires: timedelta = timedelta(hours=-1)) -> None:
    """Machines that no release knows, of a version from before the adoption."""
    version = play.publish("0.0.1", events=[], scan=None)
    play.wait(25)
    for name in names:
        at = play.scheduler.now + expires
        spec = MachineSpec(
            name, "westeurope", version, "Linux", "Generalized", "x64", "Standard_D2s_v5", "nobody's", at
        )
        play.do(lambda world, _, spec=spec: world.machines.create(spec))


def test_several_machines_are_swept_in_one_round() -> None:
    play = Rehearsal(SMALL, reconcile=False, adopt=False)
    orphans(play, "rm-aaaaaaaaaaaa", "rm-bbbbbbbbbbbb")
    done = play.do(lambda world, now: reconcile.run(world, now=now))
    play.wait(minutes=1)
    assert (play.left(), done.faults) == ([], [])


def test_one_thing_that_cannot_be_deleted_keeps_no_other_from_it() -> None:
    play = Rehearsal(
        SMALL, reconcile=False, adopt=False, misfortunes=[Misfortune("machines.delete", refused, times=99)]
    )
    orphans(play, "rm-aaaaaaaaaaaa")
    disk = f"{DISKS}/rm-bbbbbbbbbbbb-os"
    play.cloud.machines.plant(disk, {RELEASE_TAG: "x", EXPIRES_TAG: "2020-01-01T00:00:00+00:00"})
    play.host.reconcile_every(timedelta(minutes=5))
    assert disk not in play.left()


def refused() -> Refused:
    return Refused("ScopeLocked", "The scope is locked.", 409)


def test_a_crash_of_the_sweep_leaves_the_rest_to_the_next_one() -> None:
    play = Rehearsal(SMALL, misfortunes=[Misfortune("machines.delete_part", crash)])
    for name in ("rm-aaaaaaaaaaaa-os", "rm-bbbbbbbbbbbb-os"):
        play.cloud.machines.plant(f"{DISKS}/{name}", {RELEASE_TAG: "x", EXPIRES_TAG: "2020-01-01T00:00:00+00:00"})
    play.wait(minutes=11)
    assert play.left() == []


def test_the_policy_decides_what_a_check_does() -> None:
    own = (OwnCheck("agent-of-ours", CommandCheck("ours --check"), remedy="Start it."),)
    rules = BootRules(checks={"systemd": CheckSeverity.WARN, "swap": CheckSeverity.OFF}, own_checks=own)
    plays = {}
    for answers in ({}, {"own:agent-of-ours": "fail exit code 1, not 0"}):
        play = Rehearsal(replace(SMALL, boot=rules))
        character = replace(DEGRADED, answers={**DEGRADED.answers, **answers})
        plays[len(answers)] = play.publish(character=(character, *[CLEAN] * 3)), play.run()
    (version, play), (bad, other) = plays[0], plays[1]
    assert play.release(version).state is State.RELEASED
    (reason,) = other.release(bad).reasons
    assert reason.endswith("the check agent-of-ours of the policy failed: exit code 1, not 0. Start it.")
    verdict = other.gate(bad, Gate.BOOT_TEST)
    assert verdict is not None
    document = other.cloud.evidence.documents()[verdict.evidence]
    assert document["rules"]["checks"]["own:agent-of-ours"] == "error"
    assert document["rules"]["checks"]["systemd"] == "warn"
    assert "swap" not in document["rules"]["checks"]
