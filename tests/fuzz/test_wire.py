"""Queue messages, ledger rows and evidence: read, or refused with a reason; nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.azure.entities import entity_of, release_of
from shared.codec import (
    CodecError,
    Pointer,
    decode_command,
    decode_document,
    decode_pointer,
    decode_release,
    encode_command,
    encode_pointer,
    encode_release,
    unwrapped,
)
from shared.domain.hop_states import AwaitDeletion
from shared.domain.image import VersionId
from shared.domain.messages import Command, Kind
from shared.domain.release import Answer, Gate, GateRecord, HistoryEntry, Pending, Publication, Release, State
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import damaged, damaged_bytes

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
VERSION = VersionId.parse(
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Compute"
    "/galleries/g/images/i/versions/1.0.0"
)
COMMANDS = [
    Command(Kind.VALIDATE, VERSION, seq=1, not_after=NOW),
    Command(
        Kind.BOOT_TEST,
        VERSION,
        seq=12,
        not_after=NOW + timedelta(days=1),
        ring="canary",
        region="westeurope",
        attempt=2,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        state=AwaitDeletion(vm="rm-0123456789ab", parts=("/a", "/b"), deleted_at=NOW),
    ),
]
ROW = Release(
    version=VERSION,
    state=State.TESTING,
    seq=12,
    policy_digest="d" * 64,
    started_at=NOW,
    updated_at=NOW,
    incarnation="2026-03-02T08:00:00+00:00",
    gates=(GateRecord(Gate.SCAN, Answer.PASS, NOW, "i", "d", "evidence/a.json", ("why",)),),
    published=(Publication("canary", ("westeurope",), NOW),),
    history=(HistoryEntry(NOW, "validated"),),
    pending={str(each.branch): Pending(each, NOW, decided_at=NOW) for each in COMMANDS},
    traits={"location": "westeurope"},
)
MESSAGES = [*(json.loads(encode_command(each)) for each in COMMANDS), json.loads(encode_pointer(Pointer("bodies/a")))]
ROWS = [json.loads(encode_release(ROW))]


@entrance
@given(damaged_bytes(MESSAGES))
def test_a_queue_message_is_a_command_or_refused(body: bytes) -> None:
    with bounded(len(body)), suppress(CodecError):
        command = decode_command(body)
        assert decode_command(encode_command(command)) == command


@entrance
@given(damaged_bytes(MESSAGES))
def test_a_message_points_to_a_blob_or_does_not_or_is_refused(body: bytes) -> None:
    with bounded(len(body)), suppress(CodecError):
        pointer = decode_pointer(body)
        assert pointer is None or decode_pointer(encode_pointer(pointer)) == pointer


@entrance
@given(damaged_bytes(ROWS))
def test_a_ledger_row_is_a_release_or_refused(body: bytes) -> None:
    with bounded(len(body)), suppress(CodecError):
        release = decode_release(body)
        assert decode_release(encode_release(release)) == release


@entrance
@given(damaged([{key: value for key, value in entity_of(ROW, "r~1").items() if key != "updated"}]))
def test_a_table_entity_is_a_release_or_refused(entity: Any) -> None:
    if isinstance(entity, dict):  # the table service gives nothing else
        with bounded(len(str(entity))), suppress(CodecError):
            release_of(entity)


@entrance
@given(damaged_bytes([{"schema": 1, "gate": "scan", "facts": {"a": [1, 2.5, None]}}]))
def test_evidence_is_an_object_or_refused(body: bytes) -> None:
    with bounded(len(body)), suppress(CodecError):
        assert isinstance(decode_document(body), dict)


@entrance
@given(damaged_bytes(MESSAGES) | damaged_bytes(ROWS) | st.binary(max_size=100))
def test_a_refusal_says_what_is_wrong_in_text_that_can_be_logged(body: bytes) -> None:
    for decode in (decode_command, decode_pointer, decode_release, decode_document, unwrapped):
        with bounded(len(body)):
            said = _refusal(decode, body)
        assert said is None or 0 < len(said) < 4000
        assert said is None or said.encode()


def _refusal(decode: Callable[[bytes], Any], body: bytes) -> str | None:
    try:
        decode(body)
    except CodecError as refusal:
        return str(refusal)
    return None
