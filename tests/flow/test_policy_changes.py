"""The policy changes while releases are under way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.memory.galleries import Replication
from shared.domain.image import VersionId
from shared.domain.lifecycle import missing_proof
from shared.domain.messages import Command, Kind, VersionWritten
from shared.domain.policy import BootRules, Severity
from shared.domain.release import Gate, State
from shared.engine import dispatch, intake
from shared.timers import reconcile
from tests.flow.misfortunes import Call, Meanwhile, Misfortune, unavailable
from tests.flow.rehearsal import DEFINITION, HOME, SMALL, SOURCE, WARNING, Rehearsal, ring
from tests.flow.test_replication import hide

OTHER = replace(SOURCE, name="other")
UNRELATED = replace(SMALL, name="other", source=OTHER, rings=(ring("canary", OTHER, "westeurope"),), digest="o")
CHANGED = replace(SMALL, digest="digest-2", boot=BootRules(vm_sizes=("Standard_D4s_v5",)))


@pytest.mark.parametrize("minutes", range(1, 20, 2))
def test_a_release_under_a_changed_policy_is_judged_again(minutes: int) -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.after(minutes, lambda: play.change_policy(CHANGED))
    play.run()
    release = play.release(version)
    if release.policy_digest == "digest-1":
        assert release.state is State.RELEASED  # it had ended before the policy changed
    else:
        assert (release.state, missing_proof(release, CHANGED, CHANGED.rings[0])) == (State.RELEASED, ())
    assert play.left() == []


def test_a_changed_policy_can_reject_what_the_former_one_let_pass() -> None:
    play = Rehearsal(WARNING)
    version = play.publish(scan="high-cves")
    strict = replace(WARNING, digest="strict", scan=replace(DEFINITION.scan, limits={Severity.HIGH: 0}))
    lenient = replace(WARNING, scan=replace(DEFINITION.scan, limits={Severity.CRITICAL: 0}))
    play.change_policy(lenient)
    play.until(lambda: play.has(version) and bool(play.release(version).published))
    play.change_policy(strict)
    play.run()
    release = play.release(version)
    assert (release.state, release.policy_digest) == (State.REJECTED, "strict")


def test_a_later_scan_that_fails_while_it_is_validated_again_is_told_at_once() -> None:
    fails: list[str] = []
    down = Misfortune("galleries.version", unavailable, times=10**6, function="validate", only=lambda _: bool(fails))
    play = Rehearsal(DEFINITION, misfortunes=[down])
    version = play.publish()
    play.until(lambda: play.has(version) and bool(play.release(version).published))
    fails.append("validation")
    play.change_policy(replace(DEFINITION, digest="digest-2"))
    play.until(lambda: play.release(version).state is State.VALIDATING)
    play.scan(version, "critical-cve")
    play.wait(minutes=2)
    release = play.release(version)
    assert (release.state, [each.gate for each in release.gates]) == (State.VALIDATING, [Gate.RESCAN])
    fails.clear()
    assert play.wait(1).release(version).state is State.REJECTED


def test_what_was_published_before_stays_published() -> None:
    play = Rehearsal(DEFINITION)
    version = play.publish()
    play.until(lambda: play.has(version) and bool(play.release(version).published))
    play.change_policy(replace(DEFINITION, digest="digest-2"))
    play.wait(minutes=10)
    assert play.latest(SOURCE, "westeurope") == "1.0.0"
    play.run()
    assert play.release(version).state is State.RELEASED


def test_a_release_that_has_ended_is_not_judged_again() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    before = play.stored(version)
    play.change_policy(CHANGED)
    play.event(version)
    play.wait(1)
    assert play.stored(version) == before


@pytest.mark.parametrize("minutes", range(1, 20, 2))
def test_a_definition_removed_from_the_policy_ends_its_releases(minutes: int) -> None:
    play = Rehearsal(SMALL, UNRELATED)
    version = play.publish()
    play.after(minutes, lambda: play.change_policy(UNRELATED))
    play.wait(26)
    states = {play.release(version).state} if play.has(version) else set()
    assert states <= {State.SUPERSEDED, State.RELEASED}
    assert (play.left(), len(play.cloud.queues), play.letters()) == ([], 0, [])


def test_a_hint_for_an_ended_release_whose_definition_was_removed_is_dropped() -> None:
    play = Rehearsal(SMALL, UNRELATED)
    version = play.publish()
    play.run()
    play.do(lambda world, now: intake.version_written(VersionWritten(version, "e", now, "somebody"), world, now=now))
    play.change_policy(UNRELATED)
    play.wait(2)
    assert (play.letters(), play.crashes()) == ([], 0)


def test_a_scan_for_an_ended_release_whose_definition_was_removed_is_dropped() -> None:
    play = Rehearsal(SMALL, UNRELATED)
    version = play.publish()
    play.run()
    play.scan(version)
    play.change_policy(UNRELATED)
    play.wait(2)
    assert (play.letters(), play.crashes()) == ([], 0)


def test_a_ring_that_is_added_while_a_release_is_under_way_is_published_too() -> None:
    play = Rehearsal(DEFINITION)
    play.change_policy(replace(DEFINITION, rings=DEFINITION.rings[:2], digest="two rings"))
    version = play.publish()
    play.wait(minutes=25)
    play.change_policy(replace(DEFINITION, digest="three rings"))
    play.run()
    assert [each.ring for each in play.release(version).published] == ["canary", "early", "production"]


def test_a_ring_that_is_removed_while_it_is_the_current_one_is_left_out() -> None:
    play = Rehearsal(DEFINITION)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).ring == "early")
    play.change_policy(replace(DEFINITION, rings=(DEFINITION.rings[0], DEFINITION.rings[2]), digest="two rings"))
    play.run()
    assert [each.ring for each in play.release(version).published] == ["canary", "production"]


def test_verdicts_under_the_former_policy_are_no_proof() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
    play.change_policy(CHANGED)
    play.run()
    release = play.release(version)
    assert {each.policy_digest for each in release.gates} == {"digest-2"}
    assert release.gate(Gate.BOOT_TEST) is not None
    assert len(play.effects("machines.create")) == 1 + 1 + 2


def test_a_policy_that_changes_twice_ends_under_the_last_one() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.after(8, lambda: play.change_policy(CHANGED))
    play.after(9, lambda: play.change_policy(replace(CHANGED, digest="digest-3")))
    play.run(timedelta(days=2))
    assert (play.release(version).state, play.release(version).policy_digest) == (State.RELEASED, "digest-3")


def test_a_policy_that_changes_while_a_region_is_repaired_rejects_nothing() -> None:
    def goes(_: VersionId, region: str, attempt: int) -> Replication:
        return Replication(fails="Failed with internal server error." if region != HOME and attempt == 1 else None)

    play = Rehearsal(SMALL, replication=goes)
    version = play.publish()
    play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
    play.wait(minutes=5)  # the region has failed, and nobody has looked yet
    play.change_policy(CHANGED)
    play.run()
    release = play.release(version)
    assert (release.state, release.policy_digest) == (State.RELEASED, "digest-2")


def test_what_an_old_deployment_publishes_after_the_policy_changed_stands_in_the_ledger() -> None:
    meanwhile = Meanwhile("galleries.write_targets", "promote", times=1)
    play = Rehearsal(SMALL, misfortunes=[meanwhile])
    strict = replace(SMALL, digest="strict", scan=replace(SMALL.scan, limits={Severity.CRITICAL: 0, Severity.HIGH: 0}))
    version = play.publish()

    def newer_deployment(call: Call) -> None:
        play.change_policy(strict)
        hint = Command(Kind.VALIDATE, version, seq=0, not_after=play.scheduler.now + timedelta(hours=1))
        policy = play.host.world.policy
        play.do(lambda world, now: dispatch.handle(hint, replace(world, policy=policy), now=now))

    meanwhile.act = newer_deployment
    play.until(lambda: play.has(version) and play.latest(SOURCE, "westeurope") == "1.0.0")
    play.wait(minutes=1)
    release = play.release(version)
    assert release.policy_digest == "strict"
    assert [each.ring for each in release.published] == ["canary"]


def test_what_is_visible_and_not_published_by_the_ledger_is_told() -> None:
    play = Rehearsal(replace(SMALL, validation=WARNING.validation), reconcile=False)
    version = play.publish(scan="critical-cve", excluded=False)
    play.run()
    assert play.release(version).state is State.REJECTED
    done = play.do(lambda world, now: reconcile.run(world, now=now))
    assert done.differences == [
        f"{version.short} is visible in westeurope of canary, but not published according to the ledger"
    ]


def test_what_somebody_hid_after_its_publication_is_told() -> None:
    play = Rehearsal(SMALL, reconcile=False)
    version = play.publish()
    play.run()
    hide(play, version)
    done = play.do(lambda world, now: reconcile.run(world, now=now))
    assert done.differences == [
        f"{version.short} is published in canary according to the ledger, but not visible in every region"
    ]
