"""What people ask, over HTTP and on the command line."""

import json
from typing import Any

import pytest

from tests.e2e.app import App
from tests.e2e.scene import version

pytestmark = pytest.mark.stack

WAITING = version("routes", "1.0.0")


@pytest.fixture(scope="module")
def waiting(app: App) -> dict[str, Any]:
    """A release that waits for its scan."""
    app.publish(WAITING)
    return app.awaiting_scan(WAITING)


# --- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/releases", "/api/releases/actions", "/api/whoami"])
@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_a_key_people_are_told_nothing(app: App, path: str, key: str) -> None:
    answer = app.ask(path, key=key, method="POST" if path.endswith("actions") else "GET", version=str(WAITING))
    assert (answer.status_code, answer.text) == (401, "")


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/releases/actions"), ("GET", "/api/whoami")])
def test_a_key_says_nothing_of_who_acts(app: App, method: str, path: str) -> None:
    answer = app.ask(path, method=method)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_identity")


def test_the_overview_holds_the_release_in_short(app: App, waiting: dict[str, Any]) -> None:
    (found,) = [each for each in app.overview()["releases"] if each["version_id"] == str(WAITING)]
    assert found["state"] == waiting["state"] == "qualifying"


@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_a_version_is_found_in_any_casing(app: App, waiting: dict[str, Any], change: Any) -> None:
    assert app.ask(version=change(str(WAITING))).json()["version_id"] == waiting["version_id"]


def test_a_version_without_a_release_gets_404(app: App) -> None:
    answer = app.ask(version=str(version("routes", "7.7.7")))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_release")


@pytest.mark.parametrize("text", ["nonsense", "/subscriptions/1", f"{WAITING}/x", str(WAITING)[:-5] + "latest"])
def test_what_names_no_version_gets_400(app: App, text: str) -> None:
    answer = app.ask(version=text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_version")


def test_an_empty_parameter_asks_for_every_release(app: App, waiting: dict[str, Any]) -> None:
    assert waiting["version_id"] in {each["version_id"] for each in app.ask(version="").json()["releases"]}


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/releases"), ("GET", "/api/nothing"), ("PUT", "/api/x")])
def test_what_is_no_route_gets_404(app: App, method: str, path: str) -> None:
    assert app.ask(path, method=method).status_code == 404


# --- on the command line ----------------------------------------------------------------------------------------------


def test_status_as_json_is_what_the_app_says(app: App, waiting: dict[str, Any]) -> None:
    done = app.ringmaster("status", "--json")
    assert done.returncode == 0, done.stderr
    assert waiting["version_id"] in {each["version_id"] for each in json.loads(done.stdout)["releases"]}


@pytest.mark.parametrize("name", [str(WAITING), "gal_build/routes/1.0.0"])
def test_explain_says_what_a_release_waits_for(app: App, waiting: dict[str, Any], name: str) -> None:
    done = app.ringmaster("explain", name)
    assert done.returncode == 0, done.stderr
    assert "waiting for a scan until" in done.stdout
    assert json.loads(app.ringmaster("explain", "--json", name).stdout)["state"] == waiting["state"]


def test_explain_of_an_unknown_release_ends_with_code_3(app: App) -> None:
    done = app.ringmaster("explain", str(version("routes", "7.7.7")))
    assert (done.returncode, done.stdout) == (3, "")
    assert "no release exists for" in done.stderr


def test_where_nobody_signs_in_an_action_ends_with_code_4(app: App, waiting: dict[str, Any]) -> None:
    done = app.ringmaster("hold", waiting["version_id"], "--reason", "x", "--yes")
    assert (done.returncode, done.stdout) == (4, "")
    assert "a function key can only read" in done.stderr


def test_a_wrong_key_is_told_and_never_printed(app: App) -> None:
    done = app.ringmaster("status", RINGMASTER_KEY="a-key-that-is-wrong")
    assert done.returncode == 2
    assert "rejected the RINGMASTER_KEY" in done.stderr
    assert "a-key-that-is-wrong" not in done.stderr + done.stdout
