"""The health of published rings: breaches, too little traffic, and what people do about them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.common.fleet import FleetMachine
from shared.adapters.memory.health import Fleet
from shared.domain.actions import Action
from shared.domain.approvals import missing_health
from shared.domain.health_rules import HealthRules, OnBreach, OnUnknown, ScaleSetRules
from shared.domain.image import VersionId, VersionNumber
from shared.domain.policy import ApprovalRules, DefinitionPolicy, Skippable
from shared.domain.release import Answer, Gate, Release, State
from shared.engine.apply_action import ActionDenied
from shared.ports import FleetQuestion, Unavailable
from tests.flow.misfortunes import Misfortune
from tests.flow.rehearsal import ADMIN, APPROVER, DEFINITION, HOME, SOURCE, WARNING, Rehearsal

RULES = HealthRules(
    watch_for=timedelta(hours=1),
    every=timedelta(minutes=10),
    minimum=5,
    failure_threshold=2,
    scale_sets=ScaleSetRules(ids=("web",)),
)


def watched(definition: DefinitionPolicy = DEFINITION, **changes: Any) -> DefinitionPolicy:
    """The definition with the health of every ring watched."""
    rules = replace(RULES, **changes)
    return replace(definition, rings=tuple(replace(ring, health=rules) for ring in definition.rings))


def instances(question: FleetQuestion, good: int, bad: int = 0) -> Fleet:
    codes = ["HealthState/healthy"] * good + ["HealthState/unhealthy"] * bad
    found = [
        FleetMachine(f"web_{number}", question.version, HOME, "Succeeded", code, in_scale_set=True)
        for number, code in enumerate(codes)
    ]
    return Fleet(found)


class Fleets:
    """What runs in each ring, by its first region: healthy unless a test says otherwise."""

    def __init__(self, play: Rehearsal) -> None:
        self.counts: dict[str, tuple[int, int]] = {}
        self.asked: list[FleetQuestion] = []
        play.cloud.health.plan = lambda question, _: self._answer(question)

    def _answer(self, question: FleetQuestion) -> Fleet:
        self.asked.append(question)
        return instances(question, *self.counts.get(question.regions[0], (20, 0)))


def played(definition: DefinitionPolicy, *misfortunes: Misfortune) -> tuple[Rehearsal, Fleets, VersionId]:
    """A version under way, with a version before that is published everywhere."""
    play = Rehearsal(definition, misfortunes=misfortunes)
    fleets = Fleets(play)
    return play, fleets, play.publish()


def breached(definition: DefinitionPolicy, good: int = 5, bad: int = 5) -> tuple[Rehearsal, Fleets, VersionId]:
    """A version whose canary fails."""
    play, fleets, version = played(definition)
    fleets.counts[HOME] = (good, bad)
    play.until(lambda: play.has(version) and bool(play.release(version).health_failures))
    return play, fleets, version


def rings(release: Release) -> list[str]:
    return [each.ring for each in release.published]


def answer(play: Rehearsal, version: VersionId, ring: str) -> Answer | None:
    record = play.release(version).gate(Gate.HEALTH, ring)
    return record.answer if record else None


def told(play: Rehearsal) -> list[str]:
    return [each.type.removeprefix("Ringmaster.") for each in play.cloud.publisher.published()]


def shown(play: Rehearsal, version: VersionId, what: Callable[[str], bool]) -> bool:
    return any(what(each) for each in play.release(version).stalls.values())


class TestHealthy:
    def test_each_ring_has_its_verdict_before_the_next_is_published(self) -> None:
        play, _, version = played(watched())
        release = play.run().release(version)
        assert (release.state, rings(release)) == (State.RELEASED, ["canary", "early", "production"])
        verdicts = [release.gate(Gate.HEALTH, name) for name in rings(release)]
        assert [each and each.answer for each in verdicts] == [Answer.PASS] * 3

    def test_the_watch_lasts_until_the_next_ring_has_baked(self) -> None:
        play, _, version = played(watched())
        release = play.run().release(version)
        early = release.published_in("early")
        record = release.gate(Gate.HEALTH, "early")
        assert early is not None
        assert record is not None
        assert record.at - early.at >= DEFINITION.rings[2].bake

    def test_the_last_ring_is_watched_after_the_release(self) -> None:
        play, _, version = played(watched())
        play.until(lambda: play.has(version) and play.release(version).state is State.RELEASED)
        assert "health/production" in play.release(version).pending
        assert answer(play.run(), version, "production") is Answer.PASS

    def test_a_look_costs_one_reading_of_the_fleet_and_one_list(self) -> None:
        play, fleets, _ = played(watched())
        play.run()
        looks = [command for run, _ in play.hops if (command := run.command) and command.kind.value == "health"]
        assert len(fleets.asked) == len(looks)

    def test_the_evidence_has_the_facts_and_the_rules(self) -> None:
        play, _, version = played(watched())
        record = play.run().release(version).gate(Gate.HEALTH, "canary")
        assert record is not None
        document = play.cloud.evidence.documents()[record.evidence]
        assert document["facts"]["fleet"]["instances"]["good"] == 20
        assert document["rules"]["minimum"] == 5


class TestBreach:
    def test_no_further_ring_is_published_and_the_release_says_why(self) -> None:
        play, _, version = breached(watched())
        play.wait(hours=30)
        release = play.release(version)
        assert (rings(release), release.state) == (["canary"], State.BAKING)
        assert shown(play, version, lambda text: "5 of 10 scale-set instances are unhealthy" in text)
        assert "Release.RingUnhealthy" in told(play)
        assert play.latest(SOURCE, HOME) == "1.0.0"

    def test_one_bad_look_is_not_a_breach(self) -> None:
        play, fleets, version = played(watched())
        fleets.counts[HOME] = (5, 5)
        play.until(lambda: len(fleets.asked) == 1)
        fleets.counts.clear()
        assert play.run().release(version).state is State.RELEASED

    def test_an_operator_accepts_it_and_the_evidence_has_the_name(self) -> None:
        play, _, version = breached(watched())
        play.wait(hours=3)
        play.take(Action.RESUME, version, reason="a load test")
        release = play.run().release(version)
        record = release.gate(Gate.HEALTH, "canary")
        assert release.state is State.RELEASED
        assert record is not None
        assert record.reasons == ("accepted by operator: a load test",)
        assert not any(each.startswith("health of canary") for each in release.warnings)

    def test_it_is_not_accepted_without_a_reason(self) -> None:
        play, _, version = breached(watched())
        with pytest.raises(ActionDenied, match="needs a reason"):
            play.take(Action.RESUME, version, reason="")

    def test_whoever_lifts_a_hold_has_not_accepted_it(self) -> None:
        play, _, version = breached(watched())
        play.take(Action.HOLD, version)
        play.take(Action.RESUME, version)
        play.wait(hours=30)
        assert (rings(play.release(version)), len(play.release(version).health_failures)) == (["canary"], 1)

    def test_a_retry_watches_again(self) -> None:
        play, fleets, version = breached(watched())
        fleets.counts.clear()
        play.take(Action.RETRY, version)
        release = play.run().release(version)
        assert (release.state, answer(play, version, "canary")) == (State.RELEASED, Answer.PASS)

    def test_a_retry_of_what_is_still_bad_stops_again(self) -> None:
        play, _, version = breached(watched())
        play.take(Action.RETRY, version)
        play.wait(hours=30)
        assert rings(play.release(version)) == ["canary"]
        assert len(play.release(version).health_failures) == 1

    def test_another_policy_does_not_let_it_go_on(self) -> None:
        play, _, version = breached(watched())
        changed = watched(failure_threshold=3)
        play.change_policy(replace(changed, digest="digest-2"))
        play.wait(hours=30)
        assert rings(play.release(version)) == ["canary"]
        assert play.release(version).health_failures

    def test_an_emergency_skips_it_where_the_policy_says_so(self) -> None:
        play, _, version = breached(replace(watched(), emergency_skips=frozenset({Skippable.HEALTH})))
        play.wait(hours=3)
        play.take(Action.EMERGENCY, version, ADMIN)
        play.wait(hours=2)
        assert rings(play.release(version)) == ["canary", "early"]

    def test_of_the_last_ring_it_is_an_alert(self) -> None:
        play, fleets, version = played(watched())
        fleets.counts["eastus2"] = (5, 5)
        release = play.run().release(version)
        assert (release.state, rings(release)[-1]) == (State.RELEASED, "production")
        assert any(each.startswith("health of production: 5 of 10") for each in release.warnings)
        assert told(play)[-1] == "Release.RingUnhealthy"

    def test_nobody_is_asked_to_approve_what_is_not_healthy(self) -> None:
        rings_ = tuple(replace(ring, approval=ApprovalRules()) for ring in watched().rings)
        play, fleets, version = played(replace(watched(), rings=rings_))
        fleets.counts[HOME] = (5, 5)
        play.until(lambda: play.has(version) and play.release(version).state is State.AWAITING_APPROVAL)
        play.take(Action.APPROVE, version, APPROVER)
        play.wait(hours=30)
        assert (play.release(version).state, told(play).count("Release.ApprovalWanted")) == (State.BAKING, 1)


class TestHide:
    HIDING = watched(on_breach=OnBreach.HIDE)

    def hidden(self) -> tuple[Rehearsal, Fleets, VersionId]:
        """1.0.1 is bad where 1.0.0 was published everywhere."""
        play = Rehearsal(self.HIDING)
        fleets = Fleets(play)
        play.publish("1.0.0")
        play.run()
        fleets.counts[HOME] = (5, 5)
        version = play.publish("1.0.1")
        play.until(lambda: play.has(version) and bool(play.release(version).health_failures))
        play.wait(hours=1)
        return play, fleets, version

    def test_latest_in_the_ring_is_the_version_before_again(self) -> None:
        play, _, version = self.hidden()
        assert (play.latest(SOURCE, HOME), play.latest(SOURCE, "eastus")) == ("1.0.0", "1.0.0")
        assert (play.release(version).state, rings(play.release(version))) == (State.PUBLISHING, [])

    def test_it_stays_hidden_until_somebody_decides(self) -> None:
        play, _, version = self.hidden()
        play.wait(hours=30)
        assert play.latest(SOURCE, HOME) == "1.0.0"
        assert shown(play, version, lambda text: "Resume the release to accept this" in text)

    def test_what_an_operator_accepts_is_published_and_watched_again(self) -> None:
        play, fleets, version = self.hidden()
        fleets.counts.clear()
        play.take(Action.RESUME, version, reason="the load balancer was at fault")
        release = play.run().release(version)
        record = release.gate(Gate.HEALTH, "canary")
        assert (release.state, play.latest(SOURCE, HOME)) == (State.RELEASED, "1.0.1")
        assert record is not None
        assert record.reasons == ()

    def test_a_rejected_one_is_hidden_everywhere(self) -> None:
        play, _, version = self.hidden()
        play.take(Action.REJECT, version, APPROVER)
        assert play.run().release(version).state is State.REJECTED
        assert play.latest(SOURCE, HOME) == "1.0.0"

    def test_latest_is_never_made_nothing(self) -> None:
        play, _, version = breached(self.HIDING)
        play.wait(hours=2)
        assert play.latest(SOURCE, HOME) == "1.0.0"
        assert shown(play, version, lambda text: "latest in" in text)

    def test_a_breach_in_the_last_ring_takes_it_out_of_that_ring_alone(self) -> None:
        play = Rehearsal(self.HIDING)
        fleets = Fleets(play)
        play.publish("1.0.0")
        play.run()
        fleets.counts["eastus2"] = (5, 5)
        version = play.publish("1.0.1")
        play.until(lambda: play.has(version) and bool(play.release(version).health_failures))
        play.wait(hours=1)
        production = DEFINITION.rings[2].definition
        assert (play.latest(production, "eastus2"), play.latest(SOURCE, HOME)) == ("1.0.0", "1.0.1")
        assert rings(play.release(version)) == ["canary", "early"]


class TestUnknown:
    def test_too_little_traffic_is_a_verdict_of_its_own_and_a_warning(self) -> None:
        play, fleets, version = played(watched())
        fleets.counts[HOME] = (4, 0)
        release = play.run().release(version)
        assert (release.state, answer(play, version, "canary")) == (State.RELEASED, Answer.UNKNOWN)
        assert any(each.startswith("health of canary: only 4 scale-set instances") for each in release.warnings)

    def test_the_policy_can_wait_for_traffic(self) -> None:
        play, fleets, version = played(watched(on_unknown=OnUnknown.WAIT))
        fleets.counts[HOME] = (4, 0)
        play.wait(hours=30)
        assert rings(play.release(version)) == ["canary"]
        assert shown(play, version, lambda text: "the health of canary is unknown" in text)
        fleets.counts.clear()
        assert play.run().release(version).state is State.RELEASED

    def test_an_operator_accepts_that_it_is_not_known(self) -> None:
        play, fleets, version = played(watched(on_unknown=OnUnknown.WAIT))
        fleets.counts[HOME] = (4, 0)
        play.wait(hours=5)
        play.take(Action.RESUME, version, reason="nobody uses canary at night")
        assert play.run().release(version).state is State.RELEASED

    def test_an_outage_of_the_reader_delays_the_verdict_and_fails_nothing(self) -> None:
        away = Misfortune("health.fleet", lambda: Unavailable("away"), times=3)
        play, _, version = played(watched(), away)
        assert play.run().release(version).state is State.RELEASED
        assert away.struck


class TestLaterVersions:
    def test_a_release_that_was_rejected_is_not_watched_any_more(self) -> None:
        play, _, version = played(watched(WARNING))
        play.until(lambda: play.has(version) and bool(play.release(version).published))
        play.take(Action.REJECT, version, APPROVER)
        release = play.run().release(version)
        assert (release.state, release.is_settled) == (State.REJECTED, True)

    def test_a_number_used_again_is_not_judged_by_its_former_image(self) -> None:
        in_one_gallery = replace(watched(), rings=watched().rings[:2])
        play, fleets, version = breached(in_one_gallery)
        fleets.counts.clear()
        play.cloud.galleries.remove(version)
        play.publish(str(version.number))
        release = play.run().release(version)
        assert (release.state, release.health_failures) == (State.RELEASED, ())

    def test_the_version_before_is_the_highest_that_latest_could_resolve_to(self) -> None:
        play, fleets, _ = played(watched())
        play.run()
        fleets.asked.clear()
        play.publish("1.0.5")
        play.run()
        assert {each.before for each in fleets.asked} == {VersionNumber(1, 0, 0)}

    def test_a_verdict_from_before_the_publication_is_no_proof(self) -> None:
        play, _, version = played(watched())
        release = play.run().release(version)
        early = next(ring for ring in watched().rings if ring.name == "early")
        canary = release.published_in("canary")
        assert canary is not None
        again = replace(release, published=(replace(canary, at=release.updated_at + timedelta(days=1)),))
        assert missing_health(again, watched(), early) is not None
