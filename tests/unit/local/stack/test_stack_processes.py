"""Processes are recognised by more than their number, and end with all that they started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.stack import processes
from local.stack.options import StackError
from local.stack.processes import ProcessId
from local.stack.record import Record, exclusive

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
)


def _spawn(tmp_path: Path, *command: str) -> ProcessId:
    return processes.spawn(command, cwd=tmp_path, environment=os.environ, log=tmp_path / "logs" / "p.log")


def _log(tmp_path: Path, wanted: str) -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        text = (tmp_path / "logs" / "p.log").read_text()
        if wanted in text:
            return text
        time.sleep(0.02)
    raise AssertionError(f"{wanted!r} did not appear in the log")


def test_a_process_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    process = _spawn(tmp_path, "sleep", "600")
    assert process.alive
    assert processes.stop([process], seconds=10) == []
    assert not process.alive


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    process = _spawn(tmp_path, sys.executable, "-c", STUBBORN)
    _log(tmp_path, "on")
    assert processes.stop([process], seconds=0.2) == [process]
    assert not process.alive


def test_what_a_process_left_behind_ends_with_it(tmp_path: Path) -> None:
    process = _spawn(tmp_path, "bash", "-c", "sleep 600 & echo child $!; wait")
    child = int(_log(tmp_path, "child").split()[1])
    processes.stop([process], seconds=10)
    until = time.monotonic() + 10
    while processes._start_time(child) is not None and time.monotonic() < until:
        time.sleep(0.02)
    assert processes._start_time(child) is None


def test_a_stranger_with_the_same_number_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as stranger:
        remembered = ProcessId(stranger.pid, "some other time")
        assert not remembered.alive
        processes.stop([remembered], seconds=1)
        processes.kill(remembered)
        assert stranger.poll() is None
        stranger.send_signal(signal.SIGTERM)


def test_a_process_that_has_ended_is_gone_even_before_anybody_asked(tmp_path: Path) -> None:
    process = _spawn(tmp_path, "true")
    until = time.monotonic() + 10
    while process.alive and time.monotonic() < until:
        time.sleep(0.02)
    assert not process.alive
    processes.kill(process)


def test_the_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    record = Record(tmp_path / "stack.json", ports={"host": 7071})
    record.processes["host"] = ProcessId(1, "x")
    record.save()
    assert Record.load(record.file) == record
    assert record.file.stat().st_mode & 0o777 == 0o600


def test_keys_are_not_shown(tmp_path: Path) -> None:
    record = Record(tmp_path / "stack.json")
    assert record.webhook_key not in repr(record)
    assert record.topic_key not in repr(record)


def test_a_record_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(StackError, match="delete it"):
        Record.load(tmp_path / "stack.json")


def test_only_one_command_changes_a_stack_at_a_time(tmp_path: Path) -> None:
    with exclusive(tmp_path), pytest.raises(StackError, match="another command"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path):
        pass
