"""A double of the app's HTTP API for the command line's tests: real sockets, canned answers, every request kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

GALLERY = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourcegroups/rg-images"
    "/providers/microsoft.compute/galleries/gal_build"
)
OTHER_GALLERY = GALLERY.replace("000000000001", "000000000009")
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = "function-key-of-the-double"
TOKEN = "token-of-the-operator"
OPERATOR = {"id": "0a0b0c0d-0000-4000-8000-00000000000a", "name": "operator@example.com"}


def version_id(name: str, gallery: str = GALLERY) -> str:
    definition, number = name.split("/")
    return f"{gallery}/images/{definition}/versions/{number}"


def summary(name: str, state: str, gallery: str = GALLERY, **more: Any) -> dict[str, Any]:
    """One release as shared.queries.status.summary writes it."""
    return {
        "version_id": version_id(name, gallery),
        "name": f"{gallery.rpartition('/')[2]}/{name}",
        "state": state,
        "ring": None,
        "reasons": [],
        "warnings": [],
        "published": {},
        "waiting_for": [],
        "stalled": {},
        "started_at": "2026-05-01T09:00:00+00:00",
        "updated_at": "2026-05-01T11:30:00+00:00",
        "seconds": 9000.0,
        "settled": False,
        **more,
    }


def waiting(what: str, **more: Any) -> dict[str, Any]:
    return {
        "what": what,
        "step": None,
        "next_look": "2026-05-01T12:00:20+00:00",
        "deadline": "2026-05-01T14:00:00+00:00",
        "attempt": 0,
        "stalled": None,
        "fault": None,
        "sent": True,
        **more,
    }


def taken(action: str, **more: Any) -> dict[str, Any]:
    """One action as shared.queries.status writes it."""
    return {
        "action": action,
        "ring": None,
        "by": OPERATOR,
        "at": "2026-05-01T11:00:00+00:00",
        "reason": "",
        "evidence": f"sub/rg/gal/action-{action}-0123456789abcdef.json",
        **more,
    }


@dataclass(frozen=True)
class Posted:
    """An action as it was sent."""

    body: dict[str, Any]
    idempotency_key: str


@dataclass
class AppDouble:
    """``with AppDouble(releases=[…]) as app: … app.url``.

    ``failing`` gives a path another status and body. The first ``lost`` actions are received and not answered.
    """

    releases: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)
    users: dict[str, Any] = field(default_factory=dict)
    lost: int = 0
    posted: list[Posted] = field(default_factory=list)
    failing: Mapping[str, tuple[int, bytes, Mapping[str, str]]] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def environ(self) -> dict[str, str]:
        return {"RINGMASTER_URL": self.url, "RINGMASTER_KEY": KEY}

    @property
    def operator(self) -> dict[str, str]:
        """The environment of somebody who can act."""
        return {**self.environ, "RINGMASTER_TOKEN": TOKEN}

    def act(self, headers: Mapping[str, str], sent: bytes) -> tuple[int, bytes, Mapping[str, str]] | None:
        """The answer to an action; None where the connection ends instead."""
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, b"", {}
        if headers.get("content-type") != "application/json":
            return 415, b"", {}
        body = json.loads(sent)
        self.posted.append(Posted(body, headers["idempotency-key"]))
        if len(self.posted) <= self.lost:
            return None
        if body.get("dryRun"):
            return _json(200, {**self.plan, **({"inUse": self.users} if self.users and body.get("users") else {})})
        found = next((each for each in self.releases if each["version_id"] == body["version"]), None)
        if found is None:
            return _json(404, {"error": {"code": "unknown_release", "message": "no release exists"}})
        repeated = len({each.idempotency_key for each in self.posted}) < len(self.posted)
        return _json(200, {**taken(body["action"]), "repeated": repeated, "release": found})

    def answer(self, method: str, address: str, key: str | None) -> tuple[int, bytes, Mapping[str, str]]:
        self.requests.append((method, address, key))
        parts = urlsplit(address)
        if parts.path in self.failing:
            return self.failing[parts.path]
        if key != KEY:
            return 401, b"", {}
        version = parse_qs(parts.query).get("version", [None])[0]
        found = next((each for each in self.releases if each["version_id"] == version), None)
        if (method, parts.path) == ("GET", "/api/in-use"):
            return _json(200, {"version": version, **self.users})
        if (method, parts.path) != ("GET", "/api/releases"):
            return 404, b"", {}
        if version is None:
            return _json(200, {"releases": self.releases, "deadLetters": self.letters})
        if found is None:
            return _json(404, {"error": {"code": "unknown_release", "message": f"no release exists for {version}"}})
        return _json(200, {**found, "incarnation": None, "policy_digest": "0" * 64, "gates": [], "history": []} | found)


def _json(status: int, document: Any) -> tuple[int, bytes, Mapping[str, str]]:
    return status, json.dumps(document, ensure_ascii=False).encode(), {"content-type": "application/json"}


def _handler(app: AppDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = app.answer(self.command, self.path, self.headers.get("x-functions-key"))
            if self.path == "/api/releases/actions" and self.path not in app.failing:
                answer = app.act({name.lower(): value for name, value in self.headers.items()}, sent)
            if answer is None:
                self.close_connection = True
                return
            status, body, headers = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _serve  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
            pass

    return Handler
