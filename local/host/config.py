"""Reads `host.json`, with the platform's defaults and limits.

Defaults and limits of `extensions.queues` come from QueuesOptions.cs of the Storage Queue extension 5: batchSize 16 (at
most 32), newBatchThreshold batchSize/2 per processor, maxDequeueCount 5, visibilityTimeout 0, maxPollingInterval 1
minute (at least 100 ms), messageEncoding base64.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.host.host_errors import ConfigError
from local.host.timespan import parse_timespan

MAX_BATCH_SIZE = 32
MIN_POLLING_INTERVAL = timedelta(milliseconds=100)


@dataclass(frozen=True)
class QueuesConfig:
    """`extensions.queues` of host.json."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: timedelta = timedelta(0)
    max_polling_interval: timedelta = timedelta(minutes=1)
    base64: bool = True


@dataclass(frozen=True)
class HttpConfig:
    """`extensions.http` of host.json."""

    route_prefix: str = "api"


@dataclass(frozen=True)
class HostConfig:
    """The parts of host.json that this host uses. `function_timeout` None means no limit."""

    function_timeout: timedelta | None = timedelta(minutes=5)
    http: HttpConfig = field(default_factory=HttpConfig)
    queues: QueuesConfig = field(default_factory=QueuesConfig)
    log_levels: Mapping[str, str] = field(default_factory=dict)
    only_functions: tuple[str, ...] | None = None
    open_telemetry: bool = False


class _Reader:
    """Reads values by path. It collects errors and returns defaults for invalid values."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.faults: list[str] = []

    def get(self, path: str, default: Any, kind: type | tuple[type, ...]) -> Any:
        node: Any = self._document
        for part in path.split("."):
            if not isinstance(node, dict):
                self.faults.append(f"host.json: {path}: the parent of {part!r} must be an object")
                return default
            if part not in node:
                return default
            node = node[part]
        if not isinstance(node, kind) or (isinstance(node, bool) and kind is int):
            self.faults.append(f"host.json: {path} is {node!r}, which has the wrong type")
            return default
        return node

    def number(self, path: str, default: int, least: int, most: int | None = None) -> int:
        value = self.get(path, default, int)
        if value < least or (most is not None and value > most):
            upper = "" if most is None else f" and at most {most}"
            self.faults.append(f"host.json: {path} is {value}, but must be at least {least}{upper}")
            return default
        return value

    def duration(self, path: str, default: timedelta, least: timedelta = timedelta(0)) -> timedelta:
        text = self.get(path, None, str)
        if text is None:
            return default
        try:
            value = parse_timespan(text)
        except ValueError as fault:
            self.faults.append(f"host.json: {path}: {fault}")
            return default
        if value < least:
            self.faults.append(f"host.json: {path} is {text}, but must be at least {least}")
            return default
        return value


def load_host_config(app_dir: Path) -> HostConfig:
    """Read `host.json` in `app_dir`. Raises ConfigError with all errors."""
    path = app_dir / "host.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as missing:
        raise ConfigError([f"{path} does not exist; specify the folder of a function app"]) from missing
    except ValueError as broken:
        raise ConfigError([f"{path} is not valid JSON: {broken}"]) from broken
    if not isinstance(document, dict):
        raise ConfigError([f"{path} must contain a JSON object"])
    return parse_host_config(document)


def parse_host_config(document: dict[str, Any]) -> HostConfig:
    """Parse a host.json document. Raises ConfigError with all errors."""
    read = _Reader(document)
    if document.get("version") != "2.0":
        read.faults.append(
            f'host.json: version is {document.get("version")!r}, but must be "2.0" for the Functions host 4'
        )
    only = read.get("functions", None, list)
    config = HostConfig(
        function_timeout=_function_timeout(read),
        http=HttpConfig(
            route_prefix=read.get("extensions.http.routePrefix", "api", str).strip("/"),
        ),
        queues=_queues(read),
        log_levels=read.get("logging.logLevel", {}, dict),
        only_functions=None if only is None else tuple(str(name) for name in only),
        open_telemetry=read.get("telemetryMode", "", str).lower() == "opentelemetry",
    )
    if read.faults:
        raise ConfigError(read.faults)
    return config


def _function_timeout(read: _Reader) -> timedelta | None:
    if read.get("functionTimeout", None, str) == "-1":
        return None
    return read.duration("functionTimeout", timedelta(minutes=5), timedelta(milliseconds=1))


def _queues(read: _Reader) -> QueuesConfig:
    batch = read.number("extensions.queues.batchSize", 16, 1, MAX_BATCH_SIZE)
    encoding = read.get("extensions.queues.messageEncoding", "base64", str)
    if encoding.lower() not in ("base64", "none"):
        read.faults.append(f"host.json: extensions.queues.messageEncoding is {encoding!r}, but must be base64 or none")
    return QueuesConfig(
        batch_size=batch,
        new_batch_threshold=read.number("extensions.queues.newBatchThreshold", batch // 2 * (os.cpu_count() or 1), 0),
        max_dequeue_count=read.number("extensions.queues.maxDequeueCount", 5, 1),
        visibility_timeout=read.duration("extensions.queues.visibilityTimeout", timedelta(0)),
        max_polling_interval=read.duration(
            "extensions.queues.maxPollingInterval", timedelta(minutes=1), MIN_POLLING_INTERVAL
        ),
        base64=encoding.lower() == "base64",
    )
