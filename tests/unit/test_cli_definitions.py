"""The commands about definitions against a double of the app on a socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli_app import AppDouble
from tests.unit.test_cli import Terminal

LATEST = {
    "name": "ubuntu",
    "definitions": [
        {
            "definition": "/subscriptions/s/…/images/ubuntu",
            "gallery": "gal_build",
            "regions": [
                {
                    "region": "westeurope",
                    "ring": "canary",
                    "arm": "2.0.0",
                    "scaleSetUpgrades": "2.0.0",
                    "newestDate": "1.0.1",
                    "highestNumber": "2.0.0",
                    "ownFlag": None,
                }
            ],
            "warnings": ["consumers that go by the newest published date take 1.0.1"],
        }
    ],
}


def answering(path: str, document: Any) -> AppDouble:
    return AppDouble(failing={path: (200, json.dumps(document).encode(), {})})


@pytest.fixture
def ringmaster(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    return Terminal(capsys, tmp_path)


def test_latest_shows_what_each_consumer_gets_and_where_they_differ(ringmaster: Terminal):
    with answering("/api/latest", LATEST) as app:
        assert ringmaster("latest", "ubuntu", environ=app.environ) == 0
    (row,) = [line for line in ringmaster.out.splitlines() if "westeurope" in line]
    assert row.split() == ["westeurope", "canary", "2.0.0", "2.0.0", "1.0.1", "2.0.0", "none"]
    assert "consumers that go by the newest published date take 1.0.1" in ringmaster.out
    assert app.requests[0][1] == "/api/latest?definition=ubuntu"


def test_latest_as_json_is_the_apps_answer(ringmaster: Terminal):
    with answering("/api/latest", LATEST) as app:
        ringmaster("latest", "ubuntu", "--json", environ=app.environ)
    assert json.loads(ringmaster.out) == LATEST


TWIN = {"ring": "twin", "complete": True, "pointTo": "/…/gal_dr/…", "insteadOf": ["/…/gal/…"], "version": "1.0.0"}


@pytest.mark.parametrize(
    ("twins", "code", "said"),
    [
        ([TWIN], 0, "Point consumers to /…/gal_dr/…"),
        ([TWIN | {"complete": False, "missing": ["1.1.0 is not published"]}], 1, "missing: 1.1.0 is not published"),
        ([], 1, "No ring of ubuntu is a standing twin"),
    ],
)
def test_failover_plan_fails_unless_a_twin_is_complete(ringmaster: Terminal, twins: Any, code: int, said: str):
    with answering("/api/failover", {"name": "ubuntu", "twins": twins}) as app:
        assert ringmaster("failover", "plan", "ubuntu", environ=app.environ) == code
    assert said in ringmaster.out
