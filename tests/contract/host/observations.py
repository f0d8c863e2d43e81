"""What Microsoft's Functions host was seen to answer, and how to ask the same again.

`observed-probe.jsonl` are requests to the probe app and what its functions were given. `observed.jsonl` are requests to
an app of that time; where the host itself answered, they are put to the probe app with the functions' names exchanged.
The recordings name each question and its request line; headers and bodies stand here, told from the echoes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HOST, MASTER, EVENTGRID = "HOST", "MASTER", "EVENTGRID"
"""The masks of keys in the recordings."""
TRACEPARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MIB: Final = 1024 * 1024

NAMES: Final = {
    "on_image_version_written": "grid",
    "ON_IMAGE_version_written": "GRID",
    "on_scan_completed": "grid",
    "validate": "queue_echo",
    "reconcile": "tick",
    "/api/releases": "/api/text",
    "/API/Releases": "/API/Text",
    "/api/scans/trivy": "/api/text",
    '"name":"boot_test"': '"name":"echo"',
}
"""The functions of the app that was asked, and those of the probe app in their places."""
ANSWERED_BY_A_FUNCTION: Final = {
    "host key in query",
    "host key in header",
    "master key",
    "case of the route",
    "slash at the end",
    "scan: 99 MB",
}
"""What counts is that a function answered: in the probe app, as it answered the question `text`."""
ANSWERED_BY_THE_APP: Final = {"forged principal", "page without anything", "scan: no key", "scan: unsigned"}
"""The app of that time decided on these answers; no host has a part in them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, recorded or given now. `error` is what the client met instead of one; `cut`: the body has more."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    error: str | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A request; keys stand as their masks. `body` None sends none."""

    ask: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what Microsoft's host answered. `left_out` headers were not recorded."""

    question: Question
    answer: Answer
    left_out: frozenset[str] = frozenset()


_SERVER: Final = frozenset({"date", "server", "connection"})
_LENGTHS: Final = frozenset({"content-length", "transfer-encoding"})

_PROBE_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "echo": {
        "x-functions-key": HOST,
        "X-Mixed-Case": "Value",
        "Cookie": "k=v",
        "traceparent": TRACEPARENT,
        "tracestate": "x=y",
        "User-Agent": "probe",
        "Accept": "*/*",
    },
    "echo, key in query": {},
    "echo, repeated header": {"x-functions-key": HOST, "X-Two": "a, b"},
    "echo, forwarded": {
        "x-functions-key": HOST,
        "X-Forwarded-Host": "example.com",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "1.2.3.4",
    },
    "open": {},
    "open, HEAD": {},
    "open, OPTIONS": {},
    "admin level, master": {"x-functions-key": MASTER},
    "admin level, none": {},
    "event": {"aeg-event-type": "Notification"},
    "two events, one bad": {"aeg-event-type": "Notification"},
}
_PROBE_BODIES: Final[Mapping[str, tuple[str | None, bytes]]] = {
    "echo, JSON body": ("application/json", b'{"a": 1}'),
    "echo, bytes that are no UTF-8": ("application/octet-stream", b"\xff\xfe\x00"),
    "echo, bytes as JSON": ("application/json", b"\xff\xfe\x00"),
    "echo, byte order mark": ("application/json", b"\xef\xbb\xbf{}"),
    "echo, gzip": (None, b"\x1f\x8b\x08\x00"),
    "echo, empty": (None, b""),
    "echo, no content type": (None, b"abc"),
    "echo, form": ("application/x-www-form-urlencoded", b"a=1&b=2"),
    "echo, multipart": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nv\r\n--b--\r\n',
    ),
    "echo, PUT": (None, b"x"),
    "admin: tick": ("application/json", b'{"input": ""}'),
    "admin: queue": ("application/json", b'{"input": "by hand"}'),
}


def event(name: str, **changes: Any) -> dict[str, Any]:
    """An event in Event Grid's schema."""
    return {
        "id": name,
        "topic": "/subscriptions/s",
        "subject": "x",
        "eventType": "t",
        "eventTime": "2026-01-02T03:04:05.678Z",
        "dataVersion": "1",
        "data": {"n": 1.0, "d": "2026-01-02T03:04:05.1234567Z", "u": "é"},
    } | changes


_CLOUD_EVENT: Final = {
    "specversion": "1.0",
    "id": "c1",
    "type": "t",
    "source": "/s",
    "time": "2026-01-02T03:04:05Z",
    "data": {"a": 1},
}
_WITHOUT_ID: Final = {key: value for key, value in event("e").items() if key != "id"}
_WITHOUT_TIME: Final = {key: value for key, value in event("e").items() if key != "eventTime"}

_EVENTS: Final[Mapping[str, Any]] = {
    "event": [event("e1")],
    "two events, one bad": [event("e2"), event("e3", eventTime="nonsense")],
    "eg: validation": [event("v", data={"validationCode": "CODE"})],
    "eg: validation, an object": {"id": "v", "data": {"validationCode": "CODE"}},
    "eg: validation without code": [event("v", data={})],
    "eg: two events": [event("a"), event("b")],
    "eg: an object": event("a"),
    "eg: nothing in the list": [],
    "eg: a list of no objects": [1, "x"],
    "eg: event without an id": [_WITHOUT_ID],
    "eg: event whose data is text": [event("a", data="text")],
    "eg: event whose data is a list": [event("a", data=[1, 2])],
    "eg: event with a wrong time": [event("a", eventTime="nonsense")],
    "eg: event with a time with 7 digits": [event("a", eventTime="2026-01-02T03:04:05.1234567Z")],
    "eg: event without a time": [_WITHOUT_TIME],
    "ce: one": _CLOUD_EVENT,
    "ce: without aeg header": _CLOUD_EVENT,
    "ce: a batch": [_CLOUD_EVENT],
    "ce: binary mode": {"a": 1},
    "ce: data_base64": {key: value for key, value in _CLOUD_EVENT.items() if key != "data"} | {"data_base64": "eA=="},
    "ce: an error in the function": _CLOUD_EVENT,
}
_EVENT_BODIES: Final[Mapping[str, bytes | None]] = {
    "eg: no JSON": b"{",
    "eg: empty body": b"",
    "eg: GET": None,
    "eg: OPTIONS": None,
    "eg: OPTIONS, foreign origin": None,
    "eg: OPTIONS, no origin": None,
}
_EVENT_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "eg: no event type": {},
    "eg: unknown event type": {"aeg-event-type": "Nonsense"},
    "eg: event type in lower case": {"aeg-event-type": "notification"},
    "eg: unsubscribe": {"aeg-event-type": "Unsubscribe"},
    "eg: host key": {"aeg-event-type": "Notification"},
    "eg: key in a header": {"aeg-event-type": "Notification", "x-functions-key": EVENTGRID},
    "eg: OPTIONS": {"WebHook-Request-Origin": "eventgrid.azure.net"},
    "eg: OPTIONS, foreign origin": {"WebHook-Request-Origin": "evil.example"},
    "eg: OPTIONS, no origin": {},
    "ce: without aeg header": {"Content-Type": "application/cloudevents+json"},
    "ce: binary mode": {
        "aeg-event-type": "Notification",
        "ce-specversion": "1.0",
        "ce-id": "c",
        "ce-type": "t",
        "ce-source": "/s",
    },
}
_KEYS: Final[Mapping[str, str]] = {
    "wrong key in header": "nope",
    "host key in header": HOST,
    "master key": MASTER,
    "event grid's key on a function": EVENTGRID,
    "key in both, header wrong": "nope",
    "admin: status, host key": HOST,
    "admin: run a timer, host key": HOST,
    **dict.fromkeys(
        (
            "admin: status, master",
            "admin: functions",
            "admin: run a timer",
            "admin: run a timer, no body type",
            "admin: run what is not there",
            "admin: run a queue function",
        ),
        MASTER,
    ),
    **dict.fromkeys(
        (
            "case of the route",
            "slash at the end",
            "unknown route",
            "method not served",
            "HEAD",
            "OPTIONS",
            "encoded slash in a segment",
            "scan: 101 MB",
            "scan: 99 MB",
        ),
        HOST,
    ),
}


def exchanges(data: Path) -> Iterator[Exchange]:
    """Every question that a host answers by itself or with the probe app, in the order in which it was asked."""
    recorded = {one["ask"]: one for one in _lines(data / "observed-probe.jsonl") if "ask" in one}
    for ask, one in recorded.items():
        yield Exchange(_probe_question(ask, one), _answer(one, dict(one.get("headers", ()))))
    for one in _lines(data / "observed.jsonl"):
        if one["ask"] not in ANSWERED_BY_THE_APP:
            told = recorded["text"] if one["ask"] in ANSWERED_BY_A_FUNCTION else one
            yield Exchange(_question(one), _answer(told, dict(told.get("headers", ()))), _LENGTHS)


def invocations(data: Path) -> list[dict[str, Any]]:
    """What the probe app's functions were given by Microsoft's host."""
    return [one["invoked"] for one in _lines(data / "observed-probe.jsonl") if "invoked" in one]


MESSAGES: Final = ('{"Id": "mine", "DequeueCount": 99, "x": 1}', "plain", "", "é", "cGxhaW4=", "x" * 64_000)
"""What was sent to the queue `probe-echo`; `fails` went to `probe-fail`."""


def given_headers(headers: Mapping[str, str], left_out: frozenset[str]) -> dict[str, str]:
    """Headers as they are compared: names in lower case, without those that no recording has."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: value for name, value in lower.items() if name not in _SERVER | left_out}


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _answer(one: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    if "error" in one:
        return Answer(error=one["error"])
    cut = isinstance(one.get("bytes"), str)  # such as ">80"
    return Answer(one["status"], headers, _exchanged(one["body"]), cut=cut)


def _exchanged(text: str) -> str:
    for name, probe in NAMES.items():
        text = text.replace(name, probe)
    return text


def _probe_question(ask: str, one: Mapping[str, Any]) -> Question:
    line = one.get("request") or f"GET /api/status/{ask.removeprefix('status ')}"
    method, target = line.split(" ", 1)
    admin = {"x-functions-key": MASTER} if ask.startswith("admin: ") else {"x-functions-key": HOST}
    headers = dict(_PROBE_HEADERS.get(ask, admin))
    kind, body = _PROBE_BODIES.get(ask, (None, None))
    if ask in _EVENTS:
        body = json.dumps(_EVENTS[ask]).encode()
    if kind:
        headers["Content-Type"] = kind
    if ask == "echo, gzip":
        headers["Content-Encoding"] = "gzip"
    return Question(ask, method, target, headers, body)


def _question(one: Mapping[str, Any]) -> Question:
    ask = one["ask"]
    method, target = one["request"].split(" ", 1)
    headers: dict[str, str] = {"x-functions-key": _KEYS[ask]} if ask in _KEYS else {}
    body = None
    if ask.startswith(("eg: ", "ce: ")):
        kind = "SubscriptionValidation" if "validation" in ask else "Notification"
        headers |= _EVENT_HEADERS.get(ask, {"aeg-event-type": kind})
        body = json.dumps(_EVENTS.get(ask, [event("a")])).encode()
        body = _EVENT_BODIES.get(ask, body)
    elif ask.startswith("scan: "):
        method, body = "GET", bytes(int(ask.split()[1]) * MIB)  # the probe app's function without a key takes no POST
    elif ask.startswith("admin: run"):
        body = b'{"input": "text"}'
        if ask != "admin: run a timer, no body type":
            headers["Content-Type"] = "application/json"
    return Question(ask, method, _exchanged(target), headers, body)
