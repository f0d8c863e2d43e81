"""What people ask, over HTTP and on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.domain.image import VersionId
from tests.e2e.app import App
from tests.e2e.scene import version, written

pytestmark = pytest.mark.stack

WAITING = version("routes", "1.0.0")


@pytest.fixture(scope="module")
def waiting(app: App) -> dict[str, Any]:
    """A release that waits for its scan."""
    app.publish(WAITING)
    return app.awaiting_scan(WAITING)


def ringmaster(app: App, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line, as its users start it."""
    told = {name: app.environment[name] for name in ("RINGMASTER_URL", "RINGMASTER_KEY")}
    return subprocess.run(
        [Path(sys.executable).with_name("ringmaster"), *words],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **told, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/releases", "/api/releases/resend"])
@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_a_key_people_are_told_nothing(app: App, path: str, key: str) -> None:
    answer = app.ask(path, key=key, method="POST" if path.endswith("resend") else "GET", version=str(WAITING))
    assert (answer.status_code, answer.text) == (401, "")


def test_the_overview_holds_the_release_in_short(app: App, waiting: dict[str, Any]) -> None:
    (found,) = [each for each in app.overview()["releases"] if each["version_id"] == str(WAITING)]
    assert found["state"] == waiting["state"] == "qualifying"


@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_a_version_is_found_in_any_casing(app: App, waiting: dict[str, Any], change: Any) -> None:
    assert app.ask(version=change(str(WAITING))).json()["version_id"] == waiting["version_id"]


def test_a_version_without_a_release_gets_404(app: App) -> None:
    answer = app.ask(version=str(version("routes", "7.7.7")))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_release")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/releases/resend", ""),
        *(
            (path, text)
            for path in ("/api/releases", "/api/releases/resend")
            for text in ("nonsense", "/subscriptions/1", f"{WAITING}/x", str(WAITING)[:-5] + "latest")
        ),
    ],
)
def test_what_names_no_version_gets_400(app: App, path: str, text: str) -> None:
    answer = app.ask(path, method="POST" if path.endswith("resend") else "GET", version=text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_version")


def test_an_empty_parameter_asks_for_every_release(app: App, waiting: dict[str, Any]) -> None:
    assert waiting["version_id"] in {each["version_id"] for each in app.ask(version="").json()["releases"]}


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/releases"), ("GET", "/api/nothing"), ("PUT", "/api/x")])
def test_what_is_no_route_gets_404(app: App, method: str, path: str) -> None:
    assert app.ask(path, method=method).status_code == 404


# --- on the command line ----------------------------------------------------------------------------------------------


def test_status_as_json_is_what_the_app_says(app: App, waiting: dict[str, Any]) -> None:
    done = ringmaster(app, "status", "--json")
    assert done.returncode == 0, done.stderr
    assert waiting["version_id"] in {each["version_id"] for each in json.loads(done.stdout)["releases"]}


@pytest.mark.parametrize("name", [str(WAITING), "gal_build/routes/1.0.0"])
def test_explain_says_what_a_release_waits_for(app: App, waiting: dict[str, Any], name: str) -> None:
    done = ringmaster(app, "explain", name)
    assert done.returncode == 0, done.stderr
    assert "waiting for a scan until" in done.stdout
    assert json.loads(ringmaster(app, "explain", "--json", name).stdout)["state"] == waiting["state"]


def test_explain_of_an_unknown_release_ends_with_code_3(app: App) -> None:
    done = ringmaster(app, "explain", str(version("routes", "7.7.7")))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no release exists for" in done.stderr


def test_resend_of_what_has_not_stalled_sends_nothing(app: App, waiting: dict[str, Any]) -> None:
    done = ringmaster(app, "resend", waiting["version_id"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "no command is stalled" in done.stdout


def test_a_wrong_key_is_told_and_never_printed(app: App) -> None:
    done = ringmaster(app, "status", RINGMASTER_KEY="a-key-that-is-wrong")
    assert done.returncode == 2
    assert "rejected the RINGMASTER_KEY" in done.stderr
    assert "a-key-that-is-wrong" not in done.stderr + done.stdout


# --- what has stalled -------------------------------------------------------------------------------------------------


def stalled(app: App, image: VersionId) -> dict[str, Any] | None:
    """The release, once it needs people."""
    found = app.release(image)
    return found if found and found["stalled"] else None


def test_a_command_that_cannot_be_worked_on_stalls_its_release_until_it_is_sent_again(app: App) -> None:
    image = version("routes", "2.0.0")
    refusal = {"fault": "error", "status": 403, "code": "AuthorizationFailed", "message": "no role"}
    with app.arm_faults([{**refusal, "method": "GET", "resource": "/images/routes/versions/2.0.0"}]):
        assert app.event_grid([written(image)]).status_code == 202
        found = app.until(lambda: stalled(app, image), "the release is stalled")
    assert "AuthorizationFailed" in found["stalled"]["validate"]
    assert "AuthorizationFailed" in ringmaster(app, "status").stdout
    app.publish(image)
    done = ringmaster(app, "resend", str(image))
    assert "1 sent again" in done.stdout, done.stderr
    assert app.awaiting_scan(image)["stalled"] == {}
