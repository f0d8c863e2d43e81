"""What the scanner makes of what Event Grid says: nothing but what Event Grid really sends is believed."""

import json
from typing import Any

import pytest

from local.scanner.webhook_events import InvalidEvents, ScanRequested, VersionsWritten, allowed_origin, parse_request

CLOUD = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "one",
    "source": "/subscriptions/s",
    "type": "Ringmaster.ScanRequested",
    "data": {"version": "/subscriptions/s/…/versions/1.0.0", "formats": ["trivy", "grype"]},
}


def test_a_request_names_its_version_its_formats_and_itself() -> None:
    found = parse_request(CLOUD, json.dumps(EVENT).encode())
    assert found == ScanRequested("/subscriptions/s/…/versions/1.0.0", "/subscriptions/s one", ("trivy", "grype"))


def test_events_are_told_apart_by_source_and_id() -> None:
    other = {**EVENT, "source": "/subscriptions/t"}
    assert parse_request(CLOUD, json.dumps(EVENT).encode()) != parse_request(CLOUD, json.dumps(other).encode())


def test_other_events_of_the_topic_are_none_of_its_business() -> None:
    assert (
        parse_request(CLOUD, json.dumps({**EVENT, "type": "Ringmaster.Release.Released"}).encode()) == VersionsWritten()
    )


@pytest.mark.parametrize(
    "body",
    ["[]", "{", "null", json.dumps({**EVENT, "data": None}), json.dumps({**EVENT, "data": {}}), json.dumps([EVENT])],
)
def test_what_is_no_cloud_event_of_ringmaster_is_refused(body: str) -> None:
    with pytest.raises(InvalidEvents, match=r"not a CloudEvent of Ringmaster"):
        parse_request(CLOUD, body.encode())


@pytest.mark.parametrize("body", ["{", "null", "[1]", '[{"eventType": "a"}, {}]'])
def test_what_is_not_in_event_grid_schema_is_refused(body: str) -> None:
    with pytest.raises(InvalidEvents, match="not an array of events in Event Grid schema"):
        parse_request({"Content-Type": "application/json"}, body.encode())


def test_who_asks_to_send_may_and_who_does_not_ask_hears_nothing() -> None:
    assert allowed_origin({"WebHook-Request-Origin": "eventgrid.azure.net"}) == {
        "WebHook-Allowed-Origin": "eventgrid.azure.net",
        "WebHook-Allowed-Rate": "*",
    }
    assert allowed_origin({}) == {}
