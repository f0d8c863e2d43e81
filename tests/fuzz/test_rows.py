"""Spoilt rows of the ledger behind the app: told where they are met, and in nobody else's way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import azure.functions as func
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.entities import entity_of, letter_entity, letter_of
from shared.adapters.memory.ledger import MemoryLedger
from shared.codec import CodecError, encode_release
from shared.domain.access import Access, Role
from shared.domain.actions import Action
from shared.domain.image import VersionId
from shared.ports import DeadLetter
from shared.triggers import storage_queues
from tests.fuzz.app import ADMIN, NOBODY, App, moment, run
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged, damaged_bytes
from tests.fuzz.test_triggers import ADMIN_HEADER, asked, function, ordered

ROWS = {row.version: json.loads(encode_release(row)) for row in moment().rows}
OTHERS = len(ROWS) - 1
assert entity_of(moment().rows[0], "r~1")


class Spoilt(MemoryLedger):
    """A ledger in which somebody wrote."""

    def spoil(self, version: VersionId, body: bytes) -> None:
        row = self._rows[version.definition][version]
        self._rows[version.definition][version] = replace(row, body=body)


def spoilt(version: VersionId, body: bytes, access: Access = NOBODY) -> App:
    app = App(Spoilt(), access)
    ledger: Any = app.cloud.ledger
    ledger.spoil(version, body)
    return app


spoilings = st.sampled_from(list(ROWS)).flatmap(
    lambda version: st.tuples(st.just(version), damaged_bytes([ROWS[version]]))
)


@entrance
@given(spoilings, st.booleans())
def test_people_are_told_of_a_spoilt_row_and_see_the_others(spoiling: tuple[VersionId, bytes], one: bool) -> None:
    version, body = spoiling
    app = spoilt(version, body)
    call = function(app, "releases")
    with bounded(len(body)):
        answer = run(call(asked({"version": str(version)} if one else {})))
    document = json.loads(answer.get_body())
    assert answer.status_code in {200, 500}
    if answer.status_code == 500:
        assert document["error"]["code"] == "unreadable"
    elif "releases" in document:
        assert len(document["releases"]) >= OTHERS


@entrance
@given(spoilings, st.sampled_from(Action))
def test_an_action_on_a_spoilt_row_is_taken_or_refused_and_spoils_no_other(
    spoiling: tuple[VersionId, bytes], action: Action
) -> None:
    version, body = spoiling
    app = spoilt(version, body, Access({Role.ADMIN: frozenset({ADMIN})}))
    call = function(app, "actions")
    order = json.dumps({"version": str(version), "action": action.value, "reason": "a reason"}).encode()
    with bounded(len(body)):
        answer = run(call(ordered(order, ADMIN_HEADER)))
    document = json.loads(answer.get_body())
    assert answer.status_code in {200, 404, 409, 500}, document
    if answer.status_code == 500:
        assert document["error"]["code"] == "unreadable"
    others = {number: row for number, row in app.rows().items() if number != version}
    assert others == {number: row for number, row in app.before.items() if number != version}


@entrance
@given(spoilings, st.data())
def test_a_message_for_a_spoilt_row_is_refused_and_then_becomes_a_letter(
    spoiling: tuple[VersionId, bytes], data: st.DataObject
) -> None:
    version, body = spoiling
    app = spoilt(version, body)
    kind, sent = data.draw(st.sampled_from(moment().messages))
    worker = next(name for name, kinds in storage_queues.FUNCTIONS.items() if kind in kinds)
    message = func.QueueMessage(body=sent)
    refusal: Exception | None = None
    with bounded(len(body)):
        try:
            run(storage_queues.handle_message(message, worker, app.runtime, now=app.now))
        except Exception as error:  # noqa: BLE001 - what a row lacks nobody foresaw: it escapes to the poison queue
            refusal = error
        run(
            storage_queues.handle_poisoned(
                message, storage_queues.queue_of(app.runtime.settings, worker), app.runtime, now=app.now
            )
        )
    stalled = any(row.stalls for number, row in app.rows().items() if number == version)
    assert refusal is None or stalled or len(app.letters()) == 1


LETTER = letter_entity(DeadLetter("i", "q", "r", "b", moment().now, "/x"))


@entrance
@given(damaged([{key: value for key, value in LETTER.items() if isinstance(value, str)}]), st.booleans())
def test_a_dead_letter_is_read_or_refused(entity: Any, whole: bool) -> None:
    if isinstance(entity, dict):
        given_entity = {**entity, "at": moment().now, "body": b"\xff"} if whole else entity
        with bounded(len(str(entity))):
            refused = outcome_of(given_entity)
        assert refused is None or "dead letter" in refused


def outcome_of(entity: dict[str, Any]) -> str | None:
    try:
        letter_of(entity)
    except CodecError as refusal:
        return str(refusal)
    return None
