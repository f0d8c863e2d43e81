"""A version judged by hand: the same verdict as the stage's, and nothing written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

from shared.domain.image import VersionId, VersionNumber
from shared.domain.policy import ValidationRules
from shared.domain.release import Gate
from shared.domain.validation.rule import RuleSeverity
from shared.queries.status import explanation
from shared.queries.validation import validation
from shared.settings import read_settings
from shared.triggers.http_api import judge
from shared.triggers.http_responses import respond
from shared.triggers.runtime import Runtime
from tests.flow.rehearsal import PRODUCTION, SMALL, SOURCE, Rehearsal

STRICT = replace(SMALL, validation=ValidationRules(severities={"source-gone": RuleSeverity.ERROR}))


def judged(play: Rehearsal, version: VersionId) -> dict[str, Any] | None:
    return play.do(lambda world, now: validation(version, world, now=now))


@pytest.fixture(scope="module")
def play() -> Rehearsal:
    """A version that was released under a lenient policy, which has become strict since."""
    made = Rehearsal(SMALL)
    made.publish()
    made.run()
    made.cloud.world = replace(made.cloud.world, policy=replace(made.host.world.policy, definitions={SOURCE: STRICT}))
    return made


VERSION = SOURCE.version(VersionNumber(1, 0, 0))


def test_the_present_policy_judges_a_version_that_another_one_let_pass(play: Rehearsal) -> None:
    found = judged(play, VERSION)
    assert found is not None
    assert found["outcome"] == "reject"
    assert [each["rule"] for each in found["findings"] if each["severity"] == "error"] == ["source-gone"]
    assert found["rules"]["severities"]["source-gone"] == "error"


def test_nothing_is_written(play: Rehearsal) -> None:
    before = (play.stored(VERSION), dict(play.cloud.evidence.documents()), len(play.cloud.queues))
    judged(play, VERSION)
    assert (play.stored(VERSION), dict(play.cloud.evidence.documents()), len(play.cloud.queues)) == before


def test_the_verdict_is_the_one_of_the_stage() -> None:
    play = Rehearsal(STRICT)
    version = play.publish()
    play.run()
    found = judged(play, version)
    record = play.gate(version, Gate.VALIDATION)
    assert found is not None
    assert (found["outcome"], record.answer.value) == ("reject", "reject")
    assert tuple(each["text"] for each in found["findings"] if each["severity"] == "error") == record.reasons


def test_a_version_that_does_not_exist_is_rejected_and_one_of_no_policy_unknown(play: Rehearsal) -> None:
    found = judged(play, SOURCE.version(VersionNumber(9, 9, 9)))
    assert found is not None
    assert [each["rule"] for each in found["findings"]] == ["version-gone"]
    assert judged(play, PRODUCTION.version(VersionNumber(1, 0, 0))) is None


@pytest.mark.parametrize(
    ("named", "status"),
    [(str(VERSION), 200), ("", 400), (str(PRODUCTION.version(VersionNumber(1, 0, 0))), 404)],
    ids=["covered", "no id", "not covered"],
)
def test_the_route_answers(play: Rehearsal, named: str, status: int) -> None:
    runtime = Runtime(read_settings({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}), _world=play.cloud.world)
    request = func.HttpRequest("GET", "https://x/api/validation", params={"version": named}, body=b"")
    answer = play.do(lambda _, now: respond(judge(request, runtime, now=now), include_details=True))
    assert answer.status_code == status
    assert ("outcome" in json.loads(answer.get_body())) is (status == 200)


def test_an_explanation_tells_every_rule_that_was_applied_from_evidence(play: Rehearsal) -> None:
    found = play.do(lambda world, _: explanation(VERSION, world))
    assert found is not None
    assert found["validation"]["severities"]["source-gone"] == "warn"
    assert "source-gone" in [each["rule"] for each in found["validation"]["findings"]]
    assert found["validation"]["activityLog"]["created"]["caller"] == "builder"
