"""`cold_start`: the time from the start of a process to its first response, divided by the same time for an empty app.

Both run under the local host with compiled byte code. The product's first request does real work: it reads the releases
from the ledger, which imports the storage SDKs and opens a connection. For comparison, the result also has the time for
a request that is rejected because it is not signed.
"""

from __future__ import annotations

import compileall
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from local.azurite import Azurite
from local.bench.figures import Figure, MeasurementFailed
from local.bench.function_apps import empty_app
from local.stack.options import PROJECT_ROOT

BOUND: Final = 2.0
RUNS: Final = 5
_TIMEOUT_SECONDS: Final = 60.0
_READY: Final = re.compile(r"^ready (http://\S+)$", re.MULTILINE)
_UNSIGNED_PATH: Final = "/api/scans/trivy"


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process until all functions are indexed, and until the first response."""

    indexed: float
    answered: float


def measure(runs: int = RUNS) -> Figure:
    """The figure: the medians of ``runs`` starts of each app, in alternation."""
    compileall.compile_dir(PROJECT_ROOT / "shared", quiet=1)
    compileall.compile_dir(PROJECT_ROOT / "local", quiet=1)
    with tempfile.TemporaryDirectory(prefix="ringmaster-bench-") as temporary, Azurite() as azurite:
        directory = Path(temporary)
        empty = empty_app(directory / "empty")
        settings = _settings(azurite.connection_string)
        found: dict[str, list[Start]] = {"ringmaster": [], "stranger": [], "empty": []}
        for number in range(runs + 1):
            here = directory / str(number)
            one = {
                "ringmaster": _start(
                    PROJECT_ROOT, here / "a", settings, method="GET", path="/api/releases", status=200
                ),
                "stranger": _start(PROJECT_ROOT, here / "b", settings, path=_UNSIGNED_PATH, method="POST", status=401),
                "empty": _start(empty, here / "c", {}, path="/api/ping"),
            }
            for name, start in one.items():
                if number:  # the first round fills the disk cache and creates the table
                    found[name].append(start)
    answered = {name: statistics.median(each.answered for each in starts) for name, starts in found.items()}
    return Figure(
        value=answered["ringmaster"] / answered["empty"],
        relation="<=",
        bound=BOUND,
        unit="ratio",
        parts={
            "runs": runs,
            "first_answer_seconds": answered,
            "indexed_seconds": {
                name: statistics.median(each.indexed for each in starts) for name, starts in found.items()
            },
            "stranger_ratio": answered["stranger"] / answered["empty"],
        },
    )


def _settings(storage: str) -> dict[str, str]:
    return {
        "AzureWebJobsStorage": storage,
        "RINGMASTER_POLICY": str(PROJECT_ROOT / "promotion.yaml"),
        "RINGMASTER_ARM_ENDPOINT": "https://localhost:1",  # not used
        "RINGMASTER_WEBHOOK_KEYS": json.dumps({"trivy": ["a-key-of-at-least-thirty-two-characters"]}),
        "RINGMASTER_RECONCILE_SCHEDULE": "0 0 3 1 1 *",
    }


def _start(
    app: Path, state: Path, settings: Mapping[str, str], *, path: str, method: str = "GET", status: int = 200
) -> Start:
    """Start a host with an app, send one request, and stop the host."""
    state.mkdir(parents=True)
    environment = {**_neutral(), **settings, "PYTHONPATH": str(PROJECT_ROOT), "FUNCTIONS_WORKER_RUNTIME": "python"}
    command = [sys.executable, "-m", "local.host", "--app", str(app), "--port", "0"]
    command += ["--keys", str(state / "keys.json"), "--state", str(state), "--grace-seconds", "1"]
    log = state / "log"
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            url = _ready(process, log)
            indexed = time.perf_counter() - began
            _ask(method, f"{url}{path}", _key(state / "keys.json"), status)
            return Start(indexed, time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait(20)


def _neutral() -> dict[str, str]:
    ours = ("RINGMASTER_", "AzureWebJobs", "AZURE_", "FUNCTIONS_", "IDENTITY_", "MSI_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    until = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < until:
        text = log.read_text(encoding="utf-8", errors="replace")
        if found := _READY.search(text):
            return found[1]
        if process.poll() is not None:
            raise MeasurementFailed(f"the host ended during startup: {text.strip()[-600:]}")
        time.sleep(0.002)
    raise MeasurementFailed(f"the host was not ready within {_TIMEOUT_SECONDS:.0f} s")


def _key(file: Path) -> str:
    return json.loads(file.read_text(encoding="utf-8"))["hostKeys"]["default"]


def _ask(method: str, url: str, key: str, status: int) -> None:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, headers={"x-functions-key": key}, data=b"", timeout=_TIMEOUT_SECONDS)
    if answer.status_code != status:
        raise MeasurementFailed(
            f"{method} {url} returned {answer.status_code} instead of {status}: {answer.text[:300]}"
        )
