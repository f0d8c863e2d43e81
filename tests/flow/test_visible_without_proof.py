"""A version that is visible to ``latest`` and not proven: whoever made it visible, it is hidden."""

from dataclasses import replace

import pytest

from local.simulation.calls import Call
from local.simulation.cloud import run_now
from shared.adapters.memory.characters import PANICS
from shared.domain.facts import ProvisioningState, RegionTargetFacts, VersionFacts
from shared.domain.image import VersionId
from shared.domain.messages import Kind
from shared.domain.policy import DefinitionPolicy, ValidationRules, VisibleBeforeProof
from shared.domain.release import Gate, State
from tests.flow.misfortunes import Meanwhile, Misfortune, crash, unavailable
from tests.flow.rehearsal import DEFINITION, HOME, PRODUCTION, SMALL, SOURCE, SUBSCRIPTION, Rehearsal
from tests.flow.test_rescans import TestRingRules as RingRules
from tests.flow.test_rescans import scan

LOG4SHELL, OLD = "critical-cve", "CVE-2020-0001"


def judging(what: VisibleBeforeProof) -> DefinitionPolicy:
    return replace(SMALL, validation=ValidationRules(visible_before_proof=what))


def shows(play: Rehearsal, version: VersionId) -> None:
    """An operator makes a version visible to ``latest`` everywhere."""
    facts = run_now(play.cloud.galleries.version(version))
    targets = tuple(replace(target, excluded=False) for target in facts.targets)
    run_now(play.cloud.galleries.write_targets(facts, targets, excluded=False))
    play.event(version, "operator")


def hidings(play: Rehearsal) -> int:
    return sum(run.command is not None and run.command.kind is Kind.HIDE for run, _ in play.hops)


def test_a_visible_version_with_log4shell_is_hidden_before_its_scan_has_come() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(scan=LOG4SHELL, excluded=False)
    play.until(lambda: play.latest(SOURCE, HOME) == "1.0.0")
    play.until(lambda: play.has(version) and play.release(version).state is State.QUALIFYING)
    assert play.latest(SOURCE, HOME) is None
    release = play.run().release(version)
    assert (release.state, play.latest(SOURCE, HOME)) == (State.REJECTED, None)
    assert any("CVE-2021-44228" in reason for reason in release.reasons)


def test_the_evidence_tells_what_latest_was_and_is() -> None:
    play = Rehearsal(SMALL)
    version = play.publish(excluded=False)
    record = next(each for each in play.run().release(version).gates if each.gate is Gate.HIDING)
    facts = play.cloud.evidence.documents()[record.evidence]["facts"]
    assert facts["latest"][str(SOURCE)][HOME] == {"before": "1.0.0", "after": None}


def test_a_good_version_that_its_builder_made_visible_is_proven_and_published() -> None:
    play = Rehearsal()
    version = play.publish(excluded=False)
    release = play.run().release(version)
    assert (release.state, play.latest(SOURCE, HOME), play.latest(PRODUCTION, HOME)) == (
        State.RELEASED,
        "1.0.0",
        "1.0.0",
    )
    assert any("visible without proof" in line.text for line in release.history)


@pytest.mark.parametrize("what", [VisibleBeforeProof.WARN, VisibleBeforeProof.REJECT])
def test_a_policy_that_only_judges_hides_nothing(what: VisibleBeforeProof) -> None:
    play = Rehearsal(judging(what))
    version = play.publish(scan=LOG4SHELL, excluded=False)
    release = play.run().release(version)
    assert (release.state, play.latest(SOURCE, HOME)) == (State.REJECTED, "1.0.0")


def test_a_hidden_version_costs_no_hiding() -> None:
    play = Rehearsal()
    play.publish()
    play.run()
    assert hidings(play) == 0


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_around_the_write_delays_the_hiding_and_no_more(after: bool) -> None:
    death = Misfortune("galleries.write_targets", crash, after=after)
    play = Rehearsal(SMALL, misfortunes=[death])
    version = play.publish(scan=LOG4SHELL, excluded=False)
    release = play.run().release(version)
    assert (death.struck, release.state, play.latest(SOURCE, HOME)) == (True, State.REJECTED, None)


def test_a_gallery_that_does_not_answer_delays_the_hiding_and_no_more() -> None:
    silence = Misfortune("galleries.versions", unavailable, function="hide", times=3)
    play = Rehearsal(SMALL, misfortunes=[silence])
    version = play.publish(scan=LOG4SHELL, excluded=False)
    release = play.run().release(version)
    assert (silence.struck, release.state, play.latest(SOURCE, HOME)) == (True, State.REJECTED, None)


class TestRejected:
    STRICT = replace(RingRules.STRICT, validation=SMALL.validation)

    def published(self, play: Rehearsal) -> VersionId:
        """A version with a finding that only the last ring does not take."""
        version = play.publish(scan=None)
        scan(play, version, OLD, after=10)
        return version

    def test_a_rejected_version_that_an_operator_shows_is_hidden_again(self) -> None:
        play = Rehearsal(SMALL)
        version = play.publish(scan=LOG4SHELL)
        play.run()
        shows(play, version)
        assert play.latest(SOURCE, HOME) == "1.0.0"
        release = play.run().release(version)
        assert (release.state, play.latest(SOURCE, HOME)) == (State.REJECTED, None)
        assert "CVE-2021-44228" in release.reasons[0]

    def test_a_later_ring_rejects_it_everywhere(self) -> None:
        play = Rehearsal(self.STRICT)
        play.publish("0.9.0")
        play.run()
        version = self.published(play)
        release = play.run().release(version)
        assert release.state is State.REJECTED
        assert {play.latest(SOURCE, HOME), play.latest(SOURCE, "eastus"), play.latest(PRODUCTION, HOME)} == {"0.9.0"}
        assert release.published == ()

    def test_where_latest_would_be_empty_it_waits_for_another_version(self) -> None:
        play = Rehearsal(self.STRICT)
        version = self.published(play)
        play.until(lambda: play.has(version) and bool(play.release(version).stalls))
        assert play.wait(hours=2).latest(SOURCE, HOME) == "1.0.0"
        lines = [line.text for line in play.release(version).history if "would be empty" in line.text]
        assert len(lines) == 1
        play.publish("1.0.1")
        release = play.run().release(version)
        assert (play.latest(SOURCE, HOME), release.published) == ("1.0.1", ())

    def test_unless_the_policy_lets_it_be_empty(self) -> None:
        allowed = replace(self.STRICT, scan=replace(self.STRICT.scan, revoke_to_empty=True))
        play = Rehearsal(allowed)
        self.published(play)
        play.run()
        assert (play.latest(SOURCE, HOME), play.latest(SOURCE, "eastus")) == (None, None)


class TestSuperseded:
    def test_a_superseded_version_stays_where_it_was_published(self) -> None:
        play = Rehearsal()
        version = play.publish("1.0.0")
        play.until(lambda: play.has(version) and len(play.release(version).published) == 1)
        play.publish("1.0.1")
        release = play.run().release(version)
        facts = run_now(play.cloud.galleries.version(version))
        assert release.state in {State.SUPERSEDED, State.RELEASED}
        assert facts.visible_in(HOME)


class TestReusedNumber:
    """A write for the former bearer of a number is slow, and shows the new one."""

    def built_again(self, play: Rehearsal, version: VersionId) -> None:
        facts = run_now(play.cloud.galleries.version(version))
        play.cloud.galleries.remove(version)
        play.characters[version.number] = [PANICS]
        source = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/images/base"
        targets = tuple(RegionTargetFacts(region, excluded=True) for region in facts.regions)
        again = VersionFacts(
            version, ProvisioningState.CREATING, HOME, source_id=source, targets=targets, excluded=True, os_disk_gb=30
        )
        play.cloud.galleries.build(again, settled=True)

    def test_what_a_slow_write_of_replication_shows_is_hidden_before_it_is_judged(self) -> None:
        meanwhile = Meanwhile("galleries.write_targets", "replicate")
        play = Rehearsal(replace(DEFINITION, rings=DEFINITION.rings[:2]), misfortunes=[meanwhile])

        def act(_: Call) -> None:
            if play.latest(SOURCE, HOME) is None:
                meanwhile.hits = 0  # not yet published anywhere: this write shows nothing
                return
            self.built_again(play, version)

        meanwhile.act = act
        version = play.publish()
        play.until(
            lambda: play.has(version) and any("number reused" in line.text for line in play.release(version).history)
        )
        assert play.latest(SOURCE, HOME) == "1.0.0"
        play.until(lambda: play.release(version).state is State.QUALIFYING)
        assert play.latest(SOURCE, HOME) is None
        release = play.run().release(version)
        assert (release.state, play.latest(SOURCE, HOME)) == (State.REJECTED, None)
