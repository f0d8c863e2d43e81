"""Rules of validation on the way of a release: waivers that expire, builders nobody named, a log that is out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.image import VersionId
from shared.domain.policy import DefinitionPolicy, ValidationRules
from shared.domain.release import Gate, State
from shared.domain.validation.policy import Waiver
from shared.domain.validation.rule import RuleSeverity
from tests.flow.misfortunes import Misfortune, throttled
from tests.flow.rehearsal import BEGIN, OWN_WRITER, SMALL, Rehearsal

ROBOT = "aaaaaaaa-0000-4000-8000-000000000001"
SOURCE_GONE = {"source-gone": RuleSeverity.ERROR}
"""Every version of a rehearsal has a source that is gone: a finding at will."""


def by(**rules: Any) -> DefinitionPolicy:
    return replace(SMALL, validation=ValidationRules(**rules))


def evidence(play: Rehearsal, version: VersionId) -> Any:
    return play.cloud.evidence.documents()[play.gate(version, Gate.VALIDATION).evidence]


def test_a_waiver_lets_a_version_pass_and_one_that_has_expired_does_not() -> None:
    waiver = Waiver("source-gone", "platform@example.com", "the builder deletes it", BEGIN + timedelta(days=1))
    play = Rehearsal(by(severities=SOURCE_GONE, waivers=(waiver,)))
    first = play.publish("1.0.0")
    play.run()
    play.wait(30)
    second = play.publish("1.0.1")
    play.run()
    assert (play.release(first).state, play.release(second).state) == (State.RELEASED, State.REJECTED)
    assert any("waived by platform@example.com" in each for each in play.release(first).warnings)
    assert any("the waiver of platform@example.com expired on" in each for each in play.release(second).reasons)
    waived = [each for each in evidence(play, first)["facts"]["findings"] if each["severity"] == "waived"]
    assert [each["rule"] for each in waived] == ["source-gone"]
    assert evidence(play, first)["rules"]["waivers"][0]["owner"] == "platform@example.com"


def test_evidence_names_every_rule_and_who_created_the_version() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    document = evidence(play.run(), version)
    assert document["rules"]["severities"]["source-gone"] == "warn"
    assert document["facts"]["activityLog"]["created"]["application"] == "builder"


@pytest.mark.parametrize(("writer", "state"), [(ROBOT, State.RELEASED), ("somebody", State.REJECTED)])
def test_a_version_of_an_unapproved_builder_is_rejected(writer: str, state: State) -> None:
    play = Rehearsal(by(builders=frozenset({ROBOT})))
    version = play.publish(writer=writer)
    assert play.run().release(version).state is state


def test_a_lost_event_is_made_up_for_by_the_activity_log_however_late() -> None:
    play = Rehearsal(by(builders=frozenset({ROBOT})))
    play.cloud.activity_log.late = timedelta(minutes=20)
    version = play.publish(events=(), writer=ROBOT)
    release = play.run().release(version)
    assert (release.builder, release.state) == (None, State.RELEASED)
    assert any("the Activity Log does not say yet" in each.text for each in release.history)


def test_a_builder_that_nobody_names_is_rejected_and_waited_for_no_longer_than_the_log_is_late() -> None:
    play = Rehearsal(by(builders=frozenset({ROBOT})))
    play.cloud.activity_log.late = timedelta(days=30)
    version = play.publish(events=())
    release = play.run().release(version)
    assert release.state is State.REJECTED
    assert play.gate(version, Gate.VALIDATION).at < BEGIN + timedelta(minutes=45)


def test_a_log_that_the_app_may_not_read_rejects_nothing_and_is_told() -> None:
    play = Rehearsal(SMALL)
    play.cloud.activity_log.refuses = True
    version = play.publish()
    release = play.run().release(version)
    assert release.state is State.RELEASED
    assert any("the Activity Log cannot be read" in each for each in release.warnings)


@pytest.mark.parametrize("builders", [frozenset[str](), frozenset({ROBOT})], ids=["not needed", "named by the event"])
def test_a_log_that_does_not_answer_delays_no_release(builders: frozenset[str]) -> None:
    out = Misfortune("activity_log.writes", throttled, times=99)
    play = Rehearsal(by(builders=builders), misfortunes=[out])
    version = play.publish(writer=ROBOT)
    assert play.run().release(version).state is State.RELEASED
    assert len(play.runs("validate")) < 4


def test_a_write_of_our_own_is_the_last_and_not_the_first() -> None:
    play = Rehearsal(SMALL)
    version = play.publish()
    play.run()
    play.change_policy(replace(SMALL, digest="digest-2"))
    play.event(version, "builder")
    play.run()
    records = play.do(lambda world, now: world.activity_log.writes(version, since=BEGIN, until=now))
    assert records[0].application == "builder"
    assert {record.application for record in records[1:]} == {OWN_WRITER}
