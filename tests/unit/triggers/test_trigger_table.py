"""The trigger table as the Functions host reads it: names, bindings, queues, schedules, auth levels."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIST = """
import json, function_app
found = {each.get_function_name(): each.get_dict_repr()["bindings"] for each in function_app.app.get_functions()}
print(json.dumps(found, default=str))
"""


def index(**settings: str) -> dict[str, dict[str, Any]]:
    """Index the app in a process of its own, as a worker does, and return its triggers by function name."""
    env = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "PATH": os.environ["PATH"], **settings}
    run = subprocess.run([sys.executable, "-c", LIST], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    found: dict[str, list[dict[str, Any]]] = json.loads(run.stdout)
    return {name: next(each for each in all_ if each["type"].endswith("Trigger")) for name, all_ in found.items()}


@pytest.fixture(scope="module")
def triggers() -> dict[str, dict[str, Any]]:
    return index()


QUEUES = {
    "validate": "image-validate",
    "scan": "image-scan",
    "replicate": "image-replicate",
    "boot_test": "image-boot-test",
    "promote": "image-promote",
    "in_use": "image-in-use",
}


def test_the_app_has_these_functions_and_no_others(triggers: dict[str, dict[str, Any]]) -> None:
    assert set(triggers) == {
        "on_image_version_written",
        "on_scan_completed",
        "receive_scan",
        "releases",
        "latest",
        "failover",
        "validation",
        "actions",
        "whoami",
        "users",
        "pages",
        "reconcile",
        "retire",
        *QUEUES,
        *(f"{name}_poison" for name in QUEUES),
    }


@pytest.mark.parametrize("name", ["on_image_version_written", "on_scan_completed"])
def test_events_come_through_event_grid(triggers: dict[str, dict[str, Any]], name: str) -> None:
    assert triggers[name]["type"] == "eventGridTrigger"


@pytest.mark.parametrize(("name", "queue"), QUEUES.items())
def test_each_stage_has_its_queue(triggers: dict[str, dict[str, Any]], name: str, queue: str) -> None:
    trigger = triggers[name]
    assert (trigger["type"], trigger["queueName"], trigger["connection"]) == (
        "queueTrigger",
        queue,
        "AzureWebJobsStorage",
    )


@pytest.mark.parametrize(("name", "queue"), QUEUES.items())
def test_each_queue_has_its_poison_queue_watched(triggers: dict[str, dict[str, Any]], name: str, queue: str) -> None:
    assert triggers[f"{name}_poison"]["queueName"] == f"{queue}-poison"


@pytest.mark.parametrize(("name", "schedule"), [("reconcile", "0 */5 * * * *"), ("retire", "0 0 3 * * *")])
def test_timers_run_on_their_schedules(triggers: dict[str, dict[str, Any]], name: str, schedule: str) -> None:
    assert (triggers[name]["type"], triggers[name]["schedule"]) == ("timerTrigger", schedule)


@pytest.mark.parametrize(
    ("name", "route", "methods", "level"),
    [
        ("receive_scan", "scans/{format}", ["POST"], "ANONYMOUS"),  # its signature is what lets a scanner in
        ("releases", "releases", ["GET"], "FUNCTION"),
        ("validation", "validation", ["GET"], "FUNCTION"),
        ("actions", "releases/actions", ["POST"], "FUNCTION"),
        ("whoami", "whoami", ["GET"], "FUNCTION"),
        ("pages", "pages/{name}", ["GET"], "FUNCTION"),
    ],
)
def test_http_routes_have_their_auth_level(
    triggers: dict[str, dict[str, Any]], name: str, route: str, methods: list[str], level: str
) -> None:
    trigger = triggers[name]
    assert (trigger["route"], trigger["methods"], trigger["authLevel"]) == (route, methods, level)


def test_names_of_queues_schedules_and_connection_are_settings() -> None:
    changed = index(
        RINGMASTER_QUEUE_VALIDATE="other-validate",
        RINGMASTER_RECONCILE_SCHEDULE="*/30 * * * * *",
        RINGMASTER_STORAGE="UseDevelopmentStorage=true",
    )
    assert (
        changed["validate"]["queueName"],
        changed["validate_poison"]["queueName"],
        changed["validate"]["connection"],
        changed["reconcile"]["schedule"],
    ) == ("other-validate", "other-validate-poison", "RINGMASTER_STORAGE", "*/30 * * * * *")


def test_pages_and_actions_want_no_key_where_people_sign_in() -> None:
    reader = "0a0b0c0d-0000-4000-8000-00000000000a"
    changed = index(RINGMASTER_PAGE_READERS=reader, RINGMASTER_TRUST_EASYAUTH="true")
    levels = {name: trigger["authLevel"] for name, trigger in changed.items() if "authLevel" in trigger}
    assert levels == {
        "receive_scan": "ANONYMOUS",
        "releases": "FUNCTION",
        "latest": "FUNCTION",
        "failover": "FUNCTION",
        "validation": "FUNCTION",
        "users": "FUNCTION",
        "actions": "ANONYMOUS",
        "whoami": "ANONYMOUS",
        "pages": "ANONYMOUS",
    }
