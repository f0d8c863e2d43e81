"""A policy with faults: said so to whoever asks and in the log; what comes meanwhile waits until it is put right."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.e2e.app import App
from tests.e2e.conftest import Running
from tests.e2e.scene import policy, report, version, written

pytestmark = pytest.mark.stack

WAITING, MEANWHILE = version("policy", "1.0.0"), version("downtime", "1.0.0")
"""A release that waits when the faults come, and a version that is built while they are there."""
FAULTS = ("surprise", "atlantis", "westeurope")


def broken() -> dict[str, Any]:
    """The policy with an unknown key, an unknown region and rings that overlap."""
    document = policy()
    first = document["definitions"][0]
    document["surprise"] = True
    first["rings"] = [
        {"name": "canary", "regions": ["westeurope", "atlantis"]},
        {"name": "next", "regions": ["westeurope"]},
    ]
    return document


def deploy(app: App, document: dict[str, Any]) -> None:
    """The same app with another policy."""
    app.stack.options.policy.write_text(json.dumps(document, indent=1), encoding="utf-8")
    app.stack.restart("host")


@dataclass(frozen=True)
class Seen:
    """What everybody got while the policy could not be used, and how it went on."""

    people: requests.Response
    action: requests.Response
    scanner: requests.Response
    stranger: requests.Response
    event: requests.Response
    other_event: requests.Response
    log: str
    after: dict[str, Any]
    meanwhile: dict[str, Any]
    letters: list[Any]


@pytest.fixture(scope="module")
def seen(running: Running) -> Seen:
    """A policy with faults is deployed while a release waits, and then one without."""
    with running(sign_in=True) as app:
        app.publish(WAITING)
        app.awaiting_scan(WAITING)
        deploy(app, broken())
        app.publish(MEANWHILE)
        answers = {
            "people": app.ask(),
            "action": app.act("admin", WAITING, "hold", reason="the policy is unusable"),
            "scanner": app.scan(WAITING, report(WAITING)),
            "stranger": app.scan(WAITING, report(WAITING), headers={"x-ringmaster-signature": None}),
            "event": app.event_grid([written(version("policy", "1.1.1"))]),
            "other_event": app.event_grid([written(WAITING, eventType="Other")]),
        }
        app.send("image-validate", json.dumps(hint()))
        app.until(lambda: "because the policy is invalid" in app.log(), "a command is put back")
        log = app.log()
        deploy(app, policy())
        meanwhile = app.awaiting_scan(MEANWHILE)
        assert app.scan(WAITING, report(WAITING)).status_code == 202
        after = app.settled(WAITING)
        return Seen(**answers, log=log, after=after, meanwhile=meanwhile, letters=app.overview()["deadLetters"])


def hint() -> dict[str, Any]:
    """A command that asks to look at the version again."""
    return {"v": 1, "kind": "validate", "release": str(WAITING), "seq": 0, "not_after": "2099-01-01T00:00:00Z"}


@pytest.mark.parametrize("who", ["people", "action"])
def test_people_get_503_with_every_fault_and_its_line(seen: Seen, who: str) -> None:
    answer = getattr(seen, who)
    problem = answer.json()["error"]
    assert (answer.status_code, problem["code"]) == (503, "policy_unusable")
    assert all(fault in problem["message"] for fault in FAULTS)
    assert problem["message"].count("policy.yaml:") >= len(FAULTS)


def test_scanners_get_503_without_the_faults(seen: Seen) -> None:
    assert seen.scanner.status_code == 503
    assert not any(fault in seen.scanner.text for fault in FAULTS)


def test_an_unsigned_report_is_refused_as_ever(seen: Seen) -> None:
    assert seen.stranger.status_code == 401


def test_event_grid_gets_500_and_comes_again(seen: Seen) -> None:
    assert seen.event.status_code == 500


def test_an_event_of_something_else_is_ignored_as_ever(seen: Seen) -> None:
    assert seen.other_event.status_code == 202


def test_the_log_holds_every_fault(seen: Seen) -> None:
    said = [line for line in seen.log.splitlines() if '"ringmaster.policy"' in line]
    assert said
    assert all(fault in said[-1] for fault in FAULTS)


def test_a_version_built_meanwhile_is_taken_up_when_the_policy_is_right_again(seen: Seen) -> None:
    assert seen.meanwhile["state"] == "qualifying"


def test_a_release_that_waited_meanwhile_goes_its_way_and_nothing_was_poisoned(seen: Seen) -> None:
    assert (seen.after["state"], seen.letters) == ("released", [])
