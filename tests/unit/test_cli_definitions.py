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
