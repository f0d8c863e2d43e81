"""The host's log: one JSON object per line, with the invocation of the app's own entries. Secrets are redacted."""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure_functions_runtime.utils.executor import invocation_id_cv

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 10,
}
_SECRETS = re.compile(
    r"((?:[?&]|\b)(?:sig|code|AccountKey|SharedAccessKey|SharedAccessSignature|InstrumentationKey)=)[^&;\s\\\"']+"
    r"|((?:x-functions-key|authorization|aeg-sas-key|x-identity-header)[\"']?\s*[:=]\s*[\"']?)(?:Bearer\s+|SharedKey\s+)?[^\s\\\"',;]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Hide keys, SAS signatures and tokens."""
    return _SECRETS.sub(lambda match: f"{match[1] or match[2]}[hidden]", text)


class JsonLines(logging.Formatter):
    """Formats a record as a JSON object. `function_of` returns the function name of a running invocation."""

    def __init__(self, function_of: Callable[[str], str | None]) -> None:
        super().__init__()
        self._function_of = function_of

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        invocation = invocation_id_cv.get()
        if invocation:
            line["invocation_id"] = invocation
            line["function"] = self._function_of(invocation)
        line["message"] = record.getMessage()
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str, ensure_ascii=False))


def configure(
    function_of: Callable[[str], str | None], levels: Mapping[str, Any] | None = None, file: Path | None = None
) -> None:
    """Write the log of this process to stderr or `file`, with the levels of host.json (`default`, `Function`,
    `Host.Results`).
    """
    handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(function_of))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    named = {name: _LEVELS.get(str(level).lower(), logging.INFO) for name, level in (levels or {}).items()}
    default = named.get("default", logging.INFO)
    root.setLevel(named.get("Function", default))
    logging.getLogger("local.host").setLevel(named.get("Host", default))
    logging.getLogger("local.host.invocation").setLevel(named.get("Host.Results", default))
    for chatty in ("azure.core", "azure.identity", "azure.storage", "azure.functions", "urllib3", "aiohttp", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, default))
