"""Rescans on the complete stack: the timer requests a scan, the scanner scans again, and the app evaluates it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.app import App
from tests.e2e.conftest import Running
from tests.e2e.scene import policy, version, world

pytestmark = pytest.mark.stack

IMAGE = version("scans", "4.0.0")
CHARACTER = "high-cves-later"
"""High findings that nobody knew of at the first scan, more of them than the policy allows."""


def _write(directory: Path) -> dict[str, Path]:
    """The usual policy, with scans asked for after an hour of Azure's time; the usual world, with one image more."""
    rules = policy()
    for definition in rules["definitions"]:
        definition["scan"]["rescanAfter"] = "1h"
    there = world()
    image = next(each for each in there["resources"] if each["id"].endswith("/img-clean"))
    there["resources"].append({**image, "id": image["id"].replace("clean", CHARACTER), "character": CHARACTER})
    files = {"policy": directory / "rescan.yaml", "world": directory / "rescan.json"}
    files["policy"].write_text(json.dumps(rules), encoding="utf-8")
    files["world"].write_text(json.dumps(there), encoding="utf-8")
    return files


@pytest.fixture(scope="module")
def app(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A stack with a scanner, on which time runs fast enough for a rescan."""
    with running(scanner=True, **_write(tmp_path_factory.mktemp("rescan"))) as own:
        yield own


@pytest.fixture(scope="module")
def scanned_again(app: App) -> dict[str, Any]:
    """A version that was released, and of which a later scan was judged."""
    app.publish(IMAGE, CHARACTER)
    assert app.settled(IMAGE)["state"] == "released"

    def warned() -> dict[str, Any] | None:
        found = app.release(IMAGE)
        later = [each for each in found["warnings"] if each.startswith("since it was published")] if found else []
        return found if later else None

    return app.until(warned, f"{IMAGE.short} is scanned again")


def test_the_scanner_was_asked_by_an_event_that_names_the_version_and_the_formats(
    app: App, scanned_again: dict[str, Any]
) -> None:
    asked = [each for each in app.published_events() if each["type"] == "Ringmaster.ScanRequested"]
    assert [each["data"]["version"] for each in asked] == [str(IMAGE)]
    assert asked[0]["data"]["formats"] == ["trivy"]
    assert asked[0]["data"]["why"].startswith("last evaluated on")


def test_it_answered_with_a_second_report(app: App, scanned_again: dict[str, Any]) -> None:
    assert len(app.kept_reports(IMAGE)) == 2


def test_the_release_was_judged_anew_and_people_are_warned(scanned_again: dict[str, Any]) -> None:
    gates = {each["gate"]: each["answer"] for each in scanned_again["gates"]}
    assert (gates["scan"], gates["rescan"]) == ("pass", "reject")
    (warning,) = (each for each in scanned_again["warnings"] if each.startswith("since it was published"))
    assert warning.startswith("since it was published: 7 high findings exceed the limit of 5: CVE-2024-")
    assert scanned_again["state"] == "released"
