"""Recorded sessions between Azure's own clients and ARM, in one form whatever wrote them.

Three recorders are known: vcr (YAML: the Azure CLI and the older Python SDK), the SDKs' test proxy (JSON) and the
recorder of the .NET libraries (JSON with one list for every header). Tokens, storage and vaults are left out: only
what went to ARM is there.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import yaml

ARM: Final = "management.azure.com"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded request with its answer; ``headers`` are the answer's, in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    headers: Mapping[str, str]
    answer: Any

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")


@dataclass(frozen=True, slots=True)
class Session:
    """What one recorded test said to ARM and heard from it, in order."""

    name: str
    exchanges: tuple[Exchange, ...]


def session_files(recordings: Path) -> list[Path]:
    """Every recorded session below a folder, in a stable order."""
    return sorted(file for file in recordings.rglob("*") if file.suffix in {".yaml", ".json"})


@cache
def read_session(file: Path, recordings: Path) -> Session:
    """A session by its file; read once in a process."""
    text = file.read_text(encoding="utf-8-sig")
    rows = yaml.load(text, _LOADER)["interactions"] if file.suffix == ".yaml" else json.loads(text)["Entries"]
    read = _vcr if file.suffix == ".yaml" else _entry
    if file.suffix == ".json":
        rows.sort(key=_moment)  # the .NET recorder keeps equal requests together
    found = tuple(each for row in rows if (each := read(row)) is not None)
    return Session(str(file.relative_to(recordings).with_suffix("")), found)


def _vcr(row: dict[str, Any]) -> Exchange | None:
    request, response = row["request"], row["response"]
    headers = {name.lower(): ",".join(values) for name, values in response["headers"].items()}
    body = response["body"].get("string")
    return _exchange(request["method"], request["uri"], request.get("body"), response["status"]["code"], headers, body)


def _entry(row: dict[str, Any]) -> Exchange | None:
    given = row["ResponseHeaders"]
    headers = {name.lower(): value if isinstance(value, str) else ",".join(value) for name, value in given.items()}
    return _exchange(
        row["RequestMethod"],
        row["RequestUri"],
        row.get("RequestBody"),
        int(row["StatusCode"]),
        headers,
        row.get("ResponseBody"),
    )


def _moment(row: dict[str, Any]) -> float:
    """When an answer was given, in whole seconds; equal ones keep their order."""
    given = row["ResponseHeaders"].get("Date")
    return parsedate_to_datetime(given if isinstance(given, str) else given[0]).timestamp() if given else 0.0


def _exchange(
    method: str, uri: str, body: Any, status: int, headers: Mapping[str, str], answer: Any
) -> Exchange | None:
    parts = urlsplit(uri)
    if parts.hostname not in (ARM, None) or not parts.path.lower().startswith("/subscriptions"):
        return None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Exchange(method, parts.path.rstrip("/"), query, _json(body), status, headers, _json(answer))


def _json(body: Any) -> Any:
    """A body as JSON; recorders keep it as text, as Python's notation of bytes, or parsed."""
    while isinstance(body, str) and body.startswith(("b'", 'b"')):
        body = ast.literal_eval(f"({body})").decode()  # as often as the recording was rewritten
    if not isinstance(body, str):
        return body
    try:
        return json.loads(body) if body.strip() else None
    except ValueError:
        return body


def sessions(recordings: Path) -> Iterator[Session]:
    """Every session below a folder."""
    for file in session_files(recordings):
        yield read_session(file, recordings)
