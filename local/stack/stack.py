"""Start, stop, crash and restart a stack."""

import asyncio
import json
import os
import secrets
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
from local.host.people import load_people
from local.stack import processes
from local.stack.event_subscriptions import subscribe
from local.stack.options import PROJECT_ROOT, SECOND_HOST, SERVICES, StackError, StackOptions
from local.stack.record import Record, exclusive, write_private
from local.stack.services import (
    COMMANDS,
    PEOPLE,
    PORTS_OF,
    Plan,
    app_settings,
    environment,
    is_free,
    read_readiness,
)
from local.stack.storage import make_storage

_START_SECONDS = 90.0
_STOP_SECONDS = 20.0
_LARGE_LOG = 20 * 1024 * 1024
_ALL = (*SERVICES, SECOND_HOST)


class Stack:
    """The stack in one folder, with `state/`, `logs/`, `env`, `tokens.json` and its record.

    Without `options`, it uses those of its last start.

    As a (sync or async) context manager, the stack runs inside the context and is stopped afterwards, even if this
    process is killed. With `start(detached=True)` it outlives this process; a later `Stack` for the same folder
    controls it.
    """

    def __init__(self, directory: Path, options: StackOptions | None = None) -> None:
        self.directory = directory.resolve()
        self._record = Record.load(self.directory / "stack.json")
        chosen = self._record.chosen
        self.options = options or (StackOptions.from_record(chosen) if chosen else StackOptions())
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def plan(self) -> Plan:
        return Plan(self.directory, self.options, self._record)

    @property
    def services(self) -> tuple[str, ...]:
        """The services of this stack, in start order."""
        first = tuple(name for name in SERVICES if name != "scanner" or self.options.scanner)
        return first if self.options.second_app is None else (*first, SECOND_HOST)

    @property
    def running(self) -> dict[str, int]:
        """The pids of the running services."""
        return {name: one.pid for name, one in self._record.alive.items()}

    @property
    def environment(self) -> dict[str, str]:
        """The variables for clients, as in the file `env`."""
        plan = self.plan
        return {
            "RINGMASTER_URL": plan.ringmaster_url,
            "RINGMASTER_KEY": plan.host_key(),
            **({"RINGMASTER_TOKEN": next(iter(plan.tokens().values()))} if self.options.sign_in else {}),
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
        """The app settings of the Functions host."""
        return app_settings(self.plan)

    def reset(self) -> None:
        """Delete all state and secrets; keep logs and ports. Raises StackError while a service is running."""
        with exclusive(self.directory):
            if self.running:
                raise StackError(f"{', '.join(self.running)} is running; stop the stack before you reset it")
            shutil.rmtree(self.directory / "state", ignore_errors=True)
            for name in ("stack.json", "env", "tokens.json", "ca-bundle.pem"):
                (self.directory / name).unlink(missing_ok=True)
            ports = self._record.ports
            self._record = Record(self.directory / "stack.json", ports=ports)
            self._record.save()

    def start(self, *, detached: bool = False) -> list[str]:
        """Start the services that are not running, and wait until all are ready. Returns the names of the started
        services.

        Raises StackError if a service does not become ready; the services that this call started are then stopped.
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
            self._start_watchdog()
        return missing

    def stop(self) -> list[str]:
        """Stop all services in order. Returns the names of those that were running."""
        with exclusive(self.directory):
            self._record = Record.load(self._record.file)
            ran = list(self.running)
            self._stop(_ALL)
            (self.directory / "env").unlink(missing_ok=True)
        self._stop_watchdog()
        return ran

    def kill(self, name: str) -> None:
        """Kill one service, like a crash. (Azurite may lose the writes of the last five seconds.)"""
        process = self._record.processes.get(_known(name))
        if process is not None:
            processes.kill(process)

    def halt(self, name: str) -> None:
        """Stop one service, and no other. `restart` starts it again."""
        with exclusive(self.directory):
            self._stop([_known(name)])

    def restart(self, name: str) -> None:
        """Restart one service on the same ports. Returns when it is ready."""
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
        if self.options.sign_in:
            self._make_tokens()
        self._record.chosen = self.options.record()
        self._record.save()

    def _make_tokens(self) -> None:
        """Give every user a token. Those of an earlier start stay valid, because the host may be running."""
        plan = self.plan
        known = plan.tokens() if plan.tokens_file.exists() else {}
        tokens = {each.account: known.get(each.account) or secrets.token_urlsafe(32) for each in load_people(PEOPLE)}
        write_private(plan.tokens_file, json.dumps(tokens, indent=2) + "\n")

    def _missing(self) -> list[str]:
        """The services to start: those that are not running, or all if their previous ports are not free."""
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
                f"another process listens on port {', '.join(taken)}; choose another port, or none to use a free port"
            )

    def _launch(self, names: Iterable[str]) -> None:
        """Start services. Independent services start in parallel."""
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
            if read_readiness(self.plan, name, text):
                self._record.save()
                return
            if not alive or time.monotonic() > until:
                what = f"was not ready after {_START_SECONDS:.0f} s" if alive else "ended during startup"
                raise StackError(f"{name} {what}. The end of its log {self.log(name)}:\n{text.strip()[-3000:]}")
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

    def _start_watchdog(self) -> None:
        if self._watchdog is None:
            command = [sys.executable, "-m", "local.stack.watchdog", str(self._record.file)]
            self._watchdog = subprocess.Popen(
                command, cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
            )

    def _stop_watchdog(self) -> None:
        if self._watchdog is not None:
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()
            self._watchdog.wait()
            self._watchdog = None


def _known(name: str) -> str:
    if name not in _ALL:
        raise StackError(f"unknown service {name!r}; the services are {', '.join(_ALL)}")
    return name


def _read_from(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
