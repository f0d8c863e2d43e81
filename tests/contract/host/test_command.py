"""`python -m local.host`: the process, its exit codes, its log, and what survives it."""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.host.conftest import SAMPLE_APP, Stage

pytestmark = pytest.mark.stack

PROJECT = SAMPLE_APP.parents[2]


class Command:
    """Starts host processes; the fixture ends what a test leaves."""

    def __init__(self, state: Path, settings: dict[str, str]) -> None:
        self.state, self.settings = state, settings
        # A setting that this process happens to have would go before the one in a file.
        self.inherited = {name: value for name, value in os.environ.items() if name not in settings}
        self.started: list[asyncio.subprocess.Process] = []

    async def run(self, app: Path, *options: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "local.host", "--app", str(app), "--port", "0", "--state", str(self.state), *options),
            cwd=PROJECT,
            env={**self.inherited, **self.settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        self.started.append(process)
        return process

    async def ready(self, *options: str) -> tuple[asyncio.subprocess.Process, str]:
        """A running host of the sample app, and its URL."""
        process = await self.run(SAMPLE_APP, *options)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        assert line.startswith("ready http://127.0.0.1:"), line
        return process, line.split()[1]


@pytest.fixture
async def command(stage: Stage, tmp_path: Path) -> AsyncIterator[Command]:
    made = Command(tmp_path / "state", stage.settings)
    try:
        yield made
    finally:
        for process in made.started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def lines_until(process: asyncio.subprocess.Process, wanted: Callable[[dict[str, Any]], bool]) -> list[Any]:
    """Log lines up to the one that is wanted; every line must be a JSON object."""
    assert process.stderr is not None
    lines: list[Any] = []
    async with asyncio.timeout(60):
        while not lines or not wanted(lines[-1]):
            lines.append(json.loads(await process.stderr.readline()))
    return lines


def encoded(body: str) -> str:
    return base64.b64encode(body.encode()).decode()


async def test_it_serves_until_sigterm_and_lets_running_work_end(command: Command, stage: Stage) -> None:
    process, url = await command.ready()
    async with aiohttp.ClientSession(url) as web:
        running = asyncio.create_task(web.get("/api/slow?seconds=0.7"))
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert (await running).status == 200
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_keys_are_the_same_after_a_restart(command: Command) -> None:
    found = []
    for _ in range(2):
        process, _ = await command.ready()
        found.append((command.state / "keys.json").read_text())
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert found[0] == found[1]


async def test_each_invocation_is_one_structured_line_and_the_apps_lines_carry_its_id(command: Command) -> None:
    process, url = await command.ready()
    key = json.loads((command.state / "keys.json").read_text())["masterKey"]
    async with aiohttp.ClientSession(url) as web, web.get(f"/api/open/bob?code={key}") as answer:
        assert answer.status == 200
    lines = await lines_until(process, lambda line: line.get("function") == "anonymous" and "outcome" in line)
    (said,) = [line for line in lines if line["message"] == "greeting bob"]
    assert said["invocation_id"] == lines[-1]["invocation_id"]
    assert said["function"] == "anonymous"
    assert {"ms", "outcome", "trigger"} <= set(lines[-1])
    assert key not in json.dumps(lines)


async def test_a_fault_is_logged_with_its_traceback_once(command: Command) -> None:
    process, url = await command.ready()
    async with aiohttp.ClientSession(url) as web, web.get("/api/broken") as answer:
        assert answer.status == 500
    lines = await lines_until(process, lambda line: "Traceback" in line["message"])
    assert sum("Traceback" in json.dumps(line) for line in lines) == 1
    assert "a secret detail" in lines[-1]["message"]


async def test_a_killed_hosts_message_comes_back_when_its_lease_ends(command: Command, stage: Stage) -> None:
    await stage.queue().send_message(encoded('{"sleep": 1.9}'))
    process, _ = await command.ready("--lease-seconds", "2")
    while await stage.texts():  # noqa: ASYNC110 -- storage has no event to wait for
        await asyncio.sleep(0.02)
    process.kill()
    await process.wait()
    second, _ = await command.ready("--lease-seconds", "2")
    lines = await lines_until(second, lambda line: line.get("function") == "work" and "outcome" in line)
    assert (lines[-1]["outcome"], lines[-1]["dequeue_count"]) == ("succeeded", 2)


async def test_a_timer_missed_while_the_host_was_down_fires_once_as_past_due(command: Command) -> None:
    command.settings["TICK_SCHEDULE"] = "0 * * * * *"
    process, _ = await command.ready("--clock-speed", "120")
    await lines_until(process, lambda line: line.get("function") == "tick" and "outcome" in line)
    process.kill()
    await process.wait()
    (status,) = command.state.glob("timers/*/Host.Functions.tick/status")
    fields = json.loads(status.read_text())
    assert fields["Next"] > fields["Last"]
    past = {
        "Last": "2020-01-01T00:00:00+00:00",
        "Next": "2020-01-01T00:01:00+00:00",
        "LastUpdated": "2020-01-01T00:00:00+00:00",
    }
    status.write_text(json.dumps(past))
    second, _ = await command.ready()
    lines = await lines_until(second, lambda line: line.get("function") == "tick" and "outcome" in line)
    assert sum(line.get("function") == "tick" for line in lines) == 1


def _app(folder: Path, code: str) -> Path:
    folder.mkdir()
    (folder / "function_app.py").write_text(code)
    (folder / "host.json").write_text('{"version": "2.0"}')
    return folder


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import nothing_of_that_name\n", ["nothing_of_that_name", "Traceback"]),
        ("def broken(:\n", ["SyntaxError", "function_app.py"]),
        ("x = 1\n", ["Could not find top level function app instances"]),
        (
            "import azure.functions as func\napp = func.FunctionApp()\n"
            "@app.schedule(schedule='0 0 30 2 *', arg_name='t')\ndef f(t: func.TimerRequest): ...\n",
            ["function f", "never occurs"],
        ),
        (
            "import azure.functions as func\napp = func.FunctionApp()\n"
            "@app.queue_trigger(arg_name='m', queue_name='%NO_SUCH%', connection='AzureWebJobsStorage')\n"
            "def f(m: func.QueueMessage): ...\n",
            ["function f", "NO_SUCH"],
        ),
        (
            "import azure.functions as func\napp = func.FunctionApp()\n"
            "@app.route('a')\ndef f(wrong: func.HttpRequest) -> str: ...\n",
            ["wrong", "f function"],
        ),
    ],
)
async def test_an_app_that_cannot_be_indexed_is_explained_with_exit_code_1(
    command: Command, tmp_path: Path, code: str, told: list[str]
) -> None:
    process = await command.run(_app(tmp_path / "app", code))
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    for part in told:
        assert part in err.decode()


async def test_a_folder_without_an_app_is_told(command: Command, tmp_path: Path) -> None:
    process = await command.run(tmp_path)
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert "host.json does not exist" in err.decode()


async def test_settings_come_from_a_file_when_one_is_given(command: Command, stage: Stage, tmp_path: Path) -> None:
    values = dict(command.settings)
    command.settings.clear()
    path = tmp_path / "local.settings.json"
    path.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    await stage.queue().send_message(encoded("from file"))
    process, _ = await command.ready("--settings", str(path))
    lines = await lines_until(process, lambda line: line.get("function") == "work" and "outcome" in line)
    assert lines[-1]["outcome"] == "succeeded"
