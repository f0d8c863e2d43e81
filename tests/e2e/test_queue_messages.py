"""What anybody with access to the queues may put there: worked on, dropped, or given up with the reason; never lost."""

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.app import App
from tests.e2e.scene import report, version

pytestmark = pytest.mark.stack

WAITING = version("queues", "1.0.0")
"""Its release waits for a scan while all of this arrives."""
UNKNOWN = version("queues", "9.9.9")


def command(**fields: Any) -> dict[str, Any]:
    """A command in its envelope."""
    usual = {
        "v": 1,
        "kind": "validate",
        "release": str(WAITING),
        "seq": 1,
        "not_after": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    }
    return {**usual, **fields}


@dataclass(frozen=True)
class Sent:
    """A message: its queue, its body as the queue holds it, and what is said of it."""

    queue: str
    text: str
    said: str


def base64_of(body: bytes | dict[str, Any]) -> str:
    """As the app itself sends."""
    return b64encode(body if isinstance(body, bytes) else json.dumps(body).encode()).decode()


GIVEN_UP = {
    "that is not base64": Sent("image-validate", "no base64, no JSON!", "neither JSON nor base64-encoded JSON"),
    "that is empty": Sent("image-scan", "", "is not a JSON object"),
    "that is base64 of bytes": Sent("image-replicate", base64_of(bytes(range(256))), "is not a JSON object"),
    "that is base64 of text": Sent("image-boot-test", base64_of(b"hello"), "is not a JSON object"),
    "of somebody else": Sent(
        "image-promote", '{"Records": [{"eventName": "ObjectCreated"}]}', "this app did not write it"
    ),
    "of a newer version of the app": Sent(
        "image-validate", base64_of(command(v=2)), "is from a newer version of the app (format 2"
    ),
    "of a kind that does not exist": Sent("image-scan", base64_of(command(kind="demolish")), "demolish"),
    "with half an envelope": Sent("image-replicate", base64_of({"v": 1, "kind": "replicate"}), "does not match its"),
    "of no version": Sent(
        "image-boot-test", base64_of(command(release="/x", kind="boot_test")), "does not name a release"
    ),
    "that points out of its store": Sent(
        "image-promote", base64_of({"v": 1, "body_blob": "../secrets"}), "not a message body"
    ),
    "that points to what is gone": Sent(
        "image-validate", base64_of({"v": 1, "body_blob": f"{'0' * 64}.json"}), "does not exist"
    ),
    "that came through another's queue": Sent(
        "image-promote", base64_of(command(seq=7)), "no release waits for this message"
    ),
}
DROPPED = {
    "of a release that does not exist": Sent(
        "image-validate", base64_of(command(release=str(UNKNOWN), seq=5)), "no release of this version"
    ),
    "that a release has left behind": Sent("image-validate", base64_of(command(seq=1)), "stale"),
    "that a release has yet to send": Sent("image-validate", base64_of(command(seq=1000)), "stale"),
    "of a ring that there is not": Sent(
        "image-promote", base64_of(command(kind="promote", ring="nowhere", seq=3)), "stale"
    ),
    "that hints at nothing new": Sent("image-validate", base64_of(command(seq=0)), "the version is unchanged"),
}


def _dropped(sent: Sent) -> str:
    return f"dropped: {sent.said}"


@dataclass(frozen=True)
class Aftermath:
    """How things stand when every message has been dealt with."""

    before: dict[str, Any]
    after: dict[str, Any]
    letters: dict[str, list[str]]
    """Reasons of the dead letters by queue."""
    log: str


@pytest.fixture(scope="module")
def aftermath(app: App) -> Aftermath:
    """All the messages at once, while a release waits."""
    app.publish(WAITING)
    before, said = app.awaiting_scan(WAITING), len(app.log())
    earlier = app.overview()["deadLetters"]  # of the tests that ran on this stack before
    for sent in (*GIVEN_UP.values(), *DROPPED.values()):
        app.send(sent.queue, sent.text)
    letters = app.until(lambda: _all(app, earlier), "every message that was given up is shown")
    app.until(lambda: all(_dropped(each) in app.log()[said:] for each in DROPPED.values()), "the others are dropped")
    found: dict[str, list[str]] = {}
    for letter in letters:
        found.setdefault(letter["queue"], []).append(letter["reason"])
    after = app.release(WAITING)
    assert after is not None
    return Aftermath(before, after, found, app.log()[said:])


def _all(app: App, earlier: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    letters = [each for each in app.overview()["deadLetters"] if each not in earlier]
    return letters if len(letters) >= len(GIVEN_UP) else None


@pytest.mark.parametrize("what", GIVEN_UP)
def test_a_message_is_given_up_and_shown_with_the_reason(aftermath: Aftermath, what: str) -> None:
    sent = GIVEN_UP[what]
    assert any(sent.said in reason for reason in aftermath.letters[sent.queue]), aftermath.letters


@pytest.mark.parametrize("what", DROPPED)
def test_a_message_is_dropped_and_the_log_says_why(aftermath: Aftermath, what: str) -> None:
    assert _dropped(DROPPED[what]) in aftermath.log


def test_each_is_shown_once(aftermath: Aftermath) -> None:
    assert sum(len(reasons) for reasons in aftermath.letters.values()) == len(GIVEN_UP)


def test_none_is_tried_more_often_than_the_host_allows(aftermath: Aftermath) -> None:
    failed = [json.loads(line) for line in aftermath.log.splitlines() if '"outcome": "failed"' in line]
    assert len(failed) == 5 * len(GIVEN_UP)
    assert max(line["dequeue_count"] for line in failed) == 5


def test_no_other_release_was_touched_or_started(app: App, aftermath: Aftermath) -> None:
    assert aftermath.after == aftermath.before
    assert app.release(UNKNOWN) is None


def test_the_release_that_waited_meanwhile_goes_its_way(app: App, aftermath: Aftermath) -> None:
    assert aftermath.after["state"] == "qualifying"
    assert app.scan(WAITING, report(WAITING)).status_code == 202
    assert app.settled(WAITING)["state"] == "released"
    assert app.machinery() == []
