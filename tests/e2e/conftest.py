"""One stack for the session, and proof that nothing of it is left."""

import contextlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests.e2e.app import App
from tests.e2e.scene import options

type Running = Callable[..., AbstractContextManager[App]]

MAX_REPORT = 700_000
"""Bytes of the largest report that this stack's app takes."""


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Starts a stack of its own: in a folder that is gone afterwards, as are its processes, ports and secrets."""

    @contextlib.contextmanager
    def started(**chosen: Any) -> Iterator[App]:
        directory = Path(tempfile.mkdtemp(prefix="ringmaster-e2e-"))
        failed = request.session.testsfailed
        try:
            with Stack(directory, options(directory, **chosen)) as stack:
                app = App(stack)
                secrets, before = _secrets(stack), dict(stack.running)
                yield app
                app.close()
                ports, after = dict(stack.plan.record.ports), dict(stack.running)
            _nothing_runs({*before.values(), *after.values()}, ports)
            _nothing_is_told(directory / "logs", secrets)
        finally:
            if request.session.testsfailed > failed:
                kept = tmp_path_factory.mktemp("logs")
                shutil.copytree(directory / "logs", kept, dirs_exist_ok=True)
            shutil.rmtree(directory)

    return started


@pytest.fixture(scope="session")
def app(running: Running) -> Iterator[App]:
    """The app that most tests share: each uses versions of its own."""
    with running(settings={"RINGMASTER_MAX_REPORT_BYTES": str(MAX_REPORT)}) as shared:
        yield shared


def _secrets(stack: Stack) -> dict[str, str]:
    names = ("RINGMASTER_KEY", "RINGMASTER_WEBHOOK_KEY", "EVENTGRID_TOPIC_KEY", "IDENTITY_HEADER")
    account_key = re.search(r"AccountKey=([^;]+)", stack.environment["AZURE_STORAGE_CONNECTION_STRING"])
    assert account_key is not None
    return {
        **{name: stack.environment[name] for name in names},
        "Event Grid's system key": stack.plan.event_grid_key(),
        "the storage account's key": account_key[1],
    }


_TOLD = ("arm.log", "IDENTITY_HEADER")
"""The simulator makes it up, and hands it to the stack in its first line."""


def secrets_in(logs: Path, secrets: dict[str, str]) -> list[str]:
    """Which secrets, signatures of addresses or tokens stand in the logs, with the name of the file."""
    found = []
    for log in sorted(logs.iterdir()):
        text = log.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{log.name}: {name}" for name, secret in secrets.items() if secret in text and (log.name, name) != _TOLD
        ]
        signed = re.search(r".{0,80}\bsig=(?!\[hidden\]|…).{0,20}", text)
        token = re.search(r"eyJ[\w-]{20,}\.[\w-]{20,}\.", text)
        found += [f"{log.name}: {hit[0]}" for hit in (signed, token) if hit]
    return found


def _nothing_is_told(logs: Path, secrets: dict[str, str]) -> None:
    assert secrets_in(logs, secrets) == []


def _nothing_runs(pids: set[int], ports: dict[str, int]) -> None:
    assert [pid for pid in pids if _exists(pid)] == []
    taken = []
    for name, number in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                taken.append(f"{name} {number}")
    assert taken == []


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
