"""Pure rules of queue triggers: names, encodings, metadata, back-off, output values."""

import base64
import json
import random
from datetime import UTC, datetime

import azure.functions as func
import pytest
from azure.functions import meta
from azure.functions.queue import QueueMessageInConverter, QueueMessageOutConverter
from azure.storage.queue import QueueMessage

from local.host.backoff import PollingBackoff
from local.host.outputs import message_bodies
from local.host.queue_message import UndecodableBody, body_of, trigger_metadata, trigger_value
from local.host.queue_trigger import poison_name
from local.host.worker import Datum

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def received(text: str) -> QueueMessage:
    message = QueueMessage(content=text)
    message.id, message.pop_receipt, message.dequeue_count = "id-1", "receipt-1", 2
    message.inserted_on = message.expires_on = message.next_visible_on = NOW
    return message


@pytest.mark.parametrize(
    ("queue", "expected"), [("a", "a-poison"), ("a-poison", None), ("q" * 56, "q" * 56 + "-poison"), ("q" * 57, None)]
)
def test_a_poison_queue_exists_where_its_name_can(queue: str, expected: str | None) -> None:
    assert poison_name(queue) == expected


def test_a_body_is_decoded_from_base64_with_white_space_allowed() -> None:
    text = base64.b64encode(b"hello world").decode()
    assert body_of(received(text[:4] + "\n " + text[4:]), base64_bodies=True) == b"hello world"


@pytest.mark.parametrize("text", ['{"plain": 1}', "abc", "====", "a$b="])
def test_a_body_that_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(UndecodableBody):
        body_of(received(text), base64_bodies=True)


def test_without_encoding_the_body_is_taken_as_it_is() -> None:
    assert body_of(received('{"plain": 1}'), base64_bodies=False) == b'{"plain": 1}'


def test_the_functions_message_has_every_field() -> None:
    value = trigger_value(b"hello")
    message = QueueMessageInConverter.decode(
        meta.Datum(value.value, value.type), trigger_metadata=trigger_metadata(received(""), value)
    )
    assert (message.id, message.dequeue_count, message.pop_receipt) == ("id-1", 2, "receipt-1")
    assert message.insertion_time == message.expiration_time == message.time_next_visible == NOW
    assert message.get_body() == b"hello"


def test_bytes_that_are_no_text_arrive_as_bytes_and_without_queue_trigger() -> None:
    value = trigger_value(b"\xff\xfe")
    metadata = trigger_metadata(received(""), value)
    assert value.type == "bytes"
    assert "QueueTrigger" not in metadata


def test_queue_trigger_holds_the_body_text() -> None:
    value = trigger_value(b"hello")
    assert trigger_metadata(received(""), value)["QueueTrigger"].value == "hello"


def test_json_fields_of_the_body_override_the_metadata_in_any_casing() -> None:
    value = trigger_value(json.dumps({"id": "mine", "DequeueCount": 9, "own": {"a": 1}, "l": [1], "n": None}).encode())
    metadata = trigger_metadata(received(""), value)
    assert metadata["Id"].value == "mine"
    assert metadata["DequeueCount"].value == "9"
    assert json.loads(metadata["own"].value) == {"a": 1}
    assert "l" not in metadata
    assert "n" not in metadata


def test_polling_slows_down_at_random_up_to_the_maximum_and_starts_again_after_messages() -> None:
    backoff = PollingBackoff(2.0, random.Random(1))
    delays = [backoff.next() for _ in range(12)]
    assert delays[0] == pytest.approx(0.1)
    assert delays == sorted(delays)
    assert delays[-1] == 2.0
    assert PollingBackoff(2.0, random.Random(2)).next() == pytest.approx(0.1)
    other = PollingBackoff(2.0, random.Random(2))
    assert [other.next() for _ in range(4)] != delays[:4]
    backoff.reset()
    assert backoff.next() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("text", [b"text"]),
        (b"\x00\x01", [b"\x00\x01"]),
        (func.QueueMessage(body=b"one"), [b"one"]),
        (["a", func.QueueMessage(body=b"b")], [b"a", b"b"]),
    ],
)
def test_every_form_of_output_becomes_messages(given: object, expected: list[bytes]) -> None:
    encoded = QueueMessageOutConverter.encode(given, expected_type=None)
    assert list(message_bodies(Datum(encoded.value, encoded.type))) == expected
