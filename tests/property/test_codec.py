"""Nothing is lost on the wire, and nothing that arrives can raise anything but what is promised."""

import contextlib
import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.codec import (
    CodecError,
    Ignored,
    ScanReported,
    decode_cloud_event,
    decode_command,
    decode_event_grid,
    decode_pointer,
    decode_release,
    decode_scan_event,
    encode_command,
    encode_release,
)
from shared.codec.hop_states import STATES, read_state
from shared.domain.actions import ActionRecord
from shared.domain.facts import RegionTargetFacts
from shared.domain.hop_states import Announce, FetchOrder, HopState
from shared.domain.image import DefinitionId, GalleryId, VersionId, VersionNumber
from shared.domain.messages import Command, Kind, VersionWritten
from shared.domain.release import GateRecord, HistoryEntry, Pending, Publication, Release

texts = st.text(st.characters(codec="utf-8"), max_size=40)
times = st.datetimes(
    min_value=datetime(1601, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-9))]),
)
versions = st.builds(
    VersionId,
    st.builds(
        DefinitionId,
        st.builds(
            GalleryId,
            st.uuids().map(str),
            st.from_regex(r"\A[-a-z0-9_.()]{1,90}\Z"),
            st.from_regex(r"\A[a-z0-9_.]{1,80}\Z"),
        ),
        st.from_regex(r"\A[-a-z0-9_.]{1,80}\Z"),
    ),
    st.builds(VersionNumber, *[st.integers(0, 2**31 - 1)] * 3),
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
plain = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def whole[T](kind: type[T], /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Values with every field drawn, those with a default too."""
    drawn: dict[str, Any] = {field.name: fields.get(field.name, ...) for field in dataclasses.fields(cast(Any, kind))}
    return st.builds(kind, **drawn)


# Counts are natural numbers; everything else follows from the dataclasses' own types, new fields too.
st.register_type_strategy(VersionId, versions)
st.register_type_strategy(datetime, times)
st.register_type_strategy(str, texts)
naturals = st.integers(0, 2**53)
small = st.integers(0, 2**31)
st.register_type_strategy(int, small)
st.register_type_strategy(RegionTargetFacts, whole(RegionTargetFacts, kept=st.dictionaries(texts, plain, max_size=2)))
ANNOUNCEMENTS = whole(Announce, details=st.dictionaries(texts, plain, max_size=2))
FETCHES = whole(FetchOrder, format=st.just("trivy"), sha256=st.just("0" * 64))


def states(kind: Kind) -> st.SearchStrategy[HopState]:
    """Every state that a kind of command can carry, and objects that are none."""
    own = {FetchOrder: FETCHES, Announce: ANNOUNCEMENTS}
    typed = [own[each] if each in own else whole(each) for each in STATES[kind]]
    odd = st.dictionaries(texts, plain, max_size=4).map(lambda raw: read_state(kind, raw))
    return st.one_of(*typed, odd)


commands = st.sampled_from(Kind).flatmap(
    lambda kind: whole(Command, kind=st.just(kind), seq=naturals, attempt=naturals, state=states(kind))
)
for part in (GateRecord, Publication, HistoryEntry):
    st.register_type_strategy(part, whole(part))
st.register_type_strategy(Command, commands)
st.register_type_strategy(Pending, whole(Pending))
few = {
    "gates": st.lists(whole(GateRecord), max_size=2).map(tuple),
    "published": st.lists(whole(Publication), max_size=2).map(tuple),
    "history": st.lists(whole(HistoryEntry), max_size=2).map(tuple),
    "actions": st.lists(whole(ActionRecord), max_size=2).map(tuple),
    "pending": st.dictionaries(texts, whole(Pending), max_size=2),
}
"""Collections of records: the second one is read as the third would be, and drawing them is what takes time."""
releases = whole(Release, seq=naturals, **few)
junk = st.recursive(
    scalars | st.text(max_size=20) | st.binary(max_size=8) | st.just(float("nan")) | st.just(object()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(commands)
def test_a_command_comes_back_as_it_was(command: Command) -> None:
    assert decode_command(encode_command(command)) == command


@given(releases)
@settings(max_examples=50)
def test_a_row_comes_back_as_it_was(release: Release) -> None:
    assert decode_release(encode_release(release)) == release


@given(commands, st.text(st.characters(codec="ascii"), min_size=12), plain)
def test_a_field_that_is_unknown_changes_nothing(command: Command, name: str, value: Any) -> None:
    document = {**json.loads(encode_command(command)), name: value}
    assert decode_command(json.dumps(document).encode()) == command


@given(st.binary(max_size=300) | plain.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused_with_a_reason(body: bytes) -> None:
    for decode in (decode_command, decode_release, decode_pointer):
        with contextlib.suppress(CodecError):
            decode(body)


@given(commands, st.data())
def test_a_damaged_command_is_read_or_refused_with_a_reason(command: Command, data: st.DataObject) -> None:
    body = bytearray(encode_command(command))
    position = data.draw(st.integers(0, len(body) - 1))
    body[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CodecError):
        decode_command(bytes(body))


@given(releases, st.data())
def test_a_row_with_any_value_out_of_place_is_read_or_refused(release: Release, data: st.DataObject) -> None:
    document = json.loads(encode_release(release))
    document[data.draw(st.sampled_from(sorted(document)))] = data.draw(plain)
    with contextlib.suppress(CodecError):
        decode_release(json.dumps(document).encode())


FIELDS = [
    "eventType", "type", "eventTime", "time", "id", "subject", "data", "operationName", "resourceUri", "claims",
    "appid", "image", "format", "report", "reportBlob", "specversion",
]  # fmt: skip
VALUES = [
    "Microsoft.Resources.ResourceWriteSuccess",
    "Ringmaster.ScanFinished",
    "Microsoft.Compute/galleries/images/versions/write",
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/r/providers/Microsoft.Compute"
    "/galleries/g/images/d/versions/1.0.0",
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "trivy",
]
values = st.sampled_from(VALUES) | junk
likely = st.recursive(
    st.dictionaries(st.sampled_from(FIELDS), values),
    lambda inner: st.dictionaries(st.sampled_from(FIELDS), values | inner),
    max_leaves=6,
)


@given(likely | junk)
def test_any_event_is_taken_or_ignored_with_a_reason(event: Any) -> None:
    assert isinstance(decode_event_grid(event), VersionWritten | Ignored)
    assert isinstance(decode_cloud_event(event), VersionWritten | Ignored)
    assert isinstance(decode_scan_event(event), ScanReported | Ignored)


@given(likely | junk)
def test_a_reason_is_short_and_can_be_printed(event: Any) -> None:
    answer = decode_event_grid(event)
    assert isinstance(answer, VersionWritten) or (0 < len(answer.reason) < 1000 and answer.reason.encode())
