"""People act on releases of a running stack: with their tokens, over HTTP and on the command line."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.domain.image import VersionId
from tests.e2e.app import App
from tests.e2e.conftest import Running
from tests.e2e.scene import PEOPLE, report, version, written

pytestmark = pytest.mark.stack

WAITING = version("approvals", "1.0.0")
"""A release that waits for an approval which nobody gives."""
FIRST, SECOND = version("actions", "1.0.0"), version("actions", "1.1.0")


@pytest.fixture(scope="module")
def signed(running: Running) -> Iterator[App]:
    """A stack on which people sign in. No event is late: only an event tells who built a version."""
    with running(sign_in=True, late=0.0) as app:
        yield app


def awaiting_approval(app: App, image: VersionId) -> dict[str, Any]:
    """Take a clean version to the ring that wants an approval."""
    app.publish(image)
    app.awaiting_scan(image)
    assert app.scan(image, report(image)).status_code == 202
    return in_state(app, image, "awaiting_approval")


def in_state(app: App, image: VersionId, state: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = app.release(image)
        return found if found and found["state"] == state else None

    return app.until(look, f"{image.short} is {state}")


@pytest.fixture(scope="module")
def asked(signed: App) -> App:
    """The app, with a release that waits for its approval."""
    assert awaiting_approval(signed, WAITING)["approvals"] == {
        "ring": "canary",
        "needed": 1,
        "given": [],
        "missing": 1,
    }
    return signed


# --- who is let in ----------------------------------------------------------------------------------------------------


def test_tokens_are_in_a_file_that_only_its_owner_reads(signed: App) -> None:
    file = signed.stack.plan.tokens_file
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(signed.stack.plan.tokens()) == {each.account for each in PEOPLE.values()}
    assert signed.environment["RINGMASTER_TOKEN"] == signed.token("operator")


def test_without_a_token_nobody_acts(asked: App) -> None:
    answer = asked.act(None, WAITING, "approve")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "not_signed_in")


def test_an_unknown_token_gets_401_from_the_platform(asked: App) -> None:
    answer = asked.act(None, WAITING, "approve", headers={"authorization": "Bearer " + "x" * 43})
    assert (answer.status_code, answer.text) == (401, "")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_header_that_says_who_one_is_counts_for_nothing(asked: App) -> None:
    forged = PEOPLE["admin"].headers()
    assert asked.act(None, WAITING, "approve", headers=forged).status_code == 401
    answer = asked.act("reader", WAITING, "approve", headers=forged)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "role_missing")
    assert "reader@example.com" in answer.json()["error"]["message"]


def test_a_reader_is_refused_and_told_which_role_is_missing(asked: App) -> None:
    done = asked.ringmaster("approve", str(WAITING), "--yes", RINGMASTER_TOKEN=asked.token("reader"))
    assert (done.returncode, done.stdout) == (4, "")
    assert "needs the role approver for approvals, which reader@example.com does not have" in done.stderr


def test_the_builder_may_not_approve_although_an_approver(asked: App) -> None:
    answer = asked.act("builder", WAITING, "approve")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "builder")


def test_whoami_tells_roles(signed: App) -> None:
    done = signed.ringmaster("whoami", "--json", RINGMASTER_TOKEN=signed.token("approver"))
    told = json.loads(done.stdout)
    assert (told["id"], told["name"]) == (PEOPLE["approver"].id, "approver@example.com")
    assert told["roles"]["actions"] == ["reader", "approver"]
    assert "You have no role" in signed.ringmaster("whoami", RINGMASTER_TOKEN=signed.token("guest")).stdout


def test_without_a_terminal_nothing_is_done_unless_yes_is_said(asked: App) -> None:
    done = asked.ringmaster("approve", str(WAITING), RINGMASTER_TOKEN=asked.token("approver"))
    assert done.returncode == 2
    assert "--yes" in done.stderr


# --- a release from its approval to its revocation, and back ----------------------------------------------------------


@pytest.fixture(scope="module")
def released(signed: App) -> dict[str, Any]:
    """A release that was held, approved while it was held, and resumed."""
    awaiting_approval(signed, FIRST)
    held = signed.ringmaster(
        "hold", str(FIRST), "--reason", "incident 7", "--yes", RINGMASTER_TOKEN=signed.token("operator")
    )
    assert held.returncode == 0, held.stderr
    once, again = (signed.act("approver", FIRST, "approve", key="the-same-key").json() for _ in range(2))
    assert (once["repeated"], again["repeated"], once["evidence"]) == (False, True, again["evidence"])
    assert "held by operator@example.com" in signed.ringmaster("status").stdout
    assert in_state(signed, FIRST, "publishing")["published"] == {}
    resumed = signed.ringmaster("resume", str(FIRST), "--yes", RINGMASTER_TOKEN=signed.token("operator"))
    assert resumed.returncode == 0, resumed.stderr
    return signed.settled(FIRST)


def test_an_approved_release_that_was_held_goes_on_when_it_is_resumed(released: dict[str, Any]) -> None:
    assert (released["state"], released["hold"]) == ("released", None)


def test_actions_are_taken_once_and_told_in_order(signed: App, released: dict[str, Any]) -> None:
    assert [(each["action"], each["by"]["name"]) for each in released["actions"]] == [
        ("hold", "operator@example.com"),
        ("approve", "approver@example.com"),
        ("resume", "operator@example.com"),
    ]
    shown = signed.ringmaster("explain", str(FIRST)).stdout
    assert all(word in shown for word in ("Actions", "incident 7", "approver@example.com"))


def test_a_version_is_revoked_by_hand_as_planned_and_restored(signed: App, released: dict[str, Any]) -> None:
    operator, admin = ({"RINGMASTER_TOKEN": signed.token(who)} for who in ("operator", "admin"))
    awaiting_approval(signed, SECOND)
    assert signed.act("approver", SECOND, "approve").status_code == 200
    assert signed.settled(SECOND)["state"] == "released"
    plan = json.loads(signed.ringmaster("revoke", str(SECOND), "--dry-run", "--json", **operator).stdout)
    (gallery,) = plan["galleries"]
    assert gallery["latest"] == {"westeurope": {"before": "1.1.0", "after": "1.0.0"}}
    assert plan["leavesEmpty"] == []
    done = signed.ringmaster("revoke", str(SECOND), "--reason", "a bad kernel", "--yes", **operator)
    assert done.returncode == 0, done.stderr
    revoked = signed.settled(SECOND)
    assert (revoked["state"], revoked["reasons"]) == ("revoked", ["revoked by operator@example.com: a bad kernel"])
    refused = signed.ringmaster("restore", str(SECOND), "--reason", "it was not the image", "--yes", **operator)
    assert (refused.returncode, "needs the role admin" in refused.stderr) == (4, True)
    restored = signed.ringmaster("restore", str(SECOND), "--reason", "it was not the image", "--yes", **admin)
    assert restored.returncode == 0, restored.stderr
    in_state(signed, SECOND, "awaiting_approval")  # an approval from before the revocation counts no more
    assert signed.act("approver", SECOND, "approve").status_code == 200
    assert signed.settled(SECOND)["state"] == "released"


# --- what has stalled -------------------------------------------------------------------------------------------------


def stalled(app: App, image: VersionId) -> dict[str, Any] | None:
    """The release, once it needs people."""
    found = app.release(image)
    return found if found and found["stalled"] else None


def test_a_command_that_cannot_be_worked_on_stalls_its_release_until_it_is_sent_again(signed: App) -> None:
    image = version("routes", "2.0.0")
    refusal = {"fault": "error", "status": 403, "code": "AuthorizationFailed", "message": "no role"}
    with signed.arm_faults([{**refusal, "method": "GET", "resource": "/images/routes/versions/2.0.0"}]):
        assert signed.event_grid([written(image)]).status_code == 202
        found = signed.until(lambda: stalled(signed, image), "the release is stalled")
    assert "AuthorizationFailed" in found["stalled"]["validate"]
    assert "AuthorizationFailed" in signed.ringmaster("status").stdout
    signed.publish(image)
    operator = {"RINGMASTER_TOKEN": signed.token("operator")}
    done = signed.ringmaster("resend", str(image), "--yes", **operator)
    assert done.returncode == 0, done.stderr
    assert signed.awaiting_scan(image)["stalled"] == {}
    again = signed.ringmaster("resend", str(image), "--yes", **operator)
    assert (again.returncode, "no command is stalled; nothing was sent" in again.stderr) == (4, True)
