"""Hosts that die and stacks that go down in the middle of releases: it costs time and nothing else."""

import time
from collections.abc import Iterator

import pytest

from shared.domain.image import VersionId
from tests.e2e.app import App
from tests.e2e.conftest import Running
from tests.e2e.scene import PUBLISHED, report, version

pytestmark = pytest.mark.stack

WAITING = version("downtime", "1.0.0")


@pytest.fixture(scope="module")
def app(running: Running) -> Iterator[App]:
    """A stack of their own: others would not like its absence."""
    with running() as own:
        yield own


def crash(app: App) -> None:
    """The host's process ends at once, and another begins."""
    app.stack.kill("host")
    app.stack.restart("host")


def replicating(app: App, image: VersionId) -> bool:
    """Whether replication to a ring is under way or over."""
    found = app.release(image)
    return found is not None and found["ring"] is not None


def published(app: App, image: VersionId) -> bool:
    """Whether a ring is published."""
    found = app.release(image)
    return found is not None and bool(found["published"])


def test_a_release_outlives_every_crash_of_its_host(app: App) -> None:
    image = version("restart", "1.0.0")
    app.publish(image)
    app.until(app.machinery, "the machine of the smoke test exists")
    crash(app)
    app.awaiting_scan(image)
    assert app.scan(image, report(image)).status_code == 202
    app.until(lambda: replicating(app, image), "the first ring is begun")
    crash(app)
    app.until(lambda: published(app, image), "the first ring is published")
    crash(app)
    ended = app.settled(image)
    assert (ended["state"], ended["published"]) == ("released", PUBLISHED)
    assert (app.machinery(), app.overview()["deadLetters"]) == ([], [])


def test_an_event_that_finds_no_host_is_delivered_when_there_is_one(app: App) -> None:
    image = version("events", "3.0.0")
    app.stack.kill("host")
    app.publish(image)
    app.stack.restart("host")
    assert app.awaiting_scan(image)["state"] == "qualifying"


def test_down_and_up_lose_nothing(app: App) -> None:
    app.publish(WAITING)
    before, overview = app.awaiting_scan(WAITING), app.overview()["releases"]
    app.stack.stop()
    app.stack.start()
    assert app.release(WAITING) == before
    assert {each["version_id"] for each in app.overview()["releases"]} == {each["version_id"] for each in overview}
    assert app.scan(WAITING, report(WAITING)).status_code == 202
    assert app.settled(WAITING)["state"] == "released"
    assert app.machinery() == []


def test_a_captured_report_is_still_refused_by_the_next_host(app: App) -> None:
    image, now = version("scans", "3.0.0"), time.time()
    body = report(image)
    assert app.scan(image, body, at=now).status_code == 202
    crash(app)
    assert app.scan(image, body, at=now).status_code == 409
