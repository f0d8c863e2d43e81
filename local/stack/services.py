"""The services: how to start each, and how to detect from its log that it is ready."""

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.azurite.runner import command as azurite_command
from local.azurite.runner import connection_string, listening_ports
from local.stack.options import PROJECT_ROOT, SECOND_HOST, StackOptions
from local.stack.record import Record
from shared.domain.scan_formats import SCAN_FORMATS

HOST = "127.0.0.1"
_MAX_CLOCK_SPEED = 60.0  # for the host's timers; a higher speed would only use CPU time
PEOPLE = PROJECT_ROOT / "local" / "stack" / "people.json"
"""The users: one for each role, the image builder, which is also an approver, and one without a role.

The first is the default of clients. All are in one tenant; the last one is not in the group of readers.
"""
READERS = "5f0a9d1e-6c55-5f3b-9d8a-3a1c8f0b7e42"
"""The group that may read the pages. The sample policies give it the role reader."""
PAGE_READER_SETTINGS: Mapping[str, str] = {"RINGMASTER_TRUST_EASYAUTH": "true", "RINGMASTER_PAGE_READERS": READERS}
_OURS = ("RINGMASTER_", "AzureWebJobs", "AZURE_", "IDENTITY_", "FUNCTIONS_", "MSI_")


@dataclass(frozen=True, slots=True)
class Plan:
    """The data from which commands and environments are built."""

    directory: Path
    options: StackOptions
    record: Record

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def bundle(self) -> Path:
        """The certificate authorities that the stack's processes trust: public ones and the stack's own."""
        return self.directory / "ca-bundle.pem"

    @property
    def keys_file(self) -> Path:
        return self.state / "host" / "keys.json"

    @property
    def tokens_file(self) -> Path:
        """The bearer tokens of the users, by account."""
        return self.directory / "tokens.json"

    @property
    def ringmaster_url(self) -> str:
        return f"http://{HOST}:{self.record.ports['host']}"

    @property
    def arm_url(self) -> str:
        return f"https://localhost:{self.record.ports['arm']}"

    @property
    def control_url(self) -> str:
        """The control endpoints of the local Event Grid."""
        return f"http://{HOST}:{self.record.ports['eventgrid-control']}/_sim"

    @property
    def topic_endpoint(self) -> str:
        return f"https://localhost:{self.record.ports['eventgrid']}/api/events"

    @property
    def pages_url(self) -> str:
        """The URL of the pages."""
        return f"{self.ringmaster_url}/api/pages/releases"

    @property
    def storage(self) -> str:
        return connection_string(HOST, [self.record.ports[name] for name in ("blob", "queue", "table")])

    def host_key(self) -> str:
        """The host key, which is valid for all functions. Available after the host has started once."""
        return json.loads(self.keys_file.read_text(encoding="utf-8"))["hostKeys"]["default"]

    def tokens(self) -> dict[str, str]:
        """The bearer tokens of the users, by account. Available after the stack has started once with sign-in."""
        return json.loads(self.tokens_file.read_text(encoding="utf-8"))

    def event_grid_key(self) -> str:
        """The system key with which Event Grid calls the host."""
        return json.loads(self.keys_file.read_text(encoding="utf-8"))["systemKeys"]["eventgrid_extension"]


PORTS_OF = {
    "azurite": ("blob", "queue", "table"),
    "eventgrid": ("eventgrid", "eventgrid-control"),
    "arm": ("arm",),
    "host": ("host",),
    "scanner": ("scanner",),
    SECOND_HOST: (SECOND_HOST,),
}


def port(plan: Plan, name: str) -> str:
    """The port to request: the configured one, the last one if it is free, or 0 for any free port."""
    given = plan.options.ports.get(name)
    last = plan.record.ports.get(name, 0)
    return str(given or (last if last and is_free(last) else 0))


def is_free(number: int) -> bool:
    """Whether a process could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError:
            return False
    return True


def _azurite(plan: Plan) -> list[str]:
    data = plan.state / "azurite"
    data.mkdir(parents=True, exist_ok=True)
    return azurite_command(data, HOST, [int(port(plan, name)) for name in ("blob", "queue", "table")])


def _event_grid(plan: Plan) -> list[str]:
    state, options = plan.state / "eventgrid", plan.options
    return [
        *(sys.executable, "-m", "local.eventgrid", "--state", str(state), "--certificates", str(plan.state / "arm")),
        *("--port", port(plan, "eventgrid"), "--control-port", port(plan, "eventgrid-control")),
        *("--speed", str(options.speed), "--seed", str(options.seed)),
        *("--duplicate", str(options.duplicate), "--late", str(options.late)),
    ]


def _arm(plan: Plan) -> list[str]:
    state, options = plan.state / "arm", plan.options
    command = [
        *(sys.executable, "-m", "local.arm", "--state", str(state), "--port", port(plan, "arm")),
        *("--speed", str(options.speed), "--seed", str(options.seed)),
        *("--event-sink", f"{plan.control_url}/arm-events"),
    ]
    if not (state / "arm.db").exists():  # initial resources are created only once; deleted ones stay deleted
        command += ["--world", str(options.world)]
    return command if options.arm_plan is None else [*command, "--plan", str(options.arm_plan)]


def _host(plan: Plan) -> list[str]:
    return _host_of(plan, "host", plan.options.app)


def _second_host(plan: Plan) -> list[str]:
    assert plan.options.second_app is not None
    return _host_of(plan, SECOND_HOST, plan.options.second_app)


def _host_of(plan: Plan, name: str, app: Path) -> list[str]:
    command = [
        *(sys.executable, "-m", "local.host", "--app", str(app), "--port", port(plan, name)),
        *("--keys", str(plan.keys_file), "--state", str(plan.state / name), "--grace-seconds", "10"),
        *("--clock-speed", str(min(plan.options.speed, _MAX_CLOCK_SPEED))),
    ]
    if not plan.options.sign_in:
        return command
    return [*command, "--people", str(PEOPLE), "--tokens", str(plan.tokens_file)]


def _scanner(plan: Plan) -> list[str]:
    return [
        *(sys.executable, "-m", "local.scanner", "--state", str(plan.state / "scanner")),
        *("--port", port(plan, "scanner"), "--speed", str(plan.options.speed), "--seed", str(plan.options.seed)),
    ]


COMMANDS: Mapping[str, Callable[[Plan], list[str]]] = {
    "azurite": _azurite,
    "eventgrid": _event_grid,
    "arm": _arm,
    "host": _host,
    "scanner": _scanner,
    SECOND_HOST: _second_host,
}
_TIMERS_OFF = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("reconcile", "retire")}
"""In Azure a lock sees to it that one instance at a time runs a timer; here that is always the first."""


def environment(plan: Plan, name: str) -> dict[str, str]:
    """The environment variables of a service: the caller's, without those of Azure and Ringmaster, and the service's
    own.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    path = os.pathsep.join(part for part in (str(PROJECT_ROOT), os.environ.get("PYTHONPATH")) if part)
    own = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    if name == "eventgrid":
        own["EVENTGRID_TOPIC_KEY"] = plan.record.topic_key
    if name in ("host", SECOND_HOST):
        own |= app_settings(plan) | (_TIMERS_OFF if name == SECOND_HOST else {})
    if name == "scanner":
        own |= plan.record.identity | {
            "RINGMASTER_URL": plan.ringmaster_url,
            "RINGMASTER_WEBHOOK_KEY": plan.record.webhook_key,
            "ARM_ENDPOINT": plan.arm_url,
            "SSL_CERT_FILE": str(plan.bundle),
        }
    return inherited | own


def app_settings(plan: Plan) -> dict[str, str]:
    """The app settings of the function app, as a deployment would set them."""
    return {
        "AzureWebJobsStorage": plan.storage,
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "RINGMASTER_POLICY": str(plan.options.policy.resolve()),
        "RINGMASTER_ARM_ENDPOINT": plan.arm_url,
        "RINGMASTER_PACE": str(plan.options.speed),
        "RINGMASTER_EVENTGRID_TOPIC_ENDPOINT": plan.topic_endpoint,
        "RINGMASTER_WEBHOOK_KEYS": json.dumps({name: [plan.record.webhook_key] for name in SCAN_FORMATS}),
        **(PAGE_READER_SETTINGS if plan.options.sign_in else {}),
        **plan.record.identity,
        "SSL_CERT_FILE": str(plan.bundle),
        "REQUESTS_CA_BUNDLE": str(plan.bundle),
        **plan.options.settings,
    }


def read_readiness(plan: Plan, name: str, log: str) -> bool:
    """Whether the log shows that the service is ready. If so, the record is updated with its ports."""
    if name == "azurite":
        found = listening_ports(log)
        if found is None:
            return False
        plan.record.ports |= dict(zip(("blob", "queue", "table"), found, strict=True))
        return True
    if name in ("host", SECOND_HOST):
        ready = re.search(r"^ready (http://\S+)$", log, re.MULTILINE)
        if ready is None:
            return False
        plan.record.ports[name] = _port_of(ready[1])
        return True
    return _take_document(plan, name, log)


def _take_document(plan: Plan, name: str, log: str) -> bool:
    """The other services print one line of JSON when they are ready."""
    line = re.search(r'^\{".*\}$', log, re.MULTILINE)
    if line is None:
        return False
    document = json.loads(line[0])
    match name:
        case "eventgrid":
            plan.record.ports["eventgrid"] = _port_of(document["topic"])
            plan.record.ports["eventgrid-control"] = _port_of(document["control"])
        case "arm":
            plan.record.ports["arm"] = _port_of(document["ARM_ENDPOINT"])
            plan.record.identity = {key: document[key] for key in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")}
        case "scanner":
            plan.record.ports["scanner"] = _port_of(document["webhook"])
    return True


def _port_of(url: str) -> int:
    found = urlsplit(url).port
    assert found is not None, url
    return found
