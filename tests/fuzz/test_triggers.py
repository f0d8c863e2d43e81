"""The other functions as the host calls them: Event Grid, the queues and their poison queues, and what people ask."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import azure.functions as func
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.meta import Datum
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.codec import CodecError, decode_command, encode_command
from shared.codec.principals import HEADER as PRINCIPAL
from shared.domain.access import Access, Role
from shared.domain.actions import Action
from shared.domain.hop_states import FetchOrder, ReportArrived, ReportRefused
from shared.domain.messages import Command, Kind
from shared.domain.release import State
from shared.triggers import event_grid, http_api, storage_queues
from tests.fuzz.app import (
    ADMIN,
    CI_OBJECT,
    REPORT,
    UNKNOWN,
    URLS,
    App,
    addresses_in_place,
    moment,
    run,
    tell_no_secrets,
)
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged, damaged_bytes
from tests.fuzz.test_events import CLOUD, DATA, GRID, SCAN

KNOWN = [row.version for row in moment().rows]
VERSIONS = [str(each) for each in (UNKNOWN, *KNOWN)]
WRITTEN = [
    *(GRID | {"subject": each, "data": DATA | {"resourceUri": each}} for each in VERSIONS),
    *(CLOUD | {"subject": each, "data": DATA | {"resourceUri": each}} for each in VERSIONS),
]
SCANNED = [
    *(
        SCAN | {"data": {"image": each, "format": scan_format} | content}
        for each in (str(UNKNOWN), str(KNOWN[1]))
        for scan_format in ("trivy", "auto")
        for content in (
            {"report": json.loads(REPORT)},
            {"report": []},
            {"reportBlob": "a/b.json"},
            *({"reportUrl": url, "sha256": "0" * 64} for url in URLS),
            {"reportUrl": "https://elsewhere.example/r.json?sig=hidden", "sha256": "0" * 64},
        )
    ),
    GRID,
]


def event_of(document: Any) -> func.EventGridEvent | func.CloudEvent | None:
    """What the worker makes of an event; None when that fails before any code of ours is called."""
    try:
        datum = Datum(json.dumps(document), "json")
        return EventGridEventInConverter.decode(datum, trigger_metadata=None)
    except Exception:  # noqa: BLE001 - the worker library's own reading is not what is tested
        return None


@entrance
@given(damaged(WRITTEN))
def test_an_event_of_a_write_starts_a_release_or_hints_or_is_ignored(document: Any) -> None:
    event = event_of(document)
    assume(event is not None)
    assert event is not None
    app = App()
    with bounded(len(json.dumps(document))):
        run(event_grid.version_written(event, app.runtime, now=app.now))
    app.check()
    rows = app.rows()
    assert {version: rows[version] for version in app.before} == app.before
    assert {row.state for version, row in rows.items() if version not in app.before} <= {State.VALIDATING}
    assert len(rows) - len(app.before) + sum(kind is Kind.VALIDATE for kind, _ in app.messages()) <= 2
    assert {kind for kind, _ in app.messages()} <= {Kind.VALIDATE}


@entrance
@given(damaged(SCANNED))
def test_an_event_of_a_scan_is_kept_or_refused_or_ignored(document: Any) -> None:
    event = event_of(document)
    assume(event is not None)
    assert event is not None
    app = App()
    secrets = addresses_in_place(json.dumps(document))
    with bounded(len(json.dumps(document))):
        run(event_grid.scan_completed(event, app.runtime, now=app.now), *secrets)
    app.check(*secrets)
    assert app.same_rows(), "intake writes no row: the scan gate does"
    assert {kind for kind, _ in app.messages()} <= {Kind.SCAN, Kind.FETCH_REPORT}


# --- queues ---------------------------------------------------------------------------------------------------------

HINTS = [
    Command(Kind.SCAN, KNOWN[1], seq=0, not_after=moment().now, state=ReportRefused("why", "a/b.json")),
    Command(Kind.SCAN, KNOWN[3], seq=0, not_after=moment().now, state=ReportArrived("a/b.json")),
    *(
        Command(
            Kind.FETCH_REPORT,
            UNKNOWN,
            seq=0,
            not_after=moment().now,
            state=FetchOrder("trivy", url, "0" * 64, "ci"),
        )
        for url in URLS
    ),
    Command(Kind.VALIDATE, KNOWN[3], seq=0, not_after=moment().now),
    Command(Kind.REVOKE, KNOWN[3], seq=0, not_after=moment().now),
]
SENT = [json.loads(body) for _, body in moment().messages] + [json.loads(encode_command(each)) for each in HINTS]
COMMANDS = [
    *SENT,
    *(json.loads(encode_command(one.command)) for row in moment().rows for one in row.pending.values()),
]
FUNCTIONS = st.sampled_from(sorted(storage_queues.FUNCTIONS))


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, bytes]:
    """A function, and a message in its queue: its own mostly."""
    document = draw(st.sampled_from(COMMANDS))
    fitting = next((name for name, kinds in storage_queues.FUNCTIONS.items() if document["kind"] in kinds), "scan")
    body = draw(damaged_bytes([document]))
    return draw(st.sampled_from([fitting] * 6) | FUNCTIONS), body


def outcome(work: Callable[[], Coroutine[Any, Any, None]], *secrets: str) -> Exception | None:
    """What a function raised, which has the queue try again."""
    try:
        run(work(), *secrets)
    except CodecError as refusal:
        return refusal
    return None


def named(body: bytes) -> Command | None:
    try:
        return decode_command(body)
    except CodecError:
        return None


@entrance
@given(messages())
def test_a_queue_message_is_worked_on_or_refused_or_dropped(given_message: tuple[str, bytes]) -> None:
    function, body = given_message
    app = App()
    secrets = addresses_in_place(body.decode("utf-8", "replace"))
    work = partial(storage_queues.handle_message, func.QueueMessage(body=body), function, app.runtime, now=app.now)
    with bounded(len(body)):
        refusal = outcome(work, *secrets)
    app.check(*secrets)
    command = named(body)
    rows = app.rows()
    others = {version: row for version, row in app.before.items() if command is None or version != command.release}
    assert {version: rows[version] for version in others} == others, "a message changed another release"
    assert set(rows) == set(app.before), "no message begins a release"
    if refusal is not None:
        assert 0 < len(str(refusal)) < 4000
        assert app.same_rows()


@entrance
@given(FUNCTIONS, damaged_bytes(COMMANDS))
def test_a_poisoned_message_stalls_its_release_or_becomes_a_letter_or_a_report_that_is_refused_or_asked_for_later(
    function: str, body: bytes
) -> None:
    app = App()
    queue = storage_queues.queue_of(app.runtime.settings, function)
    secrets = addresses_in_place(body.decode("utf-8", "replace"))
    with bounded(len(body)):
        run(storage_queues.handle_poisoned(func.QueueMessage(body=body), queue, app.runtime, now=app.now), *secrets)
    app.check(*secrets)
    stalled = [row for row in app.rows().values() if row != app.before[row.version]]
    later = [message for message in app.cloud.queues.waiting() if message.kind is Kind.FETCH_REPORT]
    assert len(stalled) + len(app.letters()) + len(app.cloud.evidence.documents()) + len(later) == 1
    assert all(row.stalls for row in stalled)
    assert all(letter.reason for letter in app.letters())


# --- what people ask ------------------------------------------------------------------------------------------------


def function(app: App, name: str) -> Callable[[func.HttpRequest], Coroutine[Any, Any, func.HttpResponse]]:
    """A function of the app, as the worker would call it."""
    indexed = func.FunctionApp()
    indexed.register_functions(http_api.blueprint(app.runtime))
    return next(each.get_user_function() for each in indexed.get_functions() if each.get_function_name() == name)


def asked(params: Mapping[str, str]) -> func.HttpRequest:
    return func.HttpRequest("GET", "https://app.example/api/releases", params=dict(params), body=b"")


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@entrance
@given(st.dictionaries(st.sampled_from(["version", "Version", "x"]), st.sampled_from(VERSIONS) | TEXTS))
def test_people_get_an_answer_or_are_told_what_is_wrong(params: dict[str, str]) -> None:
    app = App()
    call = function(app, "releases")
    with bounded(sum(map(len, params.values()))):
        answer = run(call(asked(params)))
    text = answer.get_body().decode()
    tell_no_secrets(text)
    document = json.loads(text)
    assert answer.status_code in {200, 400, 404, 503}
    assert answer.status_code < 300 or document["error"]["message"]
    app.check()
    assert app.same_rows()


ORDERS = [
    {"version": version, "action": action.value, "reason": "a reason"} | more
    for version in VERSIONS
    for action in Action
    for more in (
        {},
        {"ring": "canary", "incarnation": "2026-03-02T08:00:00+00:00"},
        {"at": "2026-03-09T08:00:00Z", "allowEmpty": True},
        {"dryRun": True},
    )
]
PRINCIPALS = [
    {"auth_typ": "aad", "claims": [{"typ": typ, "val": val} for typ, val in claims], "name_typ": "n", "role_typ": "r"}
    for claims in (
        [("oid", CI_OBJECT), ("preferred_username", "ci@example.com"), ("groups", CI_OBJECT)],
        [("appid", CI_OBJECT), ("hasgroups", "true")],
        [("oid", CI_OBJECT), ("oid", ADMIN)],
        [("name", ADMIN), ("preferred_username", ADMIN)],
    )
]
ADMIN_HEADER = base64.b64encode(
    json.dumps({"auth_typ": "aad", "claims": [{"typ": "oid", "val": ADMIN}]}).encode()
).decode()


@st.composite
def principal_headers(draw: st.DrawFn) -> str:
    """A header as the platform writes it, damaged before or after it was encoded, or any text."""
    document = draw(damaged_bytes(PRINCIPALS))
    header = base64.b64encode(document).decode()
    cut = draw(st.integers(0, len(header)))
    return draw(st.sampled_from([header, header[:cut], header[cut:]]) | TEXTS)


def ordered(body: bytes, principal: str | None, key: str = "key-of-a-request") -> func.HttpRequest:
    headers = {"content-type": "application/json", "idempotency-key": key}
    given_headers = headers | ({} if principal is None else {PRINCIPAL: principal})
    return func.HttpRequest("POST", "https://app.example/api/releases/actions", headers=given_headers, body=body)


@entrance
@given(damaged_bytes(ORDERS), st.none() | principal_headers())
def test_whoever_is_no_admin_changes_nothing_whatever_is_sent(body: bytes, principal: str | None) -> None:
    app = App(access=Access({Role.ADMIN: frozenset({ADMIN})}))
    call = function(app, "actions")
    with bounded(len(body) + len(principal or "")):
        answer = run(call(ordered(body, principal)))
    text = answer.get_body().decode()
    tell_no_secrets(text)
    assert answer.status_code in {400, 401, 403, 404}, text
    assert json.loads(text)["error"]["message"]
    assert app.untouched()


@entrance
@given(damaged_bytes(ORDERS), st.just("key-of-a-request") | TEXTS)
def test_an_admins_action_is_taken_or_refused_and_leaves_its_name(body: bytes, key: str) -> None:
    app = App(access=Access({Role.ADMIN: frozenset({ADMIN})}))
    call = function(app, "actions")
    with bounded(len(body)):
        answer = run(call(ordered(body, ADMIN_HEADER, key)))
    text = answer.get_body().decode()
    tell_no_secrets(text)
    assert answer.status_code in {200, 400, 404, 409}, text
    app.check()
    taken = [record for row in app.rows().values() for record in row.actions]
    if answer.status_code == 200 and "action" in json.loads(text):
        assert [(each.by, each.evidence) for each in taken] == [(ADMIN, json.loads(text)["evidence"])]
        assert set(app.cloud.evidence.documents()) >= {taken[0].evidence}
    else:
        assert app.untouched()


def test_sound_orders_of_an_admin_are_taken() -> None:
    statuses = Counter[int]()
    for document in ORDERS:
        app = App(access=Access({Role.ADMIN: frozenset({ADMIN})}))
        answer = run(function(app, "actions")(ordered(json.dumps(document).encode(), ADMIN_HEADER)))
        statuses[answer.status_code] += 1
    assert statuses[200] > len(ORDERS) / 6


@entrance
@given(st.none() | principal_headers())
def test_whoever_asks_who_they_are_is_told_or_refused(principal: str | None) -> None:
    app = App(access=Access({Role.ADMIN: frozenset({ADMIN})}))
    headers = {} if principal is None else {PRINCIPAL: principal}
    req = func.HttpRequest("GET", "https://app.example/api/whoami", headers=headers, body=b"")
    with bounded(len(principal or "")):
        answer = run(function(app, "whoami")(req))
    assert answer.status_code in {200, 401}
    assert answer.status_code == 401 or json.loads(answer.get_body())["roles"] == {}


@entrance
@given(messages(), st.sampled_from(["base64", "twice", "quoted", "none"]))
def test_a_message_may_be_wrapped_in_any_way(given_message: tuple[str, bytes], wrapping: str) -> None:
    function_name, body = given_message
    wrapped = {
        "base64": base64.b64encode(body),
        "twice": base64.b64encode(base64.b64encode(body)),
        "quoted": json.dumps(body.decode("utf-8", "replace")).encode(),
        "none": body,
    }[wrapping]
    app = App()
    with bounded(len(wrapped)):
        outcome(
            partial(
                storage_queues.handle_message, func.QueueMessage(body=wrapped), function_name, app.runtime, now=app.now
            )
        )
    app.check()


def test_sound_messages_are_worked_on() -> None:
    worked = 0
    for document in SENT:
        app = App()
        name = next(name for name, kinds in storage_queues.FUNCTIONS.items() if document["kind"] in kinds)
        body = json.dumps(document).encode()
        run(storage_queues.handle_message(func.QueueMessage(body=body), name, app.runtime, now=app.now))
        app.check()
        worked += not app.untouched()
    assert worked > len(SENT) / 2
