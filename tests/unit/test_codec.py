"""The wire format, its bounds, and what is said of bytes that aren't right."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from shared.codec import (
    LARGEST_BODY,
    Ignored,
    Malformed,
    NewerVersion,
    NotOurs,
    Pointer,
    ScanReported,
    TooLarge,
    Unencodable,
    decode_cloud_event,
    decode_command,
    decode_document,
    decode_event_grid,
    decode_pointer,
    decode_release,
    decode_scan_event,
    encode_command,
    encode_document,
    encode_pointer,
    encode_release,
)
from shared.domain.actions import Action, ActionRecord
from shared.domain.hop_states import CreateMachine, UnreadableState
from shared.domain.image import VersionId
from shared.domain.messages import Branch, Command, Kind, VersionWritten
from shared.domain.release import Answer, Gate, GateRecord, Pending, Publication, Release, State

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ID = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/RG/providers/Microsoft.Compute"
    "/galleries/Shared/images/Linux/versions/1.2.3"
)
VERSION = VersionId.parse(ID)
COMMAND = Command(
    kind=Kind.BOOT_TEST,
    release=VERSION,
    seq=4,
    not_after=NOW,
    ring="canary",
    region="westus",
    attempt=2,
    traceparent="00-aa-bb-01",
    state=CreateMachine(vm="rm-0123456789ab", tries=1),
)


def full_release() -> Release:
    """A row in which every field says something."""
    record = GateRecord(
        Gate.SCAN,
        Answer.REJECT,
        NOW,
        "then",
        "d" * 64,
        "evidence.json",
        ("CVE-2026-1 is critical",),
        "canary",
        "westus",
    )
    pending = Pending(COMMAND, NOW, sent=True, decided_at=NOW, stalled="nobody answers")
    row = Release(VERSION, State.TESTING, 7, "d" * 64, NOW, NOW + timedelta(hours=1))
    row = replace(
        row,
        incarnation="2026-02-01T00:00:00.1234567+00:00",
        ring="canary",
        pending={str(Branch(Kind.BOOT_TEST, "canary", "westus")): pending},
        gates=(record,),
        reasons=("no",),
        warnings=("careful",),
        published=(Publication("canary", ("westus", "eastus"), NOW),),
        qualified_at=NOW,
        traits={"os": "linux"},
        traceparent="00-aa-bb-01",
        actions=(
            ActionRecord(Action.HOLD, NOW, "id", "name", "key-0001", "then", "d" * 64, "e.json", "why", "canary"),
        ),
        builder="builder",
    )
    return row.with_history(NOW, "started")


def changed(body: bytes, **fields: Any) -> bytes:
    return json.dumps({**json.loads(body), **fields}).encode()


# --- commands


def test_a_command_is_the_documented_envelope() -> None:
    document = json.loads(encode_command(COMMAND))
    assert document == {
        "v": 1,
        "kind": "boot_test",
        "release": str(VERSION),
        "seq": 4,
        "ring": "canary",
        "region": "westus",
        "attempt": 2,
        "not_after": "2026-03-01T12:00:00.123456Z",
        "traceparent": "00-aa-bb-01",
        "state": {"step": "create", "vm": "rm-0123456789ab", "tries": 1},
    }


def test_a_command_with_only_what_is_needed_is_read() -> None:
    body = json.dumps({"v": 1, "kind": "scan", "release": ID, "seq": 0, "not_after": "2026-03-01T13:00:00+01:00"})
    assert decode_command(body.encode()) == Command(Kind.SCAN, VERSION, 0, NOW.replace(microsecond=0))


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"{}", b"null", b'{"v": "1"}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_envelope_is_not_ours(body: bytes) -> None:
    with pytest.raises(NotOurs, match="this app did not write it"):
        decode_command(body)


def test_a_newer_version_says_deploy_then_send_again() -> None:
    with pytest.raises(NewerVersion, match=r"newer version of the app.*deploy the newer version, then send it again"):
        decode_command(changed(encode_command(COMMAND), v=2))


def test_a_newer_version_is_recognised_even_when_its_fields_are_others() -> None:
    with pytest.raises(NewerVersion):
        decode_command(b'{"v": 7, "order": {"of": "another kind"}}')


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "reboot"}, "kind"),
        ({"kind": None}, "kind"),
        ({"release": "1.2.3"}, "image version id"),
        ({"release": ID.replace("1.2.3", "1.2.99999999999")}, "1.2.99999999999"),
        ({"release": 5}, "release"),
        ({"seq": -1}, "seq"),
        ({"seq": "4"}, "seq"),
        ({"seq": 4.5}, "seq"),
        ({"attempt": True}, "attempt"),
        ({"not_after": "2026-03-01T12:00:00"}, "not_after"),
        ({"not_after": 1_700_000_000}, "not_after"),
        ({"not_after": "tomorrow"}, "not_after"),
        ({"state": []}, "state"),
        ({"ring": 1}, "ring"),
        ({"v": 0}, "v=0"),
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        decode_command(changed(encode_command(COMMAND), **fields))


def test_unknown_fields_are_left_alone() -> None:
    assert decode_command(changed(encode_command(COMMAND), priority="high", vv=[1])) == COMMAND


def test_a_body_over_the_bound_is_not_even_parsed() -> None:
    with pytest.raises(TooLarge, match="1024 KiB"):
        decode_command(b"[" * (LARGEST_BODY + 1))


def test_a_command_over_the_bound_is_not_written() -> None:
    with pytest.raises(TooLarge):
        encode_command(replace(COMMAND, state=UnreadableState({"log": "x" * LARGEST_BODY})))


@pytest.mark.parametrize(
    "value",
    [(1, 2), NOW, float("nan"), float("inf"), {1: 2}, {"a": object()}, 2**64, Kind.SCAN, "\ud800", b"x", {"x"}],
    ids=lambda value: type(value).__name__,
)
def test_state_that_json_would_change_is_refused(value: Any) -> None:
    with pytest.raises(Unencodable):
        encode_command(replace(COMMAND, state=UnreadableState({"value": value})))


def test_a_refusal_is_short_however_long_the_value_is_that_it_quotes() -> None:
    with pytest.raises(Malformed) as caught:
        decode_command(json.dumps({"v": 1, "kind": "a" * 100_000}).encode())
    told = str(caught.value)
    assert len(told) < 500
    assert "Invalid enum value" in told
    assert "$.kind" in told


def test_an_address_in_the_wrong_place_is_shown_without_its_query() -> None:
    url = "https://reports.example.com/r.json?sig=hidden"
    event = {"type": "Ringmaster.ScanFinished", "id": "e", "data": {"format": url}}
    told = decode_scan_event(event)
    assert isinstance(told, Ignored)
    assert "https://reports.example.com/r.json" in told.reason
    assert "hidden" not in told.reason


def test_state_that_is_nested_without_end_is_refused() -> None:
    state: dict[str, Any] = {}
    state["again"] = state
    with pytest.raises(Unencodable):
        encode_command(replace(COMMAND, state=UnreadableState(state)))


@pytest.mark.parametrize("at", [NOW.replace(tzinfo=None), NOW.replace(tzinfo=timezone(timedelta(seconds=90)))])
def test_a_time_that_rfc_3339_cannot_say_is_refused(at: datetime) -> None:
    with pytest.raises(Unencodable, match="has no UTC offset"):
        encode_command(replace(COMMAND, not_after=at))


@pytest.mark.parametrize("fields", [{"seq": -1}, {"attempt": -1}])
def test_a_negative_count_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(Unencodable):
        encode_command(replace(COMMAND, **fields))


# --- pointers


def test_a_pointer_names_its_blob() -> None:
    pointer = Pointer("name.json", COMMAND.not_after, attempt=3)
    assert decode_pointer(encode_pointer(pointer)) == pointer


def test_a_command_is_no_pointer() -> None:
    assert decode_pointer(encode_command(COMMAND)) is None


def test_a_pointer_is_not_taken_for_a_command() -> None:
    with pytest.raises(Malformed, match="read the blob, then decode"):
        decode_command(encode_pointer(Pointer("name.json")))


def test_a_pointer_that_names_nothing_readable_is_refused() -> None:
    with pytest.raises(Malformed, match="body_blob"):
        decode_pointer(b'{"v": 1, "body_blob": 5}')


# --- rows


def test_a_full_row_comes_back_as_it_was() -> None:
    assert decode_release(encode_release(full_release())) == full_release()


def test_a_pending_command_of_another_version_keeps_its_version() -> None:
    other = VersionId.parse(ID.replace("1.2.3", "9.9.9"))
    pending = {"odd": Pending(replace(COMMAND, release=other), NOW)}
    row = replace(full_release(), pending=pending)
    assert decode_release(encode_release(row)).pending["odd"].command.release == other


def test_a_row_of_a_newer_app_is_refused_rather_than_cut() -> None:
    with pytest.raises(NewerVersion):
        decode_release(changed(encode_release(full_release()), v=3))


def test_a_row_without_actions_is_written_as_0_1_0_reads_it() -> None:
    assert json.loads(encode_release(replace(full_release(), actions=())))["v"] == 1


def test_a_row_with_actions_is_refused_by_an_app_that_would_lose_them() -> None:
    assert json.loads(encode_release(full_release()))["v"] == 2


@pytest.mark.parametrize("where", ["gates", "published", "history", "actions"])
def test_a_row_with_a_time_without_offset_is_refused(where: str) -> None:
    document = json.loads(encode_release(full_release()))
    document[where][0]["at"] = "2026-03-01T12:00:00"
    with pytest.raises(Malformed, match="without a UTC offset"):
        decode_release(json.dumps(document).encode())


def test_a_row_with_a_naive_time_in_its_history_is_not_written() -> None:
    with pytest.raises(Unencodable):
        encode_release(full_release().with_history(NOW.replace(tzinfo=None), "oops"))


def test_a_row_of_an_unknown_state_is_refused() -> None:
    with pytest.raises(Malformed, match="state"):
        decode_release(changed(encode_release(full_release()), state="dreaming"))


# --- documents


def test_the_same_facts_are_the_same_bytes() -> None:
    assert encode_document({"b": 1, "a": {"d": 1, "c": 2}}) == encode_document({"a": {"c": 2, "d": 1}, "b": 1})


def test_a_document_is_compact_sorted_utf8() -> None:
    assert encode_document({"é": 1, "a": NOW}) == '{"a":"2026-03-01T12:00:00.123456Z","é":1}'.encode()


def test_a_document_that_is_no_object_is_refused() -> None:
    with pytest.raises(Malformed):
        decode_document(b"[]")


# --- events


def written(**fields: Any) -> dict[str, Any]:
    data = {
        "operationName": "Microsoft.Compute/galleries/images/versions/write",
        "resourceUri": ID,
        "claims": {"appid": "ABCDEF", "http://schemas.microsoft.com/identity/claims/objectidentifier": "OBJ"},
    }
    event = {
        "id": "event-1",
        "subject": ID,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-03-01T12:00:00.1234567Z",
        "data": data,
    }
    return {**event, **fields}


def with_data(**fields: Any) -> dict[str, Any]:
    return written(data={**written()["data"], **fields})


def as_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    renamed = {"eventType": "type", "eventTime": "time"}
    return {"specversion": "1.0", "source": "/s"} | {renamed.get(name, name): value for name, value in event.items()}


EXPECTED = VersionWritten(VERSION, "event-1", NOW, "abcdef")


def test_a_version_write_is_recognised_in_both_schemas() -> None:
    assert decode_event_grid(written()) == decode_cloud_event(as_cloud_event(written())) == EXPECTED


@pytest.mark.parametrize(
    "event",
    [
        written(subject=ID.upper()),
        with_data(resourceUri=ID.upper().replace("/GALLERIES/", "/locations/westus/Galleries/")),
        with_data(operationName="MICROSOFT.COMPUTE/GALLERIES/IMAGES/VERSIONS/WRITE"),
        with_data(operationName=None),
        with_data(resourceUri=None),
        with_data(resourceUri="/subscriptions/x/deployments/y"),
        written(subject="/subscriptions/x/deployments/y"),
        written(eventType="microsoft.resources.resourcewritesuccess"),
        written(data=json.dumps(written()["data"])),
    ],
)
def test_a_version_write_is_recognised_however_it_is_spelt(event: dict[str, Any]) -> None:
    assert decode_event_grid(event) == EXPECTED


def test_the_object_id_tells_the_writer_where_there_is_no_application() -> None:
    claims = {"http://schemas.microsoft.com/identity/claims/objectidentifier": "OBJ"}
    answer = decode_event_grid(with_data(claims=claims))
    assert isinstance(answer, VersionWritten)
    assert answer.writer == "obj"


@pytest.mark.parametrize("claims", [None, "text", [], {"appid": 7}, {"appid": ""}, {"appid": "x" * 5000}])
def test_a_writer_who_is_not_told_is_unknown(claims: Any) -> None:
    answer = decode_event_grid(with_data(claims=claims))
    assert isinstance(answer, VersionWritten)
    assert answer.writer is None


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (written(eventType="Microsoft.Resources.ResourceDeleteSuccess"), "ResourceDeleteSuccess"),
        (written(eventType=None), "missing"),
        (with_data(operationName="Microsoft.Compute/galleries/images/write"), "images/write"),
        (with_data(operationName=["x"]), "list"),
        (with_data(resourceUri=ID.removesuffix("/versions/1.2.3")), None),
        (written(subject="x", data={**written()["data"], "resourceUri": "y"}), "'y'"),
        (written(subject="x", data={**written()["data"], "resourceUri": ID.replace("1.2.3", "1.2")}), "1.2"),
        (written(data=None), "data"),
        (written(data="not json"), "not JSON"),
        (written(id=None), "id"),
        (written(id="x" * 600), "id"),
        (written(id="bad\ud800"), "id"),
        (written(eventTime="yesterday"), "eventTime"),
        (written(eventTime=None), "eventTime"),
        ({}, "missing"),
        ([], "list"),
        (None, "missing"),
    ],
)
def test_anything_else_is_ignored_with_the_reason(event: Any, says: str | None) -> None:
    answer = decode_event_grid(event)
    if says is None:
        assert answer == EXPECTED  # the subject still names the version
    else:
        assert isinstance(answer, Ignored)
        assert says in answer.reason


def test_a_reason_does_not_repeat_a_huge_value() -> None:
    answer = decode_event_grid(written(eventType="x" * 1_000_000))
    assert isinstance(answer, Ignored)
    assert len(answer.reason) < 400


RESOURCES = "eventgrid/specs/Microsoft.Resources/stable/2018-01-01/examples"
NOTIFICATIONS = "eventgrid/specs/Microsoft.ResourceNotifications/stable/2018-01-01/examples"


@pytest.mark.parametrize("folder", [RESOURCES, NOTIFICATIONS])
def test_published_examples_of_other_resources_are_ignored(real_data: Path, folder: str) -> None:
    examples = sorted((real_data / folder).glob("*/*.json"))
    assert examples
    for path in examples:
        event = json.loads(path.read_text())
        decode = decode_cloud_event if "cloud" in path.parent.name else decode_event_grid
        assert isinstance(decode(event), Ignored), path.name


@pytest.mark.parametrize("schema", ["event-grid-schema", "cloud-events-schema"])
def test_a_published_example_turned_to_an_image_version_is_recognised(real_data: Path, schema: str) -> None:
    text = (real_data / RESOURCES / schema / "resource_write_success.json").read_text()
    text = text.replace(
        "/subscriptions/{subscription-id}/resourcegroups/{resource-group}"
        "/providers/Microsoft.Storage/storageAccounts/{storage-name}",
        ID,
    ).replace("Microsoft.Storage/storageAccounts/write", "Microsoft.Compute/galleries/images/versions/write")
    decode = decode_cloud_event if "cloud" in schema else decode_event_grid
    assert decode(json.loads(text)) == VersionWritten(
        VERSION,
        "4db48cba-50a2-455a-93b4-de41a3b5b7f6",
        datetime(2018, 7, 19, 18, 38, 4, 611735, tzinfo=UTC),
        "{id}",
    )


# --- scans


def scanned(**data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "Ringmaster.ScanFinished",
        "source": "/scanner",
        "id": "scan-1",
        "time": "2026-03-01T12:00:00.123456Z",
        "data": {"image": ID, "format": "Trivy", **data},
    }


def test_a_scan_event_may_carry_its_report() -> None:
    answer = decode_scan_event(scanned(report={"Results": []}))
    assert answer == ScanReported(VERSION, "trivy", "scan-1", NOW, report=b'{"Results":[]}')


def test_a_scan_event_may_name_its_report() -> None:
    answer = decode_scan_event(scanned(reportBlob="a/1.2.3/trivy/x.json"))
    assert answer == ScanReported(VERSION, "trivy", "scan-1", NOW, report_blob="a/1.2.3/trivy/x.json")


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (scanned(), "report"),
        (scanned(report={}, reportBlob="x"), "exactly one of"),
        (scanned(report="text"), "data.report"),
        (scanned(reportBlob=""), "reportBlob"),
        (scanned(reportBlob="x" * 2000), "reportBlob"),
        (scanned(report={}, image="latest"), "latest"),
        (scanned(report={}, image=None), "data.image"),
        (scanned(report={}, format="../trivy"), "format"),
        (scanned(report={"x": object()}), "JSON"),
        ({**scanned(report={}), "type": "Other"}, "Other"),
        ({**scanned(report={}), "data": 5}, "int"),
        ("text", "text"),
    ],
)
def test_a_scan_event_that_cannot_be_used_is_ignored_with_the_reason(event: Any, says: str) -> None:
    answer = decode_scan_event(event)
    assert isinstance(answer, Ignored)
    assert says in answer.reason
