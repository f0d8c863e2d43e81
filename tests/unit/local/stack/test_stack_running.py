"""A whole stack, started once for these tests, in a folder whose name a careless shell script would trip over."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.stack import SERVICES, Stack, StackOptions
from local.stack.storage import CONTAINERS, TABLES, queue_names

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("it's a stack"), StackOptions(speed=600)) as running:
        yield running


def _command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.stack", "--directory", str(directory), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def _releases(url: str, key: str) -> int:
    request = urllib.request.Request(f"{url}/api/releases", headers={"x-functions-key": key})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def _shell(directory: Path, script: str) -> str:
    done = subprocess.run(
        ["bash", "-euc", f'. "$1/env"; {script}', "-", str(directory)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout


def test_all_services_run_and_the_app_answers_with_its_key_alone(stack: Stack) -> None:
    assert set(stack.running) == set(SERVICES)
    environment = stack.environment
    assert _releases(environment["RINGMASTER_URL"], environment["RINGMASTER_KEY"]) == 200
    assert _releases(environment["RINGMASTER_URL"], "wrong") == 401


def test_a_shell_reads_the_env_file_as_it_was_meant(stack: Stack) -> None:
    names = " ".join(f'"${name}"' for name in stack.environment)
    assert _shell(stack.directory, f"printf '%s\\n' {names}").splitlines() == list(stack.environment.values())
    assert (stack.directory / "env").stat().st_mode & 0o777 == 0o600


def test_the_account_has_what_the_deployment_makes_and_the_host_misses_no_queue(stack: Stack) -> None:
    storage = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with QueueServiceClient.from_connection_string(storage) as queues:
        assert {queue.name for queue in queues.list_queues()} == queue_names(stack.app_settings)
    with BlobServiceClient.from_connection_string(storage) as blobs:
        assert {container.name for container in blobs.list_containers()} == CONTAINERS
    with TableServiceClient.from_connection_string(storage) as tables:
        assert {table.name for table in tables.list_tables()} == TABLES
    assert "does not exist" not in stack.log("host").read_text(encoding="utf-8")


def test_other_programs_trust_the_simulator_by_the_env_file(stack: Stack) -> None:
    code = """import os, requests
url = os.environ["ARM_ENDPOINT"] + "/metadata/endpoints?api-version=2022-09-01"
print(requests.get(url, timeout=20).status_code)"""
    assert _shell(stack.directory, f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}").strip() == "200"


def test_a_second_start_finds_it_up_and_starts_nothing(stack: Stack) -> None:
    before = stack.running
    said = _command(stack.directory, "up", "--speed", "60").stdout
    assert "already running (speed 600" in said
    assert "different speed" in said
    assert stack.running == before


def test_a_killed_service_is_seen_and_started_again_where_it_was(stack: Stack) -> None:
    ports, before = dict(stack.plan.record.ports), stack.running
    stack.kill("host")
    status = _command(stack.directory, "status")
    assert status.returncode == 3
    assert status.stdout.count("not running") == 1
    stack.restart("host")
    after = stack.running
    assert stack.plan.record.ports == ports
    assert {name for name in SERVICES if after[name] != before[name]} == {"host"}
    assert _releases(stack.environment["RINGMASTER_URL"], stack.environment["RINGMASTER_KEY"]) == 200


@pytest.mark.parametrize("name", ["azurite", "eventgrid", "arm", "scanner"])
def test_every_other_service_can_be_restarted_alone(stack: Stack, name: str) -> None:
    before = stack.environment
    stack.restart(name)
    assert set(stack.running) == set(SERVICES)
    assert stack.environment == before


def test_state_addresses_and_keys_survive_down_and_up(tmp_path: Path) -> None:
    with Stack(tmp_path, StackOptions(speed=600, scanner=False)) as first:
        assert "scanner" not in first.running
        before = first.environment
        with QueueServiceClient.from_connection_string(before["AZURE_STORAGE_CONNECTION_STRING"]) as service:
            service.create_queue("kept").send_message("hello")
    assert not (tmp_path / "env").exists()
    with Stack(tmp_path) as second:
        assert second.environment == before
        with QueueServiceClient.from_connection_string(before["AZURE_STORAGE_CONNECTION_STRING"]) as service:
            assert [one.content for one in service.get_queue_client("kept").peek_messages()] == ["hello"]
    second.reset()
    assert not (tmp_path / "state").exists()
    assert Stack(tmp_path).plan.record.webhook_key != before["RINGMASTER_WEBHOOK_KEY"]


def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from local.stack import Stack, StackOptions\n"
        "stack = Stack(Path(sys.argv[1]), StackOptions(speed=600, scanner=False)); stack.start()\n"
        "print('up', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        assert len(Stack(tmp_path).running) == 4
        owner.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while Stack(tmp_path).running and time.monotonic() < until:
        time.sleep(0.1)
    assert Stack(tmp_path).running == {}


def test_up_from_the_shell_outlives_the_shell_and_down_ends_it(tmp_path: Path) -> None:
    up = _command(tmp_path, "up", "--speed", "600", "--scanner", "off")
    try:
        assert up.returncode == 0, up.stderr
        assert "The stack is running" in up.stdout
        assert len(Stack(tmp_path).running) == 4
        assert json.loads((tmp_path / "stack.json").read_text())["chosen"]["scanner"] is False
        pages = f"{Stack(tmp_path).plan.pages_url}  (sign in to view them)"
        assert pages in up.stdout
        assert pages in _command(tmp_path, "status").stdout
    finally:
        down = _command(tmp_path, "down")
    assert down.stdout == "Stopped: azurite, eventgrid, arm, host.\n"
    assert Stack(tmp_path).running == {}
