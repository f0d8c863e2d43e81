"""Rescans: later scans of published versions, comparison with them, and rings with their own rules."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.image import VersionId
from shared.domain.messages import Kind
from shared.domain.policy import DefinitionPolicy, FailedRescanAction, ScanException, ScanRules, Severity
from shared.domain.release import Answer, Gate, State
from shared.engine.fold import SINCE
from tests.flow.misfortunes import AtCall, Misfortune, crash
from tests.flow.rehearsal import BEGIN, DEFINITION, HOME, PRODUCTION, SMALL, SOURCE, WARNING, Rehearsal, small_report

BAD = "CVE-2026-9999"
OLD = "CVE-2020-0001"
FIRST, REGIONS = "0.9.0", ("westeurope", "northeurope")


def rules(**changes: Any) -> ScanRules:
    return replace(DEFINITION.scan, **changes)


def ruled(definition: DefinitionPolicy, **changes: Any) -> DefinitionPolicy:
    return replace(definition, scan=rules(**changes))


def report(play: Rehearsal, version: VersionId, *cves: str, severity: str = "CRITICAL", fixed: str = "2") -> bytes:
    """A Trivy report with these findings and no others."""
    document = json.loads(small_report("clean", version, play.scheduler.now))
    result = document["Results"][0]
    package = result["Packages"][0]["Name"]
    result["Vulnerabilities"] = [
        {
            "VulnerabilityID": cve,
            "PkgName": package,
            "InstalledVersion": "1",
            "FixedVersion": fixed,
            "Severity": severity,
        }
        for cve in cves
    ]
    return json.dumps(document).encode()


def scan(play: Rehearsal, version: VersionId, *cves: str, after: float = 1) -> None:
    play.after(after, lambda: play.scan(version, body=report(play, version, *cves)))


def told(play: Rehearsal) -> list[str]:
    return [each.type.rpartition(".")[2] for each in play.cloud.publisher.published()]


def released(definition: DefinitionPolicy, *, before: bool = True, **options: Any) -> tuple[Rehearsal, VersionId]:
    """A released version, over an older one that is published everywhere already."""
    play = Rehearsal(definition, **options)
    if before:
        play.publish(FIRST)
        play.run()
    version = play.publish()
    return play.run(), version


class TestAlert:
    def test_a_failing_scan_of_a_released_version_warns_and_is_announced(self) -> None:
        play, version = released(SMALL)
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, play.latest(SOURCE, HOME)) == (State.RELEASED, "1.0.0")
        assert [BAD in each for each in release.warnings if each.startswith(SINCE)] == [True]
        assert told(play)[-1] == "RescanFailed"

    def test_it_is_evidence_and_leaves_the_verdict_of_the_gate_alone(self) -> None:
        play, version = released(SMALL)
        scan(play, version, BAD)
        release = play.run().release(version)
        again, gate = release.gate(Gate.RESCAN), release.gate(Gate.SCAN)
        assert again is not None
        assert gate is not None
        assert (again.answer, gate.answer) == (Answer.REJECT, Answer.PASS)
        document = play.cloud.evidence.documents()[again.evidence]
        assert (document["gate"], document["answer"]) == ("rescan", "reject")

    def test_a_scan_that_passes_takes_the_warning_back(self) -> None:
        play, version = released(SMALL)
        scan(play, version, BAD)
        play.run()
        scan(play, version)
        release = play.run().release(version)
        assert [each for each in release.warnings if each.startswith(SINCE)] == []
        assert told(play).count("RescanFailed") == 1

    def test_the_same_report_twice_is_judged_once(self) -> None:
        play, version = released(SMALL)
        play.wait(minutes=5)
        body = report(play, version, BAD)
        for minutes in (1, 1, 30):
            play.after(minutes, lambda: play.scan(version, body=body))
        play.run()
        assert told(play).count("RescanFailed") == 1

    def test_a_refused_report_is_told_and_changes_nothing(self) -> None:
        play, version = released(SMALL)
        play.after(1, lambda: play.scan(version, "scan-without-system"))
        release = play.run().release(version)
        assert (release.state, release.gate(Gate.RESCAN)) == (State.RELEASED, None)
        assert "refused" in release.history[-1].text

    def test_a_release_under_way_goes_on_with_a_warning(self) -> None:
        play = Rehearsal()
        version = play.publish()
        play.until(lambda: play.has(version) and len(play.release(version).published) == 1)
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, len(release.published)) == (State.RELEASED, 3)
        assert any(each.startswith(SINCE) for each in release.warnings)

    def test_what_is_published_nowhere_yet_is_rejected(self) -> None:
        play = Rehearsal(SMALL)
        version = play.publish()
        play.until(lambda: play.has(version) and play.release(version).state is State.REPLICATING)
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, release.published, play.left()) == (State.REJECTED, (), [])
        assert BAD in release.reasons[0]

    def test_an_exception_that_ran_out_since_is_named(self) -> None:
        excepted = ScanException(BAD, "ada", "not reachable", BEGIN + timedelta(days=2))
        play = Rehearsal(ruled(SMALL, exceptions=(excepted,)))
        version = play.publish(scan=None)
        scan(play, version, BAD, after=10)
        assert play.run().release(version).state is State.RELEASED
        play.wait(hours=49)
        scan(play, version, BAD)
        (warning,) = [each for each in play.run().release(version).warnings if each.startswith(SINCE)]
        assert "the exception of ada for CVE-2026-9999 expired at the end of 2026-03-04 (UTC)" in warning


class TestHold:
    HOLDING = ruled(DEFINITION, on_failed_rescan=FailedRescanAction.HOLD)

    def held(self, definition: DefinitionPolicy = HOLDING) -> tuple[Rehearsal, VersionId]:
        play = Rehearsal(definition)
        version = play.publish()
        play.until(lambda: play.has(version) and len(play.release(version).published) == 1)
        scan(play, version, BAD)
        return play.until(lambda: play.release(version).state is State.HELD), version

    def test_no_further_ring_is_published(self) -> None:
        play, version = self.held()
        play.wait(hours=30)
        assert (play.release(version).state, len(play.release(version).published)) == (State.HELD, 1)
        assert (play.latest(SOURCE, HOME), play.latest(SOURCE, "eastus")) == ("1.0.0", None)
        assert "Held" in told(play)
        assert sum(BAD in line.text for line in play.release(version).history) == 2

    def test_a_scan_that_passes_lets_it_go_on(self) -> None:
        play, version = self.held()
        scan(play, version, after=90)
        release = play.run().release(version)
        assert (release.state, len(release.published)) == (State.RELEASED, 3)
        assert "Resumed" in told(play)

    def test_its_time_over_it_is_rejected_and_stays_published_where_it_was(self) -> None:
        play, version = self.held(ruled(WARNING, on_failed_rescan=FailedRescanAction.HOLD))
        release = play.run(timedelta(days=16)).release(version)
        assert (release.state, play.latest(SOURCE, HOME)) == (State.REJECTED, "1.0.0")
        assert release.updated_at - BEGIN >= timedelta(days=14)

    def test_an_exception_in_the_policy_lets_it_go_on(self) -> None:
        play, version = self.held()
        excepted = ScanException(BAD, "ada", "not reachable", BEGIN + timedelta(days=90))
        scan_rules = replace(self.HOLDING.scan, exceptions=(excepted,))
        play.change_policy(replace(self.HOLDING, scan=scan_rules, digest="digest-2"))
        assert play.run().release(version).state is State.RELEASED

    def test_a_publication_whose_hop_died_before_the_hold_is_remembered(self) -> None:
        death = Misfortune("galleries.write_targets", crash, after=True, only=lambda call: not call.kwargs["excluded"])
        play = Rehearsal(self.HOLDING, misfortunes=[death])
        version = play.publish()
        play.until(lambda: death.struck)
        scan(play, version, BAD)
        play.wait(hours=1)
        release = play.release(version)
        assert (release.state, play.latest(SOURCE, HOME)) == (State.HELD, "1.0.0")
        assert [each.ring for each in release.published] == ["canary"]

    def test_a_scan_is_asked_for(self) -> None:
        play, _ = self.held()
        play.wait(hours=30)
        assert told(play).count("ScanRequested") == 2

    def test_where_nothing_is_under_way_it_is_an_alert(self) -> None:
        play, version = released(ruled(SMALL, on_failed_rescan=FailedRescanAction.HOLD))
        scan(play, version, BAD)
        assert play.run().release(version).state is State.RELEASED
        assert told(play)[-1] == "RescanFailed"


class TestRevoke:
    REVOKING = ruled(DEFINITION, on_failed_rescan=FailedRescanAction.REVOKE)
    PLACES: Sequence[tuple[Any, str]] = (
        *((SOURCE, region) for region in (*REGIONS, "eastus", "westus2")),
        (PRODUCTION, "eastus2"),
        (PRODUCTION, "westeurope"),
    )

    def latest(self, play: Rehearsal) -> set[str | None]:
        return {play.latest(definition, region) for definition, region in self.PLACES}

    def test_a_released_version_becomes_latest_nowhere(self) -> None:
        play, version = released(self.REVOKING)
        assert self.latest(play) == {"1.0.0"}
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, self.latest(play)) == (State.REVOKED, {FIRST})
        assert BAD in release.reasons[0]
        assert told(play)[-3:] == ["RevocationStarted", "Revoked", "UsersListed"]

    def test_it_takes_minutes(self) -> None:
        play, version = released(self.REVOKING)
        begun = play.scheduler.now
        scan(play, version, BAD, after=0)
        play.until(lambda: self.latest(play) == {FIRST})
        assert play.scheduler.now - begun < timedelta(minutes=1)

    def test_the_evidence_tells_what_latest_was_and_is(self) -> None:
        play, version = released(self.REVOKING)
        scan(play, version, BAD)
        record = play.run().release(version).gate_any(Gate.REVOCATION)
        assert record is not None
        facts = play.cloud.evidence.documents()[record.evidence]["facts"]
        assert facts["latest"][str(PRODUCTION)]["eastus2"] == {"before": "1.0.0", "after": FIRST}

    def test_latest_is_never_made_nothing_that_is_an_alert_instead(self) -> None:
        play, version = released(self.REVOKING, before=False)
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, self.latest(play)) == (State.RELEASED, {"1.0.0"})
        assert "latest would be empty in eastus2 of gal_prod" in release.warnings[-1]
        assert ", westeurope of gal_prod" in release.warnings[-1]

    def test_unless_the_policy_says_so(self) -> None:
        play, version = released(
            ruled(self.REVOKING, on_failed_rescan=FailedRescanAction.REVOKE, revoke_to_empty=True), before=False
        )
        scan(play, version, BAD)
        assert play.run().release(version).state is State.REVOKED
        assert self.latest(play) == {None}

    def test_a_release_under_way_is_taken_back_too(self) -> None:
        play = Rehearsal(self.REVOKING)
        play.publish(FIRST)
        version = play.run().publish()
        play.until(lambda: play.has(version) and len(play.release(version).published) == 1)
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, self.latest(play), play.left()) == (State.REVOKED, {FIRST}, [])

    def test_a_scan_after_the_revocation_changes_nothing(self) -> None:
        play, version = released(self.REVOKING)
        scan(play, version, BAD)
        before = play.run().stored(version)
        scan(play, version)
        play.wait(2)
        assert (play.stored(version), self.latest(play)) == (before, {FIRST})

    def test_rings_that_the_policy_has_renamed_since_hinder_nothing(self) -> None:
        play, version = released(self.REVOKING)
        renamed = tuple(replace(ring, name=f"{ring.name}-2") for ring in DEFINITION.rings)
        play.change_policy(replace(self.REVOKING, rings=renamed, digest="digest-2"))
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, self.latest(play)) == (State.REVOKED, {FIRST})

    def test_a_ring_that_the_policy_names_no_more_is_left_to_people(self) -> None:
        play, version = released(self.REVOKING)
        play.change_policy(replace(self.REVOKING, rings=DEFINITION.rings[:-1], digest="digest-2"))
        scan(play, version, BAD)
        release = play.run().release(version)
        assert (release.state, play.latest(PRODUCTION, "eastus2")) == (State.REVOKED, "1.0.0")
        assert "exclude the version from latest there by hand" in release.reasons[-1]

    def test_the_next_version_is_released_over_it(self) -> None:
        play, version = released(self.REVOKING)
        scan(play, version, BAD)
        play.run()
        following = play.publish("1.1.0")
        assert play.run().release(following).state is State.RELEASED
        assert self.latest(play) == {"1.1.0"}

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_it_survives_a_crash_around_every_call(self, after: bool) -> None:
        rings = tuple(replace(ring, boot_test=False, bake=timedelta(0)) for ring in DEFINITION.rings[1:])
        small = replace(self.REVOKING, rings=rings)
        for index in range(2 if after else 1, 200, 3):
            play, version = released(small)
            strike = AtCall(index, crash, after=after)
            play.misfortunes.listed = [strike]
            scan(play, version, BAD)
            state = play.run().release(version).state
            found = play.latest(SOURCE, "eastus"), play.latest(PRODUCTION, "eastus2"), play.latest(SOURCE, "westus2")
            assert (index, state, found) == (index, State.REVOKED, (FIRST, FIRST, FIRST))
            if not strike.struck:
                break


class TestDelta:
    DELTA = ruled(SMALL, no_new=(Severity.CRITICAL,), limits={Severity.CRITICAL: 9})

    def second(
        self, definition: DefinitionPolicy, first: Sequence[str], then: Sequence[str]
    ) -> tuple[Rehearsal, VersionId]:
        play = Rehearsal(definition)
        one = play.publish(scan=None)
        scan(play, one, *first, after=10)
        assert play.run().release(one).state is State.RELEASED
        two = play.publish("1.1.0", scan=None)
        scan(play, two, *then, after=10)
        return play.run(), two

    def test_what_production_has_already_may_pass(self) -> None:
        play, version = self.second(self.DELTA, [OLD], [OLD])
        assert play.release(version).state is State.RELEASED

    def test_what_is_new_rejects_and_production_is_named(self) -> None:
        play, version = self.second(self.DELTA, [OLD], [OLD, BAD])
        release = play.release(version)
        assert release.state is State.REJECTED
        assert "1 new critical finding compared with gal_build/ubuntu/1.0.0 (published" in release.reasons[0]
        assert OLD not in release.reasons[0]

    def test_the_first_version_is_compared_with_nothing(self) -> None:
        play = Rehearsal(self.DELTA)
        version = play.publish(scan=None)
        scan(play, version, BAD, after=10)
        assert play.run().release(version).state is State.RELEASED

    def test_a_rejected_version_is_no_baseline(self) -> None:
        play, _ = self.second(self.DELTA, [OLD], [OLD, BAD])
        third = play.publish("1.2.0", scan=None)
        scan(play, third, OLD, BAD, after=10)
        assert play.run().release(third).state is State.REJECTED

    def test_a_version_that_only_improves_passes_where_the_policy_says_so(self) -> None:
        improving = ruled(SMALL, improvement_passes=True, limits={Severity.CRITICAL: 2})
        play, one = self.second(improving, [OLD, BAD], [OLD])
        assert play.release(one).state is State.RELEASED
        strict = ruled(SMALL, improvement_passes=True, limits={Severity.CRITICAL: 0})
        play.change_policy(replace(strict, digest="digest-2"))
        three = play.publish("1.2.0", scan=None)
        scan(play, three, OLD, after=10)
        four = play.publish("1.3.0")
        play.run()
        assert (play.release(three).state, play.release(four).state) == (State.REJECTED, State.RELEASED)

    def test_a_published_improvement_is_not_alerted_for_what_it_had(self) -> None:
        loose = ruled(SMALL, improvement_passes=True, limits={Severity.CRITICAL: 2})
        play = Rehearsal(loose)
        one = play.publish(scan=None)
        scan(play, one, OLD, BAD, after=10)
        play.run()
        strict = ruled(SMALL, improvement_passes=True, limits={Severity.CRITICAL: 0})
        play.change_policy(replace(strict, digest="digest-2"))
        two = play.publish("1.1.0", scan=None)
        scan(play, two, OLD, after=10)
        assert play.run().release(two).state is State.RELEASED
        scan(play, two, OLD)
        assert not [each for each in play.run().release(two).warnings if each.startswith(SINCE)]
        scan(play, two, OLD, "CVE-2026-1")
        assert "CVE-2026-1" in play.run().release(two).warnings[-1]


class TestRingRules:
    CANARY, EARLY, LAST = DEFINITION.rings
    STRICT = replace(
        WARNING,
        scan=rules(limits={Severity.CRITICAL: 1}),
        rings=(CANARY, EARLY, replace(LAST, scan=rules(limits={Severity.CRITICAL: 0}))),
    )

    def test_a_stricter_ring_rejects_what_others_took(self) -> None:
        play = Rehearsal(self.STRICT)
        version = play.publish(scan=None)
        scan(play, version, OLD, after=10)
        release = play.run().release(version)
        assert (release.state, [each.ring for each in release.published]) == (State.REJECTED, ["canary", "early"])
        record = release.gate(Gate.SCAN, "production")
        assert record is not None
        assert (record.answer, play.latest(PRODUCTION, "eastus2")) == (Answer.REJECT, None)

    def test_a_ring_s_own_pass_is_proof_of_its_own(self) -> None:
        play = Rehearsal(self.STRICT)
        version = play.publish()
        release = play.run().release(version)
        record = release.gate(Gate.SCAN, "production")
        assert record is not None
        assert (release.state, record.answer) == (State.RELEASED, Answer.PASS)

    def test_it_asks_azure_nothing(self) -> None:
        def calls(definition: DefinitionPolicy) -> int:
            play = Rehearsal(definition)
            play.publish()
            play.run()
            return sum(call.name.startswith("galleries.") for _, call in play.done)

        assert calls(self.STRICT) == calls(replace(self.STRICT, rings=DEFINITION.rings))

    def test_a_report_that_is_too_old_by_then_is_waited_for(self) -> None:
        fresh = replace(
            self.STRICT, rings=(self.CANARY, self.EARLY, replace(self.LAST, scan=rules(max_age=timedelta(hours=1))))
        )
        play = Rehearsal(fresh)
        version = play.publish()
        play.after(60 * 9, lambda: play.scan(version))
        release = play.run().release(version)
        assert release.state is State.RELEASED
        assert "ScanRequested" in told(play)
        waits = [
            line.text
            for line in release.history
            if "waiting for a scan that the rules of production accept" in line.text
        ]
        assert len(waits) == 1

    def test_it_is_not_waited_for_for_ever(self) -> None:
        fresh = replace(
            self.STRICT, rings=(self.CANARY, self.EARLY, replace(self.LAST, scan=rules(max_age=timedelta(hours=1))))
        )
        play = Rehearsal(fresh)
        version = play.publish()
        release = play.run().release(version)
        assert release.state is State.REJECTED
        assert "no usable scan report for the rules of production" in release.reasons[0]


class TestAskedScans:
    def test_a_scan_is_asked_for_when_the_last_is_older_than_the_policy_wants(self) -> None:
        play, version = released(ruled(SMALL, rescan_after=timedelta(days=2)))
        play.wait(hours=47)
        assert "ScanRequested" not in told(play)
        play.wait(hours=2)
        (event,) = [each for each in play.cloud.publisher.published() if each.type == "Ringmaster.ScanRequested"]
        assert event.version == version

    def test_it_is_asked_once_a_day_until_one_comes(self) -> None:
        play, version = released(ruled(SMALL, rescan_after=timedelta(days=2)))
        play.wait(hours=48 + 60)
        asked = told(play).count("ScanRequested")
        scan(play, version)
        play.wait(hours=40)
        assert (asked, told(play).count("ScanRequested")) == (3, 3)

    def test_only_what_is_latest_in_some_ring_is_asked_for(self) -> None:
        play, old = released(ruled(SMALL, rescan_after=timedelta(days=2)))
        new = play.publish("1.1.0")
        play.run()
        play.wait(hours=60)
        asked = {each.version for each in play.cloud.publisher.published() if each.type == "Ringmaster.ScanRequested"}
        assert (old in asked, asked) == (False, {new})

    def test_a_report_of_which_nobody_was_told_is_found(self) -> None:
        play, version = released(ruled(SMALL, rescan_after=timedelta(days=2)))
        body = report(play, version, BAD)
        play.wait(hours=1)
        play.do(lambda world, now: world.evidence.save_report(version, "trivy", body, at=now))
        play.wait(hours=60)
        assert any(BAD in each for each in play.release(version).warnings)
        assert play.hints(Kind.SCAN)


class TestWaiting:
    def test_a_scan_is_asked_for_when_half_of_its_time_is_over(self) -> None:
        play = Rehearsal(SMALL)
        play.publish(scan=None)
        play.wait(hours=11)
        assert told(play).count("ScanRequested") == 0
        play.wait(hours=2)
        assert told(play).count("ScanRequested") == 1
