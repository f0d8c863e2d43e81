"""What Event Grid, or somebody who pretends to be it, may send: each gets the answer of the protocol."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.image import VersionId
from tests.e2e.app import App
from tests.e2e.scene import GALLERY, as_cloud_event, version, written

pytestmark = pytest.mark.stack

SCANS = "on_scan_completed"


def started(app: App) -> set[str]:
    """The versions that have a release."""
    return {each["version_id"] for each in app.overview()["releases"]}


def scan_finished(image: VersionId | str, **data: Any) -> dict[str, Any]:
    """The CloudEvent of a scanner."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "scanner",
        "type": "Ringmaster.ScanFinished",
        "time": "2026-01-01T00:00:00Z",
        "data": {"image": str(image), "format": "trivy", **data},
    }


# --- the door ---------------------------------------------------------------------------------------------------------


def test_event_grid_s_handshake_is_answered_with_its_code(app: App) -> None:
    event = {"id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "subject": ""}
    answer = app.event_grid([{**event, "data": {"validationCode": "a-code"}}], kind="SubscriptionValidation")
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "a-code"})


def test_the_handshake_of_cloudevents_is_answered(app: App) -> None:
    answer = app.event_grid(b"", method="OPTIONS", headers={"WebHook-Request-Origin": "eventgrid.azure.net"})
    assert (answer.status_code, answer.headers["Webhook-Allowed-Origin"]) == (200, "eventgrid.azure.net")


@pytest.mark.parametrize(("key", "status"), [("wrong", 401), ("RINGMASTER_KEY", 403)])
def test_whoever_has_not_event_grid_s_own_key_is_refused_and_starts_nothing(app: App, key: str, status: int) -> None:
    image = version("events", "1.0.401")
    assert app.event_grid([written(image)], key=app.environment.get(key, key)).status_code == status
    assert app.release(image) is None


@pytest.mark.parametrize("kind", ["", "Bogus"])
def test_another_kind_of_call_gets_400_and_starts_nothing(app: App, kind: str) -> None:
    image = version("events", "1.0.400")
    assert app.event_grid([written(image)], kind=kind).status_code == 400
    assert app.release(image) is None


def test_a_function_that_does_not_exist_gets_404(app: App) -> None:
    assert app.event_grid([written(version("events", "1.0.404"))], "on_something_else").status_code == 404


@pytest.mark.parametrize("body", [b"", b"not json", b'[{"id": "1", ', b'"text"', b"12"], ids=repr)
@pytest.mark.parametrize("function", ["on_image_version_written", SCANS])
def test_what_is_no_event_gets_500_without_a_word_and_starts_nothing(app: App, function: str, body: bytes) -> None:
    before = started(app)
    answer = app.event_grid(body, function)
    assert (answer.status_code, answer.text) == (500, "")
    assert started(app) == before


# --- events that ask nothing of us ------------------------------------------------------------------------------------

FINE = version("events", "1.0.1")
IGNORED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "of a version outside the policy": (
        lambda: written(version("stranger", "1.0.0")),
        "the policy does not cover gal_build/stranger/1.0.0",
    ),
    "of another gallery": (
        lambda: written(str(FINE).replace("gal_build", "gal_other")),
        "the policy does not cover gal_other/events/1.0.1",
    ),
    "of another type": (
        lambda: written(FINE, eventType="Microsoft.Resources.ResourceDeleteSuccess"),
        "its eventType is 'Microsoft.Resources.ResourceDeleteSuccess'",
    ),
    "of another operation": (
        lambda: written(FINE, data={"operationName": "Microsoft.Compute/galleries/images/write"}),
        "not the write of a gallery image version",
    ),
    "of an image definition": (lambda: written(f"{GALLERY}/images/events"), "is not an image version id"),
    "with a number that is none": (lambda: written(f"{GALLERY}/images/events/versions/latest"), "latest"),
    "with half an id": (lambda: written("/subscriptions/1/resourceGroups"), "'/subscriptions/1/resourceGroups'"),
    "with an id that leads elsewhere": (
        lambda: written(f"{GALLERY}/images/events/versions/1.0.1/../../../x"),
        "versions/1.0.1/../../../x",
    ),
    "with an id of a megabyte": (lambda: written(f"{GALLERY}/images/{'x' * 1_000_000}/versions/1.0.1"), "images/xxx"),
    "without data": (lambda: written(FINE, data=None), "its data is missing, not an object"),
    "with text as data": (lambda: written(FINE, data="text"), "its data is text that is not JSON"),
    "with a list as data": (lambda: written(FINE, data=[1]), "its data is of type list, not an object"),
    "naming nothing": (lambda: written(FINE, subject=None, data={}), "neither data.resourceUri nor subject"),
    "at no time": (lambda: written(FINE, eventTime=None), "its eventTime is missing"),
    "without an id": (lambda: written(FINE, id=None), "its id is missing"),
    "without a type": (lambda: written(FINE, eventType=None), "its eventType is missing"),
    "that is empty": (dict, "ignored: "),
}


@pytest.mark.parametrize("case", IGNORED)
@pytest.mark.parametrize("schema", ["EventGrid", "CloudEvents"])
def test_an_event_that_asks_nothing_of_us_gets_202_and_starts_nothing(app: App, case: str, schema: str) -> None:
    make, reason = IGNORED[case]
    event, before = make(), started(app)
    if schema == "CloudEvents" and event:
        event, reason = as_cloud_event(event), reason.replace("eventT", "t")
    said = len(app.log())
    answer = app.event_grid([event] if schema == "EventGrid" else event)
    assert (answer.status_code, answer.text) == (202, "")
    assert started(app) == before
    assert reason in app.log()[said:]


@pytest.mark.parametrize("time", ["yesterday", "2026-01-01T00:00:00+02:00"])
def test_a_time_that_the_worker_can_not_read_gets_500_and_starts_nothing(app: App, time: str) -> None:
    # The worker's library reads it before the app is asked, and reads UTC alone (azure-functions meta.py,
    # _parse_datetime). Azure's own events are in UTC; Event Grid repeats others for a day and then dead-letters them.
    image = version("events", "1.0.500")
    said = len(app.log())
    answer = app.event_grid([written(image, eventTime=time)])
    assert (answer.status_code, answer.text) == (
        500,
        "Exception while executing function: Functions.on_image_version_written",
    )
    assert "does not match format" in app.log()[said:]
    assert app.release(image) is None


SCANS_IGNORED: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "of a version outside the policy": (
        lambda: scan_finished(version("stranger", "1.0.0"), report={}),
        "the policy does not cover gal_build/stranger/1.0.0",
    ),
    "with a broken id": (lambda: scan_finished("/x", report={}), "'/x'"),
    "with neither report nor name": (lambda: scan_finished(FINE), "data must have exactly one of report"),
    "with both": (lambda: scan_finished(FINE, report={}, reportBlob="x"), "data must have exactly one of report"),
    "naming a report that is not kept": (
        lambda: scan_finished(FINE, reportBlob="somebody/elses.json"),
        "the report that it names does not exist",
    ),
    "in Event Grid's schema": (lambda: written(FINE), "not Ringmaster.ScanFinished"),
}


@pytest.mark.parametrize("case", SCANS_IGNORED)
def test_a_scan_event_that_asks_nothing_of_us_gets_202_and_keeps_nothing(app: App, case: str) -> None:
    make, reason = SCANS_IGNORED[case]
    said = len(app.log())
    assert app.event_grid(make(), SCANS).status_code == 202
    assert reason in app.log()[said:]
    assert app.kept_reports(FINE) == []


# --- events that start a release --------------------------------------------------------------------------------------


def test_an_event_starts_the_release_of_its_version(app: App) -> None:
    image = version("events", "1.1.0")
    assert app.event_grid([written(image)]).status_code == 202
    assert app.release(image) is not None


def test_a_cloud_event_starts_the_release_of_its_version(app: App) -> None:
    image = version("events", "1.1.1")
    assert app.event_grid(as_cloud_event(written(image))).status_code == 202
    assert app.release(image) is not None


def test_of_many_events_in_one_call_each_is_taken_for_itself(app: App) -> None:
    first, second = version("events", "1.1.2"), version("events", "1.1.3")
    stranger = version("stranger", "1.1.2")
    events = [written(first), written(stranger), written("nonsense"), written(second), written(first)]
    assert app.event_grid(events).status_code == 202
    assert app.release(first) is not None
    assert app.release(second) is not None
    assert app.release(stranger) is None


def test_an_id_in_any_casing_means_the_same_version(app: App) -> None:
    image = version("events", "1.1.4")
    before = started(app)
    for text in (str(image).upper(), str(image), str(image).title()):
        assert app.event_grid([written(text)]).status_code == 202
    assert started(app) - before == {str(image)}


def test_a_version_that_never_was_ends_as_gone_and_leaves_nothing(app: App) -> None:
    image = version("events", "1.1.5")
    assert app.event_grid([written(image)]).status_code == 202
    ended = app.settled(image)
    assert (ended["state"], ended["reasons"]) == ("rejected", ["the version is not in the gallery"])
