"""Event Grid: whatever is posted, the decoders answer and never raise."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.codec import Ignored, ScanReported, decode_cloud_event, decode_event_grid, decode_scan_event
from shared.domain.messages import VersionWritten
from tests.fuzz.budget import bounded, entrance
from tests.fuzz.mutation import as_bytes, damaged

VERSION = (
    "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg-images/providers/Microsoft.Compute"
    "/galleries/gal_build/images/ubuntu-22-04/versions/1.0.0"
)
# The shape is the documented one of a subscription's ResourceWriteSuccess.
DATA = {
    "authorization": {"scope": VERSION, "action": "Microsoft.Compute/galleries/images/versions/write", "evidence": {}},
    "claims": {
        "aud": "https://management.azure.com/",
        "appid": "11111111-0000-4000-8000-000000000001",
        "http://schemas.microsoft.com/identity/claims/objectidentifier": "22222222-0000-4000-8000-000000000001",
    },
    "correlationId": "33333333-0000-4000-8000-000000000001",
    "httpRequest": {"clientRequestId": "", "clientIpAddress": "203.0.113.4", "method": "PUT", "url": "https://x/"},
    "resourceProvider": "Microsoft.Compute",
    "resourceUri": VERSION,
    "operationName": "Microsoft.Compute/galleries/images/versions/write",
    "status": "Succeeded",
    "subscriptionId": "00000000-0000-4000-8000-000000000001",
    "tenantId": "44444444-0000-4000-8000-000000000001",
}
GRID = {
    "subject": VERSION,
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "id": "55555555-0000-4000-8000-000000000001",
    "data": DATA,
    "dataVersion": "2",
    "metadataVersion": "1",
    "eventTime": "2026-03-02T08:00:00.1234567Z",
    "topic": "/subscriptions/00000000-0000-4000-8000-000000000001",
}
CLOUD = {
    "id": GRID["id"],
    "source": GRID["topic"],
    "specversion": "1.0",
    "type": GRID["eventType"],
    "subject": VERSION,
    "time": GRID["eventTime"],
    "data": DATA,
}
SCAN = CLOUD | {
    "type": "Ringmaster.ScanFinished",
    "data": {"image": VERSION, "format": "trivy", "report": {"SchemaVersion": 2, "Results": []}},
}
NAMED = SCAN | {"data": {"image": VERSION, "format": "trivy", "reportBlob": "a/b.json"}}


def weight(event: Any) -> int:
    try:
        return len(as_bytes(event))
    except (ValueError, TypeError):
        return 0


@entrance
@given(damaged([GRID, CLOUD]) | st.binary(max_size=40))
def test_an_event_of_a_write_is_taken_or_ignored(event: Any) -> None:
    with bounded(weight(event)):
        for decode in (decode_event_grid, decode_cloud_event):
            assert isinstance(decode(event), VersionWritten | Ignored)


@entrance
@given(damaged([SCAN, NAMED]))
def test_a_scan_event_is_taken_or_ignored(event: Any) -> None:
    with bounded(weight(event)):
        answer = decode_scan_event(event)
    assert isinstance(answer, ScanReported | Ignored)
    if isinstance(answer, ScanReported):
        assert (answer.report is None) != (answer.report_blob is None)


@entrance
@given(damaged([GRID, CLOUD, SCAN, NAMED]))
def test_a_reason_can_be_logged(event: Any) -> None:
    for decode in (decode_event_grid, decode_cloud_event, decode_scan_event):
        with bounded(weight(event)):
            answer = decode(event)
        if isinstance(answer, Ignored):
            assert 0 < len(answer.reason) < 2000
            answer.reason.encode()


def test_undamaged_events_are_taken() -> None:
    assert isinstance(decode_event_grid(GRID), VersionWritten)
    assert isinstance(decode_cloud_event(CLOUD), VersionWritten)
    assert isinstance(decode_scan_event(SCAN), ScanReported)
    assert isinstance(decode_scan_event(NAMED), ScanReported)
