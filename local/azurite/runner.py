"""Run one Azurite and know where it listens."""

import asyncio
import contextlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from local.azurite.install import azurite_script, ensure_installed, node_binary

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and key that Azurite documents for everyone; they guard nothing."""

_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at http://[^\s]*:(\d+)")
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


class AzuriteError(Exception):
    """Azurite did not start or is not running. The text carries the end of its log."""


def command(data_dir: Path | None, host: str, ports: Sequence[int]) -> list[str]:
    """The command line of an Azurite that keeps its data in `data_dir`, or in memory when that is None.

    `ports` are those of blob, queue and table; 0 lets the operating system choose one that is free.
    """
    blob, queue, table = ports
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    for service, port in (("blob", blob), ("queue", queue), ("table", table)):
        options += [f"--{service}Host", host, f"--{service}Port", str(port)]
    options += ["--inMemoryPersistence"] if data_dir is None else ["--location", str(data_dir)]
    return [str(node_binary()), str(azurite_script()), *options]


def listening_ports(log: str) -> tuple[int, int, int] | None:
    """The ports of blob, queue and table that Azurite's log names, or None before all three listen."""
    found = {service: int(port) for service, port in _LISTENING.findall(log)}
    if len(found) < 3:
        return None
    return found["Blob"], found["Queue"], found["Table"]


def service_urls(host: str, ports: Sequence[int]) -> tuple[str, str, str]:
    """The addresses of the account's blob, queue and table services."""
    blob, queue, table = (f"http://{host}:{port}/{ACCOUNT}" for port in ports)
    return blob, queue, table


def connection_string(host: str, ports: Sequence[int]) -> str:
    """The connection string of Azurite's account for these ports of blob, queue and table."""
    blob, queue, table = service_urls(host, ports)
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
        f"BlobEndpoint={blob};QueueEndpoint={queue};TableEndpoint={table};"
    )


class Azurite:
    """One Azurite process, which ends with the process that started it, however that one ends.

    Use it as a (sync or async) context manager, or call `start` and `stop`. It can be started again after a stop, at
    the same ports; with a `data_dir` the data are still there.
    """

    def __init__(
        self, data_dir: Path | None = None, *, host: str = "127.0.0.1", ports: tuple[int, int, int] = (0, 0, 0)
    ) -> None:
        self.data_dir = data_dir
        self.host = host
        self._ports = ports
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    @property
    def ports(self) -> tuple[int, int, int]:
        """The ports of blob, queue and table; raises AzuriteError before the first start when they were not given."""
        if 0 in self._ports:
            raise AzuriteError("Azurite has no ports yet: start it first.")
        return self._ports

    @property
    def connection_string(self) -> str:
        return connection_string(self.host, self.ports)

    @property
    def blob_url(self) -> str:
        return service_urls(self.host, self.ports)[0]

    @property
    def queue_url(self) -> str:
        return service_urls(self.host, self.ports)[1]

    @property
    def table_url(self) -> str:
        return service_urls(self.host, self.ports)[2]

    @property
    def pid(self) -> int:
        """The process id; raises AzuriteError when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise AzuriteError(f"Azurite does not run.{self._log_tail()}")
        return self._process.pid

    def start(self) -> Self:
        """Start it and wait until all three services listen. Installs it first where that has not been done."""
        if self._process is not None and self._process.poll() is None:
            return self
        ensure_installed()
        if self.data_dir is not None:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        self._close_log()
        self._log = tempfile.TemporaryFile(prefix="azurite-")  # noqa: SIM115 - it lives as long as the process
        node, *arguments = command(self.data_dir, self.host, self._ports)
        watchdog = Path(__file__).with_name("exit_with_parent.cjs")
        self._process = subprocess.Popen(
            [node, "--require", str(watchdog), *arguments],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal is for the parent, which then stops it in order
        )
        try:
            self._ports = self._wait_until_listening()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Stop it in order, which writes the last data to disk. Does nothing when it does not run."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reap()

    def kill(self) -> None:
        """End it at once, as a crash would. Azurite may lose what was written in the last five seconds."""
        if self._process is not None:
            self._process.kill()
            self._reap()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _wait_until_listening(self) -> tuple[int, int, int]:
        assert self._process is not None
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            ports = listening_ports(self._read_log())
            if ports is not None:
                return ports
            if self._process.poll() is not None:
                raise AzuriteError(
                    f"Azurite ended with exit code {self._process.returncode} while starting.{self._log_tail()}"
                )
            time.sleep(0.02)
        raise AzuriteError(f"Azurite did not listen within {_START_SECONDS:.0f} s.{self._log_tail()}")

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process = None
        self._close_log()

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _read_log(self) -> str:
        if self._log is None:
            return ""
        # Azurite writes through the same file offset, so read without moving it.
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def _log_tail(self) -> str:
        tail = self._read_log().strip()[-2000:]
        return f" Its log ends:\n{tail}" if tail else ""
