"""Azurite is started, found, restarted and stopped for real; what it stores is read with the Azure SDK."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.storage.queue.aio import QueueServiceClient

from local.azurite import Azurite, AzuriteError, ensure_installed
from local.azurite.runner import connection_string, listening_ports


async def _send(connection: str, text: str) -> None:
    async with QueueServiceClient.from_connection_string(connection) as service:
        queue = await service.create_queue("kept")
        await queue.send_message(text)


async def _peek(connection: str) -> list[str]:
    async with QueueServiceClient.from_connection_string(connection) as service:
        return [message.content for message in await service.get_queue_client("kept").peek_messages()]


def _is_gone(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


async def test_data_and_ports_survive_a_stop_and_a_start(tmp_path: Path) -> None:
    azurite = Azurite(tmp_path / "data")
    async with azurite:
        await _send(azurite.connection_string, "hello")
        ports = azurite.ports
    async with azurite:
        assert azurite.ports == ports
        assert await _peek(azurite.connection_string) == ["hello"]


async def test_two_in_memory_know_nothing_of_each_other(azurite: Azurite) -> None:
    async with Azurite() as other:
        assert set(other.ports).isdisjoint(azurite.ports)
        assert other.pid != azurite.pid


def test_stop_leaves_no_process_and_no_listener(tmp_path: Path) -> None:
    with Azurite(tmp_path) as running:
        pid, ports = running.pid, running.ports
    assert _is_gone(pid)
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    with pytest.raises(AzuriteError, match="does not run"):
        _ = running.pid


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AzuriteError, match=rf"(?s)EADDRINUSE.*{port}"):
            Azurite(ports=(port, 0, 0)).start()


def test_it_ends_when_its_parent_is_killed() -> None:
    code = "import time; from local.azurite import Azurite; print(Azurite().start().pid, flush=True); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until = time.monotonic() + 20
    while not _is_gone(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert _is_gone(pid)


def test_ports_are_unknown_until_all_three_services_listen() -> None:
    log = "Azurite Blob service is successfully listening at http://127.0.0.1:1\n"
    assert listening_ports(log) is None
    log += "Azurite Queue service is successfully listening at http://127.0.0.1:2\n"
    assert listening_ports(log) is None
    log += "Azurite Table service is successfully listening at http://127.0.0.1:3\n"
    assert listening_ports(log) == (1, 2, 3)


def test_the_connection_string_names_every_service() -> None:
    assert connection_string("127.0.0.1", (1, 2, 3)).endswith(
        "BlobEndpoint=http://127.0.0.1:1/devstoreaccount1;QueueEndpoint=http://127.0.0.1:2/devstoreaccount1;"
        "TableEndpoint=http://127.0.0.1:3/devstoreaccount1;"
    )


def test_installing_again_changes_nothing() -> None:
    first = ensure_installed().stat()
    assert ensure_installed().stat().st_mtime_ns == first.st_mtime_ns
