"""The local host runs the probe app in a process of its own; what it answers and hands on is written down."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueServiceClient

from tests.conftest import PROJECT_ROOT
from tests.contract.host.observations import (
    EVENTGRID,
    HOST,
    MASTER,
    MESSAGES,
    TRACEPARENT,
    Answer,
    Exchange,
    Question,
    given_headers,
)

QUEUES = ("probe-echo", "probe-fail", "probe-fail-poison")
CLOSED = ("BrokenPipeError", "ConnectionResetError")


@dataclass(frozen=True, slots=True)
class Probe:
    """A running host. `keys` are by their masks; `out` is where the probe app's functions write what they are given."""

    app: Path
    port: int
    keys: dict[str, str]
    host_id: str
    out: Path

    def ask(self, question: Question, left_out: frozenset[str]) -> Answer:
        """Ask, and mask what differs from run to run."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {name: self._unmasked(text) for name, text in question.headers.items()}
        try:
            connection.request(question.method, self._unmasked(question.target), question.body, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (http.client.HTTPException, ConnectionError) as error:
            name = type(error).__name__
            return Answer(error=CLOSED[0] if name in CLOSED else name)
        finally:
            connection.close()
        text = self._masked(_text(body))
        given = given_headers(dict(answer.getheaders()), left_out)
        return Answer(answer.status, {name: self._masked(value) for name, value in given.items()}, text)

    def _unmasked(self, text: str) -> str:
        if text in self.keys:
            return self.keys[text]
        return re.sub(r"code=(\w+)", lambda found: f"code={self.keys.get(found[1], found[1])}", text)

    def _masked(self, text: str) -> str:
        for mask, key in self.keys.items():
            text = text.replace(key, mask)
        text = text.replace(TRACEPARENT, "00-GIVEN-GIVEN-01").replace(f"127.0.0.1:{self.port}", "HOSTNAME")
        text = text.replace(f"/{self.app.as_posix().lstrip('/')}", "/APP").replace('"/APP"', '"APP"')
        return text.replace("data/Functions/sampledata", "DATA").replace(self.host_id, "HOSTID")

    def invoked(self) -> list[dict[str, Any]]:
        """What functions were given so far, in order."""
        return [json.loads(line) for line in self.out.read_text(encoding="utf-8").splitlines()]

    def until(self, condition: Callable[[Counter[str]], bool], seconds: float = 60.0) -> list[dict[str, Any]]:
        """Wait until so many functions of each kind have run; answers everything that was written down."""
        deadline = time.monotonic() + seconds
        while True:
            lines = self.invoked()
            kinds = Counter(line["kind"] for line in lines)
            if condition(kinds):
                return lines
            assert time.monotonic() < deadline, f"only {kinds} were run"
            time.sleep(0.1)


def _empty_queues(connection_string: str) -> None:
    with QueueServiceClient.from_connection_string(connection_string) as service:
        for name in QUEUES:
            try:
                service.create_queue(name)
            except ResourceExistsError:
                service.get_queue_client(name).clear_messages()


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")  # as the recordings show bytes


@contextmanager
def probe(app: Path, connection_string: str, folder: Path) -> Iterator[Probe]:
    """A host of the probe app with queues that are empty at the beginning; ended afterwards."""
    out, log = folder / "out.jsonl", folder / "host.log"
    out.touch()
    _empty_queues(connection_string)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("APPLICATIONINSIGHTS")}
    environment |= {
        "AzureWebJobsStorage": connection_string,
        "AzureFunctionsWebHost__hostid": "probe-host",
        "PROBE_OUT": str(out),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "local.host", "--app", str(app), "--port", "0", "--state", str(folder / "state")]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        try:
            assert process.stdout is not None
            ready = process.stdout.readline().decode()
            assert ready.startswith("ready "), log.read_text(encoding="utf-8")[-3000:]
            keys = json.loads((folder / "state" / "keys.json").read_text(encoding="utf-8"))
            yield Probe(
                app,
                int(ready.rsplit(":", 1)[1]),
                {
                    HOST: keys["hostKeys"]["default"],
                    MASTER: keys["masterKey"],
                    EVENTGRID: keys["systemKeys"]["eventgrid_extension"],
                },
                "probe-host",
                out,
            )
        finally:
            process.terminate()


def send_messages(connection_string: str) -> None:
    """Put into the queues what was put into them before Microsoft's host."""
    with QueueServiceClient.from_connection_string(connection_string) as service:
        for text in MESSAGES:
            service.get_queue_client("probe-echo").send_message(text)
        service.get_queue_client("probe-fail").send_message("fails")


def answers(running: Probe, asked: list[Exchange]) -> dict[str, Answer]:
    """Every question asked once, in order."""
    return {one.question.ask: running.ask(one.question, one.left_out) for one in asked}
