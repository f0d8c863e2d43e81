"""Start, stop, break and repair a stack."""

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from local.azurite import InstallError, ensure_installed
from local.certificates import ensure_ca, write_bundle
from local.stack import processes
from local.stack.options import PROJECT_ROOT, SECOND_HOST, SERVICES, StackError, StackOptions
from local.stack.record import Record, exclusive, write_private
from local.stack.services import COMMANDS, PORTS_OF, Plan, app_settings, environment, is_free, take_ready
from local.stack.storage import make_storage
from local.stack.subscriptions import subscribe

_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_LARGE_LOG = 20 * 1024 * 1024
_ALL = (*SERVICES, SECOND_HOST)


class Stack:
    """The stack of one folder: `state/`, `logs/`, `env` and what it remembers of itself.

    Without `options` it has those with which it was last started.

    As a (sync or async) context manager it is up inside and down afterwards, also when this process is killed. Started
    with `start(detached=True)` it outlives this process; any later `Stack` of the same folder finds it.
    """

    def __init__(self, directory: Path, options: StackOptions | None = None) -> None:
        self.directory = directory.resolve()
        self._record = Record.load(self.directory / "stack.json")
        chosen = self._record.chosen
        self.options = options or (StackOptions.recorded(chosen) if chosen else StackOptions())
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def plan(self) -> Plan:
        return Plan(self.directory, self.options, self._record)

    @property
    def services(self) -> tuple[str, ...]:
        """The services that belong to this stack, in the order of their start."""
        first = tuple(name for name in SERVICES if name != "scanner" or self.options.scanner)
        return first if self.options.second_app is None else (*first, SECOND_HOST)

    @property
    def running(self) -> dict[str, int]:
        """The pids of the services that run."""
        return {name: one.pid for name, one in self._record.alive.items()}

    @property
    def environment(self) -> dict[str, str]:
        """What clients need, as it stands in the file `env`."""
        plan = self.plan
        return {
            "RINGMASTER_URL": plan.ringmaster_url,
            "RINGMASTER_KEY": plan.host_key(),
            "RINGMASTER_WEBHOOK_KEY": plan.record.webhook_key,
            "ARM_ENDPOINT": plan.arm_url,
            "REQUESTS_CA_BUNDLE": str(plan.bundle),
            "SSL_CERT_FILE": str(plan.bundle),
            **plan.record.identity,
            "AZURE_STORAGE_CONNECTION_STRING": plan.storage,
            "EVENTGRID_TOPIC_ENDPOINT": plan.topic_endpoint,
            "EVENTGRID_TOPIC_KEY": plan.record.topic_key,
            "EVENTGRID_CONTROL_URL": plan.control_url,
        }

    @property
    def app_settings(self) -> dict[str, str]:
        """The app settings that the Functions host runs with."""
        return app_settings(self.plan)

    def reset(self) -> None:
        """Forget all state and secrets; raises StackError while a service runs. Logs stay, and so do the ports."""
        with exclusive(self.directory):
            if self.running:
                raise StackError(f"{', '.join(self.running)} still runs; stop the stack before its state is reset")
            shutil.rmtree(self.directory / "state", ignore_errors=True)
            for name in ("stack.json", "env", "ca-bundle.pem"):
                (self.directory / name).unlink(missing_ok=True)
            ports = self._record.ports
            self._record = Record(self.directory / "stack.json", ports=ports)
            self._record.save()

    def start(self, *, detached: bool = False) -> list[str]:
        """Start what does not run and wait until everything answers; returns the names of what was started.

        Raises StackError when a service does not become ready; what this call has started is stopped again then.
        """
        self.options.check()
        with exclusive(self.directory):
            self._check_ports()
            missing = self._missing()
            self._prepare()
            try:
                self._launch(missing)
                subscribe(self.plan)
            except BaseException:
                self._stop(missing)
                raise
            self._write_env()
        if not detached:
            self._guard()
        return missing

    def stop(self) -> list[str]:
        """Stop every service in order; returns the names of those that ran."""
        with exclusive(self.directory):
            self._record = Record.load(self._record.file)
            ran = list(self.running)
            self._stop(_ALL)
            (self.directory / "env").unlink(missing_ok=True)
        self._dismiss_guardian()
        return ran

    def kill(self, name: str) -> None:
        """End one service at once, as a crash would. (Azurite may lose the last five seconds' writes.)"""
        process = self._record.processes.get(_known(name))
        if process is not None:
            processes.kill(process)

    def halt(self, name: str) -> None:
        """Stop one service in order, and no other; `restart` brings it back."""
        with exclusive(self.directory):
            self._stop([_known(name)])

    def restart(self, name: str) -> None:
        """Stop one service in order, if it runs, and start it at the same ports; returns when it is ready."""
        with exclusive(self.directory):
            self._stop([_known(name)])
            self._launch([name])
            self._record.save()

    def log(self, name: str) -> Path:
        """The log file of a service."""
        return self.directory / "logs" / f"{_known(name)}.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _prepare(self) -> None:
        try:
            ensure_installed()
        except InstallError as error:
            raise StackError(str(error)) from error
        extra = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
        certificates = ensure_ca(self.directory / "state" / "arm")
        write_bundle(certificates, self.plan.bundle, extra=Path(extra) if extra else None)
        self._record.chosen = self.options.record()
        self._record.save()

    def _missing(self) -> list[str]:
        """What must be started: what does not run, or everything when that could not have its addresses back."""
        missing = [name for name in self.services if name not in self.running]
        ports = [self._record.ports.get(one) for name in missing for one in PORTS_OF[name]]
        if self.running and not all(number and is_free(number) for number in ports):
            self._stop(_ALL)
            return list(self.services)
        return missing

    def _check_ports(self) -> None:
        running = {self._record.ports.get(one) for name in self.running for one in PORTS_OF[name]}
        taken = [
            f"{name} {number}"
            for name, number in self.options.ports.items()
            if number not in running and not is_free(number)
        ]
        if taken:
            raise StackError(
                f"somebody else listens on port {', '.join(taken)}: choose another, or none for any free one"
            )

    def _launch(self, names: Iterable[str]) -> None:
        """Start services; those that need nothing of each other come up side by side."""
        wanted = set(names)
        for group in (("azurite", "eventgrid"), ("arm",), ("host",), ("scanner",), (SECOND_HOST,)):
            if "host" in group and "azurite" in wanted:
                make_storage(app_settings(self.plan), self.plan.storage)
            begun = [(name, self._spawn(name)) for name in group if name in wanted]
            for name, offset in begun:
                self._wait_until_ready(name, offset)

    def _spawn(self, name: str) -> int:
        log = self.log(name)
        if log.exists() and log.stat().st_size > _LARGE_LOG:
            log.replace(log.with_suffix(".log.old"))
        offset = log.stat().st_size if log.exists() else 0
        command = COMMANDS[name](self.plan)
        process = processes.spawn(command, cwd=PROJECT_ROOT, environment=environment(self.plan, name), log=log)
        self._record.processes[name] = process
        self._record.save()
        return offset

    def _wait_until_ready(self, name: str, offset: int) -> None:
        until = time.monotonic() + _START_SECONDS
        process = self._record.processes[name]
        while True:
            alive = process.alive
            text = _read_from(self.log(name), offset)
            if take_ready(self.plan, name, text):
                self._record.save()
                return
            if not alive or time.monotonic() > until:
                what = f"did not become ready within {_START_SECONDS:.0f} s" if alive else "ended while starting"
                raise StackError(f"{name} {what}. Its log {self.log(name)} ends:\n{text.strip()[-3000:]}")
            time.sleep(0.02)

    def _stop(self, names: Iterable[str]) -> None:
        wanted = set(names)
        for name in reversed(_ALL):
            process = self._record.processes.get(name)
            if name in wanted and process is not None:
                processes.stop([process], _STOP_SECONDS)
                del self._record.processes[name]
        self._record.save()

    def _write_env(self) -> None:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in self.environment.items()]
        write_private(self.directory / "env", "\n".join(lines) + "\n")

    def _guard(self) -> None:
        if self._guardian is None:
            command = [sys.executable, "-m", "local.stack.guardian", str(self._record.file)]
            self._guardian = subprocess.Popen(
                command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
            )

    def _dismiss_guardian(self) -> None:
        if self._guardian is not None:
            assert self._guardian.stdin is not None
            self._guardian.stdin.close()
            self._guardian.wait()
            self._guardian = None


def _known(name: str) -> str:
    if name not in _ALL:
        raise StackError(f"there is no service {name!r}; there are {', '.join(_ALL)}")
    return name


def _read_from(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
