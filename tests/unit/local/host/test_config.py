"""host.json and app settings: platform defaults, limits, and every fault at once."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from local.host.app_settings import as_environment, load_settings_file
from local.host.config import load_host_config, parse_host_config
from local.host.functions import is_disabled, parse_function
from local.host.host_errors import ConfigError
from local.host.queue_connections import QueueConnections
from local.host.timespan import format_timespan, parse_timespan


def test_queue_defaults_are_those_of_the_platform() -> None:
    queues = parse_host_config({"version": "2.0"}).queues
    assert (queues.batch_size, queues.max_dequeue_count, queues.base64) == (16, 5, True)
    assert queues.new_batch_threshold == 8 * (os.cpu_count() or 1)
    assert queues.visibility_timeout == timedelta(0)
    assert queues.max_polling_interval == timedelta(minutes=1)


def test_every_fault_of_host_json_is_told_at_once() -> None:
    queues = {
        "batchSize": 33,
        "maxDequeueCount": 0,
        "maxPollingInterval": "00:00:00.05",
        "messageEncoding": "utf7",
        "visibilityTimeout": "soon",
    }
    with pytest.raises(ConfigError) as told:
        parse_host_config({"version": "1.0", "functionTimeout": 5, "extensions": {"queues": queues}})
    text = "\n".join(told.value.faults)
    for part in ("version", "functionTimeout", *queues):
        assert part in text


def test_a_timeout_of_minus_one_means_none() -> None:
    assert parse_host_config({"version": "2.0", "functionTimeout": "-1"}).function_timeout is None


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_folder_without_a_readable_host_json_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "host.json").write_text(content)
    with pytest.raises(ConfigError, match=r"host\.json"):
        load_host_config(tmp_path)


def test_the_apps_own_host_json_is_read_as_designed(project_root: Path) -> None:
    config = load_host_config(project_root)
    assert config.function_timeout == timedelta(minutes=5)
    assert (config.queues.batch_size, config.queues.new_batch_threshold, config.queues.max_dequeue_count) == (16, 8, 5)
    assert config.queues.visibility_timeout == timedelta(seconds=30)
    assert config.queues.max_polling_interval == timedelta(seconds=2)
    assert config.http.route_prefix == "api"


def test_the_settings_template_is_usable_as_it_stands(project_root: Path) -> None:
    values = load_settings_file(project_root / "local.settings.template.json")
    assert values["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert values["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_settings_that_are_not_text_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    path.write_text(json.dumps({"Values": {"A": 1}}))
    with pytest.raises(ConfigError, match=r"Values\.A"):
        load_settings_file(path)


def test_settings_are_in_the_environment_only_while_the_host_runs() -> None:
    before = os.environ.get("HOST_TEST_SETTING")
    with as_environment({"HOST_TEST_SETTING": "x"}):
        assert os.environ["HOST_TEST_SETTING"] == "x"
    assert os.environ.get("HOST_TEST_SETTING") == before


def _queue_binding(name: str) -> str:
    return json.dumps({"direction": "IN", "type": "queueTrigger", "name": "m", "queueName": name, "connection": "C"})


def test_settings_fill_the_placeholders_of_a_binding() -> None:
    spec = parse_function("f", "1", [_queue_binding("%A%-%B%")], {"A": "image", "B": "scan"})
    assert spec.trigger.text("queueName") == "image-scan"


def test_a_missing_setting_is_told_with_function_and_field() -> None:
    with pytest.raises(ConfigError, match=r"function f.*queueName.*the app setting A is not set"):
        parse_function("f", "1", [_queue_binding("%A%")], {})


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ([{"direction": "IN", "type": "blobTrigger", "name": "b"}], "does not support the trigger type blobTrigger"),
        ([], "exactly one trigger"),
        (
            [
                {"direction": "IN", "type": "timerTrigger", "name": "t", "schedule": "0 0 0 * * *"},
                {"direction": "IN", "type": "blob", "name": "b"},
            ],
            "does not support the in binding type blob",
        ),
    ],
)
def test_a_binding_that_is_not_served_is_told(raw: list[dict[str, str]], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_function("f", "1", [json.dumps(item) for item in raw], {})


def test_a_function_is_switched_off_by_its_app_setting() -> None:
    assert is_disabled("f", {"AzureWebJobs.f.Disabled": "true"})
    assert not is_disabled("f", {"AzureWebJobs.g.Disabled": "true"})


async def test_a_connection_that_no_setting_holds_is_told_by_name() -> None:
    with pytest.raises(ConfigError, match="Missing__queueServiceUri"):
        QueueConnections({}).queue("Missing", "q")


async def test_a_connection_is_found_with_the_platforms_prefix_and_as_development_storage() -> None:
    storage = QueueConnections({"AzureWebJobsOther": "UseDevelopmentStorage=true"})
    assert storage.queue("Other", "q").url.startswith("http://127.0.0.1:10001/devstoreaccount1/q")
    await storage.close()


async def test_an_endpoint_is_used_with_an_identity() -> None:
    storage = QueueConnections({"C__accountName": "acct", "C__credential": "managedidentity"})
    assert storage.queue("C", "q").url == "https://acct.queue.core.windows.net/q"
    await storage.close()


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:05:00", 300), ("1.00:00:01", 86401), ("00:00:00.200", 0.2), ("-00:00:01", -1)]
)
def test_timespans_are_read_as_dotnet_reads_them(text: str, seconds: float) -> None:
    assert parse_timespan(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["5", "24:00:00", "00:60:00", "x", ""])
def test_what_is_no_timespan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_timespan(text)


def test_a_timespan_is_written_as_it_is_read() -> None:
    assert format_timespan(timedelta(days=1, minutes=5)) == "1.00:05:00"
