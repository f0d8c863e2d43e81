"""What every publisher promises, and how a topic's refusals look to a stage."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AzureKeyCredential

from shared.adapters.azure.publisher import EventGridPublisher
from shared.adapters.memory.publisher import MemoryPublisher
from shared.codec import CodecError
from shared.domain.messages import Announcement
from shared.ports import Publisher, Refused, SilentPublisher, Throttled, Unavailable
from tests.contract.samples import NOW, version
from tests.contract.topic import Topic, listening

TOLD = Announcement("Ringmaster.ImageReleased", version(), NOW, "id-1", {"rings": ["canary"], "é": {"n": 1}})


@dataclass
class Bench:
    publisher: Publisher
    memory: MemoryPublisher | None = None
    topic: Topic | None = None

    def told(self) -> list[Announcement]:
        """What readers were told."""
        if self.memory is not None:
            return list(self.memory.published())
        assert self.topic is not None
        return [announcement(event) for event in self.topic.events]


def announcement(event: dict[str, Any]) -> Announcement:
    at = datetime.fromisoformat(event["time"])
    assert event["subject"] == str(version())
    return Announcement(event["type"], version(), at, event["id"], event["data"])


@pytest.fixture
async def topic() -> AsyncIterator[Topic]:
    async with listening() as topic:
        yield topic


@pytest.fixture
async def publisher(topic: Topic) -> AsyncIterator[EventGridPublisher]:
    async with EventGridPublisher(topic.endpoint, AzureKeyCredential("secret-key")) as publisher:
        yield publisher


@pytest.fixture(params=["memory", "azure"])
async def bench(request: pytest.FixtureRequest, topic: Topic, publisher: EventGridPublisher) -> Bench:
    if request.param == "memory":
        memory = MemoryPublisher()
        return Bench(memory, memory=memory)
    return Bench(publisher, topic=topic)


async def test_an_announcement_reaches_readers_as_it_is(bench: Bench) -> None:
    await bench.publisher.publish(TOLD)
    assert bench.told() == [TOLD]


async def test_a_repetition_carries_the_same_id(bench: Bench) -> None:
    await bench.publisher.publish(TOLD)
    await bench.publisher.publish(TOLD)
    assert [told.id for told in bench.told()] == ["id-1", "id-1"]


async def test_an_announcement_that_is_no_json_is_a_fault_of_the_program(bench: Bench) -> None:
    with pytest.raises(CodecError):
        await bench.publisher.publish(Announcement("t", version(), NOW, "id", {"x": object()}))
    assert bench.told() == []


async def test_the_event_is_a_cloudevent_of_the_image_definition(topic: Topic, publisher: EventGridPublisher) -> None:
    await publisher.publish(TOLD)
    (event,) = topic.events
    assert (event["specversion"], event["source"]) == ("1.0", str(version().definition))


async def test_a_throttled_topic_says_how_long_to_wait(topic: Topic, publisher: EventGridPublisher) -> None:
    topic.status, topic.headers = 429, {"Retry-After": "17"}
    with pytest.raises(Throttled) as caught:
        await publisher.publish(TOLD)
    assert caught.value.retry_after == timedelta(seconds=17)
    assert topic.requests == 1


@pytest.mark.parametrize("status", [500, 502, 504, 408])
async def test_a_topic_out_of_order_is_unavailable(topic: Topic, publisher: EventGridPublisher, status: int) -> None:
    topic.status = status
    with pytest.raises(Unavailable):
        await publisher.publish(TOLD)
    assert topic.requests == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_a_final_no_is_refused_without_showing_the_key(
    topic: Topic, publisher: EventGridPublisher, status: int
) -> None:
    topic.status, topic.body = status, '{"error": {"code": "BadThing", "message": "no, aeg-sas-key=secret-key"}}'
    with pytest.raises(Refused) as caught:
        await publisher.publish(TOLD)
    assert caught.value.status == status
    assert "secret-key" not in str(caught.value)


async def test_a_topic_that_nobody_listens_on_is_unavailable() -> None:
    async with listening() as gone:
        endpoint = gone.endpoint
    async with EventGridPublisher(endpoint, AzureKeyCredential("key")) as publisher:
        with pytest.raises(Unavailable):
            await publisher.publish(TOLD)


async def test_without_a_topic_it_is_said_once_that_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    silent = SilentPublisher()
    await silent.publish(TOLD)
    await silent.publish(TOLD)
    assert [record.getMessage().count("RINGMASTER_EVENTGRID_TOPIC_ENDPOINT") for record in caplog.records] == [1]
