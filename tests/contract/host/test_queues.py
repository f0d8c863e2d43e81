"""Queue triggers against Azurite: leases, retries, poison, encodings, concurrency, stops."""

import asyncio
import base64
import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from local.host import FunctionsHost
from tests.contract.host.conftest import SAMPLE_APP, Stage, until

pytestmark = pytest.mark.stack

NO_POISON_LISTENER = {"AzureWebJobs.work_poison.Disabled": "true"}


def encoded(body: str | bytes) -> str:
    return base64.b64encode(body.encode() if isinstance(body, str) else body).decode()


async def count(stage: Stage, suffix: str = "") -> int:
    return (await stage.queue(suffix).get_queue_properties()).approximate_message_count or 0


async def confirm_gone(stage: Stage, suffix: str = "") -> None:
    """Wait until the queue holds no message, visible or not."""
    deadline = time.monotonic() + 10
    while await count(stage, suffix):
        assert time.monotonic() < deadline, "messages are left"
        await asyncio.sleep(0.05)


async def arrived(stage: Stage, suffix: str, number: int = 1) -> list[str]:
    """Wait until `number` messages are visible in a queue that may not exist yet."""
    deadline = time.monotonic() + 10
    while True:
        names = [queue.name async for queue in stage.service.list_queues(name_starts_with=stage.queue_name)]
        texts = await stage.texts(suffix) if stage.queue_name + suffix in names else []
        if len(texts) >= number:
            return texts
        assert time.monotonic() < deadline, f"only {texts} arrived"
        await asyncio.sleep(0.05)


def variant(tmp_path: Path, **queues: Any) -> Path:
    """The sample app with other queue settings in host.json."""
    app = tmp_path / "app"
    shutil.copytree(SAMPLE_APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    document = json.loads((app / "host.json").read_text())
    document["extensions"]["queues"].update(queues)
    (app / "host.json").write_text(json.dumps(document))
    return app


async def test_a_message_is_run_with_all_its_metadata_and_then_deleted(stage: Stage) -> None:
    sent = await stage.queue().send_message(encoded('{"a": 1}'))
    await stage.host()
    await confirm_gone(stage)
    (_, body, message_id, dequeued, inserted, expires, next_visible, receipt) = stage.seen("work")[0]
    assert (body, message_id, dequeued) == ('{"a": 1}', sent.id, 1)
    assert None not in (inserted, expires, next_visible, receipt)
    assert (expires - inserted).days == 7


async def test_the_lease_is_ten_minutes_whatever_host_json_says(stage: Stage) -> None:
    await stage.queue().send_message(encoded("x"))
    await stage.host()
    await confirm_gone(stage)
    lease = (stage.seen("work")[0][6] - datetime.now(UTC)).total_seconds()
    assert 590 < lease <= 600


async def test_a_failing_message_runs_exactly_max_dequeue_count_times_and_is_then_poison(stage: Stage) -> None:
    sent = await stage.queue().send_message(encoded("fail"))
    host = await stage.host(NO_POISON_LISTENER)
    assert await arrived(stage, "-poison") == [encoded("fail")]
    await confirm_gone(stage)
    assert [item[3] for item in stage.seen("work")] == [1, 2, 3]
    poison = await stage.queue("-poison").receive_message()
    assert poison is not None
    assert poison.id != sent.id
    assert poison.dequeue_count == 1
    assert [record.outcome for record in host.journal.of("work")] == ["failed"] * 3


async def test_a_message_received_too_often_goes_to_poison_without_a_run(stage: Stage) -> None:
    await stage.queue().send_message(encoded("crasher"))
    for _ in range(3):
        message = await stage.queue().receive_message(visibility_timeout=30)
        assert message is not None
        await stage.queue().update_message(message, visibility_timeout=0)
    await stage.host(NO_POISON_LISTENER)
    assert await arrived(stage, "-poison") == [encoded("crasher")]
    await confirm_gone(stage)
    assert stage.seen("work") == []


@pytest.mark.parametrize("text", ['{"plain": "<text>"}', "no base64!"])
async def test_an_undecodable_message_goes_to_poison_as_it_is_on_first_sight(stage: Stage, text: str) -> None:
    await stage.queue().send_message(text)
    await stage.host(NO_POISON_LISTENER)
    assert await arrived(stage, "-poison") == [text]
    await confirm_gone(stage)
    assert stage.seen("work") == []


async def test_without_encoding_a_message_is_taken_as_it_is(stage: Stage, tmp_path: Path) -> None:
    app = variant(tmp_path, messageEncoding="none")
    await stage.queue().send_message('{"plain": "text"}')
    async with FunctionsHost(app, stage.settings):
        await confirm_gone(stage)
        assert stage.seen("work")[0][1] == '{"plain": "text"}'


async def test_a_poison_queues_own_failures_wait_for_their_lease_and_end_with_runs_but_not_with_the_message(
    stage: Stage,
) -> None:
    await stage.queue("-poison").create_queue()
    await stage.queue("-poison").send_message(encoded("stay"))
    await stage.host(lease_seconds=1)
    deadline = time.monotonic() + 10
    while not (left := await stage.queue("-poison").peek_messages()) or (left[0].dequeue_count or 0) < 5:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert [item[2] for item in stage.seen("work_poison")] == [1, 2, 3]
    names = [queue.name async for queue in stage.service.list_queues(name_starts_with=stage.queue_name)]
    assert stage.queue_name + "-poison-poison" not in names


async def test_a_failed_message_waits_for_the_visibility_timeout(stage: Stage, tmp_path: Path) -> None:
    app = variant(tmp_path, visibilityTimeout="00:00:01", maxDequeueCount=2)
    await stage.queue().send_message(encoded("fail"))
    async with FunctionsHost(app, {**stage.settings, **NO_POISON_LISTENER}) as host:
        await until(lambda: len(host.journal.of("work")) == 1)
        first = time.monotonic()
        await until(lambda: len(host.journal.of("work")) == 2)
        assert time.monotonic() - first >= 0.7  # storage counts whole seconds


async def test_a_long_run_keeps_its_message_by_renewal_and_deletes_it_with_the_newest_receipt(stage: Stage) -> None:
    await stage.queue().send_message(encoded('{"sleep": 1.7}'))
    host = await stage.host(lease_seconds=1)
    await confirm_gone(stage)
    await until(lambda: len(host.journal.of("work")) == 1)
    assert [item[3] for item in stage.seen("work")] == [1]


async def test_renewal_does_not_raise_the_dequeue_count(stage: Stage) -> None:
    await stage.queue().send_message(encoded('{"sleep": 1.4, "fail": 1}'))
    await stage.host(NO_POISON_LISTENER, lease_seconds=1)
    await arrived(stage, "-poison")
    assert [item[3] for item in stage.seen("work")] == [1, 2, 3]


async def test_a_message_that_someone_else_deleted_meanwhile_is_no_fault(stage: Stage) -> None:
    await stage.queue().send_message(encoded('{"sleep": 0.5}'))
    host = await stage.host()
    await until(lambda: len(stage.seen("work")) == 1)
    _, _, message_id, *_, receipt = stage.seen("work")[0]
    await stage.queue().delete_message(message_id, receipt)
    await until(lambda: len(host.journal.of("work")) == 1)
    await stage.queue().send_message(encoded("next"))
    await confirm_gone(stage)
    assert [record.outcome for record in host.journal.of("work")] == ["succeeded", "succeeded"]


async def test_a_run_that_outlives_the_function_timeout_counts_as_failed_and_comes_again(stage: Stage) -> None:
    await stage.queue().send_message(encoded('{"sleep": 30}'))
    host = await stage.host()
    await until(lambda: len(stage.seen("work")) == 2)
    assert host.journal.of("work")[0].outcome == "timed_out"
    assert stage.seen("work")[1][3] == 2


async def test_at_most_batch_size_and_threshold_run_at_once_each_on_its_own(stage: Stage) -> None:
    await asyncio.gather(
        *(stage.queue().send_message(encoded(json.dumps({"sleep": 0.2 + index % 2}))) for index in range(48))
    )
    host = await stage.host()
    peak = 0
    while host.journal.total < 48:
        peak = max(peak, host.invoker.running)
        await asyncio.sleep(0.005)
    assert 16 < peak <= 24
    assert len(stage.seen("work")) == 48


async def test_a_missing_queue_is_picked_up_when_it_is_created_and_again_after_deletion(stage: Stage) -> None:
    await stage.queue().delete_queue()
    await stage.host()
    for number in (1, 2):
        await stage.queue().create_queue()
        await stage.queue().send_message(encoded(f"after {number}"))
        await until(lambda wanted=number: len(stage.seen("work")) == wanted)
        await confirm_gone(stage)
        await stage.queue().delete_queue()


async def test_an_output_message_is_sent_encoded_and_wakes_the_hosts_own_listener(stage: Stage, tmp_path: Path) -> None:
    app = variant(tmp_path, maxPollingInterval="00:01:00")
    async with FunctionsHost(app, stage.settings) as host, aiohttp.ClientSession(host.url) as web:
        await asyncio.sleep(1.8)  # the listener now waits for longer than a second
        started = time.monotonic()
        async with web.post("/api/enqueue/hello", data=b"b") as answer:
            assert answer.status == 202
        await until(lambda: len(stage.seen("work")) == 1)
        assert time.monotonic() - started < 0.6
        assert json.loads(stage.seen("work")[0][1]) == {"text": "hello", "body": "b"}


async def test_an_output_that_the_queue_refuses_fails_the_invocation(stage: Stage) -> None:
    host = await stage.host()
    async with aiohttp.ClientSession(host.url) as web, web.post("/api/enqueue/x", data=b"z" * 70_000) as answer:
        assert answer.status == 500
    error = host.journal.of("enqueue")[0].error
    assert error is not None
    assert stage.queue_name in error


async def test_a_stop_awaits_running_messages_and_completes_them(stage: Stage) -> None:
    await stage.queue().send_message(encoded('{"sleep": 0.6}'))
    host = await stage.host()
    await until(lambda: len(stage.seen("work")) == 1)
    await host.stop()
    assert [record.outcome for record in host.journal.of("work")] == ["succeeded"]
    assert await count(stage) == 0


async def test_a_stop_that_runs_out_of_patience_leaves_the_message_to_its_lease(stage: Stage) -> None:
    await stage.queue().send_message(encoded('{"sleep": 1.9}'))
    host = await stage.host(grace_seconds=0.1)
    await until(lambda: len(stage.seen("work")) == 1)
    await host.stop()
    assert [record.outcome for record in host.journal.of("work")] == ["cancelled"]
    assert await count(stage) == 1
    assert await stage.texts() == []  # still invisible, as after a crash


async def test_two_hosts_share_a_queue_and_each_message_runs_once(stage: Stage) -> None:
    first, second = await stage.host(), await stage.host()
    await asyncio.gather(*(stage.queue().send_message(encoded('{"sleep": 0.05}')) for _ in range(60)))
    await confirm_gone(stage)
    await until(lambda: len(first.journal.of("work")) + len(second.journal.of("work")) == 60)
    assert first.journal.of("work")
    assert second.journal.of("work")


async def test_synchronous_functions_run_beside_each_other_in_threads(stage: Stage) -> None:
    queue = stage.service.get_queue_client("blocking")
    await queue.create_queue()
    host = await stage.host()
    try:
        await asyncio.gather(*(queue.send_message(encoded("0.5")) for _ in range(4)))
        started = time.monotonic()
        await until(lambda: len(host.journal.of("blocking")) == 4)
        assert time.monotonic() - started < 1.9
    finally:
        await queue.delete_queue()
