"""The pure rules: schemas, filters, the retry schedule and the seeded misfortunes."""

import json
import random
from pathlib import Path

import pytest

from local.eventgrid.events import Event, Refused, Schema, parse_event_grid_events, parse_request
from local.eventgrid.faults import DeliveryFaults
from local.eventgrid.filters import BadFilter, read_filter
from local.eventgrid.retries import Again, Delivered, Undeliverable, judge, outcome
from local.eventgrid.subscriptions import BadSubscription, read_subscription

TOPIC = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.EventGrid/topics/t"
VERSION = "/subscriptions/s/resourcegroups/rg/providers/Microsoft.Compute/galleries/g/images/d/versions/1.2.3"
CLOUD = {"id": "1", "source": "x", "type": "t", "specversion": "1.0", "data": {}}
GRID = {
    "id": "1",
    "subject": "s",
    "eventType": "t",
    "eventTime": "2026-01-01T00:00:00Z",
    "dataVersion": "1",
    "data": {},
}


def _judge(status: int | None, attempts: int = 1, *, max_attempts: int = 30, age: float = 0) -> object:
    return judge(
        status, attempts=attempts, max_attempts=max_attempts, age=age, ttl=24 * 3600, dice=random.Random(attempts)
    )


@pytest.mark.parametrize(
    "folder", ["Microsoft.Resources", "Microsoft.ResourceNotifications", "Microsoft.PolicyInsights"]
)
def test_translation_agrees_with_the_documented_pairs(real_data: Path, folder: str) -> None:
    examples = real_data / "eventgrid" / "specs" / folder / "stable" / "2018-01-01" / "examples"
    pairs = 0
    for file in sorted((examples / "event-grid-schema").glob("*.json")):
        twin = examples / "cloud-events-schema" / file.name
        documents = [json.loads(one.read_text()) for one in (file, twin)]
        given, wanted = (one[0] if isinstance(one, list) else one for one in documents)
        [event] = parse_event_grid_events([given])
        translated = event.rendered(Schema.CLOUD_EVENTS)
        assert translated is not None
        assert set(translated) == {"id", "source", "subject", "type", "time", "data", "specversion"}
        assert {name: translated[name] for name in ("id", "type", "subject")} == {
            name: wanted[name].replace(" ", "")  # one documented example has a stray space in its subject
            for name in ("id", "type", "subject")
        }
        pairs += 1
    assert pairs


def test_cloud_events_are_not_translated_back() -> None:
    assert Event(Schema.CLOUD_EVENTS, CLOUD).rendered(Schema.EVENT_GRID) is None


@pytest.mark.parametrize(
    ("kind", "body", "status", "says"),
    [
        ("application/json", b"{", 400, "not JSON"),
        ("application/json", b"{}", 400, "StartArray"),
        ("application/json", b"[]", 400, "no event"),
        ("application/json", b"[7]", 400, "StartObject"),
        ("application/json", json.dumps([{**GRID, "eventType": None}]).encode(), 400, "'eventType'"),
        ("application/json", json.dumps([{**GRID, "topic": "/other"}]).encode(), 400, "/other"),
        ("application/cloudevents-batch+json", json.dumps([{**CLOUD, "specversion": "0.3"}]).encode(), 400, "0.3"),
        ("application/cloudevents+json", json.dumps({**CLOUD, "source": ""}).encode(), 400, "'source'"),
        ("application/cloudevents+json", b"\xff\xfe", 400, "not JSON"),
        ("application/json", b"[" + b" " * (1024 * 1024) + b"]", 413, "maximum size"),
        ("text/plain", b"[]", 415, "text/plain"),
    ],
)
def test_a_bad_request_is_refused_with_its_reason(kind: str, body: bytes, status: int, says: str) -> None:
    with pytest.raises(Refused, match=says) as refusal:
        parse_request(kind, body, TOPIC)
    assert refusal.value.status == status
    assert refusal.value.body()["error"]["details"][0]["message"] == refusal.value.message


def test_the_topic_is_filled_in() -> None:
    [event] = parse_request("application/json; charset=utf-8", json.dumps([GRID]).encode(), TOPIC)
    assert (event.body["topic"], event.body["metadataVersion"]) == (TOPIC, "1")


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({}, True),
        ({"includedEventTypes": ["microsoft.resources.RESOURCEWRITESUCCESS"]}, True),
        ({"includedEventTypes": ["Microsoft.Resources.ResourceDeleteSuccess"]}, False),
        ({"subjectBeginsWith": "/SUBSCRIPTIONS/S/"}, True),
        ({"subjectBeginsWith": "/SUBSCRIPTIONS/S/", "isSubjectCaseSensitive": True}, False),
        ({"subjectEndsWith": "/Versions/1.2.3"}, True),
        ({"subjectEndsWith": "/1.2.4"}, False),
        ({"advancedFilters": [{"operatorType": "StringIn", "key": "data.operationName", "values": ["a/WRITE"]}]}, True),
        (
            {
                "advancedFilters": [
                    {"operatorType": "StringIn", "key": "data.OPERATIONNAME", "values": ["x", "a/write"]}
                ]
            },
            True,
        ),
        (
            {"advancedFilters": [{"operatorType": "StringIn", "key": "data.operationName", "values": ["b/write"]}]},
            False,
        ),
        ({"advancedFilters": [{"operatorType": "StringNotIn", "key": "data.none", "values": ["b"]}]}, True),
        (
            {"advancedFilters": [{"operatorType": "StringContains", "key": "data.operationName.x", "values": ["a"]}]},
            False,
        ),
        ({"advancedFilters": [{"operatorType": "IsNotNull", "key": "data.operationName"}]}, True),
        ({"advancedFilters": [{"operatorType": "IsNullOrUndefined", "key": "data.operationName"}]}, False),
    ],
)
def test_filters_choose_events(document: dict[str, object], wanted: bool) -> None:
    body = {"data": {"operationName": "a/write"}}
    assert read_filter(document).matches("Microsoft.Resources.ResourceWriteSuccess", VERSION, body) is wanted


@pytest.mark.parametrize(
    ("advanced", "says"),
    [
        ({"operatorType": "Soundex", "key": "data.x", "values": ["a"]}, "Soundex"),
        ({"operatorType": "StringIn", "values": ["a"]}, "key"),
        ({"operatorType": "StringIn", "key": "data.x"}, "values"),
        ({"operatorType": "StringIn", "key": "data.x", "values": ["a" * 513]}, "512"),
        ({"operatorType": "StringIn", "key": "data.x", "values": [str(n) for n in range(26)]}, "25"),
    ],
)
def test_a_filter_beyond_the_limits_is_refused(advanced: dict[str, object], says: str) -> None:
    with pytest.raises(BadFilter, match=says):
        read_filter({"advancedFilters": [advanced]})


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
def test_five_answers_mean_delivered(status: int) -> None:
    assert _judge(status) == Delivered()


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_four_answers_end_it_at_once(status: int) -> None:
    assert isinstance(_judge(status), Undeliverable)


def test_waits_follow_the_documented_schedule_and_are_never_shorter() -> None:
    for attempt, seconds in enumerate((10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 43200), start=1):
        verdict = _judge(500, attempt)
        assert isinstance(verdict, Again)
        assert seconds <= verdict.seconds <= seconds * 1.1


@pytest.mark.parametrize(("status", "least"), [(408, 120), (503, 30), (None, 10), (302, 10), (404, 10)])
def test_some_answers_ask_for_a_longer_first_wait(status: int | None, least: int) -> None:
    verdict = _judge(status)
    assert isinstance(verdict, Again)
    assert least <= verdict.seconds <= least * 1.1


def test_the_last_attempt_ends_it() -> None:
    assert _judge(500, 3, max_attempts=3) == Undeliverable("MaxDeliveryAttemptsExceeded")


def test_an_event_that_would_outlive_its_time_is_given_up() -> None:
    assert _judge(500, 2, age=24 * 3600 - 10) == Undeliverable("TimeToLiveExceeded")


@pytest.mark.parametrize(
    ("status", "word"), [(404, "NotFound"), (None, "TimedOut"), (500, "InternalServerError"), (799, "Http799")]
)
def test_answers_have_the_service_s_words(status: int | None, word: str) -> None:
    assert outcome(status) == word


def test_misfortunes_follow_the_seed_and_not_the_order() -> None:
    faults = DeliveryFaults(duplicate=0.5, late=0.5, max_delay=60)
    names = [str(number) for number in range(200)]
    forwards = {name: faults.delays(7, "s", name) for name in names}
    backwards = {name: faults.delays(7, "s", name) for name in reversed(names)}
    assert forwards == backwards
    assert {len(delays) for delays in forwards.values()} == {1, 2}
    assert forwards != {name: faults.delays(8, "s", name) for name in names}


def test_without_misfortunes_every_event_goes_once_and_at_once() -> None:
    assert all(DeliveryFaults().delays(1, "s", str(number)) == [0.0] for number in range(50))


@pytest.mark.parametrize("given", [{"duplicate": 2.0}, {"late": -0.1}, {"max_delay": -1.0}])
def test_impossible_misfortunes_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        DeliveryFaults(**given)


HOOK = {"endpointType": "WebHook", "properties": {"endpointUrl": "http://127.0.0.1:1/x"}}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "properties"),
        ({"properties": {"destination": {"endpointType": "StorageQueue"}}}, "WebHook"),
        ({"properties": {"destination": {**HOOK, "properties": {"endpointUrl": "ftp://x"}}}}, "ftp://x"),
        ({"properties": {"destination": HOOK, "eventDeliverySchema": "XML"}}, "eventDeliverySchema"),
        ({"properties": {"destination": HOOK, "retryPolicy": {"maxDeliveryAttempts": 31}}}, "maxDeliveryAttempts"),
        ({"properties": {"destination": HOOK, "retryPolicy": {"eventTimeToLiveInMinutes": 0}}}, "eventTimeToLive"),
    ],
)
def test_a_bad_subscription_is_refused_with_its_reason(document: object, says: str) -> None:
    with pytest.raises(BadSubscription, match=says):
        read_subscription("custom", "s", document)
