"""Scans: early, late, refused, never."""

from dataclasses import replace
from datetime import timedelta

from shared.domain.release import Answer, Gate, State
from tests.flow.rehearsal import SMALL, SOURCE, Rehearsal, small_report

HOUR = timedelta(hours=1)


def test_a_scan_that_comes_before_the_version_is_kept_until_it_is_asked_for() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(events=[HOUR], scan_after=timedelta(minutes=2))
    assert play.run().release(version).state is State.RELEASED


def test_a_scan_whose_announcement_is_lost_is_found() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.wait(minutes=30)
    body = small_report("clean", version, play.scheduler.now)
    play.do(lambda world, now: world.evidence.save_report(version, "trivy", body, at=now))
    assert play.run().release(version).state is State.RELEASED


def test_a_scan_that_never_comes_rejects_at_its_deadline() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.run()
    release = play.release(version)
    assert release.state is State.REJECTED
    assert "no usable scan report arrived" in release.reasons[0]
    assert timedelta(hours=24) <= release.updated_at - release.started_at < timedelta(hours=25)


def test_without_a_scan_nothing_is_promoted() -> None:
    play = Rehearsal(SMALL)
    play.publish(scan=None)
    play.run()
    assert (play.latest(SOURCE, "westeurope"), play.effects("galleries.write_targets")) == (None, [])


def test_a_refused_report_leaves_room_for_a_good_one() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan="scan-without-system")
    play.after(60, lambda: play.scan(version))
    assert play.run().release(version).state is State.RELEASED


def test_a_refused_report_is_told() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan="scan-without-system")
    play.wait(1)
    assert any("refused" in line.text for line in play.release(version).history)


def test_a_report_that_is_no_report_is_never_a_pass() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.after(10, lambda: play.scan(version, body=b"{}"))
    play.run()
    assert play.release(version).state is State.REJECTED


def test_a_scan_reject_ends_the_release() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan="critical-cve")
    play.run()
    assert (play.release(version).state, play.gate(version, Gate.SCAN).answer) == (State.REJECTED, Answer.REJECT)
    assert "CVE-2021-44228" in play.release(version).reasons[0]


def test_a_scan_reject_stops_the_smoke_test_and_deletes_its_machine() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan="critical-cve", scan_after=timedelta(minutes=6))
    play.run()
    assert (len(play.effects("machines.create")), len(play.effects("machines.delete")), play.left()) == (1, 1, [])
    assert play.gate(version, Gate.BOOT_TEST) is None


def test_a_scan_after_a_rejection_changes_nothing() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    play.run()
    before = play.stored(version)
    play.scan(version)
    play.wait(2)
    assert play.stored(version) == before


def test_the_newest_report_counts() -> None:
    play = Rehearsal(SMALL, reconcile=False)
    version = play.publish(events=[2 * HOUR], scan="critical-cve")
    play.after(60, lambda: play.scan(version))
    assert play.run().release(version).state is State.RELEASED


def test_a_report_twice_is_judged_once() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=None)
    body = small_report("clean", version, play.scheduler.now + timedelta(minutes=5))
    for minutes in (8, 8, 9, 30):
        play.after(minutes, lambda: play.scan(version, body=body))
    play.run()
    assert [each.gate for each in play.release(version).gates].count(Gate.SCAN) == 1


def test_a_scan_of_the_former_bearer_of_a_number_proves_nothing() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    play.publish("1.0.0", scan=None)
    play.run()
    assert play.release(version).state is State.REJECTED


def test_a_deadline_shorter_than_the_look_is_kept() -> None:
    short = replace(SMALL, scan=replace(SMALL.scan, deadline=timedelta(minutes=20)))
    play = Rehearsal(short)
    version = play.publish(scan=None)
    play.run()
    release = play.release(version)
    assert release.updated_at - release.started_at < timedelta(minutes=25)
